"""The fit: logistic regression over windows, in two rounds. Deterministic: the same instances in the same order give the same numbers.

Which window of an attack is the attack is not known. The first round takes each text as a whole; the second takes of each attack the
window that the first found worst, and of each honest text also those that looked most like an attack.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse  # type: ignore[import-untyped]
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]

from lockgate_workers.inspection.features import BUCKETS, Places
from lockgate_workers.inspection.training.instances import Floats, Instances

REGULARISATION = 10.0
"""The inverse strength (scikit-learn's C), chosen by sources that were left out."""
_TOLERANCE = 1e-2

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fitted:
    """The coefficients: one a bucket, one for each column about the text, and the intercept."""

    grams: Floats
    about: Floats
    intercept: float

    def logits(self, data: Instances) -> Doubles:
        """Return the logit of each text: its worst window, and what is said about it as a whole."""
        worst = np.full(len(data.about), -1e9)
        np.maximum.at(worst, data.owner, data.grams @ self.grams)
        return np.asarray(worst + data.about @ self.about + self.intercept, np.float64)


def fit(data: Instances, attack: npt.NDArray[np.bool_], weight: Doubles) -> Fitted:
    """Learn to tell ``attack`` texts from the others; ``weight`` is how much each text counts."""
    whole = np.searchsorted(data.owner, np.arange(len(attack)))
    first = _solved(data, whole, attack, weight)
    worst, second = _worst_two(data.owner, data.grams @ first.grams)
    honest = ~attack
    chosen = np.union1d(worst, np.union1d(whole[honest], second[honest]))
    return _solved(data, chosen, attack, weight)


def _worst_two(owner: Places, values: Floats) -> tuple[Places, Places]:
    """Return, for each text, the window with the highest value and the one after it (the same, where there is only one)."""
    order = np.lexsort((values, owner))
    last = np.flatnonzero(np.append(np.diff(owner[order]), 1))
    before = np.maximum(last - 1, 0)
    same = owner[order[before]] == owner[order[last]]
    return order[last], order[np.where(same, before, last)]


def _solved(data: Instances, chosen: Places, attack: npt.NDArray[np.bool_], weight: Doubles) -> Fitted:
    owner = data.owner[chosen]
    matrix = sparse.hstack((data.grams[chosen], sparse.csr_matrix(data.about[owner])), format="csr")
    shared = weight[owner] / np.sqrt(np.bincount(owner, minlength=len(attack))[owner])
    used = np.unique(matrix.indices)  # most buckets are empty in a small corpus, and cost the solver as much as the others
    solver = LogisticRegression(C=REGULARISATION, solver="liblinear", tol=_TOLERANCE, random_state=0)
    solver.fit(matrix[:, used], attack[owner], sample_weight=shared)
    coefficients = np.zeros(matrix.shape[1], np.float32)
    coefficients[used] = solver.coef_[0]
    return Fitted(coefficients[:BUCKETS], coefficients[BUCKETS:], float(solver.intercept_[0]))


def platt(logits: Doubles, attack: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Return slope and offset that turn logits into probabilities (Platt 1999), from rows that the fit had not seen."""
    solver = LogisticRegression(C=1e3, solver="lbfgs")
    solver.fit(logits.reshape(-1, 1), attack)
    return float(solver.coef_[0][0]), float(solver.intercept_[0])
