"""The topics: which queue exists, who reads it, who may write to it. One table for every broker.

The provisioner of each broker turns these tables into exact permissions, and the AsyncAPI document is generated from
them, so there is no second list to forget. A topic has one reading role; whoever is not in its ``writers`` cannot publish to
it, because the broker refuses, not because the code is polite.

Three kinds exist: *queues* keep a message until its reader acknowledges it; *records* keep a bounded history for an operator; *notices* are
not kept at all (they only wake somebody up who would otherwise look a second later).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lockgate_schemas.names import PartyKind, Role, checked_name


@dataclass(frozen=True, slots=True)
class Queue:
    """One durable work queue.

    ``stream`` names the store, ``topic`` the address messages are published to, ``reader`` the one consumer (a role, or
    ``agent``/``client`` for a party's own queue). ``wild`` says that publishers put one more token behind the topic.
    """

    stream: str
    topic: str
    reader: str
    wild: bool = False

    @property
    def filter(self) -> str:
        """The subject pattern that the queue stores."""
        return f"{self.topic}.*" if self.wild else self.topic


@dataclass(frozen=True, slots=True)
class Party:
    """An agent or a client with broker credentials of its own: one queue towards it, one away from it, nothing else."""

    kind: PartyKind
    name: str

    def __post_init__(self) -> None:
        """Refuse anything that is not a name, before it can become part of a permission."""
        checked_name(self.name, what=str(self.kind))

    @property
    def inbound(self) -> Queue:
        """What the gateway sends to the party; the party reads it."""
        if self.kind is PartyKind.AGENT:
            return Queue(f"D_{self.name}", f"gw.dispatch.{self.name}", "agent")
        return Queue(f"O_{self.name}", f"gw.outcome.{self.name}", "client")

    @property
    def outbound(self) -> Queue:
        """What the party sends to the gateway; the dlp role reads an agent's, the ingress a client's."""
        if self.kind is PartyKind.AGENT:
            return Queue(f"R_{self.name}", f"gw.reply.{self.name}", str(Role.DLP), wild=True)
        return Queue(f"I_{self.name}", f"gw.ingress.{self.name}", str(Role.INGRESS), wild=True)

    @property
    def cancel_topic(self) -> str:
        """The notice that tells every copy of an agent that a dispatch is no longer wanted."""
        return f"gw.cancel.{self.name}"


def agent(name: str) -> Party:
    """The party of the agent called ``name``; raises `NameRefusedError` if that is not a name."""
    return Party(PartyKind.AGENT, name)


def client(name: str) -> Party:
    """The party of the client called ``name``; raises `NameRefusedError` if that is not a name."""
    return Party(PartyKind.CLIENT, name)


AUTHZ: Final = Queue("AUTHZ", "gw.authz", str(Role.AUTHZ))
INSPECTION: Final = Queue("INSPECTION", "gw.inspection", str(Role.INSPECTION))
OUTCOMES: Final = Queue("OUTCOMES", "gw.outcomes", str(Role.OUTCOME))

QUEUES: Final[tuple[Queue, ...]] = (AUTHZ, INSPECTION, OUTCOMES)
"""The gateway's own queues; each party adds two more."""

QUARANTINE_STREAM: Final = "QUARANTINE"
QUARANTINE_TOPIC: Final = "gw.quarantine"
"""The record of refused messages, one subject a role (``gw.quarantine.<role>``), bounded by size and age, read by operators."""

HEALTH_STREAM: Final = "HEALTH"
HEALTH_TOPIC: Final = "gw.health"
"""A readiness probe is a confirmed publish to ``gw.health.<role>``, of which only the last is kept."""

NOTICE_OUTCOMES: Final = "gw.notice.outcomes"
"""The outcome role tells the ingress which requests have just ended."""

NOTICE_EPOCH: Final = "gw.notice.epoch"
"""The provisioner tells the workers that parties or policies changed; a worker that misses it sees the epoch in the ledger."""


NOTICE_RELEASES: Final = "gw.notice.releases"
"""The dlp role tells the ingress what of an unfinished answer may be shown: signed, not stored, and each says all that the ones before said."""


@dataclass(frozen=True, slots=True)
class Rights:
    """What one role may do on the broker. Nothing that is not listed is allowed.

    ``reads`` and ``writes`` are the gateway's own topics; ``reads_from`` and ``writes_to`` name the kinds of party whose queues it
    reads or fills; ``hears`` and ``notifies`` are notices; ``cancels`` allows the cancel notice of every agent.
    """

    reads: tuple[Queue, ...] = ()
    writes: tuple[Queue, ...] = ()
    reads_from: tuple[PartyKind, ...] = ()
    writes_to: tuple[PartyKind, ...] = ()
    hears: tuple[str, ...] = ()
    notifies: tuple[str, ...] = ()
    cancels: bool = False


RIGHTS: Final[dict[Role, Rights]] = {
    # The ingress enqueues what it accepted, reports cancellations, and answers clients that came in over the broker.
    Role.INGRESS: Rights(
        writes=(AUTHZ, OUTCOMES),
        reads_from=(PartyKind.CLIENT,),
        writes_to=(PartyKind.CLIENT,),
        hears=(NOTICE_OUTCOMES, NOTICE_EPOCH, NOTICE_RELEASES),
    ),
    # A stage may write to its own queue too: a convoy that is being retried is split into single passages there.
    Role.AUTHZ: Rights(reads=(AUTHZ,), writes=(AUTHZ, INSPECTION, OUTCOMES), hears=(NOTICE_EPOCH,)),
    # Back to authz when the policy epoch moved on; forward to agents.
    Role.INSPECTION: Rights(
        reads=(INSPECTION,),
        writes=(AUTHZ, INSPECTION, OUTCOMES),
        writes_to=(PartyKind.AGENT,),
        hears=(NOTICE_EPOCH,),
    ),
    Role.DLP: Rights(reads_from=(PartyKind.AGENT,), writes=(OUTCOMES,), hears=(NOTICE_EPOCH,), notifies=(NOTICE_RELEASES,)),
    # The outcome role also sweeps: it publishes requests without progress again.
    Role.OUTCOME: Rights(
        reads=(OUTCOMES,),
        writes=(AUTHZ, OUTCOMES),
        writes_to=(PartyKind.CLIENT,),
        hears=(NOTICE_EPOCH,),
        notifies=(NOTICE_OUTCOMES,),
        cancels=True,
    ),
    Role.PROVISIONER: Rights(notifies=(NOTICE_EPOCH,)),
}
"""Every role also may publish to ``gw.quarantine.<role>`` and ``gw.health.<role>``."""
