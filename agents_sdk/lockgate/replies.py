"""Replies on their way out: those that are ready in the same turn of the loop share one publish. No order, no retry, no acknowledgement.

A publish costs a future, a timer and the broker's client a write, however many messages it carries. Nothing waits for company: what is
ready now goes now, and what gets ready meanwhile does not wait for its confirmation.
"""

from __future__ import annotations

import asyncio
from typing import Final

from lockgate_broker.port import Broker, Outbound, PublishRefusedError
from lockgate_schemas.errors import BrokerError, PublishFailedError

CONFIRMED: Final = ""
"""What `Replies.publish` returns for a reply that is stored."""


class Replies:
    """Publishes for many jobs over one connection."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._ready: list[tuple[Outbound, asyncio.Future[str]]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def publish(self, message: Outbound) -> str:
        """Send ``message`` with the others of this turn; return `CONFIRMED`, or the code of what was wrong with this one."""
        loop = asyncio.get_running_loop()
        if not self._ready:
            loop.call_soon(self._send)
        told: asyncio.Future[str] = loop.create_future()
        self._ready.append((message, told))
        return await told

    def close(self) -> None:
        """Wait for no more confirmations. Whoever still waits for one is cancelled."""
        for task in self._tasks:
            task.cancel()

    def _send(self) -> None:
        # Who was cancelled meanwhile gives his delivery back, and another copy answers.
        ready = [(message, told) for message, told in self._ready if not told.done()]
        self._ready = []
        if ready:
            task = asyncio.create_task(self._publish(ready))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _publish(self, ready: list[tuple[Outbound, asyncio.Future[str]]]) -> None:
        try:
            codes = await self._codes([message for message, _ in ready])
        except asyncio.CancelledError:
            for _, told in ready:
                told.cancel()
            raise
        # Nothing is taken for confirmed: a defect ends each job as it would have, had the job met it itself.
        except Exception as error:  # noqa: BLE001
            for _, told in ready:
                if not told.done():
                    told.set_exception(error)
            return
        for (_, told), code in zip(ready, codes, strict=True):
            if not told.done():
                told.set_result(code)

    async def _codes(self, messages: list[Outbound]) -> list[str]:
        """For each of ``messages``, `CONFIRMED` or why it is not."""
        try:
            await self._broker.publish(messages)
        except PublishFailedError as error:
            refused = frozenset(error.refused if isinstance(error, PublishRefusedError) else ())
            unconfirmed = frozenset(error.unconfirmed)
            return [
                PublishRefusedError.code if at in refused else PublishFailedError.code if at in unconfirmed else CONFIRMED
                for at in range(len(messages))
            ]
        except BrokerError as error:
            return [error.code] * len(messages)
        return [CONFIRMED] * len(messages)
