"""Inspection of many requests: `decide` about each, and the external judge asked, where the content policy names one, all at once.

The one thing that the stage calls. What the outcome does to a passage stays with the stage.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from lockgate_schemas.content import EMPTY, Injection
from lockgate_workers.inspection.decide import InspectionDecision, decide, strings
from lockgate_workers.inspection.judge import Judge, Opinion, judged, wanted
from lockgate_workers.inspection.scoring import Scorer
from lockgate_workers.scanning.content import Scans

_NOBODY: Final = Opinion(None, "not built")


@dataclass(frozen=True, slots=True)
class InspectionGate:
    """A scorer under a content policy, with the judge that the policy names (none, where it names none)."""

    scorer: Scorer
    policy: Injection = EMPTY.injection
    judge: Judge | None = None

    async def rule_many(self, asked: Sequence[tuple[Any, Scans]]) -> list[InspectionDecision]:
        """Decide about each pair of parsed data and the scanner that holds for it, in that order."""
        thresholds = self.scorer.shipped.under(self.policy)
        found = [decide(data, scanner, self.scorer, thresholds) for data, scanner in asked]
        return list(await asyncio.gather(*(self._second(one, data) for one, (data, _) in zip(found, asked, strict=True))))

    async def _second(self, found: InspectionDecision, data: Any) -> InspectionDecision:
        named = self.policy.judge
        if named is None or not wanted(found, named.asks):
            return found
        thresholds = self.scorer.shipped.under(self.policy)
        if self.judge is None:  # a policy names one and nobody built it: that is a judge which does not answer
            return judged(found, _NOBODY, thresholds, named.unavailable)
        return judged(found, await self.judge.ask(strings(data), named.seconds), thresholds, named.unavailable)
