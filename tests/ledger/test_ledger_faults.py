"""What happens when the database does not play along: locked, full, killed in the middle, written by several at once."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest
from ledger_crafting import AUDIT_SIGNER, AUDIT_TRUST, NOW, Reopen, accepted, delivered
from ledger_processes import WRITES_FOR_EVER, process_of
from sqlalchemy import Connection

from lockgate_ledger.ledger import Ledger, Opening
from lockgate_schemas.audit import refusal_entry
from lockgate_schemas.errors import LedgerError
from lockgate_schemas.limits import Limits

_RUNS_OUT_OF_DISK = """
async def main():
    async with open_ledger() as ledger:
        last = accepted(1, first=10**6)[0]
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, hard))
        done, failed = [], None
        for first in range(0, 10_000, 50):
            cases = accepted(50, first=first, size=4000)
            try:
                await ledger.accept([case.new() for case in cases], open_limit=10**9)
            except LedgerError as error:
                failed = error
                break
            done += cases
        assert failed is not None, "the disk never ran full"
        assert failed.__context__ is None and failed.__cause__ is None
        assert "INSERT" not in str(failed), failed
        assert await ledger.request(cases[0].request_id) is None, "half a batch was accepted"
        assert await ledger.request(done[-1].request_id) is not None
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        await ledger.accept([last.new()], open_limit=10**9)
        found = await ledger.verify()
        assert found.intact and found.entries == len(done) + 1, found
        print("recovered")
asyncio.run(main())
"""


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        database.close()


async def test_a_ledger_that_is_locked_too_long_is_an_error_and_then_recovers(
    ledger: Ledger, reopen: Reopen, path: Path
) -> None:
    impatient = await reopen(waits=50)
    case = accepted()[0].new()
    with _locked(path):
        with pytest.raises(LedgerError, match="locked") as raised:
            await impatient.accept([case], open_limit=1)
        assert raised.value.__context__ is None
        assert await impatient.epoch() == await ledger.epoch(), "readers go on beside a writer"
    assert (await impatient.accept([case], open_limit=1))[0].new


async def test_writes_that_queue_behind_a_locked_ledger_are_not_each_waited_for(
    ledger: Ledger, reopen: Reopen, path: Path
) -> None:
    impatient = await reopen(waits=300)
    refusal = [refusal_entry(at=NOW, code="x")]
    with _locked(path):
        start = monotonic()
        results = await asyncio.gather(*(impatient.refuse(refusal) for _ in range(100)), return_exceptions=True)
        took = monotonic() - start
    assert {type(result) for result in results} == {LedgerError}
    assert took < 15, "a hundred times 300 ms would be thirty seconds"
    await impatient.refuse(refusal)
    assert (await ledger.verify()).entries == 1


async def test_a_ledger_waits_for_a_short_lock(ledger: Ledger, path: Path) -> None:
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    database.execute("BEGIN EXCLUSIVE")
    release = threading.Timer(0.2, database.close)
    release.start()
    await ledger.refuse([refusal_entry(at=NOW, code="x")])
    release.join()
    assert (await ledger.verify()).entries == 1


async def test_a_write_whose_caller_gave_up_is_whole_or_not_there(ledger: Ledger) -> None:
    batches = [accepted(20, first=n * 20) for n in range(10)]
    tasks = [asyncio.create_task(ledger.accept([c.new() for c in cases], open_limit=1000)) for cases in batches]
    await tasks[0]
    for task in tasks[1:]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await ledger.refuse([])
    for cases in batches:
        found = [await ledger.request(case.request_id) is not None for case in cases]
        assert all(found) or not any(found)
    assert (await ledger.verify()).intact


def test_a_full_disk_is_an_error_and_then_recovers(path: Path) -> None:
    url = f"sqlite:///{path}"
    asyncio.run(_create(url))
    with process_of(_RUNS_OUT_OF_DISK, url) as process:
        out, err = process.communicate(timeout=60)
    assert out == "recovered\n", err


async def test_a_read_only_ledger_is_an_error(ledger: Ledger) -> None:
    await ledger.refuse([refusal_entry(at=NOW, code="x")])

    def forbid(connection: Connection) -> None:
        connection.exec_driver_sql("PRAGMA query_only = ON")

    await ledger._store.write(forbid)
    with pytest.raises(LedgerError, match="read-only"):
        await ledger.refuse([refusal_entry(at=NOW, code="y")])
    await ledger.refuse([refusal_entry(at=NOW, code="z")])  # the connection that failed was thrown away
    assert [entry.entry.code async for entry in ledger.entries()] == ["x", "z"]


async def test_a_process_killed_in_the_middle_leaves_whole_batches_and_an_intact_log(reopen: Reopen, path: Path) -> None:
    ledger = await reopen(create=True)
    url = f"sqlite:///{path}"
    promised: list[str] = []
    for turn in range(4):
        client = f"killed-{turn}"
        with process_of(WRITES_FOR_EVER, url, client) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(3 + turn)]
            os.kill(process.pid, signal.SIGKILL)  # somewhere in the next commits
            lines += process.stdout.readlines()
        assert process.returncode == -signal.SIGKILL
        promised += [f"{client}-{int(line) + n:032x}" for line in lines if line.endswith("\n") for n in (0, 19)]
    found = await ledger.verify()
    assert found.intact, found.reason
    for request_id in promised:
        assert await ledger.request(request_id) is not None, "what was promised survived"
    records = await ledger.requests(limit=100_000)
    assert len(records) % 20 == 0, "no half of a batch"
    assert found.entries == len(records) + 4 * sum(record.outcome is not None for record in records)


async def test_several_processes_at_once_keep_one_tree_without_a_gap(reopen: Reopen, path: Path) -> None:
    ledger = await reopen(create=True)
    url = f"sqlite:///{path}"
    with process_of(WRITES_FOR_EVER, url, "one") as one, process_of(WRITES_FOR_EVER, url, "two") as two:
        for process in (one, two):
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(8)]
            assert lines[-1] == "140\n", process.stderr.read() if process.stderr else ""
    assert [entry.sequence async for entry in ledger.entries()] == list(range((await ledger.verify()).entries))
    assert (await ledger.verify()).intact
    for client in ("one", "two"):
        assert len(await ledger.requests(limit=1000, client=client)) >= 160


async def test_threads_with_ledgers_of_their_own_keep_one_tree(reopen: Reopen, path: Path) -> None:
    ledger = await reopen(create=True)

    def write(client: str) -> None:
        asyncio.run(_append(f"sqlite:///{path}", client))

    await asyncio.gather(*(asyncio.to_thread(write, f"thread-{n}") for n in range(3)))
    found = await ledger.verify()
    assert found.intact
    assert found.entries == 3 * 5 * 4 * 5


def _open(url: str, *, create: bool = False) -> Opening:
    given = {"audit_signer": AUDIT_SIGNER, "audit_trust": AUDIT_TRUST, "clock": lambda: NOW}
    return Ledger.open(url, limits=Limits(), create=create, **given)


async def _append(url: str, client: str) -> None:
    async with _open(url) as ledger:
        for turn in range(5):
            cases = accepted(4, client=client, first=turn * 4)
            await ledger.accept([case.new() for case in cases], open_limit=1000)
            await ledger.end([case.ending() for case in delivered(cases)])


async def _create(url: str) -> None:
    async with _open(url, create=True):
        pass
