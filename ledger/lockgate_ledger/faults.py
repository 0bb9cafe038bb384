"""What a database's failure becomes: a `LedgerError` with a constant sentence.

A driver's message quotes the statement, and SQLAlchemy's the parameters, which are envelopes; so the original is neither quoted nor chained.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from lockgate_schemas.errors import LedgerError, LockgateError, MalformedError

STORAGE_FAULTS: Final = (SQLAlchemyError, sqlite3.Error, OSError)
"""What drivers raise when the database is locked, gone, full, closed or damaged."""
VALUE_FAULTS: Final = (UnicodeError, OverflowError)
"""What drivers raise for a value that no column can hold: a lone surrogate, an integer beyond 64 bits."""

_SQLITE: Final = {
    sqlite3.SQLITE_BUSY: "the ledger was locked for too long",
    sqlite3.SQLITE_LOCKED: "the ledger was locked for too long",
    sqlite3.SQLITE_FULL: "the ledger's disk is full",
    sqlite3.SQLITE_READONLY: "the ledger is read-only",
    sqlite3.SQLITE_CANTOPEN: "the ledger could not be opened",
    sqlite3.SQLITE_CORRUPT: "the ledger's file is damaged",
    sqlite3.SQLITE_NOTADB: "the ledger's file is damaged",
}
_OTHERWISE: Final = "the ledger could not be read or written"


def translated(fault: BaseException) -> LockgateError:
    """The error to raise instead of ``fault``. Raise it outside of the ``except`` block, or Python chains the two."""
    if isinstance(fault, VALUE_FAULTS):
        return MalformedError("a value that the ledger cannot store")
    cause = fault.orig if isinstance(fault, DBAPIError) else fault
    code = getattr(cause, "sqlite_errorcode", None)
    return LedgerError(_SQLITE.get(code & 0xFF, _OTHERWISE) if isinstance(code, int) else _OTHERWISE)
