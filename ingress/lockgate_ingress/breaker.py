"""The breaker: after a publish that was not confirmed, nothing more is accepted until the broker has proved that it stores.

Without it every request of an outage would be recorded, answered 503 and left to the sweeper; with it only those that were under way are.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from lockgate_ingress.faults import described
from lockgate_schemas.names import Role

_log = logging.getLogger(__name__)


class Probed(Protocol):
    """What of a broker the breaker needs."""

    async def probe(self, role: Role) -> None:
        """Prove that it can store."""
        ...


class Breaker:
    """Open while the broker is not known to store."""

    def __init__(self, broker: Probed, *, every: float, within: float) -> None:
        """Probe ``every`` so many seconds; a probe that takes longer than ``within`` has failed."""
        self._broker = broker
        self._every = every
        self._within = within
        self._tripped = asyncio.Event()

    @property
    def open(self) -> bool:
        """Whether requests must be refused before they are accepted."""
        return self._tripped.is_set()

    def trip(self) -> None:
        """A publish was not confirmed."""
        self._tripped.set()

    async def run(self) -> None:
        """Probe while open, and close again on the first success; until cancelled."""
        while True:
            await self._tripped.wait()
            if await self._stores():
                self._tripped.clear()
            else:
                await asyncio.sleep(self._every)

    async def _stores(self) -> bool:
        try:
            async with asyncio.timeout(self._within):
                await self._broker.probe(Role.INGRESS)
        except Exception as error:  # noqa: BLE001 - whatever a probe raises, it is not a proof; the breaker stays open
            _log.warning("the broker does not store yet: %s", described(error))
            return False
        return True
