"""How transactions are run: on a connection of their own, committed or rolled back, their failures translated.

A transaction is a plain function over a connection. There are two ways to run one: `Threads` (a driver that blocks, on threads of the ledger's own), which SQLite
uses, and `lockgate_ledger.postgresql.Server` (a driver for asyncio). Reasons and figures: docs/decisions/0003-ledger-threads.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Final, Protocol, TypeVar

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from lockgate_ledger import sqlite
from lockgate_ledger.faults import STORAGE_FAULTS, VALUE_FAULTS, translated
from lockgate_schemas.errors import ConfigurationError, LedgerError

T = TypeVar("T")
Transaction = Callable[[Connection], T]

_READERS: Final = 2
_FILES: Final = frozenset({"sqlite", "sqlite+pysqlite"})
_SERVERS: Final = frozenset({"postgresql", "postgresql+asyncpg"})
EPOCH: Final = "SELECT epoch FROM policy_epoch"
"""What every batch asks first."""
_BUSY: Final = "the ledger is busy: its writer did not get to this in time"
_CLOSED: Final = "the ledger is closed"


class Store(Protocol):
    """Runs transactions against one database. Every failure of the database is a `LedgerError`."""

    async def read(self, transaction: Transaction[T]) -> T:
        """Run it on one consistent view of the data."""
        ...

    async def write(self, transaction: Transaction[T]) -> T:
        """Run it and commit; when this returns, it is durable. Whatever it raises rolls it back."""
        ...

    def glance(self) -> int | None:
        """The policy epoch, if it can be told at once; nothing means that it has to be read the long way."""
        ...

    async def close(self) -> None:
        """Let what runs finish, then close every connection."""
        ...


def run(engine: Engine, transaction: Transaction[T]) -> T:
    """One transaction on a blocking engine; a connection on which the database failed is thrown away."""
    fault: BaseException
    try:
        with engine.connect() as connection:
            try:
                with connection.begin():
                    return transaction(connection)
            except STORAGE_FAULTS:
                connection.invalidate()
                raise
    except (*STORAGE_FAULTS, *VALUE_FAULTS) as error:
        fault = error
    raise translated(fault)


class Threads:
    """One thread that writes and a few that read."""

    def __init__(self, engine: Engine, *, timeout: int, glance: sqlite.Glance) -> None:
        """``timeout`` (milliseconds) bounds how long a write waits for the ones before it."""
        self._engine = engine
        self._glance = glance
        self._writing = engine.execution_options(**{sqlite.WRITES: True})
        self._timeout = timeout / 1000
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="ledger-writer")
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="ledger-reader")
        self._closed = False

    async def read(self, transaction: Transaction[T]) -> T:
        """See `Store.read`."""
        self._check_open()
        return await asyncio.get_running_loop().run_in_executor(self._readers, run, self._engine, transaction)

    async def write(self, transaction: Transaction[T]) -> T:
        """See `Store.write`."""
        self._check_open()
        latest = monotonic() + self._timeout

        def job() -> T:
            # Behind a locked database each write would wait its own full time after the one before it had; whoever waited that long is answered at once.
            if monotonic() > latest:
                raise LedgerError(_BUSY)
            return run(self._writing, transaction)

        return await asyncio.get_running_loop().run_in_executor(self._writer, job)

    def glance(self) -> int | None:
        """See `Store.glance`."""
        self._check_open()
        return self._glance.look()

    async def close(self) -> None:
        """See `Store.close`."""
        self._closed = True
        self._glance.close()
        await asyncio.to_thread(self._shut)

    def _shut(self) -> None:
        self._writer.shutdown()
        self._readers.shutdown()
        self._engine.dispose()

    def _check_open(self) -> None:
        if self._closed:
            raise LedgerError(_CLOSED)


def open_store(url: str, *, timeout: int, create: bool = False) -> Store:
    """The store behind ``url``; nothing is connected yet. ``timeout`` (milliseconds) is how long a lock is waited for, and on a server an answer too.

    ``create`` makes an empty SQLite file where there is none, and is patient with a server's statements; a server's database is made by its operator. Raises
    `ConfigurationError`, which does not quote the url: it may hold a password.
    """
    if url.partition("://")[0] not in _SERVERS:
        return _sqlite_store(_parsed(url), timeout, create=create)
    try:
        from lockgate_ledger.postgresql import Server  # noqa: PLC0415 - its driver is an extra, and takes long to import

        return Server(url.replace("+asyncpg", "", 1), timeout=timeout, patient=create)
    except ImportError:
        pass
    raise ConfigurationError("the driver for the ledger's database is not installed: pip install 'lockgate[gateway,postgres]'")


def _parsed(url: str) -> URL:
    try:
        found = make_url(url)
    except (ArgumentError, ValueError):  # the second for a port that is no number
        found = None
    if found is None or found.drivername not in _FILES:
        raise ConfigurationError("the ledger's url is not one of sqlite:///FILE and postgresql://HOST/NAME")
    return found


def _sqlite_store(url: URL, timeout: int, *, create: bool) -> Store:
    path = sqlite.file_of(url)
    if create:
        sqlite.create_file(path)
    if not path.is_file():
        raise ConfigurationError("there is no ledger yet: `lockgate up` creates it")
    engine = create_engine(sqlite.without_creating(url, path), hide_parameters=True, pool_size=_READERS + 1)
    sqlite.configure(engine, timeout=timeout)
    return Threads(engine, timeout=timeout, glance=sqlite.Glance(path, EPOCH))
