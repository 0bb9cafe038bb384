"""A gateway's doors over a real SQLite ledger and the in-memory broker, with two tenants, and the hands to sign, forge and end requests."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from lockgate_broker.memory.connection import MemoryBroker
from lockgate_broker.memory.provisioner import MemoryProvisioner
from lockgate_broker.memory.server import MemoryServer
from lockgate_ingress.admin.control import kid_of
from lockgate_ingress.bounds import Bounds
from lockgate_ingress.serve import Ingress, serve_ingress
from lockgate_ledger.ledger import Ledger
from lockgate_ledger.records import AgentRecord, ClientRecord, Ending, KeyRecord, LoggedEntry
from lockgate_schemas.audit import decision_entry
from lockgate_schemas.envelope import EVENT_TYPE, REQUEST_TYPE, Access, digest_of, sign_access, sign_jws, timestamp
from lockgate_schemas.limits import Limits
from lockgate_schemas.names import Role
from lockgate_schemas.notices import outcomes_notices
from lockgate_schemas.passage import NOTHING, Decision, Outcome, Stamp, Statement, read_facts, read_statement
from lockgate_schemas.signing import NoteSigner, public_key_of
from lockgate_schemas.stamping import NO_BYTES, ChainVerifier, stamp_batch, statement_digest
from lockgate_schemas.topics import NOTICE_OUTCOMES
from lockgate_schemas.trust import AUDIT, STAMPING_ROLES, Trust, TrustedKey, signing_name

GATEWAY = "gw-test"
NOW = 1_800_000_000_000
MINUTE = 60_000
RESPONSE = msgspec.Raw(b'{"status":"ok","body":"forty-two"}')
SIGNERS = {
    role: NoteSigner(signing_name(GATEWAY, role), bytes([number]) * 32)
    for number, role in enumerate((*STAMPING_ROLES, AUDIT), start=1)
}
TRUST = Trust(GATEWAY, tuple(TrustedKey(str(role), str(signer.verifier)) for role, signer in SIGNERS.items()))


@dataclass(frozen=True)
class Party:
    """A client with its key, and everything it might sign, well or badly."""

    name: str
    tenant: str
    user: str
    seed: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    broker: bool = False

    @property
    def signer(self) -> NoteSigner:
        return NoteSigner(self.name, self.seed)

    @property
    def public_key(self) -> bytes:
        return public_key_of(self.seed)

    @property
    def kid(self) -> str:
        return kid_of(self.public_key)

    @property
    def record(self) -> ClientRecord:
        return ClientRecord(self.name, self.tenant, self.user, broker=self.broker)

    @property
    def key(self) -> KeyRecord:
        return KeyRecord(self.kid, self.name, self.public_key)

    def members(self, **changes: Any) -> dict[str, Any]:
        """The event's members; a change to None leaves one out."""
        members: dict[str, Any] = {
            "specversion": "1.0",
            "id": secrets.token_hex(8),
            "source": self.name,
            "type": EVENT_TYPE,
            "time": timestamp(NOW),
            "expirytime": timestamp(NOW + 5 * MINUTE),
            "audience": GATEWAY,
            "agent": "echo",
            "action": "ask",
            "data": {"question": "what is six times seven?"},
        }
        return {name: value for name, value in {**members, **changes}.items() if value is not None}

    def envelope(self, **changes: Any) -> bytes:
        return self.signed(json.dumps(self.members(**changes)).encode())

    def signed(self, payload: bytes, *, type_: str = REQUEST_TYPE, kid: str | None = None) -> bytes:
        return sign_jws(self.signer, self.kid if kid is None else kid, payload, type_).encode()

    def token(self, *, issuer: str = "", audience: str = GATEWAY, issued: int = NOW // 1000, lives: int = 60) -> str:
        access = Access(iss=issuer or self.name, aud=audience, iat=issued, exp=issued + lives)
        return sign_access(self.signer, self.kid, access)

    def bearer(self, **changes: Any) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(**changes)}"}


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


