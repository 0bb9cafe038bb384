"""What the operator's listener takes and gives, as closed types. A body is read strictly: one meaning, no unknown member."""

from __future__ import annotations

import binascii
from base64 import b64decode
from typing import TypeVar

import msgspec

from lockgate_broker.port import Credential
from lockgate_ledger.records import Binding
from lockgate_schemas import strict_json
from lockgate_schemas.errors import InvalidRequestError, MalformedError
from lockgate_schemas.trust import Trust

T = TypeVar("T")


class _Closed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class NewClient(_Closed, frozen=True):
    """``public_key`` is base64 of 32 bytes; the private half never comes here."""

    name: str
    tenant: str
    user: str
    public_key: str
    broker: bool = False


class NewKey(_Closed, frozen=True):
    """Another key of ``client``; ``ends`` in milliseconds since 1970, 0 for never."""

    client: str
    public_key: str
    ends: int = 0


class NewAgent(_Closed, frozen=True):
    """An agent has a name and actions, and no address."""

    name: str
    actions: tuple[str, ...]
    tenant: str = "default"


class Grant(_Closed, frozen=True):
    """Who may ask whom for what; without actions, for all that the agent declares."""

    tenant: str
    user: str
    agent: str
    role: str = "caller"
    actions: tuple[str, ...] = ()

    @property
    def binding(self) -> Binding:
        """As the ledger keeps it."""
        return Binding(self.tenant, self.user, self.agent, self.role, self.actions)


class NewPolicy(_Closed, frozen=True):
    """A whole policy set."""

    text: str


class NewContent(_Closed, frozen=True):
    """A whole content policy, as its YAML text."""

    text: str


class Acknowledgement(_Closed, frozen=True):
    """That an alert was seen, with a few words if there are any."""

    note: str = ""


class AlertTest(_Closed, frozen=True):
    """An alert about nothing, for one destination of the settings."""

    destination: str


class BrokerCredential(msgspec.Struct, frozen=True):
    """The one time that a credential is shown: to the operator who asked for it."""

    servers: tuple[str, ...]
    user: str
    seed: str
    inbox: str

    def __repr__(self) -> str:
        return "BrokerCredential(...)"

    @classmethod
    def of(cls, credential: Credential | None) -> BrokerCredential | None:
        """In the form in which it goes over the wire."""
        return None if credential is None else cls(credential.servers, credential.user, credential.seed, credential.inbox)


class ClientAdded(msgspec.Struct, frozen=True, kw_only=True):
    """All that a client's credential file needs, except its seed."""

    name: str
    tenant: str
    kid: str
    gateway: str
    url: str
    trust: Trust
    broker: BrokerCredential | None


class AgentAdded(msgspec.Struct, frozen=True, kw_only=True):
    """All that an agent's credential file needs."""

    name: str
    gateway: str
    trust: Trust
    broker: BrokerCredential | None


def read_body(raw: bytes, type_: type[T]) -> T:
    """Decode a body. Raises `InvalidRequestError`, which does not quote it."""
    try:
        strict_json.loads(raw)
        return msgspec.json.decode(raw, type=type_)
    except (MalformedError, msgspec.MsgspecError, RecursionError, UnicodeError):
        raise InvalidRequestError("the body is not what this address takes") from None


def read_key(text: str) -> bytes:
    """The bytes of a public key. Whether they are fit to be one is checked where it is enrolled. Raises `InvalidRequestError`."""
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequestError("the public key is not base64") from None
