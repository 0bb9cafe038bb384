"""How far a rule can reach: how many characters of a text have to be there before it is settled what the rule finds at one place.

A stream is scanned before its end is known. What may go out then is what no later character can change, and that depends on the longest match
of each rule and on the context it asks for. A token of unbounded length counts as `RUN` characters: longer runs without a blank are looked
for in the text itself. Most rules then reach a few hundred characters. The few that reach further (a private key, a stack trace) begin
with words of their own: only where these stand is more held back. A rule that reaches far and begins with nothing of its own holds
everything back, for holding too much is slow and letting go too early is a leak.

Widths are read from the pattern with Python's own parser of regular expressions; nothing is ever matched with it.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from lockgate_workers.scanning.packs import Rule

NEAR: Final = 1_024
"""Rules that reach no further are simply waited for."""
RUN: Final = 256
"""Characters without a blank; a longer run in a text is waited for as a whole."""
FARTHEST: Final = 65_536
"""Of a pattern without an end so much is waited for; a longer match is not settled, and a stream that needs it is not let go."""
SHORTEST_OPENER: Final = 4

_PROPERTY: Final = re.compile(r"\\[pP](?:\{[^}]*\}|[A-Za-z])|\\[QEC]")
_ENDS: Final = re.compile(r"\\z")
_SCOPED: Final = re.compile(r"\(\?(?:[ims]+|[ims]*-[ims]+)\)")


@dataclass(frozen=True, slots=True)
class Far:
    """A rule that reaches beyond `NEAR`: the words it begins with, in lower case, and how many characters it may reach from there."""

    opener: str
    reach: int


@dataclass(frozen=True, slots=True)
class Reach:
    """``near`` characters settle every rule but those in ``far``."""

    near: int
    far: tuple[Far, ...]


def reach_of(rules: Iterable[Rule]) -> Reach:
    """The reach of a set of rules."""
    near = 0
    far: set[Far] = set()
    for rule in rules:
        width, opener = _measured(rule.pattern)
        reach = width + rule.window if rule.keywords or rule.unless else width
        if reach <= NEAR:
            near = max(near, reach)
        elif len(opener) >= SHORTEST_OPENER:
            far.add(Far(opener, reach))
        else:
            near = max(near, reach)
    return Reach(near, tuple(sorted(far, key=lambda one: (one.opener, one.reach))))


@lru_cache(maxsize=2_048)
def _measured(pattern: str) -> tuple[int, str]:
    """The longest match in characters (runs without a blank count as `RUN`), and the literal that every match begins with."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about another dialect than the one the pattern is written in
            parsed = re._parser.parse(_python(pattern))  # type: ignore[attr-defined] # noqa: SLF001 - the parser has no public name
        return _width(parsed)[0], "".join(_leading(parsed)).lower()
    except (re.error, OverflowError, RecursionError):
        return FARTHEST, ""  # not readable here: as far as any


def _python(pattern: str) -> str:
    """The same widths in Python's dialect."""
    return _SCOPED.sub("", _ENDS.sub(r"\\Z", _PROPERTY.sub(".", pattern)))


def _width(parsed: Iterable[Any]) -> tuple[int, bool]:
    """The most characters a sequence matches, and whether a blank may be among them."""
    total = stretch = 0
    blank = False
    for code, argument in parsed:
        width, may_be_blank = _element(str(code), argument)
        if may_be_blank:
            total, stretch, blank = total + min(stretch, RUN) + width, 0, True
        else:
            stretch += width
    return min(total + min(stretch, RUN), FARTHEST), blank


def _element(name: str, argument: Any) -> tuple[int, bool]:
    if name in {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}:
        _, most, inner = argument
        width, blank = _width(inner)
        total = min(width * int(most), FARTHEST)
        return (total, True) if blank else (min(total, RUN), False)
    if name == "SUBPATTERN":
        return _width(argument[3])
    if name == "BRANCH":
        widths = [_width(one) for one in argument[1]]
        return max(width for width, _ in widths), any(blank for _, blank in widths)
    return _single(name, argument)


def _single(name: str, argument: Any) -> tuple[int, bool]:
    if name == "AT":
        return 0, False
    if name == "IN":
        return 1, _may_be_blank(argument)
    if name == "LITERAL":
        return 1, chr(argument).isspace()
    return (1, True) if name in {"ANY", "NOT_LITERAL", "CATEGORY"} else (FARTHEST, True)


def _may_be_blank(items: Iterable[tuple[Any, Any]]) -> bool:
    negated, blank = False, False
    for code, argument in items:
        name = str(code)
        if name == "NEGATE":
            negated = True
        elif name == "CATEGORY":
            blank = blank or str(argument) in {"CATEGORY_SPACE", "CATEGORY_NOT_WORD", "CATEGORY_NOT_DIGIT"}
        else:
            first, last = argument if name == "RANGE" else (argument, argument)
            blank = blank or first <= ord(" ") <= last or first <= ord("\n") <= last or first <= ord("\t") <= last
    return not blank if negated else blank


def _leading(parsed: Iterable[Any]) -> Iterator[str]:
    for code, argument in parsed:
        name = str(code)
        if name == "LITERAL":
            yield chr(argument)
        elif name == "SUBPATTERN":
            inner = list(_leading(argument[3]))
            yield from inner
            if len(inner) != len(argument[3]):
                return
        elif name != "AT":
            return
