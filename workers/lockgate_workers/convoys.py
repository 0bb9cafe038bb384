"""Packing: how passages that go the same way share a message. Pure.

The cost of a hop is in the message, not in its bytes, so passages that cleared a gate together travel to the next gate together,
up to a weight. Towards an agent each passage is a message of its own, because agents acknowledge one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lockgate_broker.port import Outbound
from lockgate_schemas.passage import Incident, Passage, encode


def convoys(topic: str, passages: Iterable[Passage], *, limit: int) -> Iterator[Outbound]:
    """Messages for ``topic`` that carry ``passages`` in order, each weighing at most ``limit`` bytes or holding a single passage."""
    packed: list[bytes] = []
    weight = 0
    for passage in passages:
        encoded = encode(passage)
        if packed and weight + len(encoded) > limit:
            yield _convoy(topic, packed)
            packed, weight = [], 0
        packed.append(encoded)
        weight += len(encoded) + 1
    if packed:
        yield _convoy(topic, packed)


def lone(topic: str, passage: Passage, dedupe: str = "") -> Outbound:
    """A message that carries one passage."""
    return _convoy(topic, [encode(passage)], dedupe)


def incident_report(topic: str, incident: Incident) -> Outbound:
    """A message that carries one incident."""
    return Outbound(topic, b'{"incidents":[' + encode(incident) + b"]}")


def _convoy(topic: str, encoded: list[bytes], dedupe: str = "") -> Outbound:
    # Each passage was encoded once, above, to be weighed; joining the bytes spares a second encoding of the whole.
    return Outbound(topic, b'{"passages":[' + b",".join(encoded) + b"]}", dedupe)
