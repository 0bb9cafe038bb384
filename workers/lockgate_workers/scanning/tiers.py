"""Which of the gate's passes a rule belongs to, read off the rule. Pure.

One database over all rules would be the simplest gate, and with a few hundred of them it is slow: patterns without a fixed word in them
(numbers, codes) cost each for itself, on every byte, and compiling them together takes many times as long as apart (measured: 235 rules
together 10 s and 17 MB/s, in tiers 2 s and 30 to 70 MB/s). So:

- ``WORDS``: a rule that asks for words beside a pattern without a fixed part. The words are the gate: all of them go through Hyperscan's
  matcher of plain words, and the rule is looked at where one of its words stands in the text.
- ``DIGITS``: a rule whose every match has two digits together (`digit_runs`). Its database sees only texts in which so many stand together.
- ``WHOLE``: a rule about a text that is nothing but the one thing, of a bounded length. Its database sees what short texts are among.
- ``TEXT``: everything else. Its database sees every text.

Nothing a rule can find is lost by it: each tier's condition holds wherever the rule's pattern and keywords do.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from enum import Enum
from functools import lru_cache
from typing import Any, Final

from lockgate_workers.scanning.digit_runs import least_run
from lockgate_workers.scanning.extent import is_absolute, longest
from lockgate_workers.scanning.packs import Rule

FIXED: Final = 3
"""So many fixed characters in every match make a pattern cheap to look for."""
TOGETHER: Final = 2
MOST_WHOLE: Final = 256
"""Characters of a text that may be, as a whole, the one thing a rule is about."""

_REPEATS: Final = frozenset({"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"})
_PROPERTY: Final = re.compile(r"\\[pP](?:\{[^}]*\}|[A-Za-z])|\\[QEC]")
_SCOPED: Final = re.compile(r"\(\?[a-zA-Z\-]+\)")


class Tier(Enum):
    """See the module."""

    TEXT = "text"
    WORDS = "words"
    DIGITS = "digits"
    WHOLE = "whole"


def tier_of(rule: Rule) -> Tier:
    """The tier of a rule; ``TEXT``, which is always right, where its pattern cannot be read here."""
    if _is_whole(rule):
        return Tier.WHOLE
    fixed, digits = _measured(rule.pattern)
    if rule.keywords and fixed < FIXED:
        return Tier.WORDS
    return Tier.DIGITS if digits >= TOGETHER and fixed < FIXED else Tier.TEXT


def digits_of(rule: Rule) -> int:
    """How many digits stand together in every match of a rule, at least."""
    return _measured(rule.pattern)[1]


def parsed(pattern: str) -> Any:
    """A pattern (RE2 syntax) as Python's own parser of regular expressions reads it, for what does not depend on the dialect.

    Raises:
        re.error: the parser does not read it.
    """
    plain = _SCOPED.sub("", _PROPERTY.sub(".", pattern)).replace(r"\z", r"\Z")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about another dialect than the one the pattern is written in
        return re._parser.parse(plain)  # type: ignore[attr-defined] # noqa: SLF001 - the parser has no public name


def _is_whole(rule: Rule) -> bool:
    r"""Whether a pattern begins with ``\A`` and ends with ``\z``, outside of any bracket, and is no longer than `MOST_WHOLE`."""
    pattern = rule.pattern
    if not (pattern.startswith(r"\A") and pattern.endswith(r"\z") and is_absolute(pattern)):
        return False
    width = longest(pattern)
    return width is not None and width <= MOST_WHOLE and not _splits(pattern)


def _splits(pattern: str) -> bool:
    """Whether there is an alternative at the outermost level: then the ends belong to one of them each."""
    try:
        return any(str(code) == "BRANCH" for code, _ in parsed(pattern))
    except (re.error, OverflowError, RecursionError):
        return True


@lru_cache(maxsize=4_096)
def _measured(pattern: str) -> tuple[int, int]:
    """How many fixed characters stand side by side in every match, and how many digits together."""
    try:
        tree = parsed(pattern)
        return _side_by_side(tree), least_run(tree)
    except (re.error, OverflowError, RecursionError):
        return FIXED, 0


def _side_by_side(tree: Iterable[tuple[Any, Any]]) -> int:
    """The most fixed characters that stand side by side in every match."""
    best = current = 0
    for code, argument in tree:
        name = str(code)
        if name == "AT":
            continue
        if _is_fixed(name, argument):
            current += 1
            continue
        run = _repeated(name, argument)
        if run is not None:  # one character again and again: also an optional one does not part what stands beside it
            current += run
            continue
        best, current = max(best, current, _inside(name, argument)), 0
    return max(best, current)


def _repeated(name: str, argument: Any) -> int | None:
    """How often at least a repetition of a single fixed character stands there; None for anything else."""
    if name not in _REPEATS or len(argument[2]) != 1:
        return None
    code, inner = argument[2][0]
    return int(argument[0]) if _is_fixed(str(code), inner) else None


def _inside(name: str, argument: Any) -> int:
    """The count inside an element with parts, if it has to stand there at all."""
    if name in _REPEATS:
        return _side_by_side(argument[2]) if argument[0] else 0
    if name == "SUBPATTERN":
        return _side_by_side(argument[3])
    if name == "BRANCH":
        return min(_side_by_side(one) for one in argument[1])
    return 0


def _is_fixed(name: str, argument: Any) -> bool:
    return name == "LITERAL" and not 0x30 <= argument <= 0x39  # noqa: PLR2004 - the digits
