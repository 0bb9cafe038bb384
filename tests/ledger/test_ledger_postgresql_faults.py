"""What happens when a PostgreSQL server does not play along: killed under load, stopped, frozen, locked by others, written by several processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

import asyncpg
import pytest
from ledger_crafting import NOW, Case, Reopen, accepted
from ledger_processes import WRITES_FOR_EVER, process_of
from postgresql_server import PostgresqlServer
from sqlalchemy import Connection

from lockgate_ledger.audit import lock_head
from lockgate_ledger.ledger import Ledger
from lockgate_schemas.audit import refusal_entry
from lockgate_schemas.errors import LedgerError

REFUSAL = [refusal_entry(at=NOW, code="x")]


@asynccontextmanager
async def held(url: str, statement: str) -> AsyncIterator[None]:
    """Somebody else's transaction, which holds what the statement locks."""
    other = await asyncpg.connect(url)
    try:
        async with other.transaction():
            await other.execute(statement)
            yield
    finally:
        await other.close()


async def recovered(ledger: Ledger) -> None:
    """Wait until the same ledger writes again."""
    async with asyncio.timeout(30):
        while True:
            try:
                await ledger.refuse(REFUSAL)
            except LedgerError:
                await asyncio.sleep(0.05)
            else:
                return


async def _accept_until_it_fails(ledger: Ledger, client: str, done: list[Case], tried: list[list[Case]]) -> LedgerError:
    first = 0
    while True:
        cases = accepted(20, client=client, first=first, size=4000)
        tried.append(cases)
        try:
            await ledger.accept([case.new() for case in cases], open_limit=10**9)
        except LedgerError as error:
            return error
        done += cases
        first += 20


@pytest.mark.timeout(120)
async def test_a_server_killed_under_load_loses_nothing_promised(postgresql_server: PostgresqlServer, reopen_server: Reopen):
    ledger = await reopen_server(create=True)
    done: list[Case] = []
    tried: list[list[Case]] = []
    for turn in range(3):
        enough = len(done) + 100
        loads = [asyncio.create_task(_accept_until_it_fails(ledger, f"c{turn}-{n}", done, tried)) for n in range(3)]
        async with asyncio.timeout(30):
            while len(done) < enough:  # noqa: ASYNC110 - what is waited for is in the middle of things
                await asyncio.sleep(0)
        await asyncio.to_thread(postgresql_server.stop, "immediate")
        for error in await asyncio.gather(*loads):
            assert error.__context__ is None
            assert "INSERT" not in str(error)
        await asyncio.to_thread(postgresql_server.start)
        await recovered(ledger)
    assert all([await ledger.request(case.request_id) is not None for case in done]), "what was promised is gone"
    for cases in tried:
        found = [await ledger.request(case.request_id) is not None for case in cases]
        assert all(found) or not any(found), "half a batch was accepted"
    log = await ledger.verify()
    assert log.intact, log.reason
    assert log.entries == len(await ledger.requests(limit=100_000)) + 3


@pytest.mark.timeout(120)
async def test_a_server_that_is_gone_for_a_while_is_an_error_and_then_recovers(
    postgresql_server: PostgresqlServer, reopen_server: Reopen
):
    ledger = await reopen_server(create=True, waits=2_000)
    await asyncio.to_thread(postgresql_server.stop)
    try:
        for call in (ledger.epoch, lambda: ledger.refuse(REFUSAL), lambda: ledger.search(limit=1)):
            start = monotonic()
            with pytest.raises(LedgerError):
                await call()
            assert monotonic() - start < 20, "its own bound would be that of the system, of minutes"
    finally:
        await asyncio.to_thread(postgresql_server.start)
    await ledger.refuse(REFUSAL)  # at once: no dead connection is handed out first
    assert await ledger.epoch() == 1
    assert (await ledger.verify()).entries == 1


@pytest.mark.timeout(120)
async def test_a_standby_is_not_asked(postgresql_server: PostgresqlServer, reopen_server: Reopen):
    ledger = await reopen_server(create=True)
    await asyncio.to_thread(postgresql_server.stop)
    with postgresql_server.as_standby():
        await asyncio.to_thread(postgresql_server.start)
        try:
            with pytest.raises(LedgerError, match="primary"):
                await ledger.epoch()
        finally:
            await asyncio.to_thread(postgresql_server.stop)
    await asyncio.to_thread(postgresql_server.start)
    assert await ledger.epoch() == 1


@pytest.mark.timeout(120)
async def test_a_server_that_was_started_again_is_not_noticed(postgresql_server: PostgresqlServer, reopen_server: Reopen):
    ledger = await reopen_server(create=True)
    await asyncio.gather(ledger.refuse(REFUSAL), ledger.search(limit=1), ledger.epoch())
    await asyncio.to_thread(postgresql_server.stop)
    await asyncio.to_thread(postgresql_server.start)
    await asyncio.gather(ledger.refuse(REFUSAL), ledger.search(limit=1), ledger.epoch())
    assert (await ledger.verify()).entries == 2


