"""What a pattern becomes before Hyperscan compiles it: one or several expressions that hold wherever it does, and cost less. Pure.

The first pass may say that a rule holds where it does not, never the other way round. So bounds that only make a match smaller are
dropped, and what one expression would make slow is said in several. Which expressions lie in which database is left to `gate`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_LONG_HEAD: Final = 4
_WAYS_TOGETHER: Final = 24
"""So many words, one of which an expression begins with, are looked for as words. Of twice as many Hyperscan makes one slow machine (measured)."""
_MOST_REPEATS: Final = 16
_ALTERNATIVES: Final = re.compile(
    r"(?P<edge>\\b)?\(\?:(?P<words>(?:[A-Za-z0-9_:;=/~@<>'\"!%,`|-]|\\[^A-Za-z0-9|])+)\)(?P<end>\(\?:\\b\|_\))?"
)
_WIDENED: Final = re.compile(
    r"\\[xpP]\{[^}]*\}|\\."  # an escape, which may have braces of its own
    r"|\[\^?\]?(?:\\.|[^\]\\])*\]"  # a class, in which braces are characters
    r"|\{(?P<least>\d+)(?P<range>,(?P<most>\d*))?\}",
    re.DOTALL,
)
_ESCAPED: Final = re.compile(r"\\(.)")
_ONE_WAY: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|[^\\\[\]()|]", re.DOTALL)


def expressions(pattern: str) -> Iterator[str]:
    """Yield expressions one of which holds wherever ``pattern`` does, on whichever line of many texts that stand together."""
    for way in _split(_by_line(pattern)):
        yield widened(way)


def _split(pattern: str) -> Iterator[str]:
    """A pattern that begins with one of many words becomes several, with some of the words each."""
    if not pattern.startswith("(?:") or r"\Q" in pattern:
        yield pattern
        return
    ways, end = _ways(pattern, len("(?:"))
    if len(ways) <= _WAYS_TOGETHER or not pattern.startswith(")", end) or pattern[end + 1 : end + 2] in {"*", "+", "?", "{"}:
        yield pattern
        return
    for at in range(0, len(ways), _WAYS_TOGETHER):
        yield f"(?:{'|'.join(ways[at : at + _WAYS_TOGETHER])}{pattern[end:]}"


def _ways(pattern: str, position: int) -> tuple[list[str], int]:
    """The ways of a group from ``position`` on, and where they end: at its bracket, if there is no bracket inside of it."""
    ways, begin = [], position
    while position < len(pattern):
        if pattern[position] == "|":
            ways.append(pattern[begin:position])
            begin = position = position + 1
            continue
        found = _ONE_WAY.match(pattern, position)
        if found is None:
            break
        position = found.end()
    return [*ways, pattern[begin:position]], position


def parted(sign: str) -> tuple[str, frozenset[str]]:
    """A sign as a pattern and plain words, one of which holds wherever the sign does: words in a pattern cost ten times as much.

    Where a word has to begin or end is not asked for any more, so short ones, which stand inside of ordinary words, stay in the pattern.
    """
    found = _ALTERNATIVES.fullmatch(sign)
    if found is None:
        return sign, frozenset()
    plain = {word: _ESCAPED.sub(r"\1", word) for word in found["words"].split("|")}
    short = "|".join(word for word, letters in plain.items() if len(letters) < _LONG_HEAD)
    pattern = f"{found['edge'] or ''}(?:{short}){found['end'] or ''}" if short else ""
    return pattern, frozenset(letters for letters in plain.values() if len(letters) >= _LONG_HEAD)


def _by_line(expression: str) -> str:
    r"""What a text matches as a whole matches as lines too, where several texts stand together: ``\A`` becomes ``^``, ``\z`` ``$``."""
    return f"^{expression[2:-2]}$" if expression.startswith(r"\A") else expression


def widened(pattern: str) -> str:
    """Return a pattern that matches wherever ``pattern`` does and costs less: long counted repeats lose their upper bound.

    Patterns have no look-around, so more repeats can only mean more matches; what is too much is dropped by the exact pass.
    """
    return _WIDENED.sub(_widen, pattern)


def _widen(match: re.Match[str]) -> str:
    if match["least"] is None:
        return match.group()
    least = int(match["least"])
    most = least if match["range"] is None else int(match["most"] or 0) or None
    if most is not None and most <= _MOST_REPEATS:
        return match.group()
    return f"{{{min(least, _MOST_REPEATS)},}}"
