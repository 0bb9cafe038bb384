"""How many alerts are open, and which are old enough to go. Counting and sending are left to `alerting` and `alert_outbox`.

An alert that goes is not lost: that it was raised, and who acknowledged it, stays in the audit log. It goes only when nothing depends on it any more:

1. every delivery of it is over, sent or given up;
2. no decision that is still to be recorded could fall into its window and raise it a second time, whatever the settings say (`LEAST`);
3. it is not the newest: the next one's number is counted from there, and a number must never mean two alerts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection, and_, delete, func, or_, select

from lockgate_ledger.alert_records import DAY, Retention
from lockgate_ledger.audit import lock_head
from lockgate_ledger.tables import alert_deliveries, alerts, unacknowledged

LEAST: Final = 15 * DAY
"""An alert keeps others away for its window, a week at most, on either side; and a decision is recorded a day late at most."""

_MOST: Final = 500
"""Alerts that go in one transaction: others wait for it to end."""


def prune(connection: Connection, now: int, retention: Retention) -> int:
    """Drop the oldest alerts that nothing depends on any more, with their deliveries; return how many. Zero means that there are no more."""
    lock_head(connection)
    seen, unseen = (now - max(LEAST, kept) for kept in (retention.seen, retention.unseen))
    waits = select(alert_deliveries.c.alert).where(alert_deliveries.c.due.is_not(None))
    newest = select(func.max(alerts.c.number)).scalar_subquery()
    old = and_(
        alerts.c.routed,
        alerts.c.at < now - LEAST,
        alerts.c.number < newest,
        or_(alerts.c.acknowledged < seen, and_(unacknowledged, alerts.c.raised < unseen)),
        alerts.c.number.not_in(waits),
    )
    numbers = connection.scalars(select(alerts.c.number).where(old).order_by(alerts.c.number).limit(_MOST)).all()
    if numbers:
        connection.execute(delete(alert_deliveries).where(alert_deliveries.c.alert.in_(numbers)))
        connection.execute(delete(alerts).where(alerts.c.number.in_(numbers)))
    return len(numbers)


def open_by_kind(connection: Connection) -> Mapping[str, int]:
    """How many alerts nobody has acknowledged, by kind; a kind that has none is not there."""
    counted = select(alerts.c.kind, func.count()).where(unacknowledged).group_by(alerts.c.kind)
    return {str(kind): int(number) for kind, number in connection.execute(counted)}
