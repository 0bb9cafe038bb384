"""Many submissions with a bound: what is to be submitted, what became of it, and the window in between. Knows no transport."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from lockgate.results import Submission
from lockgate_schemas.errors import LockgateError


@dataclass(frozen=True, slots=True)
class Order:
    """One request to submit. Give it an ``id`` to make it repeatable: the same id with the same data is the same request."""

    agent: str
    action: str
    data: Any = None
    id: str | None = None
    lifetime: float | None = None


@dataclass(frozen=True, slots=True)
class Submitted:
    """What became of one order: the submission, or the error that ended it after all repeats."""

    order: Order
    submission: Submission | None = None
    error: LockgateError | None = None


async def submit_all(
    orders: Iterable[Order] | AsyncIterable[Order], submit: Callable[[Order], Awaitable[Submission]], concurrency: int
) -> AsyncGenerator[Submitted, None]:
    """Submit ``orders`` with at most ``concurrency`` at a time, and yield each as it is done.

    An order is taken from the iterable only when there is room, and nothing goes on while the consumer is busy beyond what is already under
    way. Closing the generator cancels that.
    """
    source = _each(orders)
    pending: set[asyncio.Task[Submitted]] = set()
    more = True
    try:
        while more or pending:
            while more and len(pending) < concurrency:
                order = await anext(source, None)
                more = order is not None
                if order is not None:
                    pending.add(asyncio.create_task(_one(order, submit)))
            if pending:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    yield task.result()
    finally:
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)


async def _one(order: Order, submit: Callable[[Order], Awaitable[Submission]]) -> Submitted:
    try:
        return Submitted(order, await submit(order))
    except LockgateError as error:
        return Submitted(order, error=error)


async def _each(orders: Iterable[Order] | AsyncIterable[Order]) -> AsyncIterator[Order]:
    if isinstance(orders, AsyncIterable):
        async for order in orders:
            yield order
        return
    for order in orders:
        yield order
