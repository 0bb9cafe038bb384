"""Set thresholds on an installation's own traffic: recorded scores in, thresholds for wanted rates out. Pure.

The scores of ordinary traffic say how often a threshold would be passed; where people have said which requests were attacks, those
are left out of the ordinary ones and counted apart. A rate of one in a thousand cannot be seen in a hundred requests: what rests on
too few is said so, and the shipped thresholds are the better choice then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lockgate_schemas.errors import ConfigurationError

FEWEST_ABOVE: Final = 10
"""So many scores must lie above a threshold for its rate to be known within a third or so (Poisson)."""
STEP: Final = 0.001
"""Scores are recorded in thousandths."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Thresholds, and what they do to the scores they were set on. ``warnings`` are sentences for people; none means it can be relied on."""

    flag: float
    block: float
    scores: int
    flagged: int
    blocked: int
    attacks: int
    attacks_flagged: int
    attacks_blocked: int
    warnings: tuple[str, ...]


def calibrate(
    scores: Sequence[float], flag_rate: float = 0.01, block_rate: float = 0.001, *, attacks: Iterable[float] = ()
) -> Calibration:
    """Return thresholds which at most those shares of ``scores`` (0 to 1, requests that are taken for honest) reach.

    ``attacks`` are the scores of requests that people have found to be attacks.

    Raises:
        ConfigurationError: there is no score, or a rate is not one.
    """
    if not scores:
        raise ConfigurationError("there are no recorded scores to set thresholds on")
    if not 0 < block_rate <= flag_rate < 1:
        raise ConfigurationError("the rates must be between 0 and 1, and no more may be blocked than flagged")
    ordered, known = sorted(scores, reverse=True), tuple(attacks)
    flag, block = _above(ordered, flag_rate), _above(ordered, block_rate)
    return Calibration(
        flag=flag,
        block=block,
        scores=len(ordered),
        flagged=_count(ordered, flag),
        blocked=_count(ordered, block),
        attacks=len(known),
        attacks_flagged=_count(known, flag),
        attacks_blocked=_count(known, block),
        warnings=tuple(_warnings(ordered, {"flag": (flag, flag_rate), "block": (block, block_rate)})),
    )


def _above(ordered: Sequence[float], rate: float) -> float:
    """Return the threshold just above the first score that would be one too many."""
    first_left = ordered[min(int(len(ordered) * rate), len(ordered) - 1)]
    return min(1.0, round(first_left + STEP, 6))


def _count(scores: Iterable[float], threshold: float) -> int:
    return sum(score >= threshold for score in scores)


def _warnings(ordered: Sequence[float], thresholds: Mapping[str, tuple[float, float]]) -> Iterable[str]:
    for name, (threshold, rate) in thresholds.items():
        needed = round(FEWEST_ABOVE / rate)
        if len(ordered) < needed:
            yield f"{len(ordered)} scores are too few to set the {name} threshold for a rate of {rate:g}: {needed} are needed"
        if _count(ordered, threshold) > len(ordered) * rate:
            yield f"more than a share of {rate:g} has the highest score there is: no {name} threshold keeps that rate"
    if ordered[0] == ordered[-1]:
        yield "all scores are the same: nothing can be told apart by them"
