"""The frozen records that go in and out of the ledger. No SQL and no IO here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from lockgate_schemas.audit import AuditEntry
from lockgate_schemas.passage import NOTHING, Acceptance, Outcome, Stamp


@dataclass(frozen=True, slots=True)
class ClientRecord:
    """A registered client: the tenant and user its signatures speak for."""

    name: str
    tenant: str
    user: str
    active: bool = True
    broker: bool = False


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """An enrolled public key. ``ends`` (milliseconds since 1970, 0 for never) is when it stops being good; ``revoked`` ends it at once."""

    kid: str
    client: str
    public_key: bytes
    ends: int = 0
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class AgentRecord:
    """A registered agent: its owner and the actions it declares. No address: agents are reached by name only."""

    name: str
    tenant: str
    actions: tuple[str, ...]
    active: bool = True


@dataclass(frozen=True, slots=True)
class Binding:
    """A grant: ``user`` of ``tenant`` holds ``role`` towards ``agent``, for ``actions`` (empty for all that the agent declares)."""

    tenant: str
    user: str
    agent: str
    role: str = "caller"
    actions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PolicyRecord:
    """The Cedar policy set in force: its text, version number and digest."""

    text: str
    version: int
    digest: str


@dataclass(frozen=True, slots=True)
class ContentRecord:
    """The content policy in force: its text (`lockgate_schemas.content`), version number and digest."""

    text: str = field(repr=False)
    version: int
    digest: str


@dataclass(frozen=True, slots=True)
class Directory:
    """One consistent view of everything that decisions rest on, at one policy epoch."""

    epoch: int
    clients: Mapping[str, ClientRecord]
    keys: Mapping[str, KeyRecord]
    agents: Mapping[str, AgentRecord]
    bindings: Mapping[tuple[str, str, str], tuple[Binding, ...]]
    """Keyed by tenant, user, agent."""
    policy: PolicyRecord | None
    content: ContentRecord | None = None
    """Nothing means that none was ever applied: the shipped rule packs hold as they are."""


@dataclass(frozen=True, slots=True)
class NewRequest:
    """What the ingress wants to accept. ``issuer`` and ``event_id`` are unique together; ``digest`` is the envelope's."""

    request_id: str
    issuer: str
    event_id: str
    digest: str
    tenant: str
    agent: str
    action: str
    door: str
    accepted: int
    deadline: int
    envelope: str = field(repr=False)
    acceptance: Acceptance = field(repr=False)
    entry: AuditEntry = field(repr=False)


@dataclass(frozen=True, slots=True)
class Accepted:
    """It is in the ledger. ``new`` is false when the identical envelope had been accepted before: then this is that acceptance."""

    acceptance: Acceptance = field(repr=False)
    new: bool = True


@dataclass(frozen=True, slots=True)
class Conflict:
    """The issuer used this event id before, for other bytes."""


@dataclass(frozen=True, slots=True)
class Overloaded:
    """The client has as many open requests as it may have."""


AcceptResult = Accepted | Conflict | Overloaded
"""Exactly one of these for each request of a batch."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The gates so far have decided about a request that is not yet ended. One audit entry for each stamp, in the same order."""

    request_id: str
    stamps: tuple[Stamp, ...] = field(repr=False)
    entries: tuple[AuditEntry, ...] = field(repr=False)
    dispatched: bool = True


@dataclass(frozen=True, slots=True)
class Ending:
    """A request is to end. ``stamps`` is the whole chain with the outcome's last; ``entries`` one for each stamp, in order."""

    request_id: str
    outcome: Outcome
    code: str
    at: int
    stamps: tuple[Stamp, ...] = field(repr=False)
    entries: tuple[AuditEntry, ...] = field(repr=False)
    response: msgspec.Raw = field(default_factory=lambda: NOTHING, repr=False)


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request as the ledger knows it."""

    request_id: str
    client: str
    tenant: str
    agent: str
    action: str
    door: str
    accepted: int
    deadline: int
    progressed: int
    dispatched: bool
    sends: int
    envelope: str = field(repr=False)
    acceptance: Acceptance = field(repr=False)
    stamps: tuple[Stamp, ...] = field(repr=False)
    """The newest chain: the ingress's stamp alone, the chain at dispatch, or, once ended, all of it."""
    outcome: Outcome | None = None
    code: str = ""
    ended: int = 0
    response: msgspec.Raw = field(default_factory=lambda: NOTHING, repr=False)


@dataclass(frozen=True, slots=True)
class LoggedEntry:
    """An audit entry at its place in the log. ``raw`` is the leaf's exact bytes."""

    sequence: int
    raw: bytes
    entry: AuditEntry


@dataclass(frozen=True, slots=True)
class Verification:
    """What recomputing the whole audit log found. ``first_bad`` is the sequence number of the first entry that does not fit."""

    entries: int
    checkpoints: int
    root: bytes
    first_bad: int | None = None
    reason: str = ""

    @property
    def intact(self) -> bool:
        """Whether everything recomputed to what was signed."""
        return self.first_bad is None and not self.reason
