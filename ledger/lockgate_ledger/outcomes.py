"""Progress and outcomes of requests: the transactions of the outcome role. The first ending of a request is its only one.

Redeliveries are normal here, and so is any order: progress may come after the end. What was audited is audited once (`lockgate_ledger.statements`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, delete, insert, select, update

from lockgate_ledger.acceptance import release
from lockgate_ledger.alerting import observe
from lockgate_ledger.audit import AuditWriter, lock_head
from lockgate_ledger.bulk import Bulk, Lookup
from lockgate_ledger.codec import write_stamps
from lockgate_ledger.records import Ending, Progress
from lockgate_ledger.statements import Audited, check_entries
from lockgate_ledger.tables import chains, requests
from lockgate_schemas.alerts import occurrences
from lockgate_schemas.audit import AuditEntry, EntryKind
from lockgate_schemas.content import Alert
from lockgate_schemas.errors import MalformedError
from lockgate_schemas.passage import NOTHING, Door, Stamp

_find = Lookup(
    select(
        requests.c.request_id,
        requests.c.number,
        requests.c.issuer,
        requests.c.door,
        requests.c.outcome,
        requests.c.dispatched,
        requests.c.audited,
        chains.c.number.label("chained"),
    )
    .outerjoin(chains, chains.c.number == requests.c.number)
    .where(requests.c.request_id.in_(bindparam("request_ids", expanding=True))),
    "request_ids",
)
_numbered = update(requests).where(requests.c.number == bindparam("b_number"))
_audited = _numbered.values(audited=bindparam("b_audited"))
_set_audited = Bulk(_audited, "b_audited", "b_number")
_set_progress = Bulk(
    _audited.values(progressed=bindparam("b_progressed"), dispatched=bindparam("b_dispatched")),
    "b_progressed",
    "b_dispatched",
    "b_audited",
    "b_number",
)
_set_outcome = Bulk(
    _audited.values(
        outcome=bindparam("b_outcome"),
        code=bindparam("b_code"),
        ended=bindparam("b_ended"),
        unannounced=bindparam("b_unannounced"),
    ),
    "b_audited",
    "b_outcome",
    "b_code",
    "b_ended",
    "b_unannounced",
    "b_number",
)
_drop_chains = Bulk(delete(chains).where(chains.c.number == bindparam("b_number")), "b_number")
_insert_chains = Bulk(insert(chains), "number", "stamps", "response")


@dataclass(slots=True)
class _Change:
    """One request while its batch is worked through, and what is to be written of it."""

    number: int
    issuer: str
    door: str
    open: bool
    dispatched: bool
    chained: bool
    audited: Audited
    grew: bool = False
    progressed: bool = False
    ending: Ending | None = None
    chain: tuple[tuple[Stamp, ...], msgspec.Raw] | None = field(default=None, repr=False)

    def audit(self, stamps: Sequence[Stamp], entries: Sequence[AuditEntry]) -> list[AuditEntry]:
        """The entries that are new."""
        new = self.audited.take_new(stamps, entries)
        self.grew = self.grew or bool(new)
        return new


def record_progress(
    connection: Connection, log: AuditWriter, batch: Sequence[Progress], now: int, *, alerts: Sequence[Alert] | None = None
) -> None:
    """Note progress; audit the decisions that are new, and count them for ``alerts``. An unknown request is passed over."""
    for report in batch:
        check_entries(report.request_id, report.stamps, report.entries)
    head = lock_head(connection)
    changes = _changes(connection, batch)
    entries: list[AuditEntry] = []
    for report in batch:
        change = changes.get(report.request_id)
        if change is None:
            continue
        new = change.audit(report.stamps, report.entries)
        entries += new
        if change.open:
            change.progressed = True
            change.dispatched = change.dispatched or report.dispatched
            if new:  # a redelivery must not put an older chain back
                change.chain = (report.stamps, NOTHING)
    if alerts is not None:
        entries += observe(connection, occurrences(entries, alerts), now)
    if entries:
        log.append(connection, entries, head=head)
    _write(connection, list(changes.values()), now)


def record_endings(
    connection: Connection, log: AuditWriter, batch: Sequence[Ending], now: int, *, alerts: Sequence[Alert] | None = None
) -> list[bool]:
    """End what is still open; return which ones ended now.

    The decisions of a loser's gates are audited, and counted for ``alerts``, its outcome is not. Nothing for ``alerts`` means that there is nothing to count.
    """
    for ending in batch:
        check_entries(ending.request_id, ending.stamps, ending.entries)
        if ending.entries[-1].kind is not EntryKind.OUTCOME:
            raise MalformedError("an ending's last entry is not its outcome's")
    head = lock_head(connection)
    changes = _changes(connection, batch)
    entries: list[AuditEntry] = []
    results: list[bool] = []
    for ending in batch:
        change = changes.get(ending.request_id)
        won = change is not None and change.open
        results.append(won)
        if change is None:
            continue
        told = len(ending.stamps) if won else len(ending.stamps) - 1
        entries += change.audit(ending.stamps[:told], ending.entries[:told])
        if won:
            change.open = False
            change.ending = ending
            change.chain = (ending.stamps, ending.response)
    if alerts is not None:
        entries += observe(connection, occurrences(entries, alerts), now)
    if entries:
        log.append(connection, entries, head=head)
    _write(connection, list(changes.values()), 0)
    return results


def _changes(connection: Connection, batch: Sequence[Progress] | Sequence[Ending]) -> dict[str, _Change]:
    return {
        request_id: _Change(
            number=number,
            issuer=issuer,
            door=door,
            open=outcome is None,
            dispatched=bool(dispatched),
            chained=chained is not None,
            audited=Audited(audited),
        )
        for request_id, number, issuer, door, outcome, dispatched, audited, chained in _find.run(
            connection, list({report.request_id for report in batch})
        )
    }


def _write(connection: Connection, changes: Sequence[_Change], now: int) -> None:
    ended = [(change, change.ending) for change in changes if change.ending is not None]
    others = [change for change in changes if change.ending is None]
    replaced = [(change.number, *change.chain) for change in changes if change.chain is not None]
    _set_outcome.run(connection, [_outcome_row(change, ending) for change, ending in ended])
    _set_progress.run(connection, [(now, c.dispatched, c.audited.packed, c.number) for c in others if c.progressed])
    _set_audited.run(connection, [(c.audited.packed, c.number) for c in others if c.grew and not c.progressed])
    _drop_chains.run(connection, [(change.number,) for change in changes if change.chain is not None and change.chained])
    _insert_chains.run(connection, [(number, write_stamps(stamps), bytes(body)) for number, stamps, body in replaced])
    release(connection, Counter(change.issuer for change, _ in ended))


def _outcome_row(change: _Change, ending: Ending) -> tuple[Any, ...]:
    announce = ending.at if change.door == Door.BROKER else None
    return (change.audited.packed, str(ending.outcome), ending.code, ending.at, announce, change.number)
