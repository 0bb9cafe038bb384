"""How an SQLite file is opened: never created by accident, private to its owner, durable, and with one writer at a time.

WAL lets readers go on beside the writer; ``synchronous=FULL`` makes a commit survive a power loss; a write transaction takes its lock at once
(BEGIN IMMEDIATE), so that two writers queue instead of failing in the middle.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import URL

from lockgate_schemas.errors import ConfigurationError

WRITES: Final = "lockgate_writes"
"""The execution option of an engine whose transactions write."""


def file_of(url: URL) -> Path:
    """The file that ``url`` names. Raises `ConfigurationError` for a database in memory, which no other process could see."""
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise ConfigurationError("the ledger's url names no file")
    return Path(url.database)


def create_file(path: Path) -> None:
    """Create the file, readable and writable by its owner alone; SQLite gives its side files the same mode."""
    if not path.parent.is_dir():
        raise ConfigurationError("the ledger's folder does not exist")
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600))
    except FileExistsError:
        return
    except OSError:
        raise ConfigurationError("the ledger's file cannot be created in its folder") from None


def without_creating(url: URL, path: Path) -> URL:
    """The url with which the driver opens the file only if it is there."""
    return url.set(database=f"file:{quote(str(path.absolute()))}", query={"mode": "rw", "uri": "true"})


class Glance:
    """Reads one number on the caller's own thread: a hundredth of a millisecond, where the way to another thread and back costs fifteen.

    It never waits: whatever cannot be had at once, for whichever reason, is not had here, and the caller goes the long way, which finds out why.
    """

    def __init__(self, path: Path, statement: str) -> None:
        """``statement`` must select one integer in one row, by constant text."""
        self._path = path
        self._statement = statement
        self._connection: sqlite3.Connection | None = None

    def look(self) -> int | None:
        """The number as it is committed now, or nothing."""
        try:
            if self._connection is None:
                self._connection = self._opened()
            rows = self._connection.execute(self._statement).fetchall()
        except (sqlite3.Error, OSError):
            self.close()
            return None
        return rows[0][0] if len(rows) == 1 and type(rows[0][0]) is int else None

    def close(self) -> None:
        """Let go of the file. Another look opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _opened(self) -> sqlite3.Connection:
        url = f"file:{quote(str(self._path.absolute()))}?mode=rw"
        connection = sqlite3.connect(url, uri=True, timeout=0, isolation_level=None)
        connection.execute("PRAGMA query_only=ON")
        connection.execute("PRAGMA trusted_schema=OFF")
        return connection


def configure(engine: Engine, *, timeout: int) -> None:
    """Set every connection of ``engine`` up. ``timeout`` (milliseconds) is how long a lock is waited for."""

    def connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver's own BEGIN would be a deferred one
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={int(timeout)}")
        cursor.execute("PRAGMA journal_mode=WAL")
        mode = cursor.fetchone()
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA trusted_schema=OFF")
        cursor.close()
        if mode != ("wal",):
            raise ConfigurationError("the ledger's file system does not support SQLite's write-ahead log")

    def begun(connection: Connection) -> None:
        writes = connection.get_execution_options().get(WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)
