"""The group commit under faults: ledger locked or gone, broker down or frozen, floods, defects; nobody is left waiting or told a lie."""

from __future__ import annotations

import asyncio
import dataclasses
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, closing
from typing import Any

import msgspec
import pytest
from tests.ingress.conftest import NOW, Party, World, until

from lockgate_broker.port import Outbound
from lockgate_ingress.serve import Ingress
from lockgate_ledger.records import Accepted, NewRequest
from lockgate_schemas.errors import LedgerError, LockgateError, PublishFailedError, RateLimitedError, UnavailableError
from lockgate_schemas.names import Role
from lockgate_schemas.passage import Door, read_convoy
from lockgate_schemas.topics import AUTHZ

Runner = Callable[[Ingress], AbstractAsyncContextManager[Ingress]]


def fewer(world: World, **changes: Any) -> Any:
    return dataclasses.replace(world.bounds, **changes)


async def refusal(ingress: Ingress, compact: bytes) -> LockgateError:
    with pytest.raises(LockgateError) as raised:
        await ingress.acceptor.submit(compact, Door.HTTP)
    return raised.value


class Frozen:
    """A broker connection that can be frozen, made to lose confirmations, and that counts what it is asked."""

    def __init__(self, broker: Any) -> None:
        self._broker = broker
        self.frozen = False
        self.unconfirmed: tuple[int, ...] = ()
        self.published = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._broker, name)

    async def publish(self, messages: Sequence[Outbound]) -> None:
        self.published += 1
        if self.frozen:
            await asyncio.Event().wait()
        if self.unconfirmed:
            lost, self.unconfirmed = self.unconfirmed, ()
            await self._broker.publish([one for position, one in enumerate(messages) if position not in lost])
            raise PublishFailedError(lost, "no confirmation in time")
        await self._broker.publish(messages)

    async def probe(self, role: Role) -> None:
        if self.frozen:
            await asyncio.Event().wait()
        await self._broker.probe(role)


class Ledger:
    """A ledger some of whose methods are replaced."""

    def __init__(self, ledger: Any, **methods: Any) -> None:
        self._ledger = ledger
        self.__dict__.update(methods)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)


# --- the broker ----------------------------------------------------------------------------------------------------


async def test_broker_down_is_503_and_after_it_nothing_is_accepted_until_it_stores(world: World, ingress: Ingress) -> None:
    world.server.down = True
    first = world.shop.envelope()
    error = await refusal(ingress, first)
    assert (error.status, error.code) == (503, "unconfirmed")
    assert "identical envelope" in error.detail
    recorded = await world.ledger.requests(limit=10)
    assert len(recorded) == 1  # it was under way: recorded, for the sweeper to drive on
    for _ in range(3):
        error = await refusal(ingress, world.shop.envelope())
        assert (error.status, error.code) == (503, "broker")
    assert await world.ledger.requests(limit=10) == recorded
    world.server.down = False
    await until(lambda: not ingress.breaker.open)
    accepted = await ingress.acceptor.submit(first, Door.HTTP)
    assert not accepted.new
    assert accepted.acceptance == recorded[0].acceptance
    assert (await ingress.acceptor.submit(world.shop.envelope(), Door.HTTP)).new


async def test_frozen_broker_is_503_within_the_publish_timeout(world: World, running: Runner) -> None:
    broker = Frozen(world.broker)
    limits = msgspec.structs.replace(world.limits, publish_timeout=200)
    async with running(world.ingress(broker=broker, limits=limits)) as ingress:
        broker.frozen = True
        began = time.monotonic()
        errors = await asyncio.gather(*(refusal(ingress, world.shop.envelope()) for _ in range(200)))
        assert {error.status for error in errors} == {503}
        assert time.monotonic() - began < 20, "one after the other would take forty seconds"
        asked = broker.published
        assert (await refusal(ingress, world.shop.envelope())).status == 503
        assert broker.published == asked
        broker.frozen = False
        await until(lambda: not ingress.breaker.open)
        assert (await ingress.acceptor.submit(world.shop.envelope(), Door.HTTP)).new


