"""Counting and raising, in the transaction that records what is counted.

Every writer of the ledger holds the head of the audit log, so at any time one transaction counts: whichever worker records the decision that completes a run
raises the alert, and no other does. A cause is counted once for each alert, so neither a redelivery nor a gate that decided again counts twice; and
what is not committed was neither recorded nor counted. Which decisions count for what is decided in `lockgate_schemas.alerts`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, and_, delete, func, insert, select, tuple_, update

from lockgate_ledger.alert_records import Evidence
from lockgate_ledger.codec import read_words, write_words
from lockgate_ledger.tables import alert_occurrences, alerts
from lockgate_schemas.alerts import Occurrence, run_of
from lockgate_schemas.audit import AuditEntry, alert_entry

MOST_REQUESTS: Final = 20
"""Request ids that an alert names: enough to start looking."""

_MOST_RULES: Final = 20
_MOST_READ: Final = 1_000
"""Occurrences that are read for an alert's evidence, the newest ones."""
_SECOND: Final = 1_000
_LATEST: Final = 24 * 3_600_000
"""How long after its time a decision may be reported again: a request lives no longer by default (`Limits.max_lifetime`)."""
_LOOKED_UP: Final = 100

_occurred = alert_occurrences.c


@dataclass(frozen=True, slots=True)
class Grounds:
    """Why an alert is raised: the first and the last of the occurrences, how many they are, and what is told of them."""

    since: int
    at: int
    count: int
    evidence: Evidence


@dataclass(slots=True)
class _Raised:
    """An alert that is there already, or that this transaction raises."""

    number: int
    since: int
    at: int
    repeats: int = 0
    new: bool = False


def observe(connection: Connection, found: Sequence[Occurrence], now: int) -> list[AuditEntry]:
    """Count what is new of these occurrences; raise the alerts that are complete, once per window and subject, and return their audit entries.

    The caller holds the head, and appends the entries in the same transaction. ``now`` is when they are recorded, in milliseconds since 1970.
    """
    fresh = _take_new(connection, found)
    entries: list[AuditEntry] = []
    for _, group in groupby(sorted(fresh, key=_place), key=lambda one: _place(one)[:2]):
        entries += _judge(connection, list(group), now)
    return entries


def raise_alert(connection: Connection, occurrence: Occurrence, grounds: Grounds, now: int) -> tuple[int, AuditEntry]:
    """Record an alert, to be sent; return its number and its audit entry. The caller holds the head."""
    alert, subject = occurrence.alert, occurrence.subject
    number = int(connection.execute(select(func.max(alerts.c.number))).scalar() or 0) + 1
    connection.execute(
        insert(alerts),
        {
            "number": number,
            "name": alert.name,
            "kind": alert.on,
            "subject": subject.key,
            "tenant": subject.tenant,
            "user": subject.user,
            "agent": subject.agent,
            "seconds": alert.window,
            "since": grounds.since,
            "at": grounds.at,
            "count": grounds.count,
            "repeats": 0,
            "evidence": msgspec.json.encode(grounds.evidence).decode(),
            "destinations": write_words(alert.to),
            "raised": now,
            "routed": False,
            "acknowledged": None,
            "acknowledged_by": "",
            "note": "",
        },
    )
    entry = alert_entry(
        at=now, decision="raise", name=alert.name, number=number, tenant=subject.tenant, user=subject.user, agent=subject.agent
    )
    return number, entry


def forget(connection: Connection, now: int) -> int:
    """Drop what no window can reach back to any more; return how many."""
    return connection.execute(delete(alert_occurrences).where(_occurred.expires < now)).rowcount


def _place(one: Occurrence) -> tuple[str, str, int]:
    return one.alert.name, one.subject.key, one.at


def _take_new(connection: Connection, found: Sequence[Occurrence]) -> list[Occurrence]:
    by_cause = {(one.alert.name, one.cause): one for one in reversed(found)}  # of two, the first counts
    for known in _known(connection, list(by_cause)):
        del by_cause[known]
    if by_cause:
        connection.execute(insert(alert_occurrences), [_row(one) for one in by_cause.values()])
    return list(by_cause.values())


