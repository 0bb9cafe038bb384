"""Putting passages that were accepted together into as few messages as their weight allows. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lockgate_broker.port import Outbound
from lockgate_schemas.passage import Convoy, Passage, encode

_AROUND: Final = 128  # member names, quotes and brackets of a passage with one stamp


def weight_of(passage: Passage) -> int:
    """At least the bytes that a passage takes in a convoy, without encoding it: line ends in a proof are escaped, nothing else is."""
    stamps = sum(len(bytes(stamp.statement)) + len(stamp.proof) + stamp.proof.count("\n") + 64 for stamp in passage.stamps)
    return len(passage.envelope) + len(bytes(passage.facts)) + len(bytes(passage.response)) + stamps + _AROUND


def convoys(passages: Sequence[tuple[str, Passage]], *, topic: str, most_bytes: int) -> list[tuple[Outbound, range]]:
    """Group ``passages`` (each with its request id), in order, into messages of at most ``most_bytes``, or of one passage.

    Each message comes with the positions it carries. Its dedupe id names its first request and its count, so that publishing the same batch
    again after a lost confirmation stores nothing twice.
    """
    groups: list[range] = []
    start, weight = 0, 0
    for position, (_, passage) in enumerate(passages):
        own = weight_of(passage)
        if position > start and weight + own > most_bytes:
            groups.append(range(start, position))
            start, weight = position, 0
        weight += own
    if passages:
        groups.append(range(start, len(passages)))
    return [(_message(passages, group, topic), group) for group in groups]


def _message(passages: Sequence[tuple[str, Passage]], group: range, topic: str) -> Outbound:
    body = encode(Convoy(passages=tuple(passages[position][1] for position in group)))
    return Outbound(topic, body, f"{passages[group.start][0]}:{len(group)}")
