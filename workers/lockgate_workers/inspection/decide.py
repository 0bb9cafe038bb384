"""Decide whether the data of a request may go on to an agent. Pure: data, a scanner and a scorer in, a decision out.

Every string anywhere in the data is looked at, the names of members included, wherever it stands: an agent may read any of it. The
ladder, first that holds: the data is too deep or has too many members -> block; the scan was refused -> block; a rule that blocks by
itself, or a score from the block threshold on -> block; a rule that flags by itself, or a score from the flag threshold on -> flag;
else pass. What a flag means (an obligation, a note on the stamp) is up to the runner; asking an external judge is up to `gate`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from lockgate_workers.inspection.scoring import Scorer, lifted
from lockgate_workers.inspection.thresholds import Thresholds
from lockgate_workers.scanning.content import Scans
from lockgate_workers.scanning.findings import Action, Finding, strongest

MAX_DEPTH: Final = 64
MAX_STRINGS: Final = 20_000

RULE_CLEAN: Final = "clean"
RULE_SHAPE: Final = "data-shape"
RULE_SCORE: Final = "injection-score"


class InspectionOutcome(StrEnum):
    """What inspection says about a request."""

    PASS = "pass"  # noqa: S105 - an outcome, not a password
    FLAG = "flag"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class InspectionDecision:
    """The outcome, the rule that decided, all findings (offsets within the string each was found in), and the score from 0 to 1.

    What may not be looked at has the score 1. The findings of what passes are those alone that somebody asked to be told of.
    """

    decision: InspectionOutcome
    rule: str
    findings: tuple[Finding, ...] = ()
    score: float = 0.0


class _ShapeError(Exception):
    """The data is deeper or larger than anything an agent should be sent."""


def decide(data: Any, scanner: Scans, scorer: Scorer, thresholds: Thresholds | None = None) -> InspectionDecision:
    """Decide about the parsed ``data`` member of a request: any JSON value. Without ``thresholds`` the shipped ones hold."""
    try:
        texts = strings(data)
    except _ShapeError:
        return InspectionDecision(InspectionOutcome.BLOCK, RULE_SHAPE, score=1.0)
    results = scanner.scan_all(texts)
    for result in results:
        if result.refusal is not None:
            return InspectionDecision(InspectionOutcome.BLOCK, result.refusal.value, score=1.0)
    findings = tuple(finding for result in results for finding in result.findings)
    return _decision(findings, scorer.score(texts, findings), thresholds or scorer.shipped, scorer.shipped)


def _decision(findings: tuple[Finding, ...], score: float, held: Thresholds, shipped: Thresholds) -> InspectionDecision:
    """Take the stronger of what the rules ask for by themselves and what the score says."""
    by_rule = strongest(one for one in findings if one.action is not Action.SCORE)
    reported = lifted(score, findings, shipped)
    # A pack that asks this stage to redact asks for something it cannot do to a signed request: treated as block.
    if by_rule is not None and not by_rule.action.passes:
        return InspectionDecision(InspectionOutcome.BLOCK, by_rule.rule, findings, reported)
    if score >= held.block:
        return InspectionDecision(InspectionOutcome.BLOCK, RULE_SCORE, findings, reported)
    if by_rule is not None:
        return InspectionDecision(InspectionOutcome.FLAG, by_rule.rule, findings, reported)
    if score >= held.flag:
        return InspectionDecision(InspectionOutcome.FLAG, RULE_SCORE, findings, reported)
    return InspectionDecision(InspectionOutcome.PASS, RULE_CLEAN, score=reported)


def strings(data: Any) -> tuple[str, ...]:
    """Return every string of a JSON value, keys included. Raises an error of this module for what is too deep or too large."""
    return tuple(_strings(data))


def _strings(data: Any) -> Iterator[str]:
    """Yield every string of a JSON value, keys included. Iterative, so that depth costs no stack."""
    stack: list[tuple[Any, int]] = [(data, 0)]
    count = 0
    while stack:
        value, depth = stack.pop()
        if depth > MAX_DEPTH:
            raise _ShapeError
        if isinstance(value, str):
            count += 1
            yield value
        elif isinstance(value, dict):
            count += len(value)
            yield from (key for key in value if isinstance(key, str))
            stack.extend((item, depth + 1) for item in reversed(value.values()))
        elif isinstance(value, (list, tuple)):
            stack.extend((item, depth + 1) for item in reversed(value))
        if count > MAX_STRINGS or len(stack) > MAX_STRINGS:
            raise _ShapeError
