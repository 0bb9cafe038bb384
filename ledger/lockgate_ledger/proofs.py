"""Reading the audit log: searching it, paging through it, proving that an entry is in it, and gathering what a verification recomputes.

Proofs are against the newest checkpoint, and only what recomputes to that checkpoint's root is handed out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, select

from lockgate_ledger.audit import AuditKeys, read_entry
from lockgate_ledger.records import LoggedEntry
from lockgate_ledger.tables import audit_checkpoints, audit_entries, audit_head, audit_subtrees
from lockgate_ledger.tree import WIDTH, Paths, unpack
from lockgate_ledger.verification import StoredCheckpoint, StoredEntry
from lockgate_schemas.audit import SEARCHABLE
from lockgate_schemas.errors import InvalidRequestError, LedgerError, ProofRefusedError
from lockgate_schemas.merkle import Frontier
from lockgate_schemas.proofs import proof_text

_entry = select(audit_entries.c.sequence, audit_entries.c.raw)
_place = audit_entries.c.sequence
_newest = select(audit_checkpoints).order_by(audit_checkpoints.c.size.desc()).limit(1)


def search(connection: Connection, *, limit: int, since: int, until: int, members: Mapping[str, str]) -> list[LoggedEntry]:
    """Entries from ``since`` on and before ``until`` (0 for no bound) whose members equal the given ones, newest first."""
    if unknown := set(members) - set(SEARCHABLE):
        raise InvalidRequestError(f"the log is not searched by {len(unknown)} of the given members")
    statement = _entry.where(*(audit_entries.c[name] == value for name, value in members.items() if value))
    if since:
        statement = statement.where(audit_entries.c.at >= since)
    if until:
        statement = statement.where(audit_entries.c.at < until)
    rows = connection.execute(statement.order_by(_place.desc()).limit(max(limit, 0)))
    return [_logged(row) for row in rows]


def page(connection: Connection, start: int, most: int) -> list[LoggedEntry]:
    """Up to ``most`` entries in order from ``start``."""
    return [_logged(row) for row in connection.execute(_entry.where(_place >= start).order_by(_place).limit(most))]


def prove(connection: Connection, keys: AuditKeys, request_id: str) -> list[tuple[LoggedEntry, str]]:
    """Every entry about a request, with its proof. Raises `LedgerError` when the log does not recompute to its newest checkpoint."""
    about = _entry.where(audit_entries.c.request_id == request_id).order_by(_place)
    entries = [_logged(row) for row in connection.execute(about)]
    newest = connection.execute(_newest).one_or_none()
    if newest is None or not entries or not request_id:
        return []
    paths = _paths(connection, newest.size)
    try:
        keys.check(newest.note, newest.size, paths.root)
    except ProofRefusedError:
        raise LedgerError("the audit log does not recompute to its newest checkpoint") from None
    return [(entry, _proof(connection, paths, newest, entry.sequence)) for entry in entries]


def newest_note(connection: Connection) -> str:
    """The newest signed checkpoint, empty for an empty log."""
    newest = connection.execute(_newest).one_or_none()
    return "" if newest is None else str(newest.note)


@dataclass(frozen=True, slots=True)
class Extent:
    """How far the log goes: its head, and the number of rows that stand after it and should not."""

    head: Frontier
    beyond: int


def extent(connection: Connection) -> Extent:
    """How far the log goes now. Raises `LedgerError` when it has no head."""
    rows = connection.execute(select(audit_head.c.size, audit_head.c.peaks)).all()
    if len(rows) != 1:
        raise LedgerError("the audit log has no head")
    size = rows[0].size
    counts = (
        select(func.count()).select_from(audit_entries).where((_place >= size) | (_place < 0)),
        select(func.count())
        .select_from(audit_checkpoints)
        .where((audit_checkpoints.c.size > size) | (audit_checkpoints.c.size < 1)),
        select(func.count()).select_from(audit_subtrees).where(audit_subtrees.c.place >= size // WIDTH),
    )
    return Extent(unpack(size, rows[0].peaks), sum(int(connection.execute(count).scalar() or 0) for count in counts))


def stretch(
    connection: Connection, start: int, end: int
) -> tuple[list[StoredEntry], dict[int, StoredCheckpoint], dict[int, bytes]]:
    """The rows of the entries from ``start`` to before ``end``, with the checkpoints and subtrees that end among them."""
    entries = connection.execute(select(audit_entries).where(_place >= start, _place < end).order_by(_place))
    size, place = audit_checkpoints.c.size, audit_subtrees.c.place
    checkpoints = connection.execute(select(audit_checkpoints).where(size > start, size <= end))
    subtrees = connection.execute(select(audit_subtrees).where(place >= start // WIDTH, place < end // WIDTH))
    return (
        [_stored(row) for row in entries],
        {row.size: StoredCheckpoint(row.size, row.before, row.root, row.note) for row in checkpoints},
        {row.place: row.hash for row in subtrees},
    )


def _stored(row: Row[*tuple[Any, ...]]) -> StoredEntry:
    sequence, leaf_hash, at, *members, raw = row
    return StoredEntry(sequence, leaf_hash, at, tuple(members), raw)


def _logged(row: Row[*tuple[Any, ...]]) -> LoggedEntry:
    return LoggedEntry(row.sequence, row.raw, read_entry(row.raw))


def _leaf_hashes(connection: Connection, start: int, end: int) -> list[bytes]:
    rows = connection.execute(select(audit_entries.c.leaf_hash).where(_place >= start, _place < end).order_by(_place))
    return list(rows.scalars())


def _paths(connection: Connection, size: int) -> Paths:
    complete = size // WIDTH
    place = audit_subtrees.c.place
    rows = connection.execute(select(audit_subtrees.c.hash).where(place < complete).order_by(place))
    return Paths(size, list(rows.scalars()), _leaf_hashes(connection, complete * WIDTH, size))


def _proof(connection: Connection, paths: Paths, checkpoint: Row[*tuple[Any, ...]], index: int) -> str:
    first = index - index % WIDTH
    leaves = _leaf_hashes(connection, first, min(first + WIDTH, checkpoint.size))
    return proof_text(index, paths.path(index, leaves), checkpoint.note)
