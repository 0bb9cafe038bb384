"""A verified tree head, and what has been proved under it: the verifier's memory of one batch.

The leaves of a batch share most of their paths. Once one leaf was hashed up to the signed root, every node on its way and every
sibling named by its proof is proved too, because another value would not have hashed to that root. Later leaves stop at the first node
that is known. The rest of their path is still compared, line by line, with what is known: a proof has one spelling, whoever
verifies it and in whatever order, so nobody can pass on a proof that only those accept who have seen its neighbours.
"""

from __future__ import annotations

from base64 import b64encode

from lockgate_schemas.errors import ProofRefusedError
from lockgate_schemas.merkle import node_hash
from lockgate_schemas.proofs import Checkpoint, decode_hash


class ProvenTree:
    """One tree whose head was verified. `check` either proves a leaf or raises; a refusal leaves nothing behind."""

    __slots__ = ("_nodes", "_rests", "_root", "size")

    def __init__(self, head: Checkpoint) -> None:
        self.size = head.size
        self._root = head.root
        # Both are keyed by ``index << 6 | level``: a tree has far fewer than 64 levels.
        self._nodes: dict[int, bytes] = {}
        self._rests: dict[int, list[str]] = {}

    def check(self, leaf: bytes, index: int, path: list[str]) -> None:
        """Raise `ProofRefusedError` unless ``leaf`` (a leaf hash) stands at ``index`` and ``path`` is exactly its path to the root.

        ``path`` holds the siblings from the leaf's level up, in base64, one for each level on which there is a sibling (a last node without
        one is carried up unchanged).
        """
        if not 0 <= index < self.size:
            raise ProofRefusedError("the proof's index is outside its tree")
        node, level, width, used = leaf, 0, self.size, 0
        fresh: list[tuple[int, bytes]] = []
        while width > 1:
            key = index << 6 | level
            known = self._nodes.get(key)
            if known is not None:
                if known != node:
                    raise ProofRefusedError("the leaf is not included in the checkpointed tree")
                if path[used:] != self._rest(level, index):
                    raise ProofRefusedError("the proof's path is not the one of its tree")
                self._nodes.update(fresh)
                return
            fresh.append((key, node))
            sibling = index ^ 1
            if sibling < width:
                if used == len(path):
                    raise ProofRefusedError("the proof's path is too short")
                beside = decode_hash(path[used])
                used += 1
                fresh.append((sibling << 6 | level, beside))
                node = node_hash(beside, node) if index & 1 else node_hash(node, beside)
            level, index, width = level + 1, index >> 1, (width + 1) >> 1
        if used != len(path):
            raise ProofRefusedError("the proof's path is too long")
        if node != self._root:
            raise ProofRefusedError("the leaf is not included in the checkpointed tree")
        self._nodes.update(fresh)

    def _rest(self, level: int, index: int) -> list[str]:
        """The path from a known node to the root. All of it is known: it was proved together with the node."""
        key = index << 6 | level
        rest = self._rests.get(key)
        if rest is None:
            width = (self.size + (1 << level) - 1) >> level
            if width == 1:
                rest = []
            else:
                rest = self._rest(level + 1, index >> 1)
                if (sibling := index ^ 1) < width:
                    rest = [b64encode(self._nodes[sibling << 6 | level]).decode(), *rest]
            self._rests[key] = rest
        return rest
