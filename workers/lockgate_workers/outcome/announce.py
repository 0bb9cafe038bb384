"""Telling those who wait that requests have ended: the ingress by a notice, broker clients by mail, agents that may stop.

All of it happens after the ledger has committed, and none of it is needed for the outcome to be true: a lost notice is made up for by the ingress's
own look into the ledger, lost mail by the sweeper.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from lockgate_broker.port import Broker, Outbound
from lockgate_ledger.port import OutcomePort
from lockgate_schemas.errors import LockgateError
from lockgate_schemas.limits import Limits
from lockgate_schemas.mailbox import Outcomes
from lockgate_schemas.notices import outcomes_notices
from lockgate_schemas.passage import Cancel, Door, Facts, Receipt, Stamp, encode
from lockgate_schemas.topics import NOTICE_OUTCOMES, agent, client

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class News:
    """One request that has ended, as far as those who wait for it are concerned."""

    facts: Facts
    receipt: Receipt


class Announcer:
    """Sends news on; never raises, because nothing depends on it."""

    def __init__(self, broker: Broker, ledger: OutcomePort, limits: Limits) -> None:
        self._broker = broker
        self._ledger = ledger
        self._limits = limits

    async def tell(self, news: Sequence[News]) -> None:
        """Notify the ingress, and mail those clients that came in over the broker."""
        if not news:
            return
        try:
            for body in outcomes_notices(one.facts.request_id for one in news):
                await self._broker.notify(NOTICE_OUTCOMES, body)
            await self.mail([one for one in news if one.facts.door is Door.BROKER])
        except LockgateError as error:
            _log.warning("outcomes are not announced yet: %s", error.code)

    async def mail(self, news: Sequence[News]) -> None:
        """Send receipts to their clients' own topics, then note that it was done. Raises what broker or ledger raise."""
        if not news:
            return
        await self._broker.publish(list(letters(news, self._limits.convoy_bytes)))
        await self._ledger.announced([one.facts.request_id for one in news])

    async def stop_agents(self, endings: Iterable[tuple[Facts, msgspec.Raw, Stamp]]) -> None:
        """Tell agents that dispatches are no longer wanted; ``Stamp`` is the outcome's."""
        for facts, facts_raw, stamp in endings:
            notice = Cancel(dispatch_id=facts.dispatch_id, facts=facts_raw, stamp=stamp)
            try:
                await self._broker.notify(agent(facts.agent).cancel_topic, encode(notice))
            except LockgateError as error:
                _log.warning("an agent was not told to stop: %s", error.code)


def letters(news: Sequence[News], limit: int) -> Iterable[Outbound]:
    """Receipts by client, as many in one letter as weigh up to ``limit`` bytes."""
    by_client: dict[str, list[Receipt]] = defaultdict(list)
    for one in news:
        by_client[one.facts.principal.client].append(one.receipt)
    for name, receipts in by_client.items():
        topic = client(name).inbound.topic
        packed: list[Receipt] = []
        weight = 0
        for receipt in receipts:
            size = len(receipt.facts) + len(receipt.response) + sum(len(s.statement) + len(s.proof) for s in receipt.stamps)
            if packed and weight + size > limit:
                yield Outbound(topic, encode(Outcomes(items=tuple(packed))))
                packed, weight = [], 0
            packed.append(receipt)
            weight += size
        yield Outbound(topic, encode(Outcomes(items=tuple(packed))))
