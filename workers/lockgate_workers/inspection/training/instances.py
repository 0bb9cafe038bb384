"""Texts as the fit sees them: every window of every reading as a sparse row, and what is said about the text as a whole.

The numbers are those of `model`, so that what is learned is what is applied: counts divided by the root of how many n-grams of the
family the window has; then one column for each rule that may hit and for each number of `structure`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse  # type: ignore[import-untyped]

from lockgate_workers.inspection.features import BUCKETS, Grams, Places, blocks
from lockgate_workers.inspection.readings import readings
from lockgate_workers.inspection.structure import NAMES, structure
from lockgate_workers.inspection.windows import windows
from lockgate_workers.scanning.engine import Scanner

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Instances:
    """``grams`` has a row for each window, ``owner`` says of which text; ``about`` has a row for each text: rules, then structure."""

    grams: Any
    owner: Places
    about: Floats

    def of(self, keep: npt.NDArray[np.bool_]) -> Instances:
        """Return those of some of the texts, numbered anew."""
        windows_kept = keep[self.owner]
        numbers = np.cumsum(keep) - 1
        return Instances(self.grams[windows_kept], numbers[self.owner[windows_kept]], self.about[keep])


def instances(texts: Sequence[str], scanner: Scanner, rules: Mapping[str, int]) -> Instances:
    """Return the instances of texts. ``rules`` gives each rule its column."""
    about = np.zeros((len(texts), len(rules) + len(NAMES)), np.float32)
    owner, sizes, places, values = [], [0], [np.zeros(0, np.int64)], [np.zeros(0, np.float32)]
    for index, text in enumerate(texts):
        read = readings(text)
        for finding in scanner.scan(text).findings:
            about[index, rules[finding.rule]] = 1.0
        about[index, len(rules) :] = structure(read[0]) * STRUCTURE
        for buckets, counts in (row for one in read for grams in blocks(one) for row in _rows(grams)):
            owner.append(index)
            sizes.append(sizes[-1] + len(buckets))
            places.append(buckets)
            values.append(counts)
    shape = (len(owner), BUCKETS)
    matrix = sparse.csr_matrix((np.concatenate(values), np.concatenate(places), np.array(sizes)), shape=shape)
    matrix.sum_duplicates()
    return Instances(matrix, np.array(owner, np.int64), about)


STRUCTURE = 0.5
"""How large the numbers of the structure are beside the rest: a smaller column is regularised more."""


def _rows(grams: Grams) -> Iterator[tuple[Places, Floats]]:
    starts, ends = windows(grams)
    words = zip(np.searchsorted(grams.starts, starts), np.searchsorted(grams.starts, ends), strict=True)
    for (first, last), start, end in zip(words, starts, ends, strict=True):
        rows = _counted(grams.words, first, last), _counted(grams.characters, start, end)
        yield np.concatenate([buckets for buckets, _ in rows]), np.concatenate([counts for _, counts in rows])


def _counted(families: Sequence[Places], first: np.int64, last: np.int64) -> tuple[Places, Floats]:
    found = np.concatenate([buckets[first:last] for buckets in families])
    buckets, counts = np.unique(found, return_counts=True)
    return buckets, (counts / np.sqrt(max(len(found), 1))).astype(np.float32)
