"""What may wait a moment: a report of a dispatch, until the answer made it superfluous or it has waited long enough."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "pipeline"))

from pipeline_site import LIMITS, Pipeline, echo_agent, opened

from lockgate import Agent
from lockgate_broker.port import Delivery
from lockgate_ledger.records import Progress
from lockgate_schemas.names import Role
from lockgate_schemas.passage import Outcome
from lockgate_schemas.topics import OUTCOMES
from lockgate_workers import shelf
from lockgate_workers.shelf import HOLD, Shelf


def delivery(body: bytes, attempt: int = 1) -> Delivery:
    return Delivery(OUTCOMES, OUTCOMES.topic, body, attempt, None)


def waits(one: Delivery) -> bool:
    return one.body.startswith(b"wait")


class Timer:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_what_may_wait_waits_and_the_rest_goes_on():
    timer = Timer()
    held = Shelf(timer)
    first, second, urgent = delivery(b"wait 1"), delivery(b"wait 2"), delivery(b"now")
    assert held.pause(1.0) == 1.0
    assert held.sorted([first, urgent], waits) == [urgent]
    assert held.pause(1.0) == pytest.approx(HOLD)
    timer.now += HOLD / 2
    assert held.sorted([second], waits) == []
    timer.now += HOLD / 2 + 0.001
    assert held.pause(1.0) == pytest.approx(0.0)
    assert held.sorted([urgent], waits) == [first, urgent]
    assert held.cleared() == [second]
    assert held.cleared() == []


def test_what_came_before_waits_no_more():
    again = delivery(b"wait", attempt=2)
    assert Shelf(Timer()).sorted([again], waits) == [again]


def test_the_shelf_is_bounded(monkeypatch):
    monkeypatch.setattr(shelf, "MOST", 2)
    three = [delivery(b"wait %d" % number) for number in range(3)]
    assert Shelf(Timer()).sorted(three, waits) == three[:1]


@pytest.fixture
async def pipeline(tmp_path: Path):
    async with AsyncExitStack() as stack:
        ready = await opened(tmp_path, LIMITS, stack)
        await ready.add_client("alice")
        yield ready


def counted(pipeline: Pipeline, monkeypatch) -> list[Progress]:
    written: list[Progress] = []
    progress = pipeline.ledger.progress

    async def counting(batch: Sequence[Progress]) -> None:
        written.extend(batch)
        await progress(batch)

    monkeypatch.setattr(pipeline.ledger, "progress", counting)
    return written


async def test_a_quick_answer_spares_the_ledger_a_write_and_nothing_is_missing_from_the_log(pipeline, monkeypatch):
    written = counted(pipeline, monkeypatch)
    monkeypatch.setattr(shelf, "HOLD", 30.0)  # so that a slow machine changes nothing
    await pipeline.add_agent(echo_agent())
    await pipeline.grant("alice", "echo")
    pipeline.start(Role.AUTHZ, Role.INSPECTION, Role.DLP, Role.OUTCOME)
    request_id = await pipeline.submit("alice", "echo", "say", "hello")
    assert (await pipeline.ended(request_id)).outcome is Outcome.DELIVERED
    stages = [entry.stage for entry in reversed(await pipeline.entries(request_id=request_id))]
    assert sorted(stages) == ["authz", "dlp", "ingress", "inspection", "outcome"]
    assert written == []


async def test_what_is_in_the_log_is_left_out_of_a_report_unopened(pipeline, monkeypatch):
    seen: list[Delivery] = []
    monkeypatch.setattr(shelf, "HOLD", 30.0)
    stage = pipeline.stage(Role.OUTCOME)
    may_wait = stage.may_wait

    def noticing(one: Delivery) -> bool:
        if may_wait(one):
            seen.append(one)
        return may_wait(one)

    monkeypatch.setattr(stage, "may_wait", noticing)
    await pipeline.add_agent(echo_agent())
    await pipeline.grant("alice", "echo")
    pipeline.start(Role.AUTHZ, Role.INSPECTION, Role.DLP)
    pipeline.tasks.create_task(pipeline.runner(Role.OUTCOME, stage).run(pipeline.stop))
    request_id = await pipeline.submit("alice", "echo", "say", "hello")
    await pipeline.ended(request_id)
    fresh = pipeline.stage(Role.OUTCOME)
    assert [len(fresh.open(report).passages) for report in seen] == [1]
    async with asyncio.timeout(30):
        while stage.open(seen[0]).passages:
            await pipeline.server.change(0.01)


async def test_a_slow_agent_is_reported_while_it_works(pipeline, monkeypatch):
    written = counted(pipeline, monkeypatch)
    go_on = asyncio.Event()
    slow = Agent("slow")

    @slow.action("think")
    async def think(_request) -> str:
        await go_on.wait()
        return "the answer"

    await pipeline.add_agent(slow)
    await pipeline.grant("alice", "slow")
    pipeline.start(Role.AUTHZ, Role.INSPECTION, Role.DLP, Role.OUTCOME)
    request_id = await pipeline.submit("alice", "slow", "think")
    await pipeline.until(lambda record: record.dispatched, request_id)
    assert [report.request_id for report in written] == [request_id]
    go_on.set()
    assert (await pipeline.ended(request_id)).outcome is Outcome.DELIVERED
