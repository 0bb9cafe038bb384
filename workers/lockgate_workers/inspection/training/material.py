"""What the weights are learned from, in one order: rows of a corpus, our own phrases, figures and forms, the library, the examples of rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from lockgate_workers.inspection.features import Places
from lockgate_workers.inspection.model import Doubles
from lockgate_workers.inspection.training.figures import FIGURES, figure_rows
from lockgate_workers.inspection.training.fit import Fitted, fit
from lockgate_workers.inspection.training.forms import FORMS, form_rows
from lockgate_workers.inspection.training.generator import Phrases
from lockgate_workers.inspection.training.instances import Instances, instances
from lockgate_workers.inspection.training.library import LIBRARY, library_rows
from lockgate_workers.inspection.training.manuals import MANUAL, manual_rows
from lockgate_workers.inspection.training.packages import PACKAGES, package_rows
from lockgate_workers.inspection.training.rows import CorpusRow
from lockgate_workers.scanning.engine import Scanner

EACH: Final = 5
"""Rows made of each phrase template; with none, the phrases are left out."""
OWN_WEIGHT: Final = 0.5
"""What a made row counts beside one of the corpus: they are many and alike."""
LIGHT_WEIGHT: Final = 0.1
"""What a piece of library code counts, or a table of figures: enough to let them pass. With more, commands and codes in attacks pass as well."""
DOCUMENT_WEIGHT: Final = 0.05
"""What a piece of documentation counts. With twice as much, orders that are written like a manual pass as well."""
FORM_WEIGHT: Final = 0.4
"""What a document of a form counts: there are few of each, and their build has little in common with attacks."""
_WEIGHTS: Final = {
    LIBRARY: LIGHT_WEIGHT,
    FIGURES: LIGHT_WEIGHT,
    FORMS: FORM_WEIGHT,
    MANUAL: DOCUMENT_WEIGHT,
    **{package.source: DOCUMENT_WEIGHT for package in PACKAGES},
}


@dataclass(frozen=True, slots=True)
class Material:
    """The rows (those of the corpus first), their instances, and the column of each rule."""

    rows: tuple[CorpusRow, ...]
    corpus: int
    data: Instances
    rules: dict[str, int]

    @property
    def attack(self) -> npt.NDArray[np.bool_]:
        """Which rows are attacks."""
        return np.array([row.attack for row in self.rows])

    @property
    def trainable(self) -> npt.NDArray[np.bool_]:
        """Which rows may be learned from."""
        return np.array([row.may_train for row in self.rows])

    @property
    def weights(self) -> Doubles:
        """What each row counts."""
        made = [_WEIGHTS.get(row.source, OWN_WEIGHT) for row in self.rows]
        return np.where(np.arange(len(self.rows)) < self.corpus, 1.0, np.array(made))

    def fitted(self, keep: npt.NDArray[np.bool_]) -> Fitted:
        """Learn from those of the rows in ``keep`` that may be learned from."""
        used = keep & self.trainable
        return fit(self.data.of(used), self.attack[used], self.weights[used])

    def crossed(self, parts: Places) -> Doubles:
        """Return the logits of the rows of the corpus, each from a fit without its part; rows with part -1 are never left out."""
        logits = np.zeros(len(self.rows))
        for one in np.unique(parts[parts >= 0]):
            away = parts == one
            logits[away] = self.fitted(~away).logits(self.data.of(away))
        return logits[: self.corpus]


def material(rows: Sequence[CorpusRow], scanner: Scanner, seed: int, *, each: int = EACH) -> Material:
    """Put together everything to learn from. Without phrases (``each`` is 0) there is nothing else that is made: none of it is of the corpus."""
    every = (*rows, *(_made(seed, each) if each else ()), *_examples(scanner))
    rules = {rule.id: index for index, rule in enumerate(sorted(scanner.rules, key=lambda one: one.id))}
    return Material(every, len(rows), instances([row.text for row in every], scanner, rules), rules)


def _made(seed: int, each: int) -> Iterator[CorpusRow]:
    yield from _phrases(seed, each)
    yield from figure_rows(seed)
    yield from form_rows(seed)
    yield from library_rows()
    yield from manual_rows()
    yield from package_rows()


def _phrases(seed: int, each: int) -> Iterator[CorpusRow]:
    for row in Phrases(seed).rows(each):
        label = "attack" if row.attack else "benign"
        yield CorpusRow(text=row.text, label=label, cls=row.cls, source=row.source, group=f"{row.source}:{row.group}")  # type: ignore[arg-type]


def _examples(scanner: Scanner) -> Iterator[CorpusRow]:
    """What the packs say their rules must and must not find."""
    for rule in scanner.rules:
        for text in rule.examples.match:
            yield CorpusRow(text=text, label="attack", cls="own_rules", source="own-rules", group=f"rule:{rule.id}")
        for text in rule.examples.skip:
            yield CorpusRow(text=text, label="benign", cls="own_rules", source="own-rules-skip", group=f"rule:{rule.id}")
