"""An external judge of requests, behind a port: what it is asked, what it may answer, and what holds when it does not. Pure, with a twin.

The gate asks a judge about what it would flag, or about everything, as the content policy says. A judge can make an outcome stricter
and clear a flag that rests on the score alone; what a rule asks for by itself stands. An answer that is late, broken or out of range is no answer, and no
answer blocks unless the policy says that it flags.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, Protocol

from lockgate_workers.inspection.decide import RULE_CLEAN, RULE_SCORE, InspectionDecision, InspectionOutcome
from lockgate_workers.inspection.thresholds import Thresholds

RULE_JUDGE: Final = "external-judge"
RULE_UNAVAILABLE: Final = "judge-unavailable"


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a judge says: a score from 0 (honest) to 1 (attack); or, without a score, ``failure``: why there is none, in fixed words."""

    score: float | None
    failure: str = ""


class Judge(Protocol):
    """Whoever gives opinions."""

    async def ask(self, texts: Sequence[str], budget: float) -> Opinion:
        """Return an opinion about the strings of one request within ``budget`` seconds. Raises nothing: no opinion is an opinion too."""
        ...


@dataclass(frozen=True, slots=True)
class FixedJudge:
    """The twin in memory: one opinion for every text, and others for some."""

    usual: Opinion = Opinion(0.0)
    known: tuple[tuple[str, Opinion], ...] = ()

    async def ask(self, texts: Sequence[str], budget: float) -> Opinion:
        """See `Judge.ask`."""
        del budget
        return next((opinion for text, opinion in self.known if text in texts), self.usual)


def wanted(found: InspectionDecision, asks: Literal["flagged", "all"]) -> bool:
    """Whether the judge is asked: never about what is blocked anyway."""
    if found.decision is InspectionOutcome.BLOCK:
        return False
    return asks == "all" or found.decision is InspectionOutcome.FLAG


def judged(
    found: InspectionDecision, opinion: Opinion, thresholds: Thresholds, unavailable: Literal["block", "flag"]
) -> InspectionDecision:
    """Return the decision with the judge's opinion in it."""
    if opinion.score is None:
        outcome = InspectionOutcome.FLAG if unavailable == "flag" else InspectionOutcome.BLOCK
        return replace(found, decision=outcome, rule=RULE_UNAVAILABLE)
    if opinion.score >= thresholds.block:
        return replace(found, decision=InspectionOutcome.BLOCK, rule=RULE_JUDGE, score=max(found.score, opinion.score))
    if opinion.score >= thresholds.flag:
        rule = found.rule if found.decision is InspectionOutcome.FLAG else RULE_JUDGE
        return replace(found, decision=InspectionOutcome.FLAG, rule=rule, score=max(found.score, opinion.score))
    return replace(found, decision=InspectionOutcome.PASS, rule=RULE_CLEAN) if found.rule == RULE_SCORE else found
