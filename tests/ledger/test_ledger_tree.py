"""The stored form of the audit tree agrees with the whole tree, at every size and however it grew."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate_ledger.tree import WIDTH, Paths, grown, pack, unpack
from lockgate_schemas.errors import LedgerError
from lockgate_schemas.merkle import Frontier, inclusion_path, leaf_hash, root_from_path, root_of, tree_levels

LEAVES = [leaf_hash(str(n).encode()) for n in range(4 * WIDTH)]


@settings(deadline=None)
@given(st.lists(st.integers(min_value=0, max_value=300), min_size=1, max_size=10))
def test_growing_is_extending_and_finds_every_complete_subtree(parts: list[int]) -> None:
    frontier, completed, taken = Frontier(), {}, 0
    for part in parts:
        leaves = LEAVES[taken : taken + part]
        before = frontier
        frontier, found = grown(frontier, leaves)
        assert frontier == before.extended(leaves)
        assert not found.keys() & completed.keys()
        completed |= found
        taken += len(leaves)
    places = range(taken // WIDTH)
    assert completed == {place: root_of(LEAVES[place * WIDTH : (place + 1) * WIDTH]) for place in places}
    assert unpack(taken, pack(frontier)) == frontier


@settings(deadline=None)
@given(st.integers(min_value=1, max_value=len(LEAVES)), st.data())
def test_a_path_from_the_stored_hashes_is_that_of_the_whole_tree(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(min_value=0, max_value=size - 1))
    leaves = LEAVES[:size]
    _, completed = grown(Frontier(), leaves)
    complete = size // WIDTH
    paths = Paths(size, [completed[place] for place in range(complete)], leaves[complete * WIDTH :])
    first = index - index % WIDTH
    path = paths.path(index, leaves[first : first + WIDTH])
    assert path == inclusion_path(tree_levels(leaves), index)
    assert paths.root == root_of(leaves) == root_from_path(leaves[index], index, size, path)


@pytest.mark.parametrize(("size", "peaks"), [(1, b""), (0, bytes(32)), (3, bytes(32)), (2, bytes(31)), (-1, bytes(32))])
def test_a_head_whose_peaks_are_not_those_of_its_size_is_damaged(size: int, peaks: bytes) -> None:
    with pytest.raises(LedgerError):
        unpack(size, peaks)


def test_leaves_that_do_not_belong_give_no_path() -> None:
    paths = Paths(300, [root_of(LEAVES[:WIDTH])], LEAVES[WIDTH:300])
    with pytest.raises(LedgerError):
        paths.path(3, LEAVES[1 : WIDTH + 1])
    with pytest.raises(LedgerError):
        paths.path(600, LEAVES[:WIDTH])
    with pytest.raises(LedgerError):
        Paths(300, [], LEAVES[WIDTH:300])
    with pytest.raises(LedgerError):
        Paths(300, [root_of(LEAVES[:WIDTH])], LEAVES[WIDTH:299])
