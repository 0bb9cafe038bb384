"""Appending to the audit log: sequence numbers, leaves, the tree's head and one signed checkpoint, all in the caller's transaction.

It decides that nothing is appended to a head which the newest signed checkpoint does not vouch for: a log that was tampered with does not grow on,
it fails closed. What the entries say is decided by those who make them.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Final

import msgspec
from sqlalchemy import Connection, insert, select, update

from lockgate_ledger.bulk import Bulk, Look
from lockgate_ledger.tables import audit_checkpoints, audit_entries, audit_head, audit_subtrees
from lockgate_ledger.tree import grown, pack, unpack
from lockgate_schemas.audit import SEARCHABLE, AuditEntry
from lockgate_schemas.errors import ConfigurationError, LedgerError, ProofRefusedError
from lockgate_schemas.merkle import EMPTY_ROOT, Frontier, leaf_hash
from lockgate_schemas.passage import encode
from lockgate_schemas.proofs import Checkpoint
from lockgate_schemas.signing import NoteSigner, VerifierKey
from lockgate_schemas.trust import AUDIT, Trust

_members: Final = attrgetter(*SEARCHABLE)
_decoder: Final = msgspec.json.Decoder(AuditEntry)
_lock = Look(select(audit_head.c.size, audit_head.c.peaks).with_for_update())
_newest = Look(
    select(audit_checkpoints.c.size, audit_checkpoints.c.root, audit_checkpoints.c.note)
    .order_by(audit_checkpoints.c.size.desc())
    .limit(1)
)
_insert_entries = Bulk(insert(audit_entries), "sequence", "leaf_hash", "at", *SEARCHABLE, "raw")
_insert_checkpoint = Bulk(insert(audit_checkpoints), "size", "before", "root", "note")
_insert_subtrees = Bulk(insert(audit_subtrees), "place", "hash")
_update_head = Bulk(update(audit_head), "size", "peaks")


def read_entry(raw: bytes) -> AuditEntry:
    """Decode a stored leaf. Raises `LedgerError`."""
    try:
        return _decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeError):
        raise LedgerError("an entry of the audit log does not parse") from None


def members_of(entry: AuditEntry) -> tuple[str, ...]:
    """The members that stand in columns beside the raw entry, in the order of `SEARCHABLE`; as plain strings, which drivers know."""
    return tuple(map(str, _members(entry)))


def lock_head(connection: Connection) -> Frontier:
    """Read the head and hold it: whoever writes holds it, so there is one writer at a time. Raises `LedgerError` when it is not one."""
    rows = _lock.run(connection)
    if len(rows) != 1:
        raise LedgerError("the audit log has no head")
    size, peaks = rows[0]
    return unpack(size, peaks)


class AuditKeys:
    """The pinned keys of the audit log, each with its end; they alone vouch for checkpoints."""

    def __init__(self, trust: Trust | None, signer: NoteSigner | None) -> None:
        """Without a ``trust`` the signer's own key is the one that is pinned; without either nothing can be verified."""
        self._keys: tuple[tuple[VerifierKey, int], ...] = ()
        if trust is not None:
            self._keys = trust.verifiers().get(AUDIT, ())
        elif signer is not None:
            self._keys = ((signer.verifier, 0),)

    def __contains__(self, key: VerifierKey) -> bool:
        return any(key == pinned for pinned, _ in self._keys)

    def check_pinned(self) -> None:
        """Raise `ConfigurationError` if there is no key: with nothing to verify by, nothing is verified."""
        if not self._keys:
            raise ConfigurationError("no key of the audit log is pinned: its checkpoints cannot be verified")

    def open(self, note: str) -> tuple[Checkpoint, int]:
        """The checkpoint of a signed note, and the end of its key (0 for none). Raises `ProofRefusedError`."""
        self.check_pinned()
        head, signers = Checkpoint.opened(note, [key for key, _ in self._keys])
        if head.origin != signers[0].name:
            raise ProofRefusedError("a checkpoint's origin is not the audit log")
        return head, next(end for key, end in self._keys if key == signers[0])

    def check(self, note: str, size: int, root: bytes) -> int:
        """Verify that ``note`` is a checkpoint over exactly this; return the end of its key. Raises `ProofRefusedError`."""
        head, end = self.open(note)
        if head.size != size or head.root != root:
            raise ProofRefusedError("a checkpoint is about another tree")
        return end


class AuditWriter:
    """Appends entries under one signing key. Remembers the last checkpoint that it made or verified."""

    def __init__(self, signer: NoteSigner | None, keys: AuditKeys) -> None:
        self._signer = signer
        self._keys = keys
        self._vouched = ""

    def append(self, connection: Connection, entries: Sequence[AuditEntry], *, head: Frontier | None = None) -> int:
        """Append ``entries``; return the sequence number of the first. The caller's transaction commits them with their checkpoint.

        1. The head is locked, and is the one that the newest checkpoint vouches for.
        2. Each entry's bytes become a leaf; the tree grows by them.
        3. One checkpoint over the new tree is signed.

        ``head`` is what `lock_head` returned in this transaction, if nothing was appended since. Raises `ConfigurationError` without a signer, `LedgerError`
        when the log is not what was signed.
        """
        if self._signer is None:
            raise ConfigurationError("this part of the gateway holds no audit key, so it may not write what must be audited")
        frontier = lock_head(connection) if head is None else head
        self._check_vouched(connection, frontier)
        if not entries:
            return frontier.size
        raws = [encode(entry) for entry in entries]
        leaves = [leaf_hash(raw) for raw in raws]
        after, completed = grown(frontier, leaves)
        root = after.root
        note = Checkpoint(self._signer.name, after.size, root).signed(self._signer)
        rows = [
            (sequence, leaf, entry.at, *members_of(entry), raw)
            for sequence, leaf, entry, raw in zip(range(frontier.size, after.size), leaves, entries, raws, strict=True)
        ]
        _insert_entries.run(connection, rows)
        _insert_subtrees.run(connection, list(completed.items()))
        _insert_checkpoint.run(connection, [(after.size, frontier.size, root, note)])
        _update_head.run(connection, [(after.size, pack(after))])
        self._vouched = note  # should the commit fail, the next append reads another note and verifies that one
        return frontier.size

    def _check_vouched(self, connection: Connection, frontier: Frontier) -> None:
        newest = _newest.run(connection)
        size, root, note = newest[0] if newest else (0, EMPTY_ROOT, "")
        if size != frontier.size or root != frontier.root:
            raise LedgerError("the head of the audit log is not the one that was signed")
        if not newest or note == self._vouched:
            return
        try:
            self._keys.check(note, size, root)
        except ProofRefusedError:
            raise LedgerError("the newest checkpoint of the audit log does not verify") from None
        self._vouched = note
