"""The injection score of a message: one number from 0 to 1 for all of its strings together, from the model and the rules. Pure.

Rules that hit are worth what the model learned. For a rule which flags or blocks by itself `lifted` also raises the number that is
reported to the threshold of that outcome, so that it alone ranks messages; within an outcome the model's own score keeps the order.
The scanner's bounds on size keep what comes here finite.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from lockgate_workers.inspection.model import Model
from lockgate_workers.inspection.readings import readings
from lockgate_workers.inspection.thresholds import Thresholds
from lockgate_workers.inspection.windows import SEPARATOR
from lockgate_workers.scanning.findings import Action, Finding

_WITHIN: Final = 0.05
"""How far above its floor a lifted score may rise by what the model says."""


class Scorer:
    """A model with the thresholds it was shipped with. Construct it once; share it between threads; it keeps nothing of what it scores."""

    def __init__(self, model: Model, shipped: Thresholds, digest: str) -> None:
        """``digest`` identifies weights and thresholds; it belongs into the digest of the rules that is stamped.

        ``corpus`` and ``seed`` say what the weights were made from.
        """
        self._model = model
        self.shipped: Final = shipped
        self.digest: Final = digest
        self.corpus: Final = model.header.corpus
        self.seed: Final = model.header.seed

    def score(self, texts: Sequence[str], findings: Iterable[Finding]) -> float:
        """Return the score of the strings of one message, in which the scanner found ``findings``."""
        text = SEPARATOR.join(texts)
        read = readings(text) if text else ()
        return self._model.probability(self._model.logit(read, {finding.rule for finding in findings}))


def lifted(score: float, findings: Iterable[Finding], thresholds: Thresholds) -> float:
    """Return the score, not below the threshold of what a rule asks for by itself."""
    floor = max((_floor(finding.action, thresholds) for finding in findings), default=0.0)
    return score if score >= floor else floor + (1.0 - floor) * score * _WITHIN


def _floor(action: Action, thresholds: Thresholds) -> float:
    if action is Action.SCORE:
        return 0.0
    return thresholds.flag if action.passes else thresholds.block