@pytest.mark.timeout(120)
async def test_a_server_that_does_not_answer_is_given_up_in_time(postgresql_server: PostgresqlServer, reopen_server: Reopen):
    ledger = await reopen_server(create=True, waits=2_000)
    await ledger.refuse(REFUSAL)
    with postgresql_server.frozen():
        start = monotonic()
        calls = [ledger.epoch(), *(ledger.refuse(REFUSAL) for _ in range(30)), ledger.search(limit=1)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        took = monotonic() - start
        assert {type(result) for result in results} == {LedgerError}
        assert took < 15, "one after the other would take over twenty seconds"
        start = monotonic()
        with pytest.raises(LedgerError):  # and with a connection that has yet to be made
            await ledger.epoch()
        assert monotonic() - start < 20
    await recovered(ledger)
    assert await ledger.epoch() == 1
    assert (await ledger.verify()).intact


async def test_a_ledger_that_is_locked_too_long_is_an_error_and_then_recovers(server_url, reopen_server: Reopen):
    ledger = await reopen_server(create=True)
    impatient = await reopen_server(waits=2_000)
    case = accepted()[0].new()
    async with held(server_url, "SELECT * FROM audit_head FOR UPDATE"):
        with pytest.raises(LedgerError, match="locked") as raised:
            await impatient.accept([case], open_limit=1)
        assert raised.value.__context__ is None
        assert await impatient.epoch() == await ledger.epoch(), "readers go on beside a writer"
        start = monotonic()
        writes = asyncio.gather(*(impatient.refuse(REFUSAL) for _ in range(100)), return_exceptions=True)
        await asyncio.sleep(0)
        assert await impatient.epoch() == 1, "and beside a hundred that wait"
        assert not writes.done()
        assert {type(result) for result in await writes} == {LedgerError}
        assert monotonic() - start < 15, "a hundred times 300 ms would be thirty seconds"
    assert (await impatient.accept([case], open_limit=1))[0].new
    assert (await ledger.verify()).entries == 1


async def test_a_ledger_waits_for_a_short_lock(server_url, reopen_server: Reopen):
    ledger = await reopen_server(create=True)
    async with held(server_url, "SELECT * FROM audit_head FOR UPDATE"):
        waiting = asyncio.create_task(ledger.refuse(REFUSAL))
        done, _ = await asyncio.wait([waiting], timeout=0.2)
        assert not done
    await waiting
    assert (await ledger.verify()).entries == 1


async def test_a_read_behind_a_locked_table_ends_in_time(server_url, reopen_server: Reopen):
    ledger = await reopen_server(create=True, waits=2_000)
    async with held(server_url, "LOCK TABLE policy_epoch IN ACCESS EXCLUSIVE MODE"):
        start = monotonic()
        with pytest.raises(LedgerError, match="locked"):
            await ledger.epoch()
        assert monotonic() - start < 20
    assert await ledger.epoch() == 1


async def test_a_statement_that_takes_too_long_is_ended(reopen_server: Reopen):
    ledger = await reopen_server(create=True, waits=2_000)
    with pytest.raises(LedgerError, match="too long"):
        await ledger._store.write(lambda connection: connection.exec_driver_sql("SELECT pg_sleep(20)"))
    await ledger.refuse(REFUSAL)


async def test_a_transaction_of_many_slow_statements_is_ended(reopen_server: Reopen):
    ledger = await reopen_server(create=True, waits=2_000)

    def slow(connection: Connection) -> None:
        lock_head(connection)
        for _ in range(150):
            connection.exec_driver_sql("SELECT pg_sleep(0.2)")

    start = monotonic()
    with pytest.raises(LedgerError):
        await ledger._store.write(slow)
    assert monotonic() - start < 15, "each of them was in time, and all of them would take thirty seconds"
    await ledger.refuse(REFUSAL)


async def test_a_writer_that_stands_still_does_not_hold_the_others_for_ever(reopen_server: Reopen):
    await reopen_server(create=True)
    still, other = await reopen_server(waits=2_000), await reopen_server()
    async with still._store._engine.connect() as connection:
        await connection.run_sync(lock_head)  # and then nothing more, as of a process that was stopped
        start = monotonic()
        await other.refuse(REFUSAL)
        assert monotonic() - start < 20
        await connection.invalidate()
    await still.refuse(REFUSAL)
    assert (await other.verify()).entries == 2


@pytest.mark.timeout(120)
async def test_several_processes_at_once_keep_one_tree_without_a_gap(server_url, reopen_server: Reopen):
    ledger = await reopen_server(create=True)
    with process_of(WRITES_FOR_EVER, server_url, "one") as one, process_of(WRITES_FOR_EVER, server_url, "two") as two:
        for process in (one, two):
            assert process.stdout is not None
            lines = [await asyncio.to_thread(process.stdout.readline) for _ in range(8)]
            assert lines[-1] == "140\n", process.stderr.read() if process.stderr else ""
    await ledger.refuse(REFUSAL)  # behind whatever the two were still at when they were killed
    found = await ledger.verify()
    assert found.intact, found.reason
    assert [entry.sequence async for entry in ledger.entries()] == list(range(found.entries))
    for client in ("one", "two"):
        records = await ledger.requests(limit=10_000, client=client)
        assert len(records) >= 160
        assert len(records) % 20 == 0, "no half of a batch"