async def test_only_what_was_confirmed_is_answered_with_its_acceptance(world: World, running: Runner) -> None:
    broker = Frozen(world.broker)
    limits = msgspec.structs.replace(world.limits, convoy_bytes=1)  # one passage a message
    async with running(world.ingress(broker=broker, limits=limits)) as ingress:
        broker.unconfirmed = (1,)
        envelopes = [world.shop.envelope() for _ in range(3)]
        answers = await asyncio.gather(
            *(ingress.acceptor.submit(compact, Door.HTTP) for compact in envelopes), return_exceptions=True
        )
        failed = [isinstance(answer, UnavailableError) for answer in answers]
        assert len(await world.ledger.requests(limit=10)) == len(envelopes)
        if failed != [False] * 3:  # all three in one batch
            assert failed == [False, True, False]
        published = [one for body in await world.waiting(AUTHZ.topic) for one in read_convoy(body).passages]
        assert len(published) == 3 - sum(failed)


async def test_a_defect_of_the_broker_adapter_is_503_and_opens_the_breaker(world: World, running: Runner) -> None:
    broker = Frozen(world.broker)

    async def broken(_: object) -> None:
        raise RuntimeError("a defect")

    async with running(world.ingress(broker=broker)) as ingress:
        broker.publish = broken  # type: ignore[method-assign,assignment]
        assert (await refusal(ingress, world.shop.envelope())).status == 503
        del broker.publish  # type: ignore[attr-defined]
        await until(lambda: not ingress.breaker.open)
        assert (await ingress.acceptor.submit(world.shop.envelope(), Door.HTTP)).new


# --- the ledger ----------------------------------------------------------------------------------------------------


@pytest.mark.requirement("P5")
async def test_locked_ledger_is_503_for_everybody_and_nothing_is_accepted(world: World, ingress: Ingress) -> None:
    path = world.url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, isolation_level=None)) as lock:
        lock.execute("BEGIN IMMEDIATE")
        errors = await asyncio.gather(*(refusal(ingress, world.shop.envelope()) for _ in range(5)))
        assert {error.status for error in errors} == {503}
        lock.execute("ROLLBACK")
    assert await world.ledger.requests(limit=10) == []
    assert await world.waiting(AUTHZ.topic) == []
    assert (await ingress.acceptor.submit(world.shop.envelope(), Door.HTTP)).new


async def test_unreadable_directory_is_503_and_nothing_is_verified_without_it(world: World, running: Runner) -> None:
    async def unreadable() -> Any:
        raise LedgerError

    async with running(world.ingress(ledger=Ledger(world.ledger, directory=unreadable))) as ingress:
        error = await refusal(ingress, world.shop.envelope())
        assert (error.status, error.code) == (503, "ledger")
    assert await world.ledger.requests(limit=10) == []


async def test_ledger_that_never_answers_is_503_within_the_bound(world: World, running: Runner) -> None:
    async def never(_: Sequence[NewRequest], *, open_limit: int) -> Any:
        await asyncio.sleep(open_limit)

    limits = msgspec.structs.replace(world.limits, ledger_timeout=50, publish_timeout=50)
    async with running(world.ingress(ledger=Ledger(world.ledger, accept=never), limits=limits)) as ingress:
        began = time.monotonic()
        errors = await asyncio.gather(*(refusal(ingress, world.shop.envelope()) for _ in range(600)))
        assert {error.status for error in errors} == {503}
        assert time.monotonic() - began < 25, "one after the other would take a minute"


async def test_a_defect_of_the_ledger_is_500_and_the_acceptor_lives_on(world: World, running: Runner) -> None:
    async def broken(_: Sequence[NewRequest], *, open_limit: int) -> Any:
        raise RuntimeError(str(open_limit))

    ledger = Ledger(world.ledger, accept=broken)
    async with running(world.ingress(ledger=ledger)) as ingress:
        assert (await refusal(ingress, world.shop.envelope())).code == "internal"
        del ledger.__dict__["accept"]
        assert (await ingress.acceptor.submit(world.shop.envelope(), Door.HTTP)).new


# --- floods --------------------------------------------------------------------------------------------------------


