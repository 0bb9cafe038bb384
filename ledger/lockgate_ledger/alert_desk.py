"""Everything about alerts that can be asked of the ledger, as one object beside it: `lockgate_ledger.ledger.Ledger.alerts`. It wires."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Final

from lockgate_ledger import alert_keeping, alert_outbox, alerting, leasing
from lockgate_ledger.alert_records import AlertRecord, Due, Retention, Tried
from lockgate_ledger.audit import AuditWriter
from lockgate_ledger.engine import Store
from lockgate_ledger.records import Directory
from lockgate_schemas.alerts import SHIPPED, Event, in_force, notable
from lockgate_schemas.audit import AuditEntry
from lockgate_schemas.content import Alert, parse_content
from lockgate_schemas.errors import ConfigurationError, InvalidRequestError

_log = logging.getLogger(__name__)

MOST_WORDS: Final = 500
"""Characters of a note or a report's detail."""


class AlertDesk:
    """Implements `EventPort`, `AlertPort` and `AlertDeskPort` over the ledger's database."""

    def __init__(
        self,
        store: Store,
        log: AuditWriter,
        directory: Callable[[], Awaitable[Directory]],
        clock: Callable[[], int],
        check_signer: Callable[[], None],
    ) -> None:
        """``check_signer`` raises `ConfigurationError` where this part of the gateway may not write what must be audited."""
        self._store = store
        self._log = log
        self._directory = directory
        self._clock = clock
        self._check_signer = check_signer
        self._version = 0
        self._rules: tuple[Alert, ...] = SHIPPED

    # --- what counts ----------------------------------------------------------------------------------------------

    async def rules(self) -> tuple[Alert, ...]:
        """The alerts in force: those of the content policy, or the shipped ones. Nothing is asked but the epoch until that moves."""
        content = (await self._directory()).content
        if content is not None and content.version != self._version:
            self._rules = await asyncio.to_thread(_alerts_of, content.text)
            self._version = content.version
        return self._rules

    async def rules_for(self, entries: Iterable[AuditEntry]) -> tuple[Alert, ...] | None:
        """The alerts in force, or nothing when none of the entries is one that an alert could count: then they are not even looked up."""
        return await self.rules() if any(map(notable, entries)) else None

    async def report_event(self, kind: str, subject: str, detail: str = "") -> None:
        """See `EventPort.report_event`."""
        event = Event(kind, subject, self._clock(), printable(detail))
        await self._store.write(partial(alert_outbox.report, event=event))

    # --- sending --------------------------------------------------------------------------------------------------

    async def lease(self, name: str, holder: str, *, now: int, until: int) -> bool:
        """See `OutcomePort.lease`."""
        return await self._store.write(partial(leasing.take_lease, name=name, holder=holder, now=now, until=until))

    async def is_work(self, now: int) -> bool:
        """See `AlertPort.is_work`."""
        return await self._store.read(partial(alert_outbox.is_work, now=now))

    async def prepare(self, destinations: Sequence[str], now: int) -> None:
        """See `AlertPort.prepare`."""
        self._check_signer()
        rules = await self.rules()
        await self._store.write(partial(alert_outbox.take_events, log=self._log, rules=rules, now=now))
        await self._store.write(partial(alert_outbox.route, destinations=destinations, now=now))

    async def take_due(self, now: int, *, until: int, most: int) -> list[Due]:
        """See `AlertPort.take_due`."""
        return await self._store.write(partial(alert_outbox.take_due, now=now, until=until, most=most))

    async def settle(self, results: Sequence[Tried], now: int) -> None:
        """See `AlertPort.settle`."""
        if results:
            await self._store.write(partial(alert_outbox.settle, results=results, now=now))

    async def forget(self, now: int) -> int:
        """See `AlertPort.forget`."""
        return await self._store.write(partial(alerting.forget, now=now))

    async def prune(self, now: int, retention: Retention) -> int:
        """See `AlertPort.prune`."""
        return await self._store.write(partial(alert_keeping.prune, now=now, retention=retention))

    # --- the operator's side --------------------------------------------------------------------------------------

    async def newest(self, limit: int, *, open_only: bool = False) -> list[AlertRecord]:
        """See `AlertDeskPort.newest`."""
        return await self._store.read(partial(alert_outbox.newest, limit=limit, open_only=open_only))

    async def alert(self, number: int) -> AlertRecord | None:
        """See `AlertDeskPort.alert`."""
        return await self._store.read(partial(alert_outbox.one, number=number))

    async def open_by_kind(self) -> Mapping[str, int]:
        """See `AlertDeskPort.open_by_kind`."""
        return await self._store.read(alert_keeping.open_by_kind)

    async def acknowledge(self, number: int, *, by: str, note: str, now: int) -> None:
        """See `AlertDeskPort.acknowledge`."""
        self._check_signer()
        if len(note) > MOST_WORDS:
            raise InvalidRequestError(f"a note has at most {MOST_WORDS} characters")
        seen = partial(alert_outbox.acknowledge, number=number, by=by, note=printable(note), now=now)
        await self._store.write(partial(seen, log=self._log))

    async def raise_test(self, destination: str, now: int) -> int:
        """See `AlertDeskPort.raise_test`."""
        self._check_signer()
        return await self._store.write(partial(alert_outbox.raise_test, log=self._log, destination=destination, now=now))


def printable(text: str) -> str:
    """Text that cannot move a terminal's cursor or start a header of its own, cut to what is kept."""
    return "".join(character if character.isprintable() else " " for character in text[:MOST_WORDS])


def _alerts_of(text: str) -> tuple[Alert, ...]:
    """A policy that cannot be read is the gates' to refuse; people are alerted by what is shipped."""
    try:
        return in_force(parse_content(text))
    except ConfigurationError as error:
        _log.error("the content policy's alerts cannot be read, the shipped ones hold: %s", error.code)
        return SHIPPED
