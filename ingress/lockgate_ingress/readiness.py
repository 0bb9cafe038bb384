"""Whether the door could accept a request right now: a confirmed publish and a real read of the ledger, not a guess.

One check runs at a time and its answer is repeated for a moment, so that asking cannot be used to load the gateway.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from lockgate_ingress.bounds import Bounds
from lockgate_ingress.breaker import Probed
from lockgate_ingress.faults import described
from lockgate_schemas.errors import BrokerError, LedgerError, UnavailableError
from lockgate_schemas.names import Role

_log = logging.getLogger(__name__)


class Epoch(Protocol):
    """What of the ledger readiness reads."""

    async def epoch(self) -> int:
        """The policy epoch, from the primary."""
        ...


class Readiness:
    """Single-flight and cached."""

    def __init__(self, ledger: Epoch, broker: Probed, bounds: Bounds, now: Callable[[], float] = time.monotonic) -> None:
        self._ledger = ledger
        self._broker = broker
        self._bounds = bounds
        self._now = now
        self._turn = asyncio.Lock()
        self._checked = float("-inf")
        self._failure: UnavailableError | None = None

    async def failure(self) -> UnavailableError | None:
        """What is missing, or nothing. Never raises."""
        async with self._turn:
            if self._now() - self._checked >= self._bounds.ready_for:
                self._failure = await self._check()
                self._checked = self._now()
        return self._failure

    async def _check(self) -> UnavailableError | None:
        ledger, broker = await asyncio.gather(
            self._works(self._ledger.epoch(), "the ledger"), self._works(self._broker.probe(Role.INGRESS), "the broker")
        )
        if not ledger:
            return LedgerError("not ready: the ledger does not answer")
        if not broker:
            return BrokerError("not ready: the broker does not store")
        return None

    async def _works(self, check: Coroutine[Any, Any, object], what: str) -> bool:
        try:
            async with asyncio.timeout(self._bounds.ready_within):
                await check
        except Exception as error:  # noqa: BLE001 - whatever it raises, it did not work: not ready
            _log.warning("not ready, %s: %s", what, described(error))
            return False
        return True
