"""The small parts on their own: lanes, convoys, deadlines, waiters, readiness, identity names, notices."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from tests.ingress.conftest import Party, World, offered, request_id_of, until

from lockgate_ingress.bounds import Bounds
from lockgate_ingress.deadlines import Deadlines, within
from lockgate_ingress.http.identity import asserts_identity
from lockgate_ingress.http.problems import ENDINGS, FACES, internal, problem_of
from lockgate_ingress.lanes import Lanes
from lockgate_ingress.readiness import Readiness
from lockgate_ingress.waiters import Waiters
from lockgate_schemas.errors import ERRORS, LockgateError, MalformedError
from lockgate_schemas.names import Role
from lockgate_schemas.notices import MAX_IDS, epoch_notice, outcomes_notices, read_epoch_notice, read_outcomes_notice
from lockgate_schemas.passage import Outcome

# --- lanes ---------------------------------------------------------------------------------------------------------


async def test_lanes_are_emptied_by_turns() -> None:
    lanes: Lanes[str] = Lanes(items=100, weight=1000)
    for number in range(5):
        lanes.put("flood", f"f{number}", 1)
    lanes.put("a", "a0", 1)
    lanes.put("b", "b0", 1)
    assert await lanes.take(4) == ["f0", "a0", "b0", "f1"]
    assert lanes.taken(10) == ["f2", "f3", "f4"]


async def test_no_lane_holds_more_than_the_room_that_is_left() -> None:
    lanes: Lanes[int] = Lanes(items=100, weight=10_000)
    flood = sum(lanes.put("flood", number, 1) for number in range(1000))
    assert flood == 50
    assert sum(lanes.put("honest", number, 1) for number in range(25)) == 25


async def test_weight_is_bounded_too_and_given_back() -> None:
    lanes: Lanes[int] = Lanes(items=100, weight=1000)
    assert not lanes.put("a", 0, 1001)
    assert lanes.put("a", 1, 900)
    assert not lanes.put("b", 2, 200)
    lanes.taken(1)
    assert lanes.put("b", 2, 200)


async def test_take_waits_for_something() -> None:
    lanes: Lanes[int] = Lanes(items=10, weight=10)
    taking = asyncio.create_task(lanes.take(5))
    await asyncio.sleep(0)
    assert not taking.done()
    lanes.put("a", 7, 1)
    assert await taking == [7]


# --- deadlines -----------------------------------------------------------------------------------------------------


async def test_deadline_that_runs_out_is_a_timeout_and_one_that_is_met_is_not() -> None:
    deadlines = Deadlines(0.05)

    async def answer() -> int:
        return 42

    with pytest.raises(TimeoutError):
        await within(deadlines, asyncio.Event().wait())
    assert await within(deadlines, answer()) == 42
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    deadlines.close()


async def test_deadlines_run_out_each_in_its_time() -> None:
    deadlines = Deadlines(0.03)
    late: list[int] = []
    kept = [deadlines.start(lambda number=number: late.append(number)) for number in range(5)]
    kept[0].met()
    kept[3].met()
    await until(lambda: len(late) == 3)
    again = deadlines.start(lambda: late.append(9))
    await until(lambda: again.late)
    assert late == [1, 2, 4, 9]


async def test_cancellation_from_outside_is_not_taken_for_a_timeout() -> None:
    deadlines = Deadlines(60.0)
    task = asyncio.create_task(within(deadlines, asyncio.Event().wait()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    deadlines.close()


# --- waiters and readiness -----------------------------------------------------------------------------------------


async def test_malformed_notices_are_ignored(world: World) -> None:
    waiters = Waiters(world.ledger, most=10, poll_every=60.0, polls_per_second=1.0)
    for body in (b"", b"{}", b"[1]", b"[" * 10_000, b"\xff"):
        await waiters.heard(body)
    assert waiters.count == 0


async def test_beyond_the_bound_a_waiter_is_answered_at_once(world: World, http: Any) -> None:
    request_id = request_id_of(await offered(http, world.shop.envelope()))
    waiters = Waiters(world.ledger, most=1, poll_every=60.0, polls_per_second=1000.0)
    first = asyncio.create_task(waiters.until(request_id, 60))
    await until(lambda: waiters.count == 1)
    found = await waiters.until(request_id, 60)
    assert found is not None
    assert found.outcome is None
    await world.end(request_id, notify=False)
    await waiters.heard(outcomes_notices([request_id])[0])
    ended = await first
    assert ended is not None
    assert ended.outcome is Outcome.DELIVERED
    assert waiters.count == 0


async def test_whoever_waits_is_not_sent_away_by_one_who_comes_later(world: World, http: Any) -> None:
    request_id = request_id_of(await offered(http, world.shop.envelope()))
    waiters = Waiters(world.ledger, most=1, poll_every=60.0, polls_per_second=1000.0)
    first, second = asyncio.create_task(waiters.until(request_id, 60)), asyncio.create_task(waiters.until(request_id, 60))
    found = await second  # both look at once
    assert found is not None
    assert found.outcome is None
    await asyncio.sleep(0)
    assert not first.done()
    waiters.close()
    await first


async def test_forged_notice_wakes_and_proves_nothing(world: World, http: Any) -> None:
    request_id = request_id_of(await offered(http, world.shop.envelope()))
    waiters = Waiters(world.ledger, most=10, poll_every=60.0, polls_per_second=1000.0)
    waiting = asyncio.create_task(waiters.until(request_id, 60))
    await until(lambda: waiters.count == 1)
    await waiters.heard(outcomes_notices([request_id])[0])
    await asyncio.sleep(0)
    assert not waiting.done()
    waiters.close()
    record = await waiting
    assert record is not None
    assert record.outcome is None


async def test_absent_request_is_not_waited_for(world: World) -> None:
    waiters = Waiters(world.ledger, most=10, poll_every=60.0, polls_per_second=1000.0)
    assert await waiters.until("req_" + "a" * 26, 60) is None


async def test_frozen_broker_is_not_ready_within_the_bound() -> None:
    class Frozen:
        async def probe(self, role: Role) -> None:
            assert role
            await asyncio.Event().wait()

        async def epoch(self) -> int:
            return 1

    frozen = Frozen()
    failure = await Readiness(frozen, frozen, Bounds(ready_within=0.05)).failure()
    assert failure is not None
    assert (failure.status, failure.code) == (503, "broker")


# --- tables --------------------------------------------------------------------------------------------------------


def test_every_error_and_every_unhappy_outcome_has_a_face() -> None:
    assert FACES.keys() == {error.code for error in ERRORS}
    assert ENDINGS.keys() == set(Outcome) - {Outcome.DELIVERED}
    assert all(400 <= face.status < 600 for face in (*FACES.values(), *ENDINGS.values()))


def test_error_outside_the_table_and_an_internal_one_say_nothing_of_their_own() -> None:
    class OddError(LockgateError):
        code = "odd"

    for error in (OddError("secret"), LockgateError("secret")):
        status, body, _ = problem_of(error)
        assert (status, body) == internal()[:2]
        assert b"secret" not in body


@pytest.mark.parametrize(
    "name", [b"accept", b"user-agent", b"host", b"x-forwarded-for", b"x-forwarded-proto", b"x-request-id", b"via"]
)
def test_ordinary_header_asserts_no_identity(name: bytes) -> None:
    assert not asserts_identity(name)


def test_notices_are_split_and_read_back() -> None:
    ids = [f"req-{number}" for number in range(MAX_IDS + 1)]
    bodies = outcomes_notices(ids)
    assert [one for body in bodies for one in read_outcomes_notice(body)] == ids
    assert outcomes_notices([]) == []
    assert read_epoch_notice(epoch_notice(7)) == 7
    with pytest.raises(MalformedError):
        read_outcomes_notice(msgspec.json.encode([*ids, "one more"]))
    with pytest.raises(MalformedError):
        read_epoch_notice(b'"seven"')


def test_seed_is_in_no_representation() -> None:
    assert "seed" not in repr(Party("shop", "acme", "alice").signer)
