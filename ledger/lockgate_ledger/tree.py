"""The audit tree as it is stored: a frontier in bytes, and the hash of every complete subtree of 256 leaves.

Pure: it says what follows from which hashes. A proof in a log of a million entries then reads 256 leaf hashes and 3,900 subtree hashes, and no leaves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lockgate_schemas.errors import LedgerError
from lockgate_schemas.merkle import Frontier, inclusion_path, node_hash, root_of, tree_levels

WIDTH: Final = 256
"""The leaves of one stored subtree."""
_HASH: Final = 32


def pack(frontier: Frontier) -> bytes:
    """The peaks of a frontier, one after the other."""
    return b"".join(frontier.peaks)


def unpack(size: int, peaks: bytes) -> Frontier:
    """The frontier that was packed. Raises `LedgerError` when the number of peaks is not the one that the size calls for."""
    if size < 0 or len(peaks) != size.bit_count() * _HASH:
        raise LedgerError("the head of the audit log is damaged")
    return Frontier(size, tuple(peaks[i : i + _HASH] for i in range(0, len(peaks), _HASH)))


def grown(frontier: Frontier, leaves: Sequence[bytes]) -> tuple[Frontier, dict[int, bytes]]:
    """The frontier after ``leaves`` were appended, and the hashes of the subtrees that this completed, by their place.

    It is `Frontier.extended` that looks at what it passes through on the way.
    """
    peaks, size = list(frontier.peaks), frontier.size
    completed: dict[int, bytes] = {}
    for leaf in leaves:
        node, left, leaves_below = leaf, size, 1
        while left & 1:
            node, left, leaves_below = node_hash(peaks.pop(), node), left >> 1, leaves_below * 2
            if leaves_below == WIDTH:
                completed[size // WIDTH] = node
        peaks.append(node)
        size += 1
    return Frontier(size, tuple(peaks)), completed


class Paths:
    """Makes inclusion paths in a tree of ``size`` leaves from the hashes of its complete subtrees and the leaves after them."""

    def __init__(self, size: int, subtrees: Sequence[bytes], rest: Sequence[bytes]) -> None:
        """Raises `LedgerError` when the hashes are not as many as the size calls for."""
        if len(subtrees) != size // WIDTH or len(rest) != size % WIDTH:
            raise LedgerError("the audit log has not the hashes that its size calls for")
        self._upper = tree_levels([*subtrees, root_of(rest)] if rest else subtrees)
        self._subtrees = subtrees

    @property
    def root(self) -> bytes:
        """The root of the whole tree."""
        return self._upper[-1][0]

    def path(self, index: int, leaves: Sequence[bytes]) -> list[bytes]:
        """The path from leaf ``index``; ``leaves`` are all leaf hashes of its subtree. Raises `LedgerError` if they do not belong."""
        inner = tree_levels(leaves)
        place = index // WIDTH
        if place >= len(self._upper[0]) or inner[-1][0] != self._upper[0][place]:
            raise LedgerError("a subtree of the audit log does not recompute")
        return inclusion_path(inner, index % WIDTH) + inclusion_path(self._upper, place)
