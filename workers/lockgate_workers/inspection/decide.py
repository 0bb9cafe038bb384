"""Decide whether the data of a request may go on to an agent. Pure: data and a scanner in, a decision out.

Every string anywhere in the data is looked at, the names of members included, wherever it stands: an agent may read any of it. The
ladder, first that holds: the data is too deep or has too many members -> block; the scan was refused -> block; a rule that blocks ->
block; any other finding -> flag; nothing -> pass. What a flag means (an obligation, a note on the stamp) is up to the runner.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from lockgate_workers.scanning.content import Scans
from lockgate_workers.scanning.findings import Finding, strongest

MAX_DEPTH: Final = 64
MAX_STRINGS: Final = 20_000

RULE_CLEAN: Final = "clean"
RULE_SHAPE: Final = "data-shape"


class InspectionOutcome(StrEnum):
    """What inspection says about a request."""

    PASS = "pass"  # noqa: S105 - an outcome, not a password
    FLAG = "flag"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class InspectionDecision:
    """The outcome, the rule that decided, and all findings (offsets within the string each was found in)."""

    decision: InspectionOutcome
    rule: str
    findings: tuple[Finding, ...] = ()


class _ShapeError(Exception):
    """The data is deeper or larger than anything an agent should be sent."""


def decide(data: Any, scanner: Scans) -> InspectionDecision:
    """Decide about the parsed ``data`` member of a request: any JSON value."""
    try:
        texts = tuple(_strings(data))
    except _ShapeError:
        return InspectionDecision(InspectionOutcome.BLOCK, RULE_SHAPE)
    results = scanner.scan_all(texts)
    for result in results:
        if result.refusal is not None:
            return InspectionDecision(InspectionOutcome.BLOCK, result.refusal.value)
    findings = tuple(finding for result in results for finding in result.findings)
    decisive = strongest(findings)
    if decisive is None:
        return InspectionDecision(InspectionOutcome.PASS, RULE_CLEAN)
    # A pack that asks this stage to redact asks for something it cannot do to a signed request: treated as block.
    outcome = InspectionOutcome.FLAG if decisive.action.passes else InspectionOutcome.BLOCK
    return InspectionDecision(outcome, decisive.rule, findings)


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
