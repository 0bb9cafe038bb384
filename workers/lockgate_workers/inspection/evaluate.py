"""Measure the injection score: `python -m lockgate_workers.inspection.evaluate CORPUS`.

Groups of near-duplicates stay together, and thresholds are set on one half of them and measured on the other. Three tables:

- ``shipped``: the shipped weights on this corpus. Honest only for rows that they were not made from, so rows of their own corpus are
  shown by ``crossed`` instead.
- ``crossed``: every row by a fit that did not see its group (needs scikit-learn and the rows that may be learned from).
- ``unseen``: every row by a fit that did not see its source. Sources that may not be learned from are unseen by every fit: theirs saw
  all others.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from lockgate_workers.inspection.decide import InspectionDecision, InspectionOutcome, decide
from lockgate_workers.inspection.features import Places
from lockgate_workers.inspection.loading import load_scorer
from lockgate_workers.inspection.scoring import Scorer
from lockgate_workers.inspection.training.measures import Measured, Scores, by, measured
from lockgate_workers.inspection.training.rows import CorpusRow, part, read_corpus
from lockgate_workers.scanning.engine import Scanner
from lockgate_workers.scanning.loading import load_scanner

TABLES: Final = ("shipped", "crossed", "unseen")
_PARTS: Final = 3
_SOURCE_PARTS: Final = 4


def decisions(rows: Sequence[CorpusRow], scanner: Scanner, scorer: Scorer) -> list[InspectionDecision]:
    """Decide about every row as the gate does, with the shipped thresholds."""
    return [decide(row.text, scanner, scorer) for row in rows]


def crossed(rows: Sequence[CorpusRow], scanner: Scanner, seed: int, *, sources: bool) -> Scores:
    """Return scores by fits that saw neither a row's group nor, with ``sources``, its source."""
    from lockgate_workers.inspection.training.material import material  # noqa: PLC0415 - measuring shipped weights needs no scikit-learn

    everything = material(rows, scanner, seed)
    parts = np.full(len(everything.rows), -1, np.int64)
    parts[: len(rows)] = _source_parts(rows) if sources else [part(row, _PARTS, "fold") for row in rows]
    return everything.crossed(parts)


def _source_parts(rows: Sequence[CorpusRow]) -> Places:
    """Deal the sources out to parts; those that are never learned from have one of their own.

    A group that spans parts stands in one of them as a whole, so that no near-duplicate is learned from: in the part of those rows, if it
    has any, and else in that of its first row.
    """
    names = sorted({(row.label, row.source) for row in rows if row.may_train})
    place = {source: index % _SOURCE_PARTS for index, (_, source) in enumerate(names)}
    group = {_group(row): _SOURCE_PARTS for row in rows if not row.may_train}
    for row in rows:
        group.setdefault(_group(row), place.get(row.source, _SOURCE_PARTS))
    return np.array([group[_group(row)] for row in rows], np.int64)


def _group(row: CorpusRow) -> str:
    return row.group or row.text


def report(name: str, rows: Sequence[CorpusRow], found: Measured) -> str:
    """Return one table as text."""
    lines = [
        f"== {name}: {len(rows)} rows; thresholds set on one half of the groups, measured on the other",
        f"area under the curve: {found.area:.4f} against ordinary rows, {found.area_all:.4f} against all honest rows",
    ]
    for label, blocked in (("flagged", False), ("blocked", True)):
        ordinary = found.share(rows, lambda row: row.ordinary, blocked=blocked)
        attacks = found.share(rows, lambda row: row.attack, blocked=blocked)
        hard = found.share(rows, lambda row: row.hard, blocked=blocked)
        lines.append(f"{label}: ordinary {ordinary:.2%}, attacks {attacks:.1%}, hard negatives {hard:.2%}")
    for what, names in (
        ("class", by(rows, found.flagged, lambda row: row.cls)),
        ("source", by(rows, found.flagged, lambda row: f"{row.source}{'' if row.may_train else ' (never learned from)'}")),
    ):
        lines.append(f"-- flagged, by {what}")
        lines.extend(f"{share:8.1%} of {count:5}  {key}" for key, (share, count) in names.items())
    return "\n".join(lines)


def report_shipped(rows: Sequence[CorpusRow], found: Sequence[InspectionDecision]) -> str:
    """Return what the gate decides with the shipped thresholds."""
    lines = ["== the gate as it is shipped (thresholds of the data file, rules included)"]
    kinds = {
        "ordinary": [row.ordinary for row in rows],
        "attack": [row.attack for row in rows],
        "hard": [row.hard for row in rows],
    }
    for kind, chosen in kinds.items():
        of = [one.decision for one, keep in zip(found, chosen, strict=True) if keep]
        shares = {outcome: of.count(outcome) / max(len(of), 1) for outcome in InspectionOutcome}
        told = ", ".join(f"{outcome} {share:.2%}" for outcome, share in shares.items())
        lines.append(f"{kind:9} {len(of):5}: {told}")
    return "\n".join(lines)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--table", choices=TABLES, action="append", help="which to print (default: those that are honest here)")
    options = parser.parse_args()
    rows, digest = read_corpus(options.corpus)
    scanner, scorer = load_scanner("injection", evidence_key=b"evaluation"), load_scorer()
    learned_from = digest == scorer.corpus
    for table in options.table or (("crossed", "unseen") if learned_from else ("shipped",)):
        if table == "shipped":
            found = decisions(rows, scanner, scorer)
            note = " (learned from: not an honest figure)" if learned_from else ""
            sys.stdout.write(report_shipped(rows, found) + "\n")
            sys.stdout.write(report(f"shipped{note}", rows, measured(rows, np.array([one.score for one in found]))) + "\n")
        else:
            scores = crossed(rows, scanner, scorer.seed, sources=table == "unseen")
            sys.stdout.write(report(table, rows, measured(rows, scores)) + "\n")


if __name__ == "__main__":
    main()
