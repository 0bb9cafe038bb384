"""Replies that are ready together share a publish, and each learns what became of itself alone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from lockgate.replies import CONFIRMED, Replies
from lockgate_broker.port import Outbound, PublishRefusedError
from lockgate_schemas.errors import BrokerError, PublishFailedError


class Outlet:
    """The publishing half of a broker: keeps what it is given, and answers as told."""

    def __init__(self, answer: Exception | None = None) -> None:
        self.answer = answer
        self.open = asyncio.Event()
        self.open.set()
        self.asked = asyncio.Semaphore(0)
        self.published: list[list[str]] = []

    async def publish(self, messages: Sequence[Outbound]) -> None:
        self.published.append([message.topic for message in messages])
        self.asked.release()
        await self.open.wait()
        if self.answer is not None:
            raise self.answer


def reply(name: str) -> Outbound:
    return Outbound(name, b"")


async def told(replies: Replies, *names: str) -> list[str | BaseException]:
    return await asyncio.gather(*(replies.publish(reply(name)) for name in names), return_exceptions=True)


async def test_replies_of_one_turn_share_a_publish_and_later_ones_do_not_wait_for_it() -> None:
    outlet = Outlet()
    replies = Replies(outlet)
    outlet.open.clear()
    first = asyncio.create_task(told(replies, "a", "b"))
    await asyncio.wait_for(outlet.asked.acquire(), 5)
    second = asyncio.create_task(told(replies, "c"))
    await asyncio.wait_for(outlet.asked.acquire(), 5)
    outlet.open.set()
    assert await first == [CONFIRMED, CONFIRMED]
    assert await second == [CONFIRMED]
    assert outlet.published == [["a", "b"], ["c"]]


async def test_each_reply_learns_its_own_fate() -> None:
    replies = Replies(Outlet(PublishRefusedError((0,), (0, 2), "no")))
    assert await told(replies, "a", "b", "c") == [PublishRefusedError.code, CONFIRMED, PublishFailedError.code]


@pytest.mark.parametrize("error", [BrokerError("gone"), PublishFailedError((0, 1), "late")])
async def test_what_is_not_confirmed_is_never_said_to_be(error: BrokerError) -> None:
    assert await told(Replies(Outlet(error)), "a", "b") == [error.code, error.code]


async def test_a_defect_reaches_every_job() -> None:
    defect = ZeroDivisionError()
    assert await told(Replies(Outlet(defect)), "a", "b") == [defect, defect]


async def test_closing_cancels_whoever_still_waits() -> None:
    outlet = Outlet()
    replies = Replies(outlet)
    outlet.open.clear()
    waiting = asyncio.create_task(replies.publish(reply("a")))
    await asyncio.wait_for(outlet.asked.acquire(), 5)
    replies.close()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(waiting, 5)


async def test_a_job_that_was_cancelled_before_its_turn_sends_nothing() -> None:
    outlet = Outlet()
    replies = Replies(outlet)
    waiting = asyncio.create_task(replies.publish(reply("a")))
    await asyncio.sleep(0)  # it is in line, and the publish comes a turn later
    other = asyncio.create_task(told(replies, "b"))
    waiting.cancel()
    assert await other == [CONFIRMED]
    assert ["a"] not in outlet.published
