"""How often the gates take honest text for something else: documentation and code on which no rule was tuned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from lockgate_workers.inspection.decide import InspectionOutcome, decide
from lockgate_workers.inspection.scoring import Scorer
from lockgate_workers.scanning.engine import Scanner

MOST: Final = 0.001
"""Pieces that would be changed or withheld, at most."""
ADDRESSES: Final = frozenset({"email", "email-spelled"})
"""What these find in a package's metadata or licence is there: the address of an author. Such a piece is counted, and is no false positive."""


@dataclass(slots=True)
class Clean:
    """Counts over pieces. ``changed`` leaves out those in which there is nothing but addresses of people, which are ``addressed``.

    ``rules`` are those that changed a piece, ``kinds`` what they are about, ``decided`` what flagged or blocked one as a request.
    """

    pieces: int = 0
    changed: int = 0
    addressed: int = 0
    noted: int = 0
    flagged: int = 0
    blocked: int = 0
    refused: int = 0
    rules: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    decided: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)


def counted(
    pieces: Iterable[tuple[str, str]], dlp: Scanner, injection: Scanner, scorer: Scorer, told: Callable[[], None]
) -> dict[str, Clean]:
    """Scan each piece with both gates; counts by the kind of file. ``told`` is called after each."""
    found: dict[str, Clean] = {}
    for kind, text in pieces:
        _count(found.setdefault(kind, Clean()), text, dlp, injection, scorer)
        told()
    return found


def _count(clean: Clean, text: str, dlp: Scanner, injection: Scanner, scorer: Scorer) -> None:
    result = dlp.scan(text)
    withheld = {one.rule: one for one in result.findings if not one.action.passes}
    others = withheld.keys() - ADDRESSES
    clean.pieces += 1
    clean.refused += result.refusal is not None
    clean.changed += bool(others) or result.refusal is not None
    clean.addressed += bool(withheld) and not others
    clean.noted += any(one.action.passes for one in result.findings)
    clean.rules.update(others)
    clean.kinds.update({withheld[rule].category.value for rule in others})
    for rule in others:
        one = withheld[rule]
        clean.examples.setdefault(rule, text[max(0, one.start - 40) : one.end + 10])
    decision = decide(text, injection, scorer)
    clean.flagged += decision.decision is InspectionOutcome.FLAG
    clean.blocked += decision.decision is InspectionOutcome.BLOCK
    if decision.decision is not InspectionOutcome.PASS:
        clean.decided[f"{decision.rule} ({decision.decision})"] += 1
