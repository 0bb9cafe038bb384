"""Two rule scanners as one: the shipped rules, and beside them those that an installation's content policy brings along.

They are kept apart because they change apart: compiling the shipped rules takes seconds, and no message may pass while a new content
policy is being built. Both look at every text; what either finds counts, and when either refuses, both do. Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

from lockgate_schemas.errors import ConfigurationError
from lockgate_workers.scanning.content import RuleScans
from lockgate_workers.scanning.explaining import Explanation
from lockgate_workers.scanning.findings import Finding, ScanResult


class Joined:
    """See `lockgate_workers.scanning.content.Scans`."""

    def __init__(self, first: RuleScans, second: RuleScans) -> None:
        """Raises `ConfigurationError` when both have a rule of one name."""
        taken = {rule.id for rule in first.rules}
        for rule in second.rules:
            if rule.id in taken:
                raise ConfigurationError(f"two rules are named {rule.id}: one is shipped or in the configured folder")
        self.rules: Final = (*first.rules, *second.rules)
        self.digest: Final = hashlib.sha256(f"{first.digest}\n{second.digest}".encode()).hexdigest()
        self._first = first
        self._second = second

    def scan(self, text: str) -> ScanResult:
        """Scan one text."""
        return self.scan_all((text,))[0]

    def scan_all(self, texts: Sequence[str]) -> tuple[ScanResult, ...]:
        """Scan the texts of one message, each scanner under its own budget."""
        pairs = zip(self._first.scan_all(texts), self._second.scan_all(texts), strict=True)
        return tuple(_merged(*pair) for pair in pairs)

    def explain(self, text: str) -> Explanation:
        """What became of every candidate of both."""
        first, second = self._first.explain(text), self._second.explain(text)
        return Explanation(
            _merged(first.result, second.result),
            (*first.reasons, *second.reasons),
            first.work + second.work,
            first.allowed + second.allowed,
        )


def _merged(first: ScanResult, second: ScanResult) -> ScanResult:
    for one in (first, second):
        if one.refusal is not None:
            return one
    if not second.findings:
        return first
    return ScanResult(tuple(sorted((*first.findings, *second.findings), key=_place)))


def _place(finding: Finding) -> tuple[int, int, str]:
    return finding.start, finding.end, finding.rule