async def test_full_waiting_room_is_429(world: World, running: Runner) -> None:
    started, hold = asyncio.Event(), asyncio.Event()

    async def slow() -> Any:
        started.set()
        await hold.wait()
        return await world.ledger.directory()

    bounds = fewer(world, waiting_items=4)
    async with running(world.ingress(ledger=Ledger(world.ledger, directory=slow), bounds=bounds)) as ingress:
        first = asyncio.create_task(ingress.acceptor.submit(world.shop.envelope(), Door.HTTP))
        await started.wait()
        rest = [asyncio.create_task(ingress.acceptor.submit(world.shop.envelope(), Door.HTTP)) for _ in range(9)]
        await until(lambda: sum(task.done() for task in rest) >= 5)
        refused = [task for task in rest if task.done()]
        assert {type(task.exception()) for task in refused} == {RateLimitedError}
        assert 5 <= len(refused) <= 8
        hold.set()
        answers = await asyncio.gather(first, *(task for task in rest if task not in refused))
        assert all(isinstance(answer, Accepted) for answer in answers)


async def test_flood_of_unknown_keys_does_not_take_the_room_of_known_ones(world: World, running: Runner) -> None:
    stranger = Party("shop", "acme", "alice")
    bounds = fewer(world, waiting_items=64, refusals_single=10)
    async with running(world.ingress(bounds=bounds)) as ingress:
        assert (await ingress.acceptor.submit(world.shop.envelope(), Door.HTTP)).new
        forged = stranger.envelope()
        flood = [asyncio.create_task(ingress.acceptor.submit(forged, Door.HTTP)) for _ in range(2000)]
        await asyncio.sleep(0)
        mine = await asyncio.gather(*(ingress.acceptor.submit(world.shop.envelope(), Door.HTTP) for _ in range(8)))
        assert all(one.new for one in mine)
        refused = await asyncio.gather(*flood, return_exceptions=True)
        assert all(isinstance(one, LockgateError) for one in refused)

        async def all_counted() -> bool:
            return await counted(world) == 2000

        await until(all_counted)
        assert len(await world.audited(kind="refusal")) < 200


async def counted(world: World) -> int:
    """How many refusals the log speaks of."""
    total = 0
    for one in await world.audited(kind="refusal"):
        number, _, rest = one.entry.rule.partition(" ")
        total += int(number) if rest == "more of these" else 1
    return total


async def test_refusals_are_kept_until_the_ledger_takes_them(world: World, running: Runner) -> None:
    broken = True

    async def refuse(entries: Any) -> None:
        if broken:
            raise LedgerError
        await world.ledger.refuse(entries)

    bounds = fewer(world, refusals_single=3)
    async with running(world.ingress(ledger=Ledger(world.ledger, refuse=refuse), bounds=bounds)) as ingress:
        for _ in range(8):
            await refusal(ingress, world.shop.envelope(audience="gw-other"))
        assert await counted(world) == 0
        broken = False

        async def all_counted() -> bool:
            return await counted(world) == 8

        await until(all_counted)


# --- stopping ------------------------------------------------------------------------------------------------------


async def test_stopping_answers_whoever_waits_and_writes_the_last_refusals(world: World, running: Runner) -> None:
    hold = asyncio.Event()

    async def slow() -> Any:
        await hold.wait()

    ingress = world.ingress(ledger=Ledger(world.ledger, directory=slow))
    async with running(ingress):
        waiting = [asyncio.create_task(refusal(ingress, world.shop.envelope())) for _ in range(5)]
        with pytest.raises(LockgateError):
            await ingress.acceptor.submit(b"junk", Door.HTTP)
    assert {error.status for error in await asyncio.gather(*waiting)} == {503}
    assert (await refusal(ingress, world.shop.envelope())).status == 503
    assert await counted(world) == 1


async def test_revocation_holds_for_the_next_batch(world: World, ingress: Ingress) -> None:
    await ingress.acceptor.submit(world.shop.envelope(), Door.HTTP)
    await world.ledger.revoke_key(world.shop.kid, NOW)
    assert (await refusal(ingress, world.shop.envelope())).code == "key-revoked"
