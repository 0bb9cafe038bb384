"""How an SQLite file is opened: never created by accident, private to its owner, durable, and with one writer at a time.

WAL lets readers go on beside the writer; ``synchronous=FULL`` makes a commit survive a power loss; a write transaction takes its lock at once
(BEGIN IMMEDIATE), so that two writers queue instead of failing in the middle.
"""

from __future__ import annotations

import os
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
