"""The sender: it takes from the ledger what is to be told, and tells it. One candidate beside each sweeper; whoever holds the lease sends.

Nothing waits for it, and nothing fails with it: alerts are in the ledger before anybody is told. At least once is what it promises: an attempt is noted before it
is made, and one whose result got lost is made again, under the same id.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from lockgate_ledger.alert_records import AlertRecord, DeliveryState, Due, Retention, Tried
from lockgate_ledger.port import AlertPort
from lockgate_schemas.errors import LockgateError
from lockgate_workers.alerts.backoff import Backoff
from lockgate_workers.alerts.targets import DeliveryError

_log = logging.getLogger(__name__)

LEASE: Final = "alerts"
_LEASED: Final = 60_000
"""Milliseconds: longer than any attempt takes, so that no two senders are at the same delivery."""
_TOGETHER: Final = 16
_FORGET_EVERY: Final = 600_000


class Channel(Protocol):
    """One destination."""

    def check(self) -> None:
        """Raise `ConfigurationError` for what could never be sent: a secret that is missing, an address that is none."""
        ...

    async def send(self, alert: AlertRecord) -> None:
        """Tell it. Raises `DeliveryError`."""
        ...


class AlertSender:
    """One candidate for the lease; start as many as there are outcome workers."""

    def __init__(
        self,
        ledger: AlertPort,
        channels: Mapping[str, Channel],
        *,
        clock: Callable[[], int],
        random: Callable[[], float],
        holder: str,
        every: int = 1_000,
        backoff: Backoff | None = None,
        retention: Retention | None = None,
    ) -> None:
        """``channels`` by the name of their destination; ``clock`` tells milliseconds since 1970, ``random`` a number from 0 to 1; it looks ``every`` milliseconds."""
        self._ledger = ledger
        self._channels = channels
        self._clock = clock
        self._random = random
        self._holder = holder
        self._every = every
        self._backoff = backoff or Backoff()
        self._retention = retention or Retention()
        self._forgotten = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Send until ``stop`` is set. A round that fails is logged, and the next one comes."""
        while not stop.is_set():
            try:
                await self.round(stop)
            except LockgateError as error:
                _log.warning("alerts wait: %s", error.code)
            except Exception as error:  # noqa: BLE001 - lets nothing through: alerts wait, and the gate beside this does not end with them
                _log.error("alerts wait: %s", type(error).__name__)
            try:
                await asyncio.wait_for(stop.wait(), self._every / 1000)
            except TimeoutError:
                continue

    async def round(self, stop: asyncio.Event | None = None) -> None:
        """Send what is due now. Raises what the ledger raises; what was sent before is noted."""
        now = self._clock()
        clears = now - self._forgotten >= _FORGET_EVERY
        if not clears and not await self._ledger.is_work(now):
            return
        if not await self._leased(now):
            return
        if clears:
            self._forgotten = now
            await self._ledger.forget(now)
            while await self._ledger.prune(now, self._retention) and not (stop is not None and stop.is_set()):
                continue
        await self._ledger.prepare(list(self._channels), now)
        while not (stop is not None and stop.is_set()):
            now = self._clock()
            if not await self._leased(now):
                return
            due = await self._ledger.take_due(now, until=now + _LEASED, most=_TOGETHER)
            if not due:
                return
            results = await asyncio.gather(*(self._try(one) for one in due))
            await self._ledger.settle(results, self._clock())

    async def _leased(self, now: int) -> bool:
        return await self._ledger.lease(LEASE, self._holder, now=now, until=now + _LEASED)

    async def _try(self, due: Due) -> Tried:
        channel = self._channels.get(due.destination)
        if channel is None:
            return _failed(due, "unknown-destination")
        try:
            await channel.send(due.alert)
        except DeliveryError as error:
            return self._again(due, error)
        except Exception as error:  # noqa: BLE001 - lets nothing through: what was not sent is tried again
            _log.error("sending to %s failed: %s", due.destination, type(error).__name__)
            return self._again(due, DeliveryError("internal"))
        return Tried(due.alert.number, due.destination, DeliveryState.SENT)

    def _again(self, due: Due, error: DeliveryError) -> Tried:
        _log.warning("alert %d did not reach %s: %s", due.alert.number, due.destination, error.code)
        when = None if error.final else self._backoff.next(due.attempt, self._clock(), self._random(), error.wait)
        if when is None:
            return _failed(due, error.code)
        return Tried(due.alert.number, due.destination, DeliveryState.PENDING, when, error.code)


def _failed(due: Due, code: str) -> Tried:
    return Tried(due.alert.number, due.destination, DeliveryState.FAILED, code=code)
