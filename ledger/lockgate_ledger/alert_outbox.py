"""What happens to alerts once they are raised: to whom they are sent, how often that was tried, who has seen them. And the inbox of reports about the gateway itself.

It decides what is due; when to try again, and when to give up, is the sender's matter. Taking a delivery notes the attempt first and puts the next one off, so
that a sender which dies while it sends has used up an attempt, and its successor does not send the same at the same time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, RowMapping, and_, delete, insert, select, update

from lockgate_ledger.alert_records import AlertRecord, DeliveryRecord, DeliveryState, Due, Evidence, Tried
from lockgate_ledger.alerting import Grounds, observe, raise_alert
from lockgate_ledger.audit import AuditWriter, lock_head
from lockgate_ledger.codec import read_words
from lockgate_ledger.tables import alert_deliveries, alert_events, alerts
from lockgate_schemas.alerts import TEST, Event, Occurrence, Subject, event_occurrences
from lockgate_schemas.audit import alert_entry
from lockgate_schemas.content import Alert
from lockgate_schemas.errors import LedgerError, NotFoundError

UNKNOWN: Final = "unknown-destination"
"""Why an alert was not sent to a name that no destination has."""

_MOST: Final = 256
_evidence: Final = msgspec.json.Decoder(Evidence)
_delivery = alert_deliveries.c


# --- reports about the gateway itself -----------------------------------------------------------------------------


def report(connection: Connection, event: Event) -> None:
    """Note a report. Those of one kind and subject that come before anybody has looked are one: there are never more rows than things to report."""
    lock_head(connection)
    where = and_(alert_events.c.kind == event.kind, alert_events.c.subject == event.subject)
    values = {"at": event.at, "detail": event.detail}
    if not connection.execute(update(alert_events).where(where).values(values)).rowcount:
        connection.execute(insert(alert_events), {"kind": event.kind, "subject": event.subject, **values})


def take_events(connection: Connection, log: AuditWriter, rules: Sequence[Alert], now: int) -> None:
    """Count the reports that came in, and audit the alerts that they raise."""
    head = lock_head(connection)
    rows = connection.execute(select(alert_events).order_by(alert_events.c.at).limit(_MOST)).all()
    if not rows:
        return
    found = event_occurrences((Event(row.kind, row.subject, row.at, row.detail) for row in rows), rules)
    if entries := observe(connection, found, now):
        log.append(connection, entries, head=head)
    for row in rows:
        connection.execute(delete(alert_events).where(alert_events.c.kind == row.kind, alert_events.c.subject == row.subject))


# --- sending ------------------------------------------------------------------------------------------------------


def is_work(connection: Connection, now: int) -> bool:
    """Whether there is anything for a sender to do."""
    looks = (
        select(alert_events.c.kind),
        select(alerts.c.number).where(alerts.c.routed.is_(False)),
        select(_delivery.alert).where(_delivery.due <= now),
    )
    return any(connection.execute(look.limit(1)).first() is not None for look in looks)


def route(connection: Connection, destinations: Sequence[str], now: int) -> None:
    """Make a delivery of each new alert for each destination that it is for. One that is not configured is noted as failed, not forgotten."""
    lock_head(connection)
    wanted = select(alerts.c.number, alerts.c.destinations).where(alerts.c.routed.is_(False)).order_by(alerts.c.number)
    for number, words in connection.execute(wanted.limit(_MOST)).all():
        for name in dict.fromkeys(read_words(words) or destinations):
            connection.execute(insert(alert_deliveries), _new_delivery(number, name, now, known=name in destinations))
        connection.execute(update(alerts).where(alerts.c.number == number).values(routed=True))


def _new_delivery(number: int, destination: str, now: int, *, known: bool) -> dict[str, Any]:
    return {
        "alert": number,
        "destination": destination,
        "state": str(DeliveryState.PENDING if known else DeliveryState.FAILED),
        "attempts": 0,
        "changed": now,
        "due": now if known else None,
        "code": "" if known else UNKNOWN,
    }


def take_due(connection: Connection, now: int, until: int, most: int) -> list[Due]:
    """Take what is due; each is due again at ``until``, should nobody say what became of it."""
    lock_head(connection)
    due = select(alert_deliveries).where(_delivery.due <= now).order_by(_delivery.due, _delivery.alert).limit(most)
    rows = connection.execute(due).all()
    records = {record.number: record for record in _records(connection, alerts.c.number.in_({row.alert for row in rows}))}
    for row in rows:
        values = {"attempts": row.attempts + 1, "due": until, "changed": now}
        connection.execute(update(alert_deliveries).where(_is(row.alert, row.destination)).values(values))
    return [Due(records[row.alert], row.destination, row.attempts + 1) for row in rows]


def settle(connection: Connection, results: Sequence[Tried], now: int) -> None:
    """Note what became of deliveries. What was sent stays sent, whatever a slower sender says of it later."""
    lock_head(connection)
    for one in results:
        values = {"state": str(one.state), "due": one.due or None, "code": one.code, "changed": now}
        where = and_(_is(one.alert, one.destination), _delivery.state != str(DeliveryState.SENT))
        connection.execute(update(alert_deliveries).where(where).values(values))


def _is(alert: int, destination: str) -> Any:
    return and_(_delivery.alert == alert, _delivery.destination == destination)


# --- the operator's side ------------------------------------------------------------------------------------------


def newest(connection: Connection, limit: int, *, open_only: bool) -> list[AlertRecord]:
    """The newest alerts; only those that nobody has acknowledged, if asked so."""
    numbers = select(alerts.c.number).order_by(alerts.c.number.desc()).limit(limit)
    if open_only:
        numbers = numbers.where(alerts.c.acknowledged.is_(None))
    found = _records(connection, alerts.c.number.in_(numbers.scalar_subquery()))
    return sorted(found, key=lambda record: -record.number)


def one(connection: Connection, number: int) -> AlertRecord | None:
    """One alert, or nothing."""
    return next(iter(_records(connection, alerts.c.number == number)), None)


def acknowledge(connection: Connection, log: AuditWriter, number: int, *, by: str, note: str, now: int) -> None:
    """Note that somebody has seen an alert, and audit it. The first who says so is kept; saying it again changes nothing. Raises `NotFoundError`."""
    head = lock_head(connection)
    found = one(connection, number)
    if found is None:
        raise NotFoundError("no alert has this number")
    if found.acknowledged:
        return
    seen = {"acknowledged": now, "acknowledged_by": by, "note": note}
    connection.execute(update(alerts).where(alerts.c.number == number).values(seen))
    whom = {"tenant": found.tenant, "user": found.user, "agent": found.agent}
    log.append(connection, [alert_entry(at=now, decision="acknowledge", name=found.name, number=number, **whom)], head=head)


def raise_test(connection: Connection, log: AuditWriter, destination: str, now: int) -> int:
    """Raise an alert about nothing, for one destination; return its number."""
    head = lock_head(connection)
    alert = Alert(name=TEST, on="broken-pack", to=(destination,))
    occurrence = Occurrence(alert, cause="", subject=Subject(part=TEST), at=now)
    grounds = Grounds(now, now, 1, Evidence(detail="a test, asked for by the operator"))
    number, entry = raise_alert(connection, occurrence, grounds, now)
    connection.execute(update(alerts).where(alerts.c.number == number).values(kind=TEST))
    log.append(connection, [entry], head=head)
    return number


def _records(connection: Connection, where: Any) -> list[AlertRecord]:
    rows = connection.execute(select(alerts).where(where).order_by(alerts.c.number)).mappings().all()
    deliveries: dict[int, list[DeliveryRecord]] = defaultdict(list)
    about = select(alert_deliveries).where(_delivery.alert.in_([row["number"] for row in rows]))
    for row in connection.execute(about.order_by(_delivery.alert, _delivery.destination)):
        state = DeliveryState(row.state)
        record = DeliveryRecord(row.destination, state, row.attempts, row.changed, row.due or 0, row.code)
        deliveries[row.alert].append(record)
    return [_record(row, tuple(deliveries[row["number"]])) for row in rows]


def _record(row: RowMapping, deliveries: tuple[DeliveryRecord, ...]) -> AlertRecord:
    try:
        evidence = _evidence.decode(row["evidence"])
    except msgspec.MsgspecError:
        raise LedgerError("a record of the ledger does not parse") from None
    return AlertRecord(
        **{name: row[name] for name in _PLAIN},
        window=row["seconds"],
        evidence=evidence,
        destinations=read_words(row["destinations"]),
        acknowledged=row["acknowledged"] or 0,
        deliveries=deliveries,
    )


_PLAIN: Final = (
    *("number", "name", "kind", "subject", "tenant", "user", "agent"),
    *("since", "at", "count", "repeats", "raised", "acknowledged_by", "note"),
)
"""The columns that are members as they are."""
