"""The tree: a growing frontier, whole trees and inclusion proofs agree with RFC 6962's own definition, whatever the size."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate_schemas.errors import ProofRefusedError
from lockgate_schemas.merkle import (
    EMPTY_ROOT,
    Frontier,
    inclusion_path,
    leaf_hash,
    node_hash,
    root_from_path,
    root_of,
    tree_levels,
)

sizes = st.integers(min_value=1, max_value=600)


def _leaves(count: int) -> list[bytes]:
    return [leaf_hash(str(n).encode()) for n in range(count)]


def _by_definition(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, word for word: split at the largest power of two below the size."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return node_hash(_by_definition(leaves[:split]), _by_definition(leaves[split:]))


def test_the_hashes_of_the_specification() -> None:
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert leaf_hash(b"ab") != node_hash(b"a", b"b")


@given(sizes)
def test_the_root_is_that_of_the_definition(size: int) -> None:
    leaves = _leaves(size)
    assert root_of(leaves) == _by_definition(leaves)


@given(st.lists(st.integers(min_value=0, max_value=70), max_size=12))
def test_a_frontier_grows_to_the_same_root_however_it_is_fed(parts: list[int]) -> None:
    leaves = _leaves(sum(parts))
    frontier, taken = Frontier(), 0
    for part in parts:
        frontier = frontier.extended(leaves[taken : taken + part])
        taken += part
        assert frontier.size == taken
        assert len(frontier.peaks) == taken.bit_count()
        assert frontier.root == root_of(leaves[:taken])


@given(sizes, st.data())
def test_an_inclusion_path_leads_to_the_root_from_its_leaf_only(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(min_value=0, max_value=size - 1))
    leaves = _leaves(size)
    levels = tree_levels(leaves)
    path = inclusion_path(levels, index)
    assert root_from_path(leaves[index], index, size, path) == levels[-1][0]
    assert root_from_path(leaf_hash(b"another"), index, size, path) != levels[-1][0]
    for other in {index ^ 1, size - 1} - {index}:
        if other < size:
            assert not _leads_to(levels[-1][0], leaves[index], other, size, path)


@given(sizes, st.data())
def test_a_path_of_another_length_is_refused(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(min_value=0, max_value=size - 1))
    leaves = _leaves(size)
    path = inclusion_path(tree_levels(leaves), index)
    with pytest.raises(ProofRefusedError):
        root_from_path(leaves[index], index, size, [*path, EMPTY_ROOT])
    if path:
        with pytest.raises(ProofRefusedError):
            root_from_path(leaves[index], index, size, path[:-1])


@pytest.mark.parametrize(("index", "size"), [(-1, 4), (4, 4), (0, 0), (7, 3)])
def test_an_index_outside_the_tree_is_refused(index: int, size: int) -> None:
    with pytest.raises(ProofRefusedError):
        root_from_path(leaf_hash(b"x"), index, size, [])


def test_no_leaves_are_no_tree_but_have_a_root() -> None:
    with pytest.raises(ValueError, match="needs a leaf"):
        tree_levels([])
    assert root_of([]) == Frontier().root == EMPTY_ROOT


def _leads_to(root: bytes, leaf: bytes, index: int, size: int, path: list[bytes]) -> bool:
    try:
        return root_from_path(leaf, index, size, path) == root
    except ProofRefusedError:
        return False