@dataclass
class World:
    """What a test works with."""

    url: str
    ledger: Ledger
    server: MemoryServer
    broker: MemoryBroker
    clock: Clock
    limits: Limits
    bounds: Bounds
    shop: Party = field(default_factory=lambda: Party("shop", "acme", "alice"))
    rival: Party = field(default_factory=lambda: Party("rival", "globex", "mallory"))
    wired: Party = field(default_factory=lambda: Party("wired", "acme", "bob", broker=True))

    async def enrol(self) -> None:
        for party in (self.shop, self.rival, self.wired):
            await self.ledger.add_client(party.record, party.key, NOW)
        await self.ledger.add_agent(AgentRecord("echo", "acme", ("ask",)), NOW)

    def ingress(self, **changes: Any) -> Ingress:
        members: dict[str, Any] = {
            "broker": self.broker,
            "ledger": self.ledger,
            "signer": SIGNERS[Role.INGRESS],
            "trust": TRUST,
            "gateway": GATEWAY,
            "limits": self.limits,
            "clock": self.clock,
            "randomness": secrets.token_bytes,
            "bounds": self.bounds,
        }
        return Ingress(**{**members, **changes})

    @contextlib.asynccontextmanager
    async def served(self, **changes: Any) -> AsyncIterator[str]:
        """The public listener on a free port, as the process runs it; yields its URL."""
        address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        stop = asyncio.Event()
        members: dict[str, Any] = {
            "broker": self.broker,
            "ledger": self.ledger,
            "signer": SIGNERS[Role.INGRESS],
            "trust": TRUST,
            "gateway": GATEWAY,
            "limits": self.limits,
            "host": "127.0.0.1",
            "port": 0,
            "clock": self.clock,
            "randomness": secrets.token_bytes,
            "ready": address.set_result,
            "stop": stop,
            "bounds": self.bounds,
        }
        task = asyncio.create_task(serve_ingress(**{**members, **changes}))
        try:
            await asyncio.wait({task, address}, return_when=asyncio.FIRST_COMPLETED)
            yield await address if address.done() else (await task) or ""
        finally:
            stop.set()
            await task

    async def end(self, request_id: str, outcome: Outcome = Outcome.DELIVERED, *, code: str = "", notify: bool = True) -> None:
        """End a request the way the gates and the outcome role do, each with its own signature."""
        record = await self.ledger.request(request_id)
        assert record is not None
        stamps, statements = chain(record.acceptance.facts, record.acceptance.stamp, outcome, code)
        facts = read_facts(record.acceptance.facts)
        entries = tuple(decision_entry(facts, s, t) for s, t in zip(statements, stamps, strict=True))
        response = RESPONSE if outcome is Outcome.DELIVERED else NOTHING
        assert await self.ledger.end([Ending(request_id, outcome, code, NOW, stamps, entries, response)]) == [True]
        if notify:
            teller = MemoryBroker(self.server, Role.OUTCOME)
            for body in outcomes_notices([request_id]):
                await teller.notify(NOTICE_OUTCOMES, body)

    async def audited(self, **members: str) -> list[LoggedEntry]:
        return await self.ledger.search(limit=1000, **members)

    async def waiting(self, topic: str) -> list[bytes]:
        store = self.server.store_of(topic)
        assert store is not None
        return [message.body for message in store.messages.values()]


