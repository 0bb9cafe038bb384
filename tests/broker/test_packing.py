"""Packing: everything arrives, in order, within the weight."""

from __future__ import annotations

import msgspec
import pytest

from lockgate_broker.packing import packed
from lockgate_schemas.passage import Passage, Stamp, read_convoy

LIMIT = 100_000


def passages(sizes: list[int]) -> list[Passage]:
    stamp = Stamp(statement=msgspec.Raw(b'{"a":1}'), proof="one\\ntwo")
    return [Passage(facts=msgspec.Raw(b'{"request_id":"x"}'), stamps=(stamp,), envelope="e" * size) for size in sizes]


@pytest.mark.parametrize("sizes", [[], [10], [10] * 300, [5000, 10, 5000, 10], [200_000] * 3, [1] * 1000, [99_000, 99_000, 1]])
def test_convoys_carry_everything_in_order_within_their_weight(sizes: list[int]) -> None:
    given = passages(sizes)
    made = list(packed(given, limit=LIMIT))
    assert [one for _, body in made for one in read_convoy(body).passages] == given
    assert [position for group, _ in made for position in group] == list(range(len(sizes)))
    for group, body in made:
        assert len(body) <= LIMIT + 32 or len(group) == 1
        assert len(group) == len(read_convoy(body).passages)
