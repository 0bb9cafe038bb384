"""What each identity may do, expanded to exact topics: the one reading of `lockgate_schemas.topics.RIGHTS` for every broker.

Pure: identities and registered parties in, topics and queues out. How a broker spells such a permission is decided in its
own folder (`nats/accounts.py`, `memory/server.py`). Everything here is an allow list; what is not in it is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lockgate_schemas.names import PartyKind, Role
from lockgate_schemas.topics import HEALTH_TOPIC, QUARANTINE_TOPIC, RIGHTS, Party, Queue

Identity = Role | Party
"""Who a connection belongs to: a workload of the gateway, or an agent or client outside it."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """The complete rights of one identity.

    ``publish`` are topics that are stored, ``notify`` and ``hear`` are notices, ``read`` are queues. The only pattern that may
    occur is a trailing ``.*`` in ``publish``, on a party's own way out.
    """

    publish: tuple[str, ...]
    read: tuple[Queue, ...]
    notify: tuple[str, ...]
    hear: tuple[str, ...]


def allowed(identity: Identity, parties: Sequence[Party]) -> Allowed:
    """Expand the rights of ``identity`` while exactly ``parties`` are registered."""
    if isinstance(identity, Role):
        return allowed_role(identity, parties)
    if identity not in parties:
        return Allowed((), (), (), ())  # not registered, or no longer: nothing
    return allowed_party(identity)


def allowed_role(role: Role, parties: Sequence[Party]) -> Allowed:
    """A role: its row of the table, with kinds of party replaced by the parties of that kind."""
    rights = RIGHTS[role]
    agents = _of_kinds(parties, (PartyKind.AGENT,))
    return Allowed(
        publish=(
            *(queue.filter for queue in rights.writes),
            *(party.inbound.filter for party in _of_kinds(parties, rights.writes_to)),
            f"{QUARANTINE_TOPIC}.{role}",
            f"{HEALTH_TOPIC}.{role}",
        ),
        read=(*rights.reads, *(party.outbound for party in _of_kinds(parties, rights.reads_from))),
        notify=(*rights.notifies, *((party.cancel_topic for party in agents) if rights.cancels else ())),
        hear=rights.hears,
    )


def allowed_party(party: Party) -> Allowed:
    """A party: its own queue in, its own topic out, and for an agent the notice that cancels its work."""
    return Allowed(
        publish=(party.outbound.filter,),
        read=(party.inbound,),
        notify=(),
        hear=(party.cancel_topic,) if party.kind is PartyKind.AGENT else (),
    )


def matches(pattern: str, topic: str) -> bool:
    """Say whether ``topic`` is ``pattern``, or one more token behind it where the pattern ends in ``.*``."""
    if not pattern.endswith(".*"):
        return topic == pattern
    head, _, last = topic.rpartition(".")
    return head == pattern[:-2] and last not in {"", "*", ">"}


def may(patterns: Iterable[str], topic: str) -> bool:
    """Say whether any of ``patterns`` allows ``topic``; an empty list allows nothing."""
    return any(matches(pattern, topic) for pattern in patterns)


def _of_kinds(parties: Sequence[Party], kinds: Sequence[PartyKind]) -> tuple[Party, ...]:
    return tuple(party for party in parties if party.kind in kinds)
