"""Packing: how passages that go the same way share a message. Pure.

The cost of a hop is in the message, not in its bytes, so passages that cleared a gate together travel to the next one together, up to a
weight. Who sends them where, and under which dedupe id, is the sender's business.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lockgate_schemas.passage import Passage, encode


def packed(passages: Sequence[Passage], *, limit: int) -> Iterator[tuple[range, bytes]]:
    """The convoys that carry ``passages`` in order, each of at most ``limit`` bytes of passages or of a single one.

    Yields the positions that a convoy carries, and its encoded body. Each passage is encoded once: the bytes that were weighed are joined.
    """
    start, weight = 0, 0
    encoded: list[bytes] = []
    for position, passage in enumerate(passages):
        own = encode(passage)
        if encoded and weight + len(own) > limit:
            yield range(start, position), convoy_body(encoded)
            start, weight, encoded = position, 0, []
        encoded.append(own)
        weight += len(own) + 1
    if encoded:
        yield range(start, len(passages)), convoy_body(encoded)


def convoy_body(encoded: Sequence[bytes]) -> bytes:
    """The bytes of a `lockgate_schemas.passage.Convoy` of passages that are encoded already."""
    return b'{"passages":[' + b",".join(encoded) + b"]}"
