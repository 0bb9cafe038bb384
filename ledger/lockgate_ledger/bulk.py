"""The statements of the hot transactions, straight on the driver.

SQLAlchemy writes the SQL, once for each kind of database; after that plain values go to the driver and plain tuples come back. Letting SQLAlchemy prepare each
row and each execution was more than half of the time of a transaction (measured: docs/decisions/0003-ledger-threads.md). So a row is a tuple, in exactly the order
of the statement's parameters, and its values are plain ones that the driver knows: str, int, bytes, bool, None. What comes back is as the driver has it: SQLite
knows no truth values, only 0 and 1.

On SQLite the driver itself is called. On a server SQLAlchemy stays in between, which waits for the driver and marks a connection that broke.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any, Final

from sqlalchemy import Connection, Delete, Dialect, Insert, Select, Update

from lockgate_schemas.errors import ConfigurationError

_SQLITE: Final = "sqlite"
_MOST: Final = 256
"""The longest list in one statement; more values are more statements."""


class Bulk:
    """One insert, update or delete, with the names of its parameters in order."""

    def __init__(self, statement: Insert | Update | Delete, *names: str) -> None:
        self._statement = statement
        self._names = names
        self._texts: dict[str, str] = {}

    def run(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Run it for every row; no rows are no statement."""
        if not rows:
            return
        text = self.text(connection.dialect)
        if connection.dialect.name == _SQLITE:
            _driver(connection).executemany(text, rows)
        else:
            connection.exec_driver_sql(text, list(rows))

    def text(self, dialect: Dialect) -> str:
        """The SQL for this kind of database. Raises `ConfigurationError` if its parameters would come in another order."""
        return _text(self._texts, dialect, self._compiled)

    def _compiled(self, dialect: Dialect) -> str:
        compiled = self._statement.compile(dialect=dialect, column_keys=list(self._names))
        _check_order(compiled.positiontup, self._names)
        return str(compiled)


class Lookup:
    """One select, with the names of its parameters in order, each of them a list that a column is looked for in."""

    def __init__(self, statement: Select[*tuple[Any, ...]], *names: str) -> None:
        self._statement = statement
        self._names = names
        self._texts: dict[tuple[int, ...], dict[str, str]] = {}

    def run(self, connection: Connection, *lists: Sequence[Any]) -> list[Sequence[Any]]:
        """The rows for these lists; for an empty one there are none."""
        found: list[Sequence[Any]] = []
        for parts in product(*map(_parts, lists)):
            text = self.text(connection.dialect, *map(len, parts))
            found += _fetched(connection, text, tuple(value for part in parts for value in part))
        return found

    def text(self, dialect: Dialect, *lengths: int) -> str:
        """The SQL for lists of these lengths. Raises `ConfigurationError` if its parameters would come in another order."""
        return _text(self._texts.setdefault(lengths, {}), dialect, lambda given: self._compiled(given, lengths))

    def _compiled(self, dialect: Dialect, lengths: tuple[int, ...]) -> str:
        sizes = dict(zip(self._names, lengths, strict=True))
        whole = self._statement.params({name: [""] * length for name, length in sizes.items()})
        compiled = whole.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
        _check_order(compiled.positiontup, [f"{name}_{n}" for name, length in sizes.items() for n in range(1, length + 1)])
        return str(compiled)


class Look:
    """One select without parameters."""

    def __init__(self, statement: Select[*tuple[Any, ...]]) -> None:
        self._statement = statement
        self._texts: dict[str, str] = {}

    def run(self, connection: Connection) -> list[Sequence[Any]]:
        """Its rows."""
        return _fetched(connection, _text(self._texts, connection.dialect, self._compiled), ())

    def _compiled(self, dialect: Dialect) -> str:
        return str(self._statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))


def _driver(connection: Connection) -> Any:
    return connection.connection.dbapi_connection


def _fetched(connection: Connection, text: str, values: tuple[Any, ...]) -> list[Sequence[Any]]:
    if connection.dialect.name == _SQLITE:
        rows: list[Sequence[Any]] = _driver(connection).execute(text, values).fetchall()
        return rows
    return list(connection.exec_driver_sql(text, values).all())


def _parts(values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """The list in pieces, each filled up to a power of two with its last value, so that there are few statements to prepare."""
    pieces = (tuple(values[start : start + _MOST]) for start in range(0, len(values), _MOST))
    return [piece + piece[-1:] * ((1 << (len(piece) - 1).bit_length()) - len(piece)) for piece in pieces]


def _text(texts: dict[str, str], dialect: Dialect, compiled: Callable[[Dialect], str]) -> str:
    if (text := texts.get(dialect.driver)) is None:  # no two kinds of database share a driver
        text = texts[dialect.driver] = compiled(dialect)
    return text


def _check_order(found: Sequence[str] | None, wanted: Sequence[str]) -> None:
    if list(found or ()) != list(wanted):  # else values would silently change places
        raise ConfigurationError("a statement's parameters are not in the order of its rows")
