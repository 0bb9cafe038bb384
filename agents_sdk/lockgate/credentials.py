"""Credential files: what an agent or a client needs in order to run, in one JSON file that only its owner can read.

Decides what is well-formed, and refuses a file that others could have read. Whether a credential still opens anything is for the gateway and
the broker to say. The pinned ``trust`` inside is the root of everything the SDK verifies: it comes with the file, never over the wire.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from lockgate_broker.port import Credential
from lockgate_broker.private_files import read_private, write_private
from lockgate_schemas.errors import ConfigurationError, NameRefusedError
from lockgate_schemas.names import Role, checked_name
from lockgate_schemas.signing import NoteSigner
from lockgate_schemas.trust import Trust

_T = TypeVar("_T")
_SEED_BYTES: Final = 32
_FOR_AGENTS: Final = (Role.INGRESS, Role.AUTHZ, Role.INSPECTION, Role.OUTCOME)
_FOR_CLIENTS: Final = (Role.INGRESS, Role.AUTHZ, Role.INSPECTION, Role.DLP, Role.OUTCOME)


class _Broker(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    servers: tuple[str, ...]
    user: str
    seed: str
    inbox: str = ""

    def __repr__(self) -> str:
        return "_Broker(...)"


class _AgentFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="agent"):
    name: str
    gateway: str
    broker: _Broker
    trust: Trust


class _ClientFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="client"):
    name: str
    tenant: str
    gateway: str
    url: str
    kid: str
    seed: str
    broker: _Broker | None
    trust: Trust


@dataclass(frozen=True, slots=True)
class AgentCredentials:
    """What ``lockgate agent add`` writes: the agent's name, its broker credential, and whose stamps it believes."""

    name: str
    gateway: str
    broker: Credential
    trust: Trust

    def __post_init__(self) -> None:
        """Refuse credentials under which nothing could ever be verified."""
        _check(self.name, "agent", self.gateway, self.trust, _FOR_AGENTS)

    @classmethod
    def load(cls, path: str | Path) -> AgentCredentials:
        """Read a credential file. Raises `ConfigurationError` if it is missing, malformed, or readable by others."""
        content = _read(Path(path), _AgentFile)
        return cls(content.name, content.gateway, _credential(content.broker), content.trust)

    def save(self, path: str | Path) -> None:
        """Write the file, mode 0600."""
        _write(Path(path), _AgentFile(self.name, self.gateway, _broker(self.broker), self.trust))


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """What ``lockgate client add`` writes: who the client is, the key it signs with, where the gateway is, and whose stamps it believes.

    ``seed`` is the private Ed25519 seed and is never shown; ``broker`` is set for clients that may submit over the broker.
    """

    name: str
    tenant: str
    gateway: str
    url: str
    kid: str
    seed: bytes = field(repr=False)
    trust: Trust
    broker: Credential | None = None

    def __post_init__(self) -> None:
        """Refuse credentials that could sign nothing, or verify nothing."""
        _check(self.name, "client", self.gateway, self.trust, _FOR_CLIENTS)
        if len(self.seed) != _SEED_BYTES:
            raise ConfigurationError("a client's seed must have 32 bytes")

    @property
    def signer(self) -> NoteSigner:
        """The key that signs this client's envelopes and access tokens."""
        return NoteSigner(self.name, self.seed)

    @classmethod
    def load(cls, path: str | Path) -> ClientCredentials:
        """Read a credential file. Raises `ConfigurationError` if it is missing, malformed, or readable by others."""
        found = _read(Path(path), _ClientFile)
        broker = None if found.broker is None else _credential(found.broker)
        return cls(found.name, found.tenant, found.gateway, found.url, found.kid, _seed(found.seed), found.trust, broker)

    def save(self, path: str | Path) -> None:
        """Write the file, mode 0600."""
        seed = urlsafe_b64encode(self.seed).rstrip(b"=").decode()
        broker = None if self.broker is None else _broker(self.broker)
        _write(Path(path), _ClientFile(self.name, self.tenant, self.gateway, self.url, self.kid, seed, broker, self.trust))


def _check(name: str, what: str, gateway: str, trust: Trust, roles: tuple[Role, ...]) -> None:
    try:
        checked_name(name, what=what)
    except NameRefusedError as error:
        raise ConfigurationError(error.detail) from None
    if trust.gateway != gateway:
        raise ConfigurationError("the credentials and the trust in them name different gateways")
    keys = trust.verifiers()
    missing = [str(role) for role in roles if not keys.get(role)]
    if missing:
        raise ConfigurationError(f"the trust in the credentials has no key of {', '.join(missing)}: nothing could be verified")


def _read(path: Path, type_: type[_T]) -> _T:
    try:
        return msgspec.json.decode(read_private(path), type=type_)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        # Without the cause: a decoder may quote what it read, and what it read is a seed.
        raise ConfigurationError(f"{path} is not the kind of credential file that is needed here") from None


def _write(path: Path, content: _AgentFile | _ClientFile) -> None:
    write_private(path, msgspec.json.format(msgspec.json.encode(content)) + b"\n")


def _seed(text: str) -> bytes:
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise ConfigurationError("the seed in the credentials is not base64url") from None


def _credential(broker: _Broker) -> Credential:
    return Credential(broker.servers, broker.user, broker.seed, broker.inbox)


def _broker(credential: Credential) -> _Broker:
    return _Broker(credential.servers, credential.user, credential.seed, credential.inbox)
