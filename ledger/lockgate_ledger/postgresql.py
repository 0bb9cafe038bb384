"""How a PostgreSQL server is opened, and how transactions run on it: over asyncpg, one that writes and two that read at a time.

It decides which server will do (a primary that speaks UTF-8 and flushes what it commits) and how long anything may take: the server ends a statement, a lock's wait and an idle
transaction after the ledger's timeout, and we end the whole transaction after the same time, should the server not even answer. One tree with several writers comes from the
row lock on its head (`lockgate_ledger.audit.lock_head`), under READ COMMITTED: each statement after the lock sees what the holder before committed.

The url goes to asyncpg as it is and to nobody else, so that no engine, error or log holds the password in it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any, Final, TypeVar

import asyncpg  # type: ignore[import-untyped]
from sqlalchemy import Connection, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from lockgate_ledger.faults import STORAGE_FAULTS, VALUE_FAULTS, translated
from lockgate_schemas.errors import ConfigurationError, LedgerError, LockgateError

T = TypeVar("T")

_READERS: Final = 2
_LOCK, _STATEMENT, _TRANSACTION, _COMMAND = 0.9, 1.0, 1.1, 1.2
"""Shares of the timeout, so that of several ends that would come at once the one comes first that can say most exactly why."""
_FOR_EVER: Final = 86_400.0
_CLOSED: Final = "the ledger is closed"
_DRIVER_FAULTS: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What asyncpg raises while it connects, where SQLAlchemy does not yet wrap it."""
_FAULTS: Final = (*STORAGE_FAULTS, *_DRIVER_FAULTS)
_FIT: Final = "SELECT current_setting('server_encoding') = 'UTF8', current_setting('fsync') = 'on'"


class Server:
    """A store on a PostgreSQL server; see `lockgate_ledger.engine.Store`."""

    def __init__(self, url: str, *, timeout: int, patient: bool = False) -> None:
        """Nothing is connected yet. ``timeout`` is in milliseconds; a ``patient`` store, which migrates, waits that long for locks only."""
        self._timeout = None if patient else timeout / 1000
        self._engine = _engine(url, timeout, patient=patient)
        self._reading = self._engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._writers = asyncio.Semaphore(1)  # more would only wait for one another at the head, each on a connection
        self._readers = asyncio.Semaphore(_READERS)
        self._running: set[asyncio.Task[Any]] = set()
        self._closed = False

    async def read(self, transaction: Callable[[Connection], T]) -> T:
        """See `Store.read`."""
        return await self._whole(self._reading, self._readers, transaction)

    async def write(self, transaction: Callable[[Connection], T]) -> T:
        """See `Store.write`."""
        return await self._whole(self._engine, self._writers, transaction)

    def glance(self) -> int | None:
        """See `Store.glance`. A server is asked over a connection, never at once."""
        return None

    async def close(self) -> None:
        """See `Store.close`."""
        self._closed = True
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._engine.dispose()

    async def _whole(self, engine: AsyncEngine, turn: asyncio.Semaphore, transaction: Callable[[Connection], T]) -> T:
        """Run it in a task of its own: a caller who stops waiting does not tear a transaction, and its connection, in two."""
        if self._closed:
            raise LedgerError(_CLOSED)
        task = asyncio.create_task(self._run(engine, turn, transaction))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def _run(self, engine: AsyncEngine, turn: asyncio.Semaphore, transaction: Callable[[Connection], T]) -> T:
        fault: BaseException
        try:
            async with AsyncExitStack() as stack:
                async with asyncio.timeout(self._timeout):
                    await stack.enter_async_context(turn)
                    connection = await stack.enter_async_context(engine.connect())
                stack.callback((await self._bounded(connection)).cancel)
                return await _transact(connection, transaction)
        except (*_FAULTS, *VALUE_FAULTS) as error:
            fault = error
        raise translated(fault)

    async def _bounded(self, connection: AsyncConnection) -> asyncio.TimerHandle:
        """Cut the connection when its time is over. Cancelling instead would first ask a server for leave that may not answer."""
        driver: Any = (await connection.get_raw_connection()).driver_connection
        seconds = _FOR_EVER if self._timeout is None else self._timeout * _TRANSACTION
        return asyncio.get_running_loop().call_later(seconds, driver.terminate)


async def _transact(connection: AsyncConnection, transaction: Callable[[Connection], T]) -> T:
    try:
        async with connection.begin():
            return await connection.run_sync(transaction)
    except LockgateError:
        raise
    except BaseException:  # whatever it was goes on; the connection does not
        await connection.invalidate()
        raise


def _engine(url: str, timeout: int, *, patient: bool) -> AsyncEngine:
    settings = {
        "application_name": "lockgate",
        "lock_timeout": str(int(timeout * _LOCK)),
        "statement_timeout": "0" if patient else str(int(timeout * _STATEMENT)),
        # Whoever stops in the middle of a transaction, holding the head, must not hold everyone else.
        "idle_in_transaction_session_timeout": str(timeout),
        "synchronous_commit": "on",
        "default_transaction_isolation": "read committed",
        "jit": "off",  # compiling takes longer than any of the ledger's statements
    }

    waits = {"timeout": timeout / 1000, "command_timeout": None if patient else timeout / 1000 * _COMMAND}

    async def connected() -> Any:
        fault: LockgateError
        try:
            connection = await asyncpg.connect(url, server_settings=settings, target_session_attrs="primary", **waits)
            await _check_fit(connection)
            return connection
        except ValueError:  # asyncpg's own error is one too
            fault = ConfigurationError("the ledger's url is not one that asyncpg can read")
        except asyncpg.TargetServerAttributeNotMatched:
            fault = LedgerError("the ledger's server is not a primary")
        raise fault

    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connected,
        hide_parameters=True,
        pool_size=_READERS + 1,
        max_overflow=0,
        pool_timeout=timeout / 1000,
    )
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    return engine


async def _check_fit(connection: Any) -> None:
    encoded, durable = await connection.fetchrow(_FIT)
    if encoded and durable:
        return
    await connection.close()
    if not encoded:
        raise ConfigurationError("the ledger's database is not encoded in UTF-8")
    raise ConfigurationError("the ledger's server runs with fsync off: what it commits would not survive a power loss")


def _refuse_closed(connection: Any, _record: Any, _proxy: Any) -> None:
    """Let the pool replace a connection that the server has closed: asyncpg knows without asking it, which a ping would have to."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError
