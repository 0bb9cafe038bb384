"""The linear model: weights in one file, and the logit of a text. Pure.

The file is one line of magic, one line of JSON (what the numbers mean), and the table of `features.BUCKETS` weights in half precision.
A window's score is the sum over its n-grams, each family divided by the square root of how many there are. A text's logit is `pooled`
from the scores of its windows, plus what its build (`structure`) and the rules that hit are worth. `Model.probability` turns it into the calibrated score. A file that is not
exactly this is refused: a gate with other weights than those that were measured is not the gate that was measured.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec
import numpy as np
import numpy.typing as npt

from lockgate_schemas.errors import ConfigurationError
from lockgate_workers.inspection.features import BUCKETS, Grams, Places, blocks
from lockgate_workers.inspection.structure import NAMES, structure
from lockgate_workers.inspection.windows import windows

MAGIC: Final = b"lockgate-injection-weights 3\n"
_TABLE_BYTES: Final = 2 * BUCKETS
_MOST_HEADER: Final = 65_536
_MOST_LOGIT: Final = 60.0
TENOR: Final = 0.5
"""What the mean of all windows counts beside the worst of them: one odd sentence in a long honest text is less than the same alone."""
LEAST_TENOR: Final = -0.5
"""The lowest mean that counts. Most honest texts lie below it, so that more of them around an attack buys it no more than one does."""

Weights = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Finite = Annotated[float, msgspec.Meta(ge=-1e6, le=1e6)]


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What goes with the table. ``slope`` and ``offset`` calibrate the logit (Platt); ``corpus`` is the digest of what was learned from."""

    intercept: Finite
    slope: Finite
    offset: Finite
    structure: dict[str, Finite]
    rules: dict[str, Finite]
    corpus: str
    seed: int


@dataclass(frozen=True, slots=True)
class Model:
    """Weights, ready to be used; shared between threads. ``digest`` is that of the file."""

    header: Header
    table: Weights
    structure: Weights
    digest: str

    def logit(self, readings: Sequence[str], rules: Collection[str]) -> float:
        """Return the raw score of a text in its readings (the first is the plainest), of which ``rules`` hit."""
        if not readings or not readings[0]:
            return -_MOST_LOGIT
        scores = np.concatenate([self._scores(grams) for text in readings for grams in blocks(text)])
        built = float(structure(readings[0]) @ self.structure)
        return (
            float(pooled(scores.max(), scores.mean()))
            + built
            + sum(self.header.rules.get(rule, 0.0) for rule in rules)
            + self.header.intercept
        )

    def probability(self, logit: float) -> float:
        """Return the calibrated score, from 0 to 1."""
        value = self.header.slope * logit + self.header.offset
        return 1.0 / (1.0 + math.exp(-max(-_MOST_LOGIT, min(_MOST_LOGIT, value))))

    def _scores(self, grams: Grams) -> Doubles:
        """Return the score of each window. Sums over windows are differences of running sums."""
        starts, ends = windows(grams)
        words = self._sums(grams.words, np.searchsorted(grams.starts, starts), np.searchsorted(grams.starts, ends))
        return words + self._sums(grams.characters, starts, ends)

    def _sums(self, families: Sequence[Places], first: Places, last: Places) -> Doubles:
        """Return the sums over windows of words or of characters, at which n-grams are counted where they begin."""
        size = len(families[0])
        running, count = np.zeros(size + 1), np.zeros(len(first), np.int64)
        for buckets in families:
            running[1 : len(buckets) + 1] += self.table.take(buckets)
            count += np.minimum(last, len(buckets)) - np.minimum(first, len(buckets))
        np.cumsum(running, out=running)
        return (running[np.minimum(last, size)] - running[np.minimum(first, size)]) / np.sqrt(np.maximum(count, 1))


def pooled(worst: Doubles, mean: Doubles) -> Doubles:
    """Return what the windows of texts say together, from the worst and the mean of each text's scores."""
    return worst + TENOR * np.maximum(mean, LEAST_TENOR)


def encode(header: Header, table: Weights) -> bytes:
    """Return the bytes of a weights file."""
    return MAGIC + msgspec.json.encode(header, order="deterministic") + b"\n" + table.astype("<f2").tobytes()


def decode(data: bytes) -> Model:
    """Read a weights file.

    Raises:
        ConfigurationError: it is not one, or not whole.
    """
    head, table = _parts(data)
    try:
        header = msgspec.json.decode(head, type=Header)
    except msgspec.MsgspecError as error:
        raise ConfigurationError(f"the injection weights have a header that cannot be read: {error}") from error
    if set(header.structure) != set(NAMES):
        raise ConfigurationError("the injection weights were made for other features: train them again")
    weights = np.frombuffer(table, "<f2").astype(np.float32)
    if not np.isfinite(weights).all() or not weights.any():
        raise ConfigurationError("the injection weights hold no usable numbers")
    built = np.array([header.structure[name] for name in NAMES], np.float32)
    return Model(header, weights, built, hashlib.sha256(data).hexdigest())


def _parts(data: bytes) -> Iterator[bytes]:
    head_end = data.find(b"\n", len(MAGIC), len(MAGIC) + _MOST_HEADER)
    if not data.startswith(MAGIC) or head_end < 0 or len(data) != head_end + 1 + _TABLE_BYTES:
        raise ConfigurationError("the injection weights are not a whole weights file of this version")
    return iter((data[len(MAGIC) : head_end], data[head_end + 1 :]))
