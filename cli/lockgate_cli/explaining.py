"""What the rules say of a text, for people: which found something, where, and what the content policy makes of it. Nothing found is echoed.

A finding is shown in its line, itself and every other one in that line as dots. Pure: scanners in, rows out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from lockgate_workers.scanning.content import TunedScanner
from lockgate_workers.scanning.findings import Finding

MASK: Final = "•"
_AROUND: Final = 24
"""Characters of the line that are shown on either side."""


@dataclass(frozen=True, slots=True)
class Said:
    """What one rule says of one place. ``action`` is what holds; ``packs`` what the pack asks for; ``dropped`` why it is no finding."""

    rule: str
    start: int
    end: int
    line: int
    column: int
    severity: str
    confidence: float
    packs: str
    action: str
    evidence: str
    excerpt: str
    dropped: str = ""


def explained(text: str, scanner: TunedScanner) -> tuple[list[Said], str]:
    """What the packs find, with what the policy makes of each; and why the scan was refused, if it was."""
    result = scanner.plain.scan(text)
    if result.refusal is not None:
        return [], result.refusal.value
    hidden = hidden_places(result.findings)
    return [_said(text, finding, scanner.action_of(finding), hidden) for finding in result.findings], ""


def hidden_places(findings: Iterable[Finding]) -> tuple[tuple[int, int], ...]:
    """The places in a text of which nothing is shown."""
    return tuple((finding.start, finding.end) for finding in findings)


def excerpt(text: str, start: int, end: int, hidden: Sequence[tuple[int, int]]) -> str:
    """The line around a place, without anything that was found in it."""
    first = max(text.rfind("\n", 0, start) + 1, start - _AROUND)
    last = text.find("\n", end)
    last = min(len(text) if last < 0 else last, end + _AROUND)
    shown = "".join(
        MASK if any(begin <= place < stop for begin, stop in hidden) else character
        for place, character in enumerate(text[first:last], first)
    )
    return " ".join(shown.split())


def _said(text: str, finding: Finding, action: str, hidden: Sequence[tuple[int, int]]) -> Said:
    return Said(
        rule=finding.rule,
        start=finding.start,
        end=finding.end,
        line=text.count("\n", 0, finding.start) + 1,
        column=finding.start - text.rfind("\n", 0, finding.start),
        severity=finding.severity.value,
        confidence=finding.confidence,
        packs=finding.action.value,
        action=action,
        evidence=finding.evidence,
        excerpt=excerpt(text, finding.start, finding.end, hidden),
    )
