"""What the rules say of a text, for people: which found something, where, what the content policy makes of it, and what was dropped and why.

Nothing that a rule looked at is echoed: in the line around a place, every such place stands as dots, together with the rest of the
word it is part of. A scanner and a text in, rows out; only the shipped weights are read from disk.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from lockgate_schemas.content import Injection
from lockgate_workers.inspection.loading import load_scorer
from lockgate_workers.scanning.content import RuleScans, TunedScanner
from lockgate_workers.scanning.explaining import Reason, Verdict
from lockgate_workers.scanning.findings import Finding

MASK: Final = "•"
AS_WRITTEN: Final = "as written"
_AROUND: Final = 24
"""Characters of the line that are shown on either side."""
# The rest of a word, in which a secret may go on where a rule's pattern ended.
_BEFORE: Final = re.compile(r"[^\s=:\"'`<>(,;]{0,64}\Z")
_AFTER: Final = re.compile(r"[^\s\"'`<>),;]{0,64}")


@dataclass(frozen=True, slots=True)
class Said:
    """What one rule says of one place; line and column count from 1, and are 0 where a rule found no place.

    ``action`` is what holds and ``pack_action`` what the pack asks for; ``dropped`` says, for a candidate that is no finding, which check it
    did not pass. ``view`` is how the text was read, ``evidence`` what an entry of the list of allowed values would have for it.
    """

    rule: str
    start: int
    end: int
    line: int
    column: int
    excerpt: str
    view: str = AS_WRITTEN
    severity: str = ""
    confidence: float = 0.0
    pack_action: str = ""
    action: str = ""
    evidence: str = ""
    dropped: str = ""


@dataclass(frozen=True, slots=True)
class Explained:
    """What all rules say, and why the scan was refused, if it was. ``work`` of ``allowed`` is what it took of what it may."""

    refused: str
    said: tuple[Said, ...]
    work: int
    allowed: int


@dataclass(frozen=True, slots=True)
class Scored:
    """What the injection model makes of a text, from 0 to 1, and from which score on a request is flagged or blocked."""

    score: float
    flag: float
    block: float


def scored(text: str, tuned: TunedScanner, policy: Injection) -> Scored:
    """The score of a request that holds this text alone. Raises `ConfigurationError` when the weights are missing."""
    scorer = load_scorer()
    thresholds = scorer.shipped.under(policy)
    return Scored(scorer.score((text,), tuned.scan(text).findings), thresholds.flag, thresholds.block)


def explained(text: str, rules: RuleScans, tuned: TunedScanner) -> Explained:
    """Findings in order of place, then the candidates that were dropped."""
    told = rules.explain(text)
    dropped = {(one.rule, one.start, one.end, one.verdict): one for one in told.reasons if one.verdict is not Verdict.FINDING}
    places = {(one.start, one.end) for one in told.result.findings} | {(one.start, one.end) for one in dropped.values()}
    hidden = [_whole(text, start, end) for start, end in sorted(places) if end]
    found = [_found(text, finding, tuned.action_of(finding), hidden) for finding in told.result.findings]
    left = sorted(
        (_dropped(text, reason, hidden) for reason in dropped.values()), key=lambda one: (one.start, one.end, one.rule)
    )
    refusal = told.result.refusal
    return Explained("" if refusal is None else refusal.value, (*found, *left), told.work, told.allowed)


def excerpt(text: str, start: int, end: int, hidden: Iterable[tuple[int, int]]) -> str:
    """The line around a place, without anything that a rule looked at."""
    first = max(text.rfind("\n", 0, start) + 1, start - _AROUND)
    last = text.find("\n", end)
    last = min(len(text) if last < 0 else last, end + _AROUND)
    shown = list(text[first:last])
    for begin, stop in hidden:
        for place in range(max(begin, first), min(stop, last)):
            shown[place - first] = MASK
    return " ".join("".join(shown).split())


def _whole(text: str, start: int, end: int) -> tuple[int, int]:
    before, after = _BEFORE.search(text, max(0, start - 64), start), _AFTER.match(text, end)
    return start if before is None else before.start(), end if after is None else after.end()


def _place(text: str, start: int) -> tuple[int, int]:
    return text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start)


def _found(text: str, finding: Finding, action: str, hidden: Sequence[tuple[int, int]]) -> Said:
    line, column = _place(text, finding.start)
    return Said(
        rule=finding.rule,
        start=finding.start,
        end=finding.end,
        line=line,
        column=column,
        excerpt=excerpt(text, finding.start, finding.end, hidden),
        severity=finding.severity.value,
        confidence=finding.confidence,
        pack_action=finding.action.value,
        action=action,
        evidence=finding.evidence,
    )


def _dropped(text: str, reason: Reason, hidden: Sequence[tuple[int, int]]) -> Said:
    if not reason.end:
        return Said(reason.rule, 0, 0, 0, 0, "", reason.view, dropped=reason.verdict.value)
    line, column = _place(text, reason.start)
    shown = excerpt(text, reason.start, reason.end, hidden)
    return Said(reason.rule, reason.start, reason.end, line, column, shown, reason.view, dropped=reason.verdict.value)
