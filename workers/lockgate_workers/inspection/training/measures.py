"""What scores are worth: the area under the curve, and what two thresholds find, set on one half of the groups and measured on the other."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from lockgate_workers.inspection.training.rows import CorpusRow, part

FLAG_RATE: Final = 0.01
HARD_RATE: Final = 0.03
"""Hard negatives that the shipped flag threshold may flag at most, of those that were left out."""
BLOCK_RATE: Final = 0.002
"""Ordinary messages over the block threshold that are promised at most. So rare a thing is seen a few times only, or never: the rows are
held to fewer, see `sure_threshold`."""
_DOUBT: Final = 0.05

Scores = npt.NDArray[np.float64]
Marks = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Measured:
    """Shares over the thresholds. ``area`` compares attacks with ordinary rows, ``area_all`` with all honest rows."""

    area: float
    area_all: float
    flagged: Marks
    blocked: Marks

    def share(self, rows: Sequence[CorpusRow], of: Callable[[CorpusRow], bool], *, blocked: bool = False) -> float:
        """Return the share of the rows for which ``of`` holds that is flagged (or blocked)."""
        chosen = np.array([of(row) for row in rows])
        return float((self.blocked if blocked else self.flagged)[chosen].mean()) if chosen.any() else float("nan")


def threshold(scores: Scores, rate: float) -> float:
    """Return the smallest score of which no larger share than ``rate`` of ``scores`` is at or above."""
    return _reached_by(scores, int(len(scores) * rate))


def sure_threshold(scores: Scores, rate: float) -> float:
    """Return the smallest score reached by so few of ``scores`` that a true share above ``rate`` would show so few in one of 20 draws at most."""
    return _reached_by(scores, most_seen(len(scores), rate))


def most_seen(count: int, rate: float) -> int:
    """Return how many events in ``count`` keep the upper bound (95 %, Poisson) of their share at or below ``rate``; 0 where none do."""
    mean, total, seen = count * rate, 0.0, 0
    while mean > 0:
        total += math.exp(seen * math.log(mean) - mean - math.lgamma(seen + 1))
        if total > _DOUBT:
            break
        seen += 1
    return max(0, seen - 1)


def _reached_by(scores: Scores, allowed: int) -> float:
    ordered = np.sort(scores)[::-1]
    return float(np.nextafter(ordered[min(allowed, len(ordered) - 1)], np.inf))


def measured(rows: Sequence[CorpusRow], scores: Scores) -> Measured:
    """Set both thresholds on the ordinary rows of one half, measure on the other half, and the other way round."""
    attack, ordinary = np.array([row.attack for row in rows]), np.array([row.ordinary for row in rows])
    half = np.array([part(row, 2, "half") for row in rows])
    flagged, blocked = np.zeros(len(rows), np.bool_), np.zeros(len(rows), np.bool_)
    for one in (0, 1):
        set_on, other = scores[ordinary & (half == one)], half != one
        flagged[other] = scores[other] >= threshold(set_on, FLAG_RATE)
        blocked[other] = scores[other] >= sure_threshold(set_on, BLOCK_RATE)
    return Measured(area(scores[attack], scores[ordinary]), area(scores[attack], scores[~attack]), flagged, blocked)


def area(higher: Scores, lower: Scores) -> float:
    """Return how often one of ``higher`` is above one of ``lower`` (ties count half): the area under the ROC curve."""
    ordered = np.sort(lower)
    below, upto = np.searchsorted(ordered, higher, "left"), np.searchsorted(ordered, higher, "right")
    return float((below + upto).mean() / 2 / max(len(lower), 1))


def by(rows: Sequence[CorpusRow], marks: Marks, key: Callable[[CorpusRow], str]) -> dict[str, tuple[float, int]]:
    """Return the share of marked rows and the number of rows, by label and ``key``."""
    groups: dict[str, list[bool]] = defaultdict(list)
    for row, mark in zip(rows, marks, strict=True):
        groups[f"{row.label} {key(row)}"].append(bool(mark))
    return {name: (sum(found) / len(found), len(found)) for name, found in sorted(groups.items())}
