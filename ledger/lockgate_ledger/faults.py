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
_POSTGRESQL: Final = {
    "55P03": "the ledger was locked for too long",
    "57014": "the ledger took too long",
    "25P03": "the ledger took too long",
    "53100": "the ledger's disk is full",
    "53300": "the ledger's server has no connection left",
    "25006": "the ledger is read-only",
    "28P01": "the ledger's server refused the user or the password",
    "28000": "the ledger's server refused the user or the password",
    "3D000": "the ledger's server has no database of that name",
    "42501": "the ledger's user has not the rights that it needs",
}
_VALUE: Final = "22"
"""The class of SQLSTATE for values, a NUL in a text for one."""
_SILENT: Final = "the ledger did not answer in time"
_OTHERWISE: Final = "the ledger could not be read or written"


def translated(fault: BaseException) -> LockgateError:
    """The error to raise instead of ``fault``. Raise it outside of the ``except`` block, or Python chains the two."""
    cause = fault.orig if isinstance(fault, DBAPIError) else fault
    state = str(getattr(cause, "sqlstate", None) or "")
    # asyncpg names a value that it cannot send by an error that is a ValueError too.
    if isinstance(fault, VALUE_FAULTS) or state.startswith(_VALUE) or isinstance(getattr(cause, "__cause__", None), ValueError):
        return MalformedError("a value that the ledger cannot store")
    if isinstance(cause, TimeoutError):
        return LedgerError(_SILENT)
    code = getattr(cause, "sqlite_errorcode", None)
    if isinstance(code, int):
        return LedgerError(_SQLITE.get(code & 0xFF, _OTHERWISE))
    return LedgerError(_POSTGRESQL.get(state, _OTHERWISE))
