"""Make the weights of the injection model: `python -m lockgate_workers.inspection.train CORPUS --out FOLDER`.

Learns from the rows of the corpus that may be learned from, from our own phrases and from the examples of the rules; calibrates the
score and sets the thresholds on scores of rows that were left out in turn; and writes weights, thresholds and the list of sources.
The same corpus gives the same bytes. Needs scikit-learn, which the gateway itself does not.
"""

from __future__ import annotations

import argparse
import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from lockgate_workers.inspection.loading import SOURCES, THRESHOLDS, WEIGHTS
from lockgate_workers.inspection.model import Doubles, Header, encode
from lockgate_workers.inspection.structure import NAMES
from lockgate_workers.inspection.thresholds import Calibrated
from lockgate_workers.inspection.training.fit import Fitted, platt
from lockgate_workers.inspection.training.instances import STRUCTURE
from lockgate_workers.inspection.training.material import EACH, Material, material
from lockgate_workers.inspection.training.measures import BLOCK_RATE, FLAG_RATE, HARD_RATE, Marks, sure_threshold, threshold
from lockgate_workers.inspection.training.rows import CorpusRow, part, read_corpus
from lockgate_workers.scanning.engine import Scanner
from lockgate_workers.scanning.loading import load_scanner

SEED: Final = 1
PARTS: Final = 3


def trained(
    rows: Sequence[CorpusRow], digest: str, scanner: Scanner, seed: int = SEED, *, each: int = EACH
) -> dict[str, bytes]:
    """Return the files by name. ``digest`` identifies the corpus, ``scanner`` has the rules."""
    everything = material(rows, scanner, seed, each=each)
    parts = np.full(len(everything.rows), -1, np.int64)
    parts[: len(rows)] = [part(row, PARTS, "fold") for row in rows]
    crossed = everything.crossed(parts)
    slope, offset = platt(*_learned_from(rows, crossed))
    fitted = everything.fitted(np.ones(len(everything.rows), np.bool_))
    weights = encode(_header(everything, fitted, (slope, offset), digest, seed), fitted.grams)
    scores = 1.0 / (1.0 + np.exp(-(slope * crossed + offset)))
    figures = calibrated(rows, scores, hashlib.sha256(weights).hexdigest())
    pretty = msgspec.json.format(msgspec.json.encode(figures), indent=2) + b"\n"
    return {WEIGHTS: weights, THRESHOLDS: pretty, SOURCES: _sources(everything)}


def calibrated(rows: Sequence[CorpusRow], scores: Doubles, weights: str) -> Calibrated:
    """Set both thresholds on the ordinary rows, the one for flags on the hard negatives as well, and say what they find."""
    ordinary, attack, hard = (
        np.array(which) for which in zip(*((row.ordinary, row.attack, row.hard) for row in rows), strict=True)
    )
    flag, block = threshold(scores[ordinary], FLAG_RATE), sure_threshold(scores[ordinary], BLOCK_RATE)
    if hard.any():
        flag = max(flag, threshold(scores[hard], HARD_RATE))

    def share(over: float, of: Marks) -> float:
        return round(float((scores[of] >= over).mean()), 4) if of.any() else 0.0

    return Calibrated(
        weights=weights,
        flag=round(flag, 6),
        block=round(max(flag, block), 6),
        ordinary=int(ordinary.sum()),
        ordinary_flagged=share(flag, ordinary),
        ordinary_blocked=share(block, ordinary),
        attacks=int(attack.sum()),
        attacks_flagged=share(flag, attack),
        attacks_blocked=share(block, attack),
        hard_negatives=int(hard.sum()),
        hard_negatives_flagged=share(flag, hard),
    )


def _learned_from(rows: Sequence[CorpusRow], logits: Doubles) -> tuple[Doubles, Marks]:
    keep = np.array([row.may_train for row in rows])
    return logits[keep], np.array([row.attack for row in rows])[keep]


def _header(everything: Material, fitted: Fitted, scale: tuple[float, float], digest: str, seed: int) -> Header:
    rules = {name: round(float(fitted.about[column]), 5) for name, column in everything.rules.items()}
    built = fitted.about[len(everything.rules) :] * STRUCTURE
    return Header(
        intercept=round(fitted.intercept, 6),
        slope=round(scale[0], 6),
        offset=round(scale[1], 6),
        structure={name: round(float(value), 5) for name, value in zip(NAMES, built, strict=True)},
        rules=rules,
        corpus=digest,
        seed=seed,
    )


def _sources(everything: Material) -> bytes:
    """List what was learned from: source, licence, label and how many rows."""
    used = Counter((row.source, row.licence, row.label) for row in everything.rows if row.may_train)
    listed = [
        {"source": one, "licence": two, "label": three, "rows": count} for (one, two, three), count in sorted(used.items())
    ]
    return msgspec.json.format(msgspec.json.encode(listed), indent=1) + b"\n"


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    rows, digest = read_corpus(options.corpus)
    scanner = load_scanner("injection", evidence_key=b"training")
    options.out.mkdir(parents=True, exist_ok=True)
    for name, data in trained(rows, digest, scanner, options.seed).items():
        (options.out / name).write_bytes(data)


if __name__ == "__main__":
    main()
