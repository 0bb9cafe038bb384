"""What the injection score is worth on a corpus, as tables. The measuring itself is `lockgate_workers.inspection.evaluate`.

On the corpus that the weights were learned from every row is scored by a fit that did not see its group (*held out*), and once more by one that
did not see its source (*source unseen*); that needs scikit-learn. On any other corpus the shipped weights score.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from math import isnan
from pathlib import Path
from typing import Any, Final

import numpy as np

from lockgate_cli.bench.content_report import Part, Table, at_least, at_most, percent, with_interval
from lockgate_cli.bench.report import Target
from lockgate_workers.inspection.decide import InspectionDecision, InspectionOutcome
from lockgate_workers.inspection.evaluate import crossed, decisions
from lockgate_workers.inspection.loading import load_scorer
from lockgate_workers.inspection.training.measures import Measured, measured
from lockgate_workers.inspection.training.rows import CorpusRow, read_corpus
from lockgate_workers.scanning.loading import load_scanner

AREA: Final = 0.95
ATTACKS: Final = 0.65
HARD: Final = 0.03
BLOCKED: Final = 0.002
"""What is asked for: area under the curve; attacks found and hard negatives flagged, where 1 % of the ordinary is; ordinary messages blocked."""

NO_LEARNING: Final = "held-out scores, because scikit-learn is not installed: the shipped weights learned from this corpus, so what they find here says nothing"
_KINDS: Final[tuple[tuple[str, Callable[[CorpusRow], bool]], ...]] = (
    ("ordinary", lambda row: row.ordinary),
    ("attacks", lambda row: row.attack),
    ("hard negatives", lambda row: row.hard),
)


def injection_accuracy(path: Path, told: Callable[[str], None] = lambda _: None) -> Part:
    """Measure on a corpus. ``told`` hears what comes next.

    Raises:
        ConfigurationError: the corpus is not usable.
    """
    rows, digest = read_corpus(path)
    scanner, scorer = load_scanner("injection", evidence_key=b"measured, and thrown away"), load_scorer()
    told("the injection gate as it is shipped")
    decided = decisions(rows, scanner, scorer)
    views: dict[str, Measured] = {}
    skipped = []
    if digest != scorer.corpus:
        views["shipped weights"] = measured(rows, np.array([one.score for one in decided]))
    elif find_spec("sklearn") is None:
        skipped.append(NO_LEARNING)
    else:
        for name, sources in (("held out", False), ("source unseen", True)):
            told(f"injection, {name}")
            views[name] = measured(rows, crossed(rows, scanner, scorer.seed, sources=sources))
    learned = digest == scorer.corpus
    return _part(rows, decided, views, learned=learned, skipped=tuple(skipped))


def _part(
    rows: Sequence[CorpusRow],
    decided: Sequence[InspectionDecision],
    views: dict[str, Measured],
    *,
    learned: bool,
    skipped: tuple[str, ...],
) -> Part:
    tables = [
        _overview(rows, views),
        *(_by(rows, name, found) for name, found in views.items()),
        _shipped(rows, decided, learned),
    ]
    return Part(
        name="injection",
        tables=tuple(one for one in tables if one.rows),
        targets=_targets(rows, decided, views, learned=learned),
        figures={name: _figures(rows, found) for name, found in views.items()}
        | {"decided": {kind: _outcomes(rows, decided, of) for kind, of in _KINDS}},
        skipped=skipped,
    )


def _targets(
    rows: Sequence[CorpusRow], decided: Sequence[InspectionDecision], views: dict[str, Measured], *, learned: bool
) -> tuple[Target, ...]:
    """Those of the first view; the others are there to see what is new to it. What a corpus has no rows for is no target."""
    if not views:
        return ()
    name, found = next(iter(views.items()))
    hard, ordinary = found.share(rows, _KINDS[2][1]), found.share(rows, _KINDS[0][1], blocked=True)
    if not learned:
        outcomes = _outcomes(rows, decided, _KINDS[0][1])
        ordinary = outcomes["block"] / max(sum(outcomes.values()), 1)
    aims = (
        at_least(f"injection, {name}: area under the curve", found.area, AREA),
        at_least(
            f"injection, {name}: attacks, at 1 % of the ordinary", found.share(rows, _KINDS[1][1]), ATTACKS, f"{ATTACKS:.0%}"
        ),
        at_most(f"injection, {name}: hard negatives, at 1 % of the ordinary", hard, HARD, f"{HARD:.0%}"),
        at_most(f"injection, {name}: ordinary messages blocked", ordinary, BLOCKED, f"{BLOCKED:.1%}"),
    )
    return tuple(one for one in aims if not isnan(one.value))


def _overview(rows: Sequence[CorpusRow], views: dict[str, Measured]) -> Table:
    lines = []
    for name, found in views.items():
        shares = [percent(found.share(rows, of, blocked=blocked)) for blocked in (False, True) for _, of in _KINDS]
        lines.append((name, f"{found.area:.3f}", f"{found.area_all:.3f}", *shares))
    return Table(
        "Injection: the score",
        (
            "Scores",
            "Area",
            "Area, all honest",
            "Ordinary flagged",
            "Attacks flagged",
            "Hard negatives flagged",
            "Ordinary blocked",
            "Attacks blocked",
            "Hard negatives blocked",
        ),
        tuple(lines),
        "Near-duplicates stand on one side of every split; thresholds are set on one half of the groups and measured on the other.",
    )


def _by(rows: Sequence[CorpusRow], name: str, found: Measured) -> Table:
    groups: dict[tuple[str, str], list[int]] = {}
    for row, flagged, blocked in zip(rows, found.flagged, found.blocked, strict=True):
        key = _source(row) if name == "source unseen" else row.cls
        counts = groups.setdefault((row.label, key), [0, 0, 0])
        for place, one in enumerate((1, int(flagged), int(blocked))):
            counts[place] += one
    lines = tuple(
        (label, key, str(count), with_interval(flagged, count), percent(blocked / count))
        for (label, key), (count, flagged, blocked) in sorted(groups.items())
    )
    what = "source" if name == "source unseen" else "class"
    return Table(f"Injection, {name}: by {what}", ("Rows are", what.capitalize(), "Rows", "Flagged (95 %)", "Blocked"), lines)


def _source(row: CorpusRow) -> str:
    return row.source if row.may_train else f"{row.source} (never learned from)"


def _shipped(rows: Sequence[CorpusRow], decided: Sequence[InspectionDecision], learned: bool) -> Table:  # noqa: FBT001 - a fact about the corpus
    lines = []
    for kind, of in _KINDS:
        counts = _outcomes(rows, decided, of)
        total = sum(counts.values())
        lines.append((kind, str(total), *(with_interval(counts[str(one)], total) for one in InspectionOutcome)))
    note = (
        "The shipped weights learned from most of these rows, so this says what the gate does and not how good it is."
        if learned
        else ""
    )
    return Table("Injection: the gate as it is shipped", ("Rows are", "Rows", *InspectionOutcome), tuple(lines), note)


def _outcomes(
    rows: Sequence[CorpusRow], decided: Sequence[InspectionDecision], of: Callable[[CorpusRow], bool]
) -> dict[str, int]:
    chosen = [one.decision for row, one in zip(rows, decided, strict=True) if of(row)]
    return {str(outcome): chosen.count(outcome) for outcome in InspectionOutcome}


def _figures(rows: Sequence[CorpusRow], found: Measured) -> dict[str, Any]:
    shares = {
        f"{kind} {'blocked' if blocked else 'flagged'}": found.share(rows, of, blocked=blocked)
        for kind, of in _KINDS
        for blocked in (False, True)
    }
    return {"area": found.area, "area_all": found.area_all, **shares}
