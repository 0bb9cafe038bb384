"""The sample database: SQLite in memory, opened for reading alone, with every bound that a query of a stranger needs.

What may be read is decided by SQLite's authorizer (tables, columns, a closed list of functions), how long and how much by limits of the connection. One
statement a call; anything that is not a SELECT is refused by SQLite itself.
"""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import astuple
from typing import Any, Final

import msgspec

from lockgate.examples.reporting.people import customers, purchases

MOST_ROWS: Final = 500
_STEPS: Final = 1_000
_MOST_TICKS: Final = 5_000
_MOST_BYTES: Final = 100_000
_CUSTOMERS: Final = 60
_PURCHASES: Final = 400
_FUNCTIONS: Final = frozenset(
    {
        "abs",
        "avg",
        "coalesce",
        "count",
        "date",
        "ifnull",
        "length",
        "like",
        "lower",
        "max",
        "min",
        "round",
        "strftime",
        "substr",
        "sum",
        "total",
        "upper",
    }
)
_ACTIONS: Final = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ})
_TABLES: Final = frozenset({"customers", "orders", ""})
_SCHEMA: Final = """
CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, email TEXT, ssn TEXT, card TEXT, plan TEXT);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER REFERENCES customers, day TEXT, cents INTEGER, paid INTEGER);
"""


class Table(msgspec.Struct, frozen=True):
    """Rows and the names of their columns; ``truncated`` if there were more."""

    columns: list[str]
    rows: list[list[Any]]
    truncated: bool


class QueryRefusedError(ValueError):
    """The query is not allowed, or too expensive; the message is a sentence for whoever sent it."""


class Database:
    """The sample data. Thread-safe: one query at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ticks = 0
        self._connection = sqlite3.connect(":memory:", check_same_thread=False)
        self._fill()
        self._connection.execute("PRAGMA query_only = ON")
        self._connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MOST_BYTES)
        self._connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, _MOST_BYTES)
        self._connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        self._connection.set_authorizer(_authorise)
        self._connection.set_progress_handler(self._tick, _STEPS)

    def read(self, sql: str, values: tuple[Any, ...] = (), most: int = MOST_ROWS) -> Table:
        """Run one SELECT. Raises `QueryRefusedError`."""
        bound = max(1, min(most, MOST_ROWS))
        with self._lock:
            self._ticks = 0
            try:
                cursor = self._connection.execute(sql, values)
                rows = cursor.fetchmany(bound + 1)
                columns = [column[0] for column in cursor.description or ()]
                cursor.close()
            except sqlite3.Error as error:
                raise QueryRefusedError(f"the query was refused: {error}") from None
            except ValueError:  # a NUL character in the text, in some versions
                raise QueryRefusedError("the query was refused: it holds an unusual character") from None
        kept = [[cell.hex() if isinstance(cell, bytes) else cell for cell in row] for row in rows[:bound]]
        return Table(columns, kept, len(rows) > bound)

    def close(self) -> None:
        """Forget everything."""
        self._connection.close()

    def _fill(self) -> None:
        self._connection.executescript(_SCHEMA)
        self._connection.executemany(
            "INSERT INTO customers VALUES (?, ?, ?, ?, ?, ?)", [astuple(one) for one in customers(_CUSTOMERS)]
        )
        self._connection.executemany(
            "INSERT INTO orders VALUES (?, ?, ?, ?, ?)", [astuple(one) for one in purchases(_PURCHASES, _CUSTOMERS)]
        )
        self._connection.commit()

    def _tick(self) -> int:
        self._ticks += 1
        return 1 if self._ticks > _MOST_TICKS else 0


def _authorise(action: int, first: str | None, second: str | None, *_: object) -> int:
    """An allow list: reading our two tables, and functions that cannot make something large out of something small."""
    if action == sqlite3.SQLITE_FUNCTION:
        return sqlite3.SQLITE_OK if second in _FUNCTIONS else sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_READ and first not in _TABLES:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK if action in _ACTIONS else sqlite3.SQLITE_DENY
