"""The verifier's memory of a batch says the same as a verifier without memory, in whatever order it is asked."""

from __future__ import annotations

import random
from base64 import b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate_schemas.errors import ProofRefusedError
from lockgate_schemas.merkle import inclusion_path, leaf_hash, tree_levels
from lockgate_schemas.proofs import Checkpoint, InclusionProof
from lockgate_schemas.proven import ProvenTree


def tree(size: int) -> tuple[Checkpoint, list[bytes], list[list[str]]]:
    leaves = [leaf_hash(str(n).encode()) for n in range(size)]
    levels = tree_levels(leaves)
    paths = [[b64encode(node).decode() for node in inclusion_path(levels, n)] for n in range(size)]
    return Checkpoint("o", size, levels[-1][0]), leaves, paths


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 300), st.randoms())
def test_every_leaf_is_proved_in_any_order_and_again(size: int, order: random.Random) -> None:
    head, leaves, paths = tree(size)
    proven = ProvenTree(head)
    for index in order.sample(range(size), size):
        proven.check(leaves[index], index, paths[index])
    for index in range(size):
        proven.check(leaves[index], index, paths[index])


def mutations(size: int, leaf: bytes, index: int, path: list[str]) -> list[tuple[bytes, int, list[str]]]:
    """Everything that is not exactly this leaf's proof."""
    other = b64encode(b"\1" * 32).decode()
    found = [(leaf_hash(b"another"), index, path), (leaf, index, [*path, other]), (leaf, size, path), (leaf, -1, path)]
    found += [(leaf, n, path) for n in range(size) if n != index]
    found += [(leaf, index, path[:n]) for n in range(len(path))]
    found += [(leaf, index, [*path[:n], other, *path[n + 1 :]]) for n in range(len(path))]
    found += [(leaf, index, [*path[:n], path[n] + " ", *path[n + 1 :]]) for n in range(len(path))]
    return found


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13, 21])
@pytest.mark.parametrize("known", ["nothing", "the leaf", "a neighbour", "everything"])
def test_nothing_but_the_exact_proof_is_accepted_whatever_is_known(size: int, known: str) -> None:
    head, leaves, paths = tree(size)
    for index in range(size):
        for leaf, at, path in mutations(size, leaves[index], index, paths[index]):
            proven = ProvenTree(head)
            first = {"nothing": [], "the leaf": [index], "a neighbour": [(index + 1) % size], "everything": range(size)}[known]
            for n in first:
                proven.check(leaves[n], n, paths[n])
            with pytest.raises(ProofRefusedError):
                proven.check(leaf, at, path)
            proven.check(leaves[index], index, paths[index])  # a refusal leaves nothing behind


def test_it_agrees_with_the_verifier_without_memory() -> None:
    head, leaves, paths = tree(37)
    for index in range(37):
        path = tuple(inclusion_path(tree_levels(leaves), index))
        InclusionProof(index, path, "").check(leaves[index], head)
        ProvenTree(head).check(leaves[index], index, paths[index])


def test_a_refused_proof_teaches_nothing() -> None:
    """A wrong leaf with a path of its own making must not leave nodes behind that a later one could lean on."""
    head, leaves, paths = tree(8)
    proven = ProvenTree(head)
    wrong = [b64encode(bytes([n]) * 32).decode() for n in range(3)]
    for _ in range(2):
        with pytest.raises(ProofRefusedError):
            proven.check(leaves[0], 0, wrong)
    with pytest.raises(ProofRefusedError):
        proven.check(bytes([0]) * 32, 1, [b64encode(leaves[0]).decode(), *wrong[1:]])
    for index in range(8):
        proven.check(leaves[index], index, paths[index])
