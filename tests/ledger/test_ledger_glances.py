"""Reading without waiting: the epoch at a glance, and requests that are asked for together."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from lockgate_ledger.gathering import Gathering
from lockgate_ledger.sqlite import Glance
from lockgate_schemas.errors import LedgerError

EPOCH = "SELECT epoch FROM policy_epoch"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a file's name.db"
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE policy_epoch (epoch)")
        database.execute("INSERT INTO policy_epoch VALUES (7)")
    database.close()
    return path


def change(file: Path, statement: str) -> None:
    with sqlite3.connect(file) as database:
        database.execute(statement)
    database.close()


def test_a_glance_sees_each_commit_at_once(file):
    glance = Glance(file, EPOCH)
    assert glance.look() == 7
    for epoch in range(8, 20):
        change(file, f"UPDATE policy_epoch SET epoch = {epoch}")  # noqa: S608 - a number
        assert glance.look() == epoch
    glance.close()


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM policy_epoch",
        "INSERT INTO policy_epoch VALUES (8)",
        "UPDATE policy_epoch SET epoch = 'seven'",
        "UPDATE policy_epoch SET epoch = NULL",
        "DROP TABLE policy_epoch",
    ],
)
def test_what_is_not_one_number_is_not_told(file, damage):
    glance = Glance(file, EPOCH)
    assert glance.look() == 7
    change(file, damage)
    assert glance.look() is None
    glance.close()


def test_a_glance_makes_no_file_and_waits_for_no_lock(file, tmp_path):
    absent = Glance(tmp_path / "absent.db", EPOCH)
    assert absent.look() is None
    assert not (tmp_path / "absent.db").exists()
    change(file, "PRAGMA journal_mode=DELETE")
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    glance = Glance(file, EPOCH)
    assert glance.look() is None
    holder.execute("ROLLBACK")
    holder.close()
    assert glance.look() == 7
    glance.close()
    glance.close()


def test_a_glance_cannot_write(file):
    glance = Glance(file, "UPDATE policy_epoch SET epoch = 9 RETURNING epoch")
    assert glance.look() is None
    assert Glance(file, EPOCH).look() == 7


class Shelves:
    """A read that can be held back."""

    def __init__(self) -> None:
        self.reads: list[list[str]] = []
        self.values = {"a": 1, "b": 2}
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.fault: BaseException | None = None

    async def read(self, keys: Sequence[str]) -> Mapping[str, int]:
        self.reads.append(list(keys))
        found = {key: self.values[key] for key in keys if key in self.values}
        await self.go_on.wait()
        if self.fault is not None:
            raise self.fault
        return found


async def test_questions_of_the_same_moment_are_one_read():
    shelves = Shelves()
    gathering = Gathering(shelves.read, 10)
    assert await asyncio.gather(*(gathering.ask(key) for key in "abca")) == [1, 2, None, 1]
    assert shelves.reads == [["a", "b", "c"]]


async def test_whoever_asks_during_a_read_is_read_for_anew():
    shelves = Shelves()
    gathering = Gathering(shelves.read, 10)
    shelves.go_on.clear()
    first = asyncio.create_task(gathering.ask("a"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert shelves.reads == [["a"]]
    shelves.values["a"] = 100  # after the first read began
    second = asyncio.create_task(gathering.ask("a"))
    await asyncio.sleep(0)
    shelves.go_on.set()
    assert (await first, await second) == (1, 100)
    assert shelves.reads == [["a"], ["a"]]


async def test_no_more_than_the_bound_are_read_at_once():
    shelves = Shelves()
    gathering = Gathering(shelves.read, 2)
    await asyncio.gather(*(gathering.ask(key) for key in "abcde"))
    assert [len(keys) for keys in shelves.reads] == [2, 2, 1]


async def test_a_failed_read_fails_each_who_asked_with_an_error_of_his_own_and_no_later_one():
    shelves = Shelves()
    gathering = Gathering(shelves.read, 10)
    shelves.fault = LedgerError("locked")
    errors = await asyncio.gather(gathering.ask("a"), gathering.ask("b"), return_exceptions=True)
    assert [type(error) for error in errors] == [LedgerError, LedgerError]
    assert errors[0] is not errors[1]
    shelves.fault = None
    assert await gathering.ask("a") == 1


async def test_whoever_stops_waiting_takes_nobody_along():
    shelves = Shelves()
    gathering = Gathering(shelves.read, 10)
    shelves.go_on.clear()
    one, other = asyncio.create_task(gathering.ask("a")), asyncio.create_task(gathering.ask("b"))
    await asyncio.sleep(0)
    one.cancel()
    shelves.go_on.set()
    assert await other == 2
    assert (await asyncio.gather(one, return_exceptions=True))[0].__class__ is asyncio.CancelledError
