"""The frozen records of alerts that go in and out of the ledger. No SQL and no IO here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

DAY: Final = 86_400_000
"""Milliseconds."""


@dataclass(frozen=True, slots=True)
class Retention:
    """For how many milliseconds alerts are kept: ``seen`` ones from when somebody acknowledged them, ``unseen`` ones from when they were raised."""

    seen: int = 90 * DAY
    unseen: int = 365 * DAY


class DeliveryState(StrEnum):
    """What became of sending an alert to one destination."""

    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"
    """Given up; nobody tries again."""


class Evidence(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an alert rests on, bounded: how many messages each rule was found in, the newest requests, a few words. Never a payload, never what a rule found."""

    rules: dict[str, int] = {}
    requests: tuple[str, ...] = ()
    detail: str = ""


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """Sending one alert to one destination. ``due`` (0 once it is over) is when it is tried next, ``code`` why the last attempt failed."""

    destination: str
    state: DeliveryState
    attempts: int
    changed: int
    due: int
    code: str


@dataclass(frozen=True, slots=True)
class AlertRecord:
    """One alert. ``since`` and ``at`` are the first and the last of the ``count`` occurrences that raised it; ``repeats`` came on top within the window.

    ``window`` is in seconds, the times in milliseconds since 1970. ``raised`` is when it was recorded. ``destinations`` is whom it is for, empty for everybody.
    """

    number: int
    name: str
    kind: str
    subject: str
    tenant: str
    user: str
    agent: str
    window: int
    since: int
    at: int
    count: int
    repeats: int
    evidence: Evidence
    destinations: tuple[str, ...]
    raised: int
    acknowledged: int = 0
    acknowledged_by: str = ""
    note: str = ""
    deliveries: tuple[DeliveryRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery that was taken to be tried now, for the ``attempt``-th time (from 1)."""

    alert: AlertRecord
    destination: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of a delivery: sent, given up, or to be tried again at ``due``. ``code`` says why it did not arrive."""

    alert: int
    destination: str
    state: DeliveryState
    due: int = 0
    code: str = ""