def chain(facts_raw: msgspec.Raw, first: Stamp, outcome: Outcome, code: str) -> tuple[tuple[Stamp, ...], tuple[Statement, ...]]:
    """The rest of a chain behind an acceptance: every gate for a delivery, else authz and the outcome."""
    facts, facts_digest = read_facts(facts_raw), digest_of(bytes(facts_raw))
    delivered = outcome is Outcome.DELIVERED
    roles = (Role.AUTHZ, Role.INSPECTION, Role.DLP) if delivered else (Role.AUTHZ,)
    stamps, statements = [first], [read_statement(first.statement)]
    for role in (*roles, Role.OUTCOME):
        answered = role is Role.DLP or (role is Role.OUTCOME and delivered)
        digest = digest_of(bytes(RESPONSE)) if answered else NO_BYTES if role is Role.OUTCOME else facts.envelope
        decision = Decision.ALLOW if delivered else Decision.DENY
        statement = Statement(
            stage=str(role),
            decision=Decision.RECORD if role is Role.OUTCOME else decision,
            request_id=facts.request_id,
            facts=facts_digest,
            input=digest,
            output=digest,
            previous=statement_digest(stamps[-1]),
            at=NOW,
            outcome=outcome if role is Role.OUTCOME else None,
            code=code if role is Role.OUTCOME else "",
        )
        statements.append(statement)
        stamps.extend(stamp_batch(SIGNERS[role], [statement]))
    return tuple(stamps), tuple(statements)


def verifier() -> ChainVerifier:
    return ChainVerifier(TRUST, clock_skew=60_000)


async def until(condition: Callable[[], Any], seconds: float = 5.0) -> None:
    """Wait until ``condition`` (a function, or a coroutine function) holds; fail if it does not within the bound."""
    async with asyncio.timeout(seconds):
        while True:
            found = condition()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return
            await asyncio.sleep(0.005)


@pytest.fixture
def limits() -> Limits:
    return Limits(publish_timeout=1_000, ledger_timeout=3_000, wait=5_000, park=50)


@pytest.fixture
def bounds() -> Bounds:
    return Bounds(
        refusals_every=0.02,
        probe_every=0.02,
        ready_for=0.05,
        ready_within=0.5,
        poll_every=0.05,
        drain_seconds=1,
        pull_seconds=0.1,
    )


@pytest.fixture
async def world(tmp_path: Path, limits: Limits, bounds: Bounds) -> AsyncIterator[World]:
    clock = Clock()
    url = f"sqlite:///{tmp_path}/ledger.db"
    async with Ledger.open(url, audit_signer=SIGNERS[AUDIT], clock=clock, limits=limits, create=True) as ledger:
        server = MemoryServer()
        await MemoryProvisioner(server).assert_topology(())
        made = World(url, ledger, server, MemoryBroker(server, Role.INGRESS), clock, limits, bounds)
        await made.enrol()
        yield made


@contextlib.asynccontextmanager
async def _running(ingress: Ingress) -> AsyncIterator[Ingress]:
    # In a task of its own: a fixture is entered and left by different tasks.
    started, stop = asyncio.Event(), asyncio.Event()

    async def run() -> None:
        async with ingress.running():
            started.set()
            await stop.wait()

    task = asyncio.create_task(run())
    waiting = asyncio.create_task(started.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    try:
        yield ingress
    finally:
        waiting.cancel()
        stop.set()
        await task


@pytest.fixture
async def ingress(world: World) -> AsyncIterator[Ingress]:
    async with _running(world.ingress()) as running:
        yield running


@pytest.fixture
def running() -> Callable[[Ingress], contextlib.AbstractAsyncContextManager[Ingress]]:
    """For tests with an ingress of their own."""
    return _running


@pytest.fixture
async def http(ingress: Ingress) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=ingress.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield client


JOSE = {"Content-Type": "application/jose"}


async def offered(client: httpx.AsyncClient, compact: bytes, **headers: str) -> httpx.Response:
    return await client.post("/v1/requests", content=compact, headers={**JOSE, **headers})


def request_id_of(response: httpx.Response) -> str:
    assert response.status_code == 202, response.text
    return response.headers["location"].removeprefix("/v1/requests/")


__all__ = ["JOSE", "Party", "Sequence", "World", "offered", "replace", "request_id_of", "until", "verifier"]
