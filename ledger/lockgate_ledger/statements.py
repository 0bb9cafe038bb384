"""Which statements of a chain still have to be audited: each once, however often it is reported. Pure.

A request remembers the digest of every statement that is in the log. A statement that differs in one byte (a gate decided again, under a newer policy) is another
one, and gets an entry of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from lockgate_schemas.audit import AuditEntry
from lockgate_schemas.errors import LedgerError, MalformedError
from lockgate_schemas.passage import Stamp

_HASH: Final = 32


def check_entries(request_id: str, stamps: Sequence[Stamp], entries: Sequence[AuditEntry]) -> None:
    """Raise `MalformedError` unless there is exactly one entry for each stamp, in order, about this request, with the stamp's statement in it."""
    if not stamps or len(stamps) != len(entries):
        raise MalformedError("a chain has not exactly one audit entry for each stamp")
    for stamp, entry in zip(stamps, entries, strict=True):
        same = entry.statement is stamp.statement or bytes(entry.statement) == bytes(stamp.statement)
        if not same or entry.request_id != request_id:
            raise MalformedError("an audit entry is not about its stamp's statement")


def digest(stamp: Stamp) -> bytes:
    """What is remembered of an audited statement."""
    return sha256(bytes(stamp.statement)).digest()


class Audited:
    """The digests of one request's audited statements."""

    def __init__(self, packed: bytes) -> None:
        """Raises `LedgerError` for bytes that are not whole digests."""
        if len(packed) % _HASH:
            raise LedgerError("a record of the ledger does not parse")
        self._digests = [packed[i : i + _HASH] for i in range(0, len(packed), _HASH)]

    def take_new(self, stamps: Sequence[Stamp], entries: Sequence[AuditEntry]) -> list[AuditEntry]:
        """The entries whose statements were not audited yet; from now on they were."""
        new = []
        for stamp, entry in zip(stamps, entries, strict=True):
            found = digest(stamp)
            if found not in self._digests:
                self._digests.append(found)
                new.append(entry)
        return new

    @property
    def packed(self) -> bytes:
        """All digests, one after the other."""
        return b"".join(self._digests)
