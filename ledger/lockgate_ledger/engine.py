"""How transactions are run: on a connection of their own, committed or rolled back, their failures translated.

A transaction is a plain function over a connection. There are two ways to run one: `Threads` (a driver that blocks, on threads of the ledger's own), which SQLite
uses for the reasons and figures in docs/decisions/0003-ledger-threads.md, and `Coroutines` (a driver for asyncio), which is for PostgreSQL.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Final, Protocol, TypeVar

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from lockgate_ledger import sqlite
from lockgate_ledger.faults import STORAGE_FAULTS, VALUE_FAULTS, translated
from lockgate_schemas.errors import ConfigurationError, LedgerError

T = TypeVar("T")
Transaction = Callable[[Connection], T]

_READERS: Final = 2
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


class Coroutines:
    """An engine for asyncio, whose driver waits without a thread."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._reading = engine
        if engine.dialect.name != "sqlite":  # where a view is one statement's unless a whole transaction's is asked for
            self._reading = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._writing = engine.execution_options(**{sqlite.WRITES: True})
        self._closed = False

    async def read(self, transaction: Transaction[T]) -> T:
        """See `Store.read`."""
        return await self._run(self._reading, transaction)

    async def write(self, transaction: Transaction[T]) -> T:
        """See `Store.write`."""
        return await self._run(self._writing, transaction)

    def glance(self) -> int | None:
        """See `Store.glance`. A server is asked over a connection, never at once."""
        return None

    async def close(self) -> None:
        """See `Store.close`."""
        self._closed = True
        await self._engine.dispose()

    async def _run(self, engine: AsyncEngine, transaction: Transaction[T]) -> T:
        if self._closed:
            raise LedgerError(_CLOSED)
        fault: BaseException
        try:
            async with engine.connect() as connection:
                try:
                    async with connection.begin():
                        return await connection.run_sync(transaction)
                except STORAGE_FAULTS:
                    await connection.invalidate()
                    raise
        except (*STORAGE_FAULTS, *VALUE_FAULTS) as error:
            fault = error
        raise translated(fault)


def open_store(url: str, *, timeout: int, create: bool = False) -> Store:
    """The store behind ``url``; nothing is connected yet. ``timeout`` (milliseconds) is how long a lock is waited for.

    ``create`` makes an empty SQLite file where there is none; a server's database is made by its operator. Raises `ConfigurationError`, which does
    not quote the url: it may hold a password.
    """
    found = _parsed(url)
    if found.get_backend_name() == "sqlite":
        return _sqlite_store(found, timeout, create=create)
    seconds = timeout / 1000
    waits = {"timeout": seconds, "command_timeout": seconds, "server_settings": {"lock_timeout": str(timeout)}}
    try:
        engine = create_async_engine(found, hide_parameters=True, pool_pre_ping=True, pool_timeout=seconds, connect_args=waits)
        return Coroutines(engine)
    except (ImportError, NoSuchModuleError):
        pass
    raise ConfigurationError("the driver for the ledger's database is not installed: pip install 'lockgate[postgres]'")


def _parsed(url: str) -> URL:
    try:
        found = make_url(url)
    except ArgumentError:
        found = None
    if found is None or found.get_backend_name() not in {"sqlite", "postgresql"}:
        raise ConfigurationError("the ledger's url is not one of sqlite:///FILE and postgresql://HOST/NAME")
    return found.set(drivername="postgresql+asyncpg") if found.drivername == "postgresql" else found


def _sqlite_store(url: URL, timeout: int, *, create: bool) -> Store:
    path = sqlite.file_of(url)
    if create:
        sqlite.create_file(path)
    if not path.is_file():
        raise ConfigurationError("there is no ledger yet: `lockgate up` creates it")
    safe = sqlite.without_creating(url, path)
    if url.get_driver_name() == "aiosqlite":
        engine = create_async_engine(safe, hide_parameters=True)
        sqlite.configure(engine.sync_engine, timeout=timeout)
        return Coroutines(engine)
    blocking = create_engine(safe, hide_parameters=True, pool_size=_READERS + 1)
    sqlite.configure(blocking, timeout=timeout)
    return Threads(blocking, timeout=timeout, glance=sqlite.Glance(path, EPOCH))
