"""The runner: what counts as poison, what waits, what is split, and that a failure of a gate lets nothing through."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "pipeline"))

from pipeline_site import LIMITS, Pipeline, echo_agent, opened

from lockgate_broker.memory.intake import MemoryIntake
from lockgate_broker.port import Delivery, Outbound
from lockgate_schemas.errors import LedgerError
from lockgate_schemas.names import Role
from lockgate_schemas.passage import Convoy, Outcome, Passage, encode, read_facts
from lockgate_schemas.topics import AUTHZ, INSPECTION, OUTCOMES
from lockgate_workers.authz.stage import AuthzStage
from lockgate_workers.ruling import Opened, Verdict


@pytest.fixture
async def pipeline(tmp_path: Path):
    async with AsyncExitStack() as stack:
        ready = await opened(tmp_path, LIMITS, stack)
        await ready.add_client("alice")
        await ready.add_agent("echo", "say", serve=False)
        await ready.grant("alice", "echo")
        yield ready


class Brittle(AuthzStage):
    """A gate that fails on one request, or cannot ask for a while."""

    def __init__(self, pipeline: Pipeline, poison: str = "") -> None:
        super().__init__(pipeline.ledger, pipeline.clock)
        self.poison = poison
        self.unavailable = 0
        self.batches: list[int] = []

    async def rule(self, batch: Sequence[Opened]) -> Sequence[Verdict]:
        self.batches.append(len(batch))
        if self.unavailable:
            self.unavailable -= 1
            raise LedgerError
        if any(o.chain.facts.event_id == self.poison for o in batch):
            raise RuntimeError("a bug")
        return await super().rule(batch)


async def depth(pipeline: Pipeline, stream: str, count: int) -> None:
    async with asyncio.timeout(10):
        while len(pipeline.server.stores[stream].messages) < count:
            await pipeline.server.change(0.01)


@pytest.mark.requirement("P8")
async def test_a_request_its_gate_fails_on_is_quarantined_and_its_neighbours_go_on(pipeline: Pipeline) -> None:
    good = [await pipeline.submit("alice", "echo", "say", n) for n in range(3)]
    bad = await pipeline.submit("alice", "echo", "say", "x", id="poison")
    good.append(await pipeline.submit("alice", "echo", "say", 4))
    stage = Brittle(pipeline, "poison")
    pipeline.tasks.create_task(pipeline.runner(Role.AUTHZ, stage).run(pipeline.stop))
    pipeline.start(Role.OUTCOME)
    await depth(pipeline, "INSPECTION", 1)
    record = await pipeline.ended(bad)
    assert (record.outcome, record.code) == (Outcome.QUARANTINED, "quarantined")
    pipeline.start(Role.INSPECTION)
    for request_id in good:
        await pipeline.until(lambda r: r.dispatched, request_id)
    assert len(stage.batches) >= pipeline.limits.max_attempts
    entries = await pipeline.audited(1, request_id=bad, decision="quarantine")
    assert entries[0].rule == "too-many-attempts"


@pytest.mark.requirement("P5")
async def test_a_gate_that_cannot_ask_waits_and_lets_nothing_through(pipeline: Pipeline) -> None:
    request_id = await pipeline.submit("alice", "echo", "say", "x")
    stage = Brittle(pipeline)
    stage.unavailable = 5
    pipeline.tasks.create_task(pipeline.runner(Role.AUTHZ, stage).run(pipeline.stop))
    async with asyncio.timeout(10):
        while len(stage.batches) < 4:
            assert not pipeline.server.stores["INSPECTION"].messages
            await pipeline.server.change(0.01)
    pipeline.start(Role.INSPECTION, Role.OUTCOME)
    await pipeline.until(lambda r: r.dispatched, request_id)


async def test_what_waits_past_its_deadline_is_not_let_through_afterwards(pipeline: Pipeline) -> None:
    request_id = await pipeline.submit("alice", "echo", "say", "x", lifetime=300)
    pipeline.start(Role.OUTCOME)
    assert (await pipeline.ended(request_id)).outcome is Outcome.EXPIRED
    pipeline.start(Role.AUTHZ)
    async with asyncio.timeout(10):
        while pipeline.server.stores["AUTHZ"].messages:
            await pipeline.server.change(0.01)
    assert not pipeline.server.stores["INSPECTION"].messages


async def test_a_convoy_that_comes_again_is_split_so_that_each_is_tried_alone(pipeline: Pipeline) -> None:
    ids = [await pipeline.submit("alice", "echo", "say", n) for n in range(5)]
    records = [await pipeline.ledger.request(i) for i in ids]
    async with asyncio.timeout(30):
        while not pipeline.server.stores["AUTHZ"].messages:
            await pipeline.server.change(0.01)
    passages = [Passage(facts=r.acceptance.facts, stamps=(r.acceptance.stamp,), envelope=r.envelope) for r in records]
    broker = pipeline.brokers[Role.AUTHZ]
    intake = await broker.subscribe((AUTHZ,))
    taken = await intake.pull(100, 1.0)
    await intake.ack(taken)
    await pipeline.brokers[Role.INGRESS].publish([Outbound(AUTHZ.topic, encode(Convoy(passages=tuple(passages))))])
    (convoy,) = await intake.pull(100, 1.0)
    await intake.retry(convoy, 0)
    await intake.close()
    stage = Brittle(pipeline)
    pipeline.tasks.create_task(pipeline.runner(Role.AUTHZ, stage).run(pipeline.stop))
    pipeline.start(Role.INSPECTION, Role.OUTCOME)
    for request_id in ids:
        await pipeline.until(lambda r: r.dispatched, request_id)


async def test_a_full_agent_queue_delays_nobody_else(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    await pipeline.add_agent("other", "say", serve=False)
    await pipeline.grant("alice", "other")
    full = pipeline.server.stores["D_echo"]
    monkeypatch.setattr(full, "_bounds", dataclasses.replace(full._bounds, messages=0))
    stuck = await pipeline.submit("alice", "echo", "say", "x")
    moving = await pipeline.submit("alice", "other", "say", "x")
    pipeline.start(Role.AUTHZ, Role.INSPECTION, Role.OUTCOME)
    await pipeline.until(lambda r: r.dispatched, moving)
    record = await pipeline.ledger.request(stuck)
    assert record is not None
    assert not record.dispatched, "it is not reported as dispatched: the ledger will drive it again"


async def test_the_sweeper_drives_a_request_that_the_broker_lost(pipeline: Pipeline) -> None:
    request_id = await pipeline.submit("alice", "echo", "say", "x", lifetime=600_000)
    intake = await pipeline.brokers[Role.AUTHZ].subscribe((AUTHZ,))
    await intake.ack(await intake.pull(10, 1.0))  # lost: taken, and never handled
    await intake.close()
    await pipeline.sweeper().sweep()
    assert not pipeline.server.stores["AUTHZ"].messages, "not yet: it may be on its way"
    pipeline.clock.ahead += pipeline.limits.resend_after + 1_000
    await pipeline.sweeper().sweep()
    pipeline.start(Role.AUTHZ, Role.INSPECTION, Role.OUTCOME)
    record = await pipeline.until(lambda r: r.dispatched, request_id)
    assert record.sends == 2


async def test_only_one_sweeper_sweeps(pipeline: Pipeline) -> None:
    await pipeline.submit("alice", "echo", "say", "x", lifetime=100)
    pipeline.clock.ahead += 200
    one, two = pipeline.sweeper("one"), pipeline.sweeper("two")
    now = pipeline.clock()
    assert await pipeline.ledger.lease("sweeper", "one", now=now, until=now + 60_000)
    await two.sweep()
    assert not await pipeline.entries(kind="outcome")
    await one.sweep()
    assert len(await pipeline.entries(kind="outcome")) == 1


async def test_a_report_that_borrows_a_logged_statement_for_other_facts_is_an_incident(pipeline: Pipeline) -> None:
    """What is in the log already need not be written again; that is no way for a forgery to go unseen."""
    agent = echo_agent("answering")
    await pipeline.add_agent(agent)
    await pipeline.grant("alice", "answering")
    pipeline.start(Role.AUTHZ, Role.INSPECTION, Role.DLP, Role.OUTCOME)
    one = await pipeline.ended(await pipeline.submit("alice", "answering", "say", "one"))
    other = await pipeline.ended(await pipeline.submit("alice", "answering", "say", "two"))
    genuine = Passage(facts=one.acceptance.facts, stamps=one.stamps[:3])
    forged = (
        Passage(facts=other.acceptance.facts, stamps=one.stamps[:3]),
        Passage(facts=one.acceptance.facts, stamps=(other.stamps[0], *one.stamps[1:3])),
        Passage(facts=one.acceptance.facts, stamps=one.stamps[1:3]),
    )
    publish = pipeline.brokers[Role.INSPECTION].publish
    await publish([Outbound(OUTCOMES.topic, encode(Convoy(passages=(p,)))) for p in (genuine, *forged)])
    await pipeline.audited(len(forged), kind="incident")
    async with asyncio.timeout(10):
        while pipeline.server.stores["OUTCOMES"].messages:
            await pipeline.server.change(0.01)
    assert len(await pipeline.entries(kind="incident")) == len(forged)


async def test_a_message_without_stamps_becomes_an_incident_and_its_bytes_are_kept(pipeline: Pipeline) -> None:
    request_id = await pipeline.submit("alice", "echo", "say", "x")
    record = await pipeline.ledger.request(request_id)
    assert record is not None
    forged = encode(Convoy(passages=(Passage(facts=record.acceptance.facts, stamps=(), envelope=record.envelope),)))
    await pipeline.brokers[Role.AUTHZ].publish([Outbound(INSPECTION.topic, forged)])
    pipeline.start(Role.INSPECTION, Role.OUTCOME)
    entries = await pipeline.audited(1, kind="incident")
    assert entries[0].stage == "inspection"
    assert [m.body for m in pipeline.server.stores["QUARANTINE"].messages.values()] == [forged]
    assert read_facts(record.acceptance.facts).request_id == request_id
    assert (await pipeline.ledger.request(request_id)).outcome is None, "a forgery ends nothing"


class Slow(AuthzStage):
    """A gate that decides when it may."""

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__(pipeline.ledger, pipeline.clock)
        self.may = asyncio.Event()
        self.batches = 0

    async def rule(self, batch: Sequence[Opened]) -> Sequence[Verdict]:
        self.batches += 1
        await self.may.wait()
        return await super().rule(batch)


async def test_what_a_gate_takes_long_to_decide_is_not_given_to_another(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    extended: list[int] = []
    extend = MemoryIntake.extend

    async def counted(intake: MemoryIntake, delivery: Delivery) -> None:
        await extend(intake, delivery)
        extended.append(delivery.attempt)

    monkeypatch.setattr(MemoryIntake, "extend", counted)
    request_id = await pipeline.submit("alice", "echo", "say", "x")
    slow, other = Slow(pipeline), Slow(pipeline)
    pipeline.tasks.create_task(pipeline.runner(Role.AUTHZ, slow).run(pipeline.stop))
    async with asyncio.timeout(10):
        while not slow.batches:
            await pipeline.server.change(0.01)
        pipeline.tasks.create_task(pipeline.runner(Role.AUTHZ, other).run(pipeline.stop))
        while len(extended) < 40:  # every 20 ms: more than twice the time after which the broker would give it away
            await pipeline.server.change(0.01)
    slow.may.set()
    other.may.set()
    pipeline.start(Role.INSPECTION, Role.OUTCOME)
    await pipeline.until(lambda r: r.dispatched, request_id)
    assert (slow.batches, other.batches, set(extended)) == (1, 0, {1})
