"""Recomputing the audit log from its raw leaves, against the checkpoints that were signed over it. Pure: it is fed rows in order, and reads nothing itself.

The raw bytes of the entries and the pinned key are all that is believed. Everything else that is stored (leaf hashes, columns, subtrees, the head) is compared with what
follows from them; the first thing that does not fit ends it. Where only a checkpoint's root disagrees, any entry since the checkpoint before may be the altered
one, and the first of those is named.

What this cannot see: a log that was put back, entries and checkpoints together, to an earlier state of its own. For that a checkpoint must have left the machine: see
``witnessed``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from lockgate_ledger.audit import AuditKeys, members_of, read_entry
from lockgate_ledger.records import Verification
from lockgate_ledger.tree import WIDTH, grown
from lockgate_schemas.errors import LedgerError, ProofRefusedError
from lockgate_schemas.merkle import Frontier, leaf_hash


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """A row of the log as it stands in the database."""

    sequence: int
    leaf_hash: bytes
    at: int
    members: tuple[str, ...] = field(repr=False)
    raw: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """A checkpoint as it stands in the database."""

    size: int
    before: int
    root: bytes
    note: str = field(repr=False)


class _BadEntryError(Exception):
    """An entry that does not fit. It never leaves this module."""

    def __init__(self, sequence: int, reason: str) -> None:
        self.sequence = sequence
        self.reason = reason
        super().__init__(reason)


class Recomputation:
    """The log so far. `feed` it pages in order; `finish` says what was found."""

    def __init__(self, keys: AuditKeys, witnessed: Sequence[str] = ()) -> None:
        """``witnessed`` are signed checkpoints that were kept elsewhere; the log must contain every one. Raises `ProofRefusedError` for one that does not verify."""
        self._keys: Final = keys
        self._witnessed = {head.size: head.root for head, _ in map(keys.open, witnessed)}
        self._frontier = Frontier()
        self._checked = 0
        self._checkpoints = 0
        self._latest = 0
        self._bad: _BadEntryError | None = None

    @property
    def size(self) -> int:
        """How many entries were recomputed."""
        return self._frontier.size

    @property
    def failed(self) -> bool:
        """Whether something did not fit; feeding more is of no use."""
        return self._bad is not None

    def feed(
        self,
        end: int,
        entries: Sequence[StoredEntry],
        checkpoints: Mapping[int, StoredCheckpoint],
        subtrees: Mapping[int, bytes],
    ) -> None:
        """Take the entries up to size ``end``, with the checkpoints (by size) and the subtrees (by place) that end among them."""
        try:
            for entry in entries:
                self._take(entry, subtrees)
                if (checkpoint := checkpoints.get(self.size)) is not None:
                    self._check(checkpoint)
            self._check_complete(end)
        except _BadEntryError as bad:
            self._bad = bad

    def finish(self, head: Frontier, beyond: int) -> Verification:
        """Compare with the stored head, up to which entries were fed; ``beyond`` is how many rows stand after it that should not."""
        if self._bad is None:
            try:
                self._finish(head, beyond)
            except _BadEntryError as bad:
                self._bad = bad
        root, count = self._frontier.root, self._checkpoints
        if self._bad is None:
            return Verification(self.size, count, root)
        return Verification(self.size, count, root, self._bad.sequence, self._bad.reason)

    def _take(self, entry: StoredEntry, subtrees: Mapping[int, bytes]) -> None:
        if entry.sequence != self.size:
            raise _BadEntryError(self.size, "an entry is missing")
        leaf = leaf_hash(entry.raw)
        if leaf != entry.leaf_hash:
            raise _BadEntryError(self.size, "an entry is not what was hashed")
        self._compare_columns(entry)
        self._latest = max(self._latest, entry.at)
        self._frontier, completed = grown(self._frontier, [leaf])
        for place, node in completed.items():
            if subtrees.get(place) != node:
                raise _BadEntryError(max(self._checked, place * WIDTH), "a stored subtree hash does not recompute")
        self._check_witnessed()

    def _check_complete(self, end: int) -> None:
        if self.size < end:
            raise _BadEntryError(self.size, "an entry is missing")

    def _compare_columns(self, entry: StoredEntry) -> None:
        try:
            read = read_entry(entry.raw)
        except LedgerError as error:
            raise _BadEntryError(self.size, error.detail) from None
        if read.at != entry.at or members_of(read) != entry.members:
            raise _BadEntryError(self.size, "the columns of an entry differ from the entry")

    def _check_witnessed(self) -> None:
        witnessed = self._witnessed.pop(self.size, None)
        if witnessed is not None and witnessed != self._frontier.root:
            raise _BadEntryError(self._checked, "the entries up to a witnessed checkpoint are not those it was signed over")

    def _check(self, checkpoint: StoredCheckpoint) -> None:
        if checkpoint.before != self._checked:
            raise _BadEntryError(self._checked, "a checkpoint is missing")
        root = self._frontier.root
        if checkpoint.root != root:
            raise _BadEntryError(self._checked, "the entries from here to the next checkpoint are not those it was signed over")
        try:
            ends = self._keys.check(checkpoint.note, checkpoint.size, root)
        except ProofRefusedError as error:
            raise _BadEntryError(self._checked, error.detail) from None
        if ends and self._latest > ends:
            raise _BadEntryError(self._checked, "a checkpoint covers an entry later than the end of its key")
        self._checked, self._latest = checkpoint.size, 0
        self._checkpoints += 1

    def _finish(self, head: Frontier, beyond: int) -> None:
        if beyond:
            raise _BadEntryError(head.size, "there are entries or checkpoints after the head")
        if self._checked != self.size:
            raise _BadEntryError(self._checked, "the last entries are under no checkpoint")
        if head != self._frontier:
            raise _BadEntryError(self._checked, "the stored head does not recompute")
        if self._witnessed:
            raise _BadEntryError(self.size, "a witnessed checkpoint is not one of this log")
