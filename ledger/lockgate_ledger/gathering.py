"""Questions that are asked at the same time, answered together: one read for all of them.

It decides only what travels together. Each question is answered by a read that began after it was asked, so that nobody is told what was true
before he asked. Nothing waits for company: while one read is under way the next ones gather.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

from lockgate_schemas.errors import LedgerError

K = TypeVar("K")
V = TypeVar("V")


class Gathering(Generic[K, V]):
    """Asks ``read`` for at most ``most`` keys at a time; a key that is not in its answer has none."""

    def __init__(self, read: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]], most: int) -> None:
        self._read = read
        self._most = most
        self._asked: dict[K, list[asyncio.Future[V | None]]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def ask(self, key: K) -> V | None:
        """The answer to one question. Raises what the read raises."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[V | None] = loop.create_future()
        self._asked.setdefault(key, []).append(answer)
        if self._reading is None or self._reading.done():
            self._reading = loop.create_task(self._answer())
        return await answer

    async def _answer(self) -> None:
        while self._asked:
            keys = list(self._asked)[: self._most]
            taken = {key: self._asked.pop(key) for key in keys}
            try:
                found = await self._read(keys)
            except LedgerError as error:
                _fail(taken, error)
            # Lets nothing pass for an answer: whoever asked hears of it, and whoever asks next is read for anew.
            except BaseException:
                _fail(taken, LedgerError("the ledger could not be read"))
                raise
            else:
                for key, answers in taken.items():
                    for answer in answers:
                        if not answer.done():
                            answer.set_result(found.get(key))


def _fail(taken: Mapping[K, Sequence[asyncio.Future[V]]], error: LedgerError) -> None:
    for answers in taken.values():
        for answer in answers:
            if not answer.done():
                answer.set_exception(LedgerError(error.detail))  # one each: raising an error marks it
