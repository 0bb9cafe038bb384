"""Merkle trees as RFC 6962 section 2.1 hashes them: roots, inclusion paths, and their verification (RFC 9162 section 2.1.3).

Two uses share this module: a stage's batch of statements (a tree of 1 to some hundred leaves, made and thrown away) and the
audit log (a tree that only grows, whose right edge is a `Frontier`). Everything is SHA-256; a hash is 32 raw bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from lockgate_schemas.errors import ProofRefusedError

EMPTY_ROOT: Final = sha256(b"").digest()
"""The root of a tree without leaves (RFC 6962 section 2.1)."""


def leaf_hash(data: bytes) -> bytes:
    """Hash one leaf; the 0x00 prefix keeps a leaf from being read as an inner node."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two children into their parent."""
    return sha256(b"\x01" + left + right).digest()


def tree_levels(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """All levels of the tree over these leaf hashes, leaves first, the root alone in the last.

    A last node without a sibling is carried up unchanged, which yields the same tree as RFC 6962's split at the largest power
    of two. Raises `ValueError` for no leaves: nothing to sign is a caller's mistake.
    """
    if not leaves:
        raise ValueError("a tree needs a leaf")
    levels = [list(leaves)]
    while len(levels[-1]) > 1:
        below = levels[-1]
        above = [node_hash(below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)]
        if len(below) % 2:
            above.append(below[-1])
        levels.append(above)
    return levels


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root over these leaf hashes; the empty tree has one too."""
    return tree_levels(leaves)[-1][0] if leaves else EMPTY_ROOT


def inclusion_path(levels: Sequence[Sequence[bytes]], index: int) -> list[bytes]:
    """The siblings that lead from leaf ``index`` to the root of ``tree_levels``."""
    path = []
    for level in levels[:-1]:
        sibling = index ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        index >>= 1
    return path


def root_from_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root that ``path`` leads to from ``leaf`` (RFC 9162 section 2.1.3.2).

    Raises `ProofRefusedError` when the path has not exactly the length that ``index`` and ``size`` call for. The caller compares the
    result with a root it trusts.
    """
    if not 0 <= index < size:
        raise ProofRefusedError("the proof's index is outside its tree")
    node, last = index, size - 1
    result = leaf
    for sibling in path:
        if last == 0:
            raise ProofRefusedError("the proof's path is too long")
        if node & 1 or node == last:
            result = sha256(
                b"\x01" + sibling + result
            ).digest()  # `node_hash`, spelt out: this loop is the cost of a verified batch
            if not node & 1:
                while node and not node & 1:
                    node >>= 1
                    last >>= 1
        else:
            result = sha256(b"\x01" + result + sibling).digest()
        node >>= 1
        last >>= 1
    if last != 0:
        raise ProofRefusedError("the proof's path is too short")
    return result


@dataclass(frozen=True, slots=True)
class Frontier:
    """The right edge of a growing tree: the roots of its perfect subtrees, largest first, one for each set bit of ``size``.

    Enough to append and to compute the root, in memory logarithmic in the size.
    """

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def extended(self, leaves: Sequence[bytes]) -> Frontier:
        """The frontier after these leaf hashes were appended."""
        peaks, size = list(self.peaks), self.size
        for leaf in leaves:
            node, count = leaf, size
            while count & 1:
                node = node_hash(peaks.pop(), node)
                count >>= 1
            peaks.append(node)
            size += 1
        return Frontier(size, tuple(peaks))

    @property
    def root(self) -> bytes:
        """The root hash of the tree at this size."""
        if not self.peaks:
            return EMPTY_ROOT
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = node_hash(peak, root)
        return root
