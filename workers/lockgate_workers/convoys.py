"""The messages between gates: passages packed together, a passage alone, the reports of an incident and of a release. Pure.

Towards an agent each passage is a message of its own, because agents acknowledge one by one; so is a passage that is tried again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lockgate_broker.packing import convoy_body, packed
from lockgate_broker.port import Outbound
from lockgate_schemas.passage import Convoy, Incident, Passage, Release, encode


def convoys(topic: str, passages: Sequence[Passage], *, limit: int) -> Iterator[Outbound]:
    """Messages for ``topic`` that carry ``passages`` in order, as many in one as ``limit`` bytes allow."""
    for _, body in packed(passages, limit=limit):
        yield Outbound(topic, body)


def lone(topic: str, passage: Passage, dedupe: str = "") -> Outbound:
    """A message that carries one passage."""
    return Outbound(topic, convoy_body([encode(passage)]), dedupe)


def incident_report(topic: str, incident: Incident) -> Outbound:
    """A message that carries one incident."""
    return Outbound(topic, b'{"incidents":[' + encode(incident) + b"]}")


def release_report(topic: str, release: Release) -> Outbound:
    """A message that carries the record of one release: what was said of a draft, without its text."""
    return Outbound(topic, encode(Convoy(releases=(Release(facts=release.facts, stamp=release.stamp),))))
