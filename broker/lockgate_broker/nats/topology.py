"""The streams and consumers Lockgate keeps in JetStream, as data, and the comparison with what a server holds.

Pure: queues and limits in, API requests out. The provisioner sends them. Whoever changes a stream here changes the topology
of running installations: `difference` then names the field and the gateway refuses to start on the old one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lockgate_broker.limits import Limits
from lockgate_schemas.topics import HEALTH_STREAM, HEALTH_TOPIC, QUARANTINE_STREAM, QUARANTINE_TOPIC, QUEUES, Party, Queue

NANOSECOND: Final = 1_000_000_000

SERVER_FIELDS: Final = frozenset({"metadata"})
"""Fields the server writes for itself (its version and API level); they carry no behaviour."""

STREAM_DEFAULTS: Final[Mapping[str, object]] = {
    "max_consumers": -1,
    "max_msgs": -1,
    "max_bytes": -1,
    "max_msgs_per_subject": -1,
    "max_msg_size": -1,
    "num_replicas": 1,
    "compression": "none",
}
CONSUMER_DEFAULTS: Final[Mapping[str, object]] = {"replay_policy": "instant", "max_waiting": 512}


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream as `STREAM.CREATE` takes it."""

    name: str
    config: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Consumer:
    """One durable pull consumer as `CONSUMER.CREATE` takes it."""

    stream: str
    name: str
    config: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Topology:
    """What has to exist, streams before their consumers."""

    streams: tuple[Stream, ...]
    consumers: tuple[Consumer, ...]


def consumer_name(queue: Queue) -> str:
    """The one consumer of a queue is called after its reader."""
    return queue.reader


def gateway_topology(limits: Limits) -> Topology:
    """The gateway's own queues and records."""
    return Topology(
        streams=(
            *(_work_queue(queue, limits.queue_bytes, -1, limits.message_bytes, limits) for queue in QUEUES),
            _quarantine(limits),
            _health(),
        ),
        consumers=tuple(_consumer(queue, limits.queue_pending, 512, limits) for queue in QUEUES),
    )


def party_topology(party: Party, limits: Limits) -> Topology:
    """The two queues of one party, each with bounds of its own, so that a flood fills nothing but itself."""
    size, count = limits.party_queue_bytes, limits.party_queue_messages
    return Topology(
        streams=(
            _work_queue(party.inbound, size, count, limits.message_bytes, limits),
            _work_queue(party.outbound, size, count, limits.party_message_bytes, limits),
        ),
        consumers=(
            _consumer(party.inbound, limits.party_pending, limits.party_waiting, limits),
            _consumer(party.outbound, limits.party_pending, 512, limits),
        ),
    )


def whole_topology(parties: Sequence[Party], limits: Limits) -> Topology:
    """Everything that exists while ``parties`` are registered."""
    parts = (gateway_topology(limits), *(party_topology(party, limits) for party in parties))
    return Topology(
        streams=tuple(stream for part in parts for stream in part.streams),
        consumers=tuple(consumer for part in parts for consumer in part.consumers),
    )


def difference(wanted: Mapping[str, Any], found: Mapping[str, Any], defaults: Mapping[str, object]) -> str | None:
    """Name the first field in which ``found`` differs from ``wanted``, or None.

    Fields nobody asked for count too: roll-up, direct get, message TTLs, a mirror or a republish that somebody switched on
    would let messages out or make them vanish. Unset, null, zero and false are the same on this API.
    """
    for name in sorted((wanted.keys() | found.keys()) - SERVER_FIELDS):
        default = defaults.get(name)
        if (wanted.get(name, default) or None) != (found.get(name, default) or None):
            return name
    return None


def _work_queue(queue: Queue, size: int, count: int, message: int, limits: Limits) -> Stream:
    return Stream(
        queue.stream,
        {
            "name": queue.stream,
            "subjects": [queue.filter],
            "retention": "workqueue",
            "storage": "file",
            # Full means refused: the publisher learns it, and nothing that was confirmed is ever dropped.
            "discard": "new",
            "max_bytes": size,
            "max_msgs": count,
            "max_msg_size": message,
            "duplicate_window": int(limits.dedupe_window * NANOSECOND),
            "num_replicas": 1,
        },
    )


def _consumer(queue: Queue, pending: int, waiting: int, limits: Limits) -> Consumer:
    name = consumer_name(queue)
    return Consumer(
        queue.stream,
        name,
        {
            "durable_name": name,
            "name": name,
            "deliver_policy": "all",
            "ack_policy": "explicit",
            "ack_wait": int(limits.ack_wait * NANOSECOND),
            # Without an end: a message that reached max_deliver would stay in the work queue for ever, unseen, and the
            # advisory about it is lossy. The reader counts `Delivery.attempt` and quarantines.
            "max_deliver": -1,
            "max_ack_pending": pending,
            "max_waiting": waiting,
            "replay_policy": "instant",
            "num_replicas": 0,
        },
    )


def _quarantine(limits: Limits) -> Stream:
    return Stream(
        QUARANTINE_STREAM,
        {
            "name": QUARANTINE_STREAM,
            "subjects": [f"{QUARANTINE_TOPIC}.*"],
            "retention": "limits",
            "storage": "file",
            "discard": "old",
            "max_bytes": limits.quarantine_bytes,
            "max_age": int(limits.quarantine_age * NANOSECOND),
            "duplicate_window": int(limits.dedupe_window * NANOSECOND),
            "num_replicas": 1,
        },
    )


def _health() -> Stream:
    return Stream(
        HEALTH_STREAM,
        {
            "name": HEALTH_STREAM,
            "subjects": [f"{HEALTH_TOPIC}.*"],
            "retention": "limits",
            "storage": "file",
            "discard": "old",
            "max_msgs_per_subject": 1,
            "duplicate_window": NANOSECOND,
            "num_replicas": 1,
        },
    )
