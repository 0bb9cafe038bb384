"""Receivers that an operator could have: an HTTPS server that keeps what it was sent, and the authority that its certificate comes from."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lockgate_ledger.alert_records import AlertRecord, Evidence

NOW = 1_800_000_000_000
HOST = "receiver.test"
SECRET = "whsec_" + "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0"


def alert(number: int = 7, **changes: object) -> AlertRecord:
    given: dict[str, object] = {
        "number": number,
        "name": "dlp-blocks",
        "kind": "dlp-block",
        "subject": "user:acme/alice",
        "tenant": "acme",
        "user": "alice",
        "agent": "",
        "window": 300,
        "since": NOW - 60_000,
        "at": NOW,
        "count": 5,
        "repeats": 0,
        "evidence": Evidence(rules={"aws-key": 5}, requests=tuple(f"request-{n}" for n in range(8))),
        "destinations": (),
        "raised": NOW,
        **changes,
    }
    return AlertRecord(**given)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Authority:
    """A certificate for `HOST` and this machine, and the roots that vouch for it."""

    roots: Path
    certificate: Path
    key: Path

    @property
    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return made_authority(tmp_path_factory.mktemp("authority"))


def made_authority(folder: Path) -> Authority:
    """An authority of the tests' own; its keys are made here and are nobody's."""
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tests")])
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    root = (
        _certificate(root_name, root_name, root_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(root_key, hashes.SHA256())
    )
    leaf = (
        _certificate(name, root_name, key.public_key())
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST), x509.DNSName("localhost")]), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    found = Authority(folder / "roots.pem", folder / "leaf.pem", folder / "leaf.key")
    found.roots.write_bytes(root.public_bytes(serialization.Encoding.PEM))
    found.certificate.write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    found.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    return found


def _certificate(subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
    )


@dataclass(frozen=True)
class Received:
    """One request as it came: its first line, its headers by their names in lower case, its body."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """An HTTPS server. ``answers`` are given in turn, the last one again and again; an empty one closes without answering."""

    port: int = 0
    answers: list[bytes] = field(default_factory=lambda: [b"HTTP/1.1 204 No Content\r\n\r\n"])
    received: list[Received] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def url(self) -> str:
        return f"https://{HOST}:{self.port}/hook?a=1"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            async with self.changed:
                self.received.append(Received(head[0], headers, body))
                self.changed.notify_all()
            writer.write(self.answers[min(len(self.received), len(self.answers)) - 1])
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    async def reached(self, count: int, seconds: float = 20.0) -> None:
        """Wait until that many requests came."""
        async with asyncio.timeout(seconds), self.changed:
            await self.changed.wait_for(lambda: len(self.received) >= count)


@pytest.fixture
async def receiver(authority: Authority) -> AsyncIterator[Receiver]:
    found = Receiver()
    context = authority.context
    context.sni_callback = lambda _socket, name, _context: found.names.append(name)
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0, ssl=context)
    found.port = server.sockets[0].getsockname()[1]
    async with server:
        yield found


def resolving(*addresses: str) -> tuple[list[str], object]:
    """A resolver that always answers so, and the names it was asked for."""
    asked: list[str] = []

    async def resolve(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return addresses

    return asked, resolve
