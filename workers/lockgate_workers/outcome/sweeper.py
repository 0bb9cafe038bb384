"""The sweeper: what happens to requests when nothing happens.

The broker is a transport, the ledger the arbiter. On its rhythm, and only while it holds the lease, the sweeper

1. ends as expired what is past its deadline,
2. publishes again what no stage has reported on for too long (a lost message, a rolled-back broker, a full agent queue),
3. mails outcomes that a crash kept from being mailed.

Each is idempotent, so two sweepers in a row, or one that dies half-way, do no harm.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from lockgate_broker.port import Broker
from lockgate_ledger.port import OutcomePort
from lockgate_ledger.records import RequestRecord
from lockgate_schemas.errors import LockgateError
from lockgate_schemas.limits import Limits
from lockgate_schemas.passage import Outcome, Passage, Receipt, read_facts, read_statement
from lockgate_schemas.signing import NoteSigner
from lockgate_schemas.topics import AUTHZ
from lockgate_workers.convoys import convoys
from lockgate_workers.outcome.announce import Announcer, News
from lockgate_workers.outcome.classify import Ended
from lockgate_workers.outcome.recording import ToEnd
from lockgate_workers.outcome.stage import end

_log = logging.getLogger(__name__)

LEASE = "sweeper"
_LEASE_ROUNDS = 5
"""A lease outlives this many rounds, so a sweeper that dies is replaced within them."""
_MOST = 500


class Sweeper:
    """One candidate for the lease; start as many as there are outcome workers."""

    def __init__(
        self,
        broker: Broker,
        ledger: OutcomePort,
        announcer: Announcer,
        *,
        signer: NoteSigner,
        limits: Limits,
        clock: Callable[[], int],
        holder: str,
    ) -> None:
        """``holder`` names this process in the lease; ``clock`` tells milliseconds since 1970."""
        self._broker = broker
        self._ledger = ledger
        self._announcer = announcer
        self._signer = signer
        self._limits = limits
        self._clock = clock
        self._holder = holder

    async def run(self, stop: asyncio.Event) -> None:
        """Sweep until ``stop`` is set. A round that fails is logged, and the next one comes."""
        while not stop.is_set():
            try:
                await self.sweep()
            except LockgateError as error:
                _log.warning("a sweep failed: %s", error.code)
            try:
                await asyncio.wait_for(stop.wait(), self._limits.sweep_every / 1000)
            except TimeoutError:
                continue

    async def sweep(self) -> None:
        """One round. Raises what broker and ledger raise; what was done before stays done."""
        now = self._clock()
        if not await self._ledger.lease(LEASE, self._holder, now=now, until=now + _LEASE_ROUNDS * self._limits.sweep_every):
            return
        while len(overdue := await self._ledger.overdue(now, _MOST)) > 0:
            if await self._expire(overdue, now) == 0:
                break  # somebody else ends them at this moment
        await self._resend(now)
        await self._announcer.mail([_news(record) for record in await self._ledger.unannounced(_MOST)])

    async def _expire(self, records: Sequence[RequestRecord], now: int) -> int:
        to_end = [
            ToEnd(
                read_facts(record.acceptance.facts),
                record.acceptance.facts,
                record.stamps,
                tuple(read_statement(stamp.statement) for stamp in record.stamps),
                Ended(Outcome.EXPIRED, "deadline"),
            )
            for record in records
        ]
        return await end(self._ledger, self._announcer, self._signer, to_end, now)

    async def _resend(self, now: int) -> None:
        stalled = await self._ledger.stalled(
            accepted_before=now - self._limits.resend_after,
            dispatched_before=now - self._limits.resend_dispatched_after,
            most=_MOST,
        )
        if not stalled:
            return
        passages = [Passage(facts=r.acceptance.facts, stamps=(r.acceptance.stamp,), envelope=r.envelope) for r in stalled]
        await self._broker.publish(list(convoys(AUTHZ.topic, passages, limit=self._limits.convoy_bytes)))
        await self._ledger.resent([record.request_id for record in stalled], now)
        _log.warning("%d requests without progress were published again", len(stalled))


def _news(record: RequestRecord) -> News:
    facts = record.acceptance.facts
    return News(read_facts(facts), Receipt(facts=facts, stamps=record.stamps, response=record.response))
