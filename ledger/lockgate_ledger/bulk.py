"""Statements that are run for many rows at once, straight on the driver.

SQLAlchemy writes the SQL, once for each kind of database; after that the rows go to the driver as they are. Letting SQLAlchemy prepare each row cost a third of the
time of an ending (measured: docs/decisions/0003-ledger-threads.md). So a row is a tuple, in exactly the order of the statement's parameters, and its values
are plain ones that the driver knows: str, int, bytes, bool, None.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Delete, Dialect, Insert, Update

from lockgate_schemas.errors import ConfigurationError


class Bulk:
    """One insert, update or delete, with the names of its parameters in order."""

    def __init__(self, statement: Insert | Update | Delete, *names: str) -> None:
        self._statement = statement
        self._names = names
        self._texts: dict[str, str] = {}

    def run(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Run it for every row; no rows are no statement."""
        if rows:
            connection.exec_driver_sql(self.text(connection.dialect), list(rows))

    def text(self, dialect: Dialect) -> str:
        """The SQL for this kind of database. Raises `ConfigurationError` if its parameters would come in another order."""
        name = f"{dialect.name}+{dialect.driver}"
        if (text := self._texts.get(name)) is None:
            compiled = self._statement.compile(dialect=dialect, column_keys=list(self._names))
            if tuple(compiled.positiontup or ()) != self._names:  # else values would silently change places
                raise ConfigurationError("a bulk statement's parameters are not in the order of its rows")
            text = self._texts[name] = str(compiled)
        return text
