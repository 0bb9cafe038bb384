"""What people are told: the same few facts as JSON, for Slack and as mail. Pure.

An alert names who, which rules and how often, the window, and some request ids. It holds no payload and nothing that a rule found, because the ledger has neither.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from hashlib import sha256
from typing import Any, Final

import msgspec

from lockgate_ledger.alert_records import AlertRecord
from lockgate_workers.alerts.destinations import Email

TYPE: Final = "lockgate.alert.raised"

_WHAT: Final = {
    "dlp-block": "answers blocked by DLP",
    "rule-trigger": "messages in which content rules fired",
    "broken-pack": "reports of a broken rule pack",
    "scanner-over-budget": "messages for which a scanner went over its budget",
    "test": "test",
}
_SHOWN: Final = 5


def message_id(gateway: str, alert: AlertRecord) -> str:
    """The same for every attempt and every destination, so that a receiver can drop what it has seen; without the dots that a signature separates by."""
    return "alert_" + sha256(f"{gateway}\n{alert.number}\n{alert.raised}".encode()).hexdigest()[:32]


def summary(alert: AlertRecord) -> str:
    """The alert in one line."""
    subject = alert.subject.partition(":")[2]
    who = f"user {alert.user} of {alert.tenant}" if alert.user else f"agent {alert.agent}" if alert.agent else subject
    return f"{alert.name}: {alert.count} {_WHAT.get(alert.kind, alert.kind)} within {alert.window} s, {who}"


def facts(alert: AlertRecord) -> dict[str, Any]:
    """The alert for machines. Times are RFC 3339."""
    return {
        "alert": alert.number,
        "name": alert.name,
        "kind": alert.kind,
        "subject": alert.subject,
        "tenant": alert.tenant,
        "user": alert.user,
        "agent": alert.agent,
        "count": alert.count,
        "window_seconds": alert.window,
        "first": timestamp(alert.since),
        "last": timestamp(alert.at),
        "rules": alert.evidence.rules,
        "requests": alert.evidence.requests,
        "detail": alert.evidence.detail,
    }


def webhook_body(gateway: str, alert: AlertRecord) -> bytes:
    """The payload in the form that Standard Webhooks recommends: type, timestamp, data."""
    data = {"gateway": gateway, **facts(alert)}
    return msgspec.json.encode({"type": TYPE, "timestamp": timestamp(alert.raised), "data": data})


def slack_body(gateway: str, alert: AlertRecord) -> bytes:
    """The message for an incoming webhook of Slack."""
    text = "\n".join([f":rotating_light: *{_escaped(summary(alert))}*", *(_escaped(line) for line in _lines(gateway, alert))])
    return msgspec.json.encode({"text": text, "unfurl_links": False, "unfurl_media": False})


def mail(gateway: str, alert: AlertRecord, destination: Email, now: int) -> EmailMessage:
    """The alert as mail; ``now`` is its date in milliseconds since 1970."""
    letter = EmailMessage()
    letter["Subject"] = f"[{gateway}] {summary(alert)}"
    letter["From"] = destination.sender
    letter["To"] = ", ".join(destination.to)
    letter["Date"] = format_datetime(_moment(now))
    letter["Message-ID"] = f"<{message_id(gateway, alert)}@{gateway}>"
    letter["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answer from an absent person's machine
    letter.set_content("\n".join([summary(alert), "", *_lines(gateway, alert)]) + "\n")
    return letter


def timestamp(milliseconds: int) -> str:
    """RFC 3339, in UTC."""
    return _moment(milliseconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _lines(gateway: str, alert: AlertRecord) -> list[str]:
    evidence = alert.evidence
    lines = [f"gateway {gateway}, alert {alert.number}", f"between {timestamp(alert.since)} and {timestamp(alert.at)}"]
    if evidence.rules:
        lines.append("rules: " + ", ".join(f"{rule} ({count})" for rule, count in evidence.rules.items()))
    if evidence.requests:
        more = len(evidence.requests) - _SHOWN
        lines.append("requests: " + ", ".join(evidence.requests[:_SHOWN]) + (f" and {more} more" if more > 0 else ""))
    if evidence.detail:
        lines.append(evidence.detail)
    return [*lines, f"lockgate alerts show {alert.number}", f"lockgate alerts ack {alert.number}"]


def _escaped(text: str) -> str:
    """Slack's three control characters: nothing in an alert becomes a link or a mention."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
