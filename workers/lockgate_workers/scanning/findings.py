"""What a scan says about a text: findings, why a scan was refused, and the summary that goes onto a stamp.

A finding names the rule and the place, never the matched text: the evidence is a keyed hash, by which two findings under one key
can be told to be of the same value, and nothing else. What to do about a finding is left to the stages.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from lockgate_schemas.passage import FindingSummary


class Severity(StrEnum):
    """How bad it would be if the finding is right."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Category(StrEnum):
    """What kind of thing a rule finds."""

    SECRETS = "secrets"
    PII = "pii"
    INFRA = "infra"
    INJECTION = "injection"
    OWN = "own"


class Action(StrEnum):
    """What a rule asks for. The stage has the last word. ``alert`` lets the text pass as ``flag`` does, and tells people at once.

    ``score`` does nothing by itself: it is evidence, which the injection score weighs.
    """

    SCORE = "score"
    FLAG = "flag"
    ALERT = "alert"
    REDACT = "redact"
    BLOCK = "block"

    @property
    def passes(self) -> bool:
        """Whether the text goes on as it is: it is noted, not changed."""
        return self in {Action.SCORE, Action.FLAG, Action.ALERT}


class Refusal(StrEnum):
    """Why a text could not be scanned to the end. A stage that gets one must block: what was not seen is not clean."""

    SIZE = "scan-size"
    WORK = "scan-work"
    TIME = "scan-time"
    FINDINGS = "scan-findings"
    ENCODING = "scan-encoding"
    ENGINE = "scan-engine"


ACTION_RANK: Final = {Action.SCORE: -1, Action.FLAG: 0, Action.ALERT: 1, Action.REDACT: 2, Action.BLOCK: 3}
SEVERITY_RANK: Final = {Severity.LOW: 0, Severity.MEDIUM: 1, Severity.HIGH: 2, Severity.CRITICAL: 3}
CONFIDENCE: Final = {"low": 0.3, "medium": 0.6, "high": 0.9}
"""What the words stand for with which a rule says how often it is right."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule at one place. ``start`` and ``end`` are character offsets in the original text handed to the scanner.

    ``evidence`` is the HMAC-SHA256 of the value under the scanner's evidence key, in hex (64 digits). ``confidence`` is how often the rule
    is right, from 0 to 1, as its author judges it.
    """

    rule: str
    start: int
    end: int
    severity: Severity
    action: Action
    evidence: str
    confidence: float = CONFIDENCE["medium"]
    category: Category = Category.OWN

    @property
    def weight(self) -> tuple[int, int]:
        """Orders findings: the stronger action first, then the severity."""
        return ACTION_RANK[self.action], SEVERITY_RANK[self.severity]


@dataclass(frozen=True, slots=True)
class ScanResult:
    """All findings of one text in order of place, or the reason why there is no answer."""

    findings: tuple[Finding, ...] = ()
    refusal: Refusal | None = None


def strongest(findings: Iterable[Finding]) -> Finding | None:
    """Return the finding which decides: the strongest, and of equals the first."""
    best: Finding | None = None
    for finding in findings:
        if best is None or finding.weight > best.weight:
            best = finding
    return best


def summary(findings: Iterable[Finding], limit: int = 32) -> tuple[FindingSummary, ...]:
    """Count findings by rule, strongest rule first, at most ``limit`` rules."""
    counts: dict[str, int] = {}
    example: dict[str, Finding] = {}
    for finding in findings:
        counts[finding.rule] = counts.get(finding.rule, 0) + 1
        example.setdefault(finding.rule, finding)
    ordered = sorted(example.values(), key=lambda one: (tuple(-rank for rank in one.weight), one.rule))
    return tuple(
        FindingSummary(rule=one.rule, severity=one.severity.value, action=one.action.value, count=counts[one.rule])
        for one in ordered[:limit]
    )
