"""Who waits for which request: woken by the outcome role's notice, with a look into the ledger as the fallback.

A notice is a hint and carries no outcome: whoever wakes reads the ledger. So a lost one costs a second, and a forged one a read. The
number of waiters is bounded, and so is the rate at which all of them together look.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from lockgate_ledger.records import RequestRecord
from lockgate_schemas.errors import MalformedError
from lockgate_schemas.notices import read_outcomes_notice

_log = logging.getLogger(__name__)


class Requests(Protocol):
    """Where requests are read."""

    async def request(self, request_id: str) -> RequestRecord | None:
        """One request, or nothing."""
        ...


def ended(record: RequestRecord) -> bool:
    """Whether it has its outcome."""
    return record.outcome is not None


class Waiters:
    """All waiting connections of one door."""

    def __init__(self, requests: Requests, *, most: int, poll_every: float, polls_per_second: float) -> None:
        self._requests = requests
        self._most = most
        self._poll_every = poll_every
        self._polls_per_second = polls_per_second
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._count = 0
        self._closed = False

    @property
    def count(self) -> int:
        """How many wait now."""
        return self._count

    async def heard(self, body: bytes) -> None:
        """Handle a notice of outcomes."""
        try:
            ids = read_outcomes_notice(body)
        except MalformedError:
            _log.warning("a malformed notice of outcomes was ignored")
            return
        for request_id in ids:
            for event in self._waiting.get(request_id, ()):
                event.set()

    async def until(
        self, request_id: str, seconds: float, done: Callable[[RequestRecord], bool] = ended
    ) -> RequestRecord | None:
        """Wait until ``done`` says so of the request, or until the time is up; return the newest record read.

        Answers after one look when too many wait already, or when the door is closing. Raises `LedgerError` when the ledger cannot be read.
        """
        event = asyncio.Event()
        waiting = self._waiting.setdefault(request_id, set())  # before the first look: an outcome in between still wakes
        waiting.add(event)
        if self._count >= self._most:  # told now, once: whoever waits already is not sent away by those who come after
            seconds = 0
        self._count += 1
        try:
            return await self._watch(request_id, seconds, done, event)
        finally:
            self._count -= 1
            waiting.discard(event)
            if not waiting:
                self._waiting.pop(request_id, None)

    async def _watch(
        self, request_id: str, seconds: float, done: Callable[[RequestRecord], bool], event: asyncio.Event
    ) -> RequestRecord | None:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while True:
            event.clear()
            record = await self._requests.request(request_id)
            left = end - loop.time()
            if record is None or done(record) or left <= 0 or self._closed:
                return record
            await _woken(event, min(left, self._pause()))

    def _pause(self) -> float:
        return max(self._poll_every, self._count / self._polls_per_second)

    def close(self) -> None:
        """Answer everybody with what is known: the door is closing."""
        self._closed = True
        for events in self._waiting.values():
            for event in events:
                event.set()


async def _woken(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
