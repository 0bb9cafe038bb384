"""Which decisions of the gates are worth an alert's count, and when what was counted is an alert. Pure: entries and times in, findings out.

What is counted are *occurrences*: one gate's decision about one request, or one report about the gateway itself. A message counts once for each alert and gate,
however often it is delivered, and whatever the gate found in it. Times are those at which the gates decided, so that a backlog which is
recorded late is not taken for a burst. Keeping the counts is the ledger's matter, telling people the sender's.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from lockgate_schemas.audit import AuditEntry, EntryKind
from lockgate_schemas.content import Alert, ContentPolicy
from lockgate_schemas.names import Role
from lockgate_schemas.passage import Decision

SHIPPED: Final = (
    Alert(name="dlp-blocks", on="dlp-block", count=5, window=300),
    Alert(name="agent-triggers", on="rule-trigger", count=10, window=300),
    Alert(name="broken-pack", on="broken-pack", window=3600),
    Alert(name="scanner-over-budget", on="scanner-over-budget", window=3600),
)
"""The alerts that hold where the content policy names none."""

OVER_BUDGET: Final = frozenset({"scan-size", "scan-work", "scan-time", "scan-findings", "scan-engine"})
"""The rules of a refusal that says something about the scanner, not about what was in the message."""

TEST: Final = "test"
"""The kind, and the name, of an alert that an operator raises to see whether it arrives."""

SEVERITIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "broken-pack": "critical",  # a gate holds its messages until somebody mends it
        "scanner-over-budget": "high",
        "dlp-block": "high",
        "rule-trigger": "medium",
        TEST: "low",
    }
)
"""How soon somebody should look at an alert of each kind."""

_AT_ONCE: Final = "alert"
_ASKING: Final = frozenset({"flag", _AT_ONCE, "redact", "block"})
"""What a rule that fired can ask for. One that only adds to a score has not fired."""
_AT_ONCE_WINDOW: Final = 300
_GATES: Final = frozenset({str(Role.INSPECTION), str(Role.DLP)})
_TRIGGERED: Final = frozenset({str(Decision.FLAG), str(Decision.REDACT), str(Decision.BLOCK)})
_MOST_RULES: Final = 16


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom or what an alert is about: a tenant's user, an agent, or a part of the gateway."""

    tenant: str = ""
    user: str = ""
    agent: str = ""
    part: str = ""

    @property
    def key(self) -> str:
        """One text for each subject. A tenant's name has no slash, so no two users share one."""
        if self.user:
            return f"user:{self.tenant}/{self.user}"
        return f"agent:{self.agent}" if self.agent else f"gateway:{self.part}"


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Something that ``alert`` counts. ``cause`` says what it came from: the same cause is counted once. ``at`` is milliseconds since 1970."""

    alert: Alert
    cause: str
    subject: Subject
    at: int
    request_id: str = ""
    rules: tuple[str, ...] = ()
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """A report about the gateway itself. ``kind`` is an alert's ``on``, ``subject`` the part or pack, ``detail`` a few words without any payload."""

    kind: str
    subject: str
    at: int
    detail: str = ""


def in_force(policy: ContentPolicy) -> tuple[Alert, ...]:
    """The policy's alerts; the shipped ones when it has none."""
    return policy.alerts or SHIPPED


def notable(entry: AuditEntry) -> bool:
    """Whether any alert could count this entry. Nearly none is, and whoever asks this first need not know the alerts."""
    if entry.stage not in _GATES or entry.kind is not EntryKind.DECISION:
        return False
    return entry.decision in _TRIGGERED or (bool(entry.findings) and any(found.action in _ASKING for found in entry.findings))


def occurrences(entries: Iterable[AuditEntry], alerts: Sequence[Alert]) -> list[Occurrence]:
    """What these audited decisions are to these alerts, and to the rules that raise one at once."""
    return [found for entry in entries if notable(entry) for found in _of_entry(entry, alerts)]


def event_occurrences(events: Iterable[Event], alerts: Sequence[Alert]) -> list[Occurrence]:
    """What these reports are to these alerts."""
    return [
        Occurrence(
            alert,
            cause=f"{event.kind} {event.subject} {event.at}",
            subject=Subject(part=event.subject),
            at=event.at,
            detail=event.detail,
        )
        for event in events
        for alert in alerts
        if alert.on == event.kind
    ]


def _of_entry(entry: AuditEntry, alerts: Sequence[Alert]) -> list[Occurrence]:
    named = tuple(dict.fromkeys([found.rule for found in entry.findings if found.action in _ASKING] or [entry.rule]))
    at_once = [
        Alert(name=f"rule:{found.rule}", on="rule-trigger", window=_AT_ONCE_WINDOW, rules=(found.rule,))
        for found in entry.findings
        if found.action == _AT_ONCE
    ]
    kinds = _kinds(entry)
    counting = [alert for alert in alerts if alert.on in kinds and _is_about(alert, {entry.rule, *named})]
    return [
        Occurrence(
            alert,
            cause=f"{entry.request_id} {entry.stage}",
            subject=_subject(alert, entry),
            at=entry.at,
            request_id=entry.request_id,
            rules=named[:_MOST_RULES],
        )
        for alert in {alert.name: alert for alert in (*at_once, *counting)}.values()
    ]


def _kinds(entry: AuditEntry) -> frozenset[str]:
    """What the decision is: an overtaxed scanner says nothing about the user, or else its failure would accuse everybody."""
    if entry.rule in OVER_BUDGET:
        return frozenset({"scanner-over-budget"})
    blocked = entry.stage == Role.DLP and entry.decision == Decision.BLOCK
    return frozenset({"rule-trigger", "dlp-block"} if blocked else {"rule-trigger"})


def _is_about(alert: Alert, rules: set[str]) -> bool:
    return not alert.rules or not rules.isdisjoint(alert.rules)


def _subject(alert: Alert, entry: AuditEntry) -> Subject:
    if alert.on == "dlp-block":
        return Subject(tenant=entry.tenant, user=entry.user or entry.client)
    return Subject(agent=entry.agent) if alert.on == "rule-trigger" else Subject(part=entry.stage)


def run_of(times: Sequence[int], at: int, count: int, span: int) -> tuple[int, int] | None:
    """The first and last time of ``count`` occurrences that are less than ``span`` apart, the one at ``at`` among them; nothing when there is no such run.

    ``times`` ascend, and ``at`` is one of them. Occurrences may come in any order: those after ``at`` count like those before.
    """
    for first in range(max(0, bisect_left(times, at) - count + 1), bisect_right(times, at)):
        last = first + count - 1
        if last < len(times) and times[first] <= at <= times[last] and times[last] - times[first] < span:
            return times[first], times[last]
    return None