def _known(connection: Connection, causes: Sequence[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    """Those of these causes that were counted already."""
    for start in range(0, len(causes), _LOOKED_UP):
        part = causes[start : start + _LOOKED_UP]
        wanted = select(_occurred.alert, _occurred.cause).where(tuple_(_occurred.alert, _occurred.cause).in_(part))
        yield from ((alert, cause) for alert, cause in connection.execute(wanted))


def _row(one: Occurrence) -> dict[str, Any]:
    return {
        "alert": one.alert.name,
        "cause": one.cause,
        "subject": one.subject.key,
        "at": one.at,
        "expires": one.at + 2 * one.alert.window * _SECOND + _LATEST,
        "request_id": one.request_id,
        "rules": write_words(one.rules),
    }


def _judge(connection: Connection, group: Sequence[Occurrence], now: int) -> list[AuditEntry]:
    """The alerts of one name and subject. ``group`` ascends in time; all of it has been counted."""
    alert, span = group[0].alert, group[0].alert.window * _SECOND
    raised = _raised(connection, group[0], (group[0].at - span, group[-1].at + 2 * span))  # a run ends up to one window later
    entries: list[AuditEntry] = []
    for one in group:
        near = _near(raised, one.at, span)
        run = None if near else run_of(_times(connection, one), one.at, alert.count, span)
        near = near or (
            _near(raised, run[1], span) if run else None
        )  # recorded late, it completes a run that leads up to an alert
        if near is not None:
            near.repeats += not (near.new and near.since <= one.at <= near.at)  # else it is one of those that raised it
        elif run is not None:
            number, entry = raise_alert(connection, one, _grounds(connection, one, run), now)
            raised.append(_Raised(number, *run, new=True))
            entries.append(entry)
    for other in raised:
        if other.repeats:
            more = alerts.c.repeats + other.repeats
            connection.execute(update(alerts).where(alerts.c.number == other.number).values(repeats=more))
    return entries


def _near(raised: Iterable[_Raised], at: int, span: int) -> _Raised | None:
    """The alert that keeps another one from being raised at this time."""
    return next((other for other in raised if abs(other.at - at) < span), None)


def _raised(connection: Connection, one: Occurrence, between: tuple[int, int]) -> list[_Raised]:
    """The alerts that keep others of their name and subject from being raised."""
    wanted = (
        select(alerts.c.number, alerts.c.since, alerts.c.at)
        .where(alerts.c.name == one.alert.name, alerts.c.subject == one.subject.key)
        .where(alerts.c.at > between[0], alerts.c.at < between[1])
        .order_by(alerts.c.at)
    )
    return [_Raised(number, since, at) for number, since, at in connection.execute(wanted)]


def _times(connection: Connection, one: Occurrence) -> list[int]:
    """The times around an occurrence, ascending: as many on either side as could make a run with it. Its own is among them."""
    times = select(_occurred.at).where(_occurred.alert == one.alert.name, _occurred.subject == one.subject.key)
    span, most = one.alert.window * _SECOND, one.alert.count
    before = times.where(_occurred.at <= one.at, _occurred.at > one.at - span).order_by(_occurred.at.desc()).limit(most)
    after = times.where(_occurred.at > one.at, _occurred.at < one.at + span).order_by(_occurred.at).limit(most - 1)
    return [*reversed(connection.scalars(before).all()), *connection.scalars(after).all()]


def _grounds(connection: Connection, one: Occurrence, run: tuple[int, int]) -> Grounds:
    within = and_(
        _occurred.alert == one.alert.name, _occurred.subject == one.subject.key, _occurred.at >= run[0], _occurred.at <= run[1]
    )
    count = connection.execute(select(func.count()).where(within)).scalar_one()
    newest = select(_occurred.request_id, _occurred.rules).where(within).order_by(_occurred.at.desc()).limit(_MOST_READ)
    rows = [(request_id, read_words(rules)) for request_id, rules in connection.execute(newest)]
    counts = Counter(rule for _, rules in rows for rule in rules)
    requests = tuple(dict.fromkeys(request_id for request_id, _ in rows if request_id))[:MOST_REQUESTS]
    return Grounds(*run, count, Evidence(rules=dict(counts.most_common(_MOST_RULES)), requests=requests, detail=one.detail))
