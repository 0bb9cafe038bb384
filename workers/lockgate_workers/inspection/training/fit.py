"""The fit: logistic regression over windows, in two rounds. Deterministic: the same instances in the same order give the same numbers.

Which window of an attack is the attack is not known. The first round takes each text as a whole; the second takes of each attack the
window that the first found worst, and of each honest text also those that looked most like an attack. Both are told beforehand how much
each n-gram tells by itself (Wang and Manning 2012), which carries over to other sources better than what a fit makes of them alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse  # type: ignore[import-untyped]
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]

from lockgate_workers.inspection.features import BUCKETS, Places
from lockgate_workers.inspection.model import Doubles, pooled
from lockgate_workers.inspection.training.instances import Floats, Instances

REGULARISATION = 4.0
"""The inverse strength (scikit-learn's C), chosen by sources that were left out."""
_TOLERANCE = 1e-2
_SEEN = 0.5
"""How much of texts of either kind is taken to have each n-gram, besides those that do."""
_LEAST_TOLD = 0.3
"""What an n-gram counts that is as frequent in attacks as elsewhere."""
_MOST = 1.4
"""The largest weight of an n-gram: one alone, learned from a few honest rows, must not acquit a short attack. One in a hundred is cut."""

Marks = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Fitted:
    """The coefficients: one a bucket, one for each column about the text, and the intercept."""

    grams: Floats
    about: Floats
    intercept: float

    def logits(self, data: Instances) -> Doubles:
        """Return the logit of each text: its worst window, and what is said about it as a whole."""
        scores, texts = np.asarray(data.grams @ self.grams, np.float64), len(data.about)
        worst = np.full(texts, -1e9)
        np.maximum.at(worst, data.owner, scores)
        mean = np.bincount(data.owner, scores, texts) / np.bincount(data.owner, minlength=texts)
        return np.asarray(pooled(worst, mean) + data.about @ self.about + self.intercept, np.float64)


def fit(data: Instances, attack: Marks, weight: Doubles) -> Fitted:
    """Learn to tell ``attack`` texts from the others; ``weight`` is how much each text counts."""
    whole = np.searchsorted(data.owner, np.arange(len(attack)))
    told = _told(data.grams[whole], attack, weight)
    scaled = replace(data, grams=_scaled(data.grams, told))
    first = _solved(scaled, whole, attack, weight)
    worst, second = _worst_two(data.owner, scaled.grams @ first.grams)
    honest = ~attack
    chosen = np.union1d(worst, np.union1d(whole[honest], second[honest]))
    second_round = _solved(scaled, chosen, attack, weight)
    return replace(second_round, grams=np.clip(second_round.grams * told, -_MOST, _MOST))


def _told(grams: Any, attack: Marks, weight: Doubles) -> Floats:
    """Return how far apart the shares of attacks and of honest texts with each n-gram are, as the logarithm of their ratio.

    A text counts what it weighs: hundreds of light ones about commands must not make the words of commands tell nothing.
    """
    shares = [_share(grams[kind], weight[kind]) for kind in (attack, ~attack)]
    return (np.abs(np.log(shares[0] / shares[1])) + _LEAST_TOLD).astype(np.float32)


def _share(grams: Any, weight: Doubles) -> Doubles:
    having = np.bincount(grams.indices, np.repeat(weight, np.diff(grams.indptr)), minlength=BUCKETS)
    return np.asarray((having + _SEEN) / (weight.sum() + 2 * _SEEN), np.float64)


def _scaled(grams: Any, by: Floats) -> Any:
    return sparse.csr_matrix((grams.data * by[grams.indices], grams.indices, grams.indptr), shape=grams.shape)


def _worst_two(owner: Places, values: Floats) -> tuple[Places, Places]:
    """Return, for each text, the window with the highest value and the one after it (the same, where there is only one)."""
    order = np.lexsort((values, owner))
    last = np.flatnonzero(np.append(np.diff(owner[order]), 1))
    before = np.maximum(last - 1, 0)
    same = owner[order[before]] == owner[order[last]]
    return order[last], order[np.where(same, before, last)]


def _solved(data: Instances, chosen: Places, attack: Marks, weight: Doubles) -> Fitted:
    owner = data.owner[chosen]
    matrix = sparse.hstack((data.grams[chosen], sparse.csr_matrix(data.about[owner])), format="csr")
    shared = weight[owner] / np.sqrt(np.bincount(owner, minlength=len(attack))[owner])
    used = np.unique(matrix.indices)  # most buckets are empty in a small corpus, and cost the solver as much as the others
    solver = LogisticRegression(C=REGULARISATION, solver="liblinear", tol=_TOLERANCE, random_state=0)
    solver.fit(matrix[:, used], attack[owner], sample_weight=shared)
    coefficients = np.zeros(matrix.shape[1], np.float32)
    coefficients[used] = solver.coef_[0]
    return Fitted(coefficients[:BUCKETS], coefficients[BUCKETS:], float(solver.intercept_[0]))


def platt(logits: Doubles, attack: Marks) -> tuple[float, float]:
    """Return slope and offset that turn logits into probabilities (Platt 1999), from rows that the fit had not seen."""
    solver = LogisticRegression(C=1e3, solver="lbfgs")
    solver.fit(logits.reshape(-1, 1), attack)
    return float(solver.coef_[0][0]), float(solver.intercept_[0])
