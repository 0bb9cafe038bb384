r"""How long a match of a pattern can be, read off the pattern (RE2 syntax) without running it. Pure.

The engine needs it to look at a part of a long text instead of all of it, and a stream to know how much it must hold back. Where the
pattern sets no bound, neither does this. What counts is characters; a pattern's context (``^``, ``$``, ``\b``) has no length.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

# Python's `re` reads our own rule files here, never a message. One token of a pattern, with the repetition after it as a token of its own.
_TOKEN: Final = re.compile(
    r"\\Q(?P<quoted>.*?)(?:\\E|$)"
    r"|\\(?:[xpP]\{[^}]*\}|x[0-9A-Fa-f]{2}|[pP].|[0-7]{2,3}|(?P<nothing>[bBAzZEC])|.)"
    r"|\[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\]"
    r"|(?P<flags>\(\?[a-zA-Z\-]+\))"
    r"|(?P<open>\((?:\?(?:P?<\w+>|[a-zA-Z\-]*:))?)|(?P<close>\))|(?P<other>\|)"
    r"|(?P<least>[*+?]|\{\d+(?P<more>,(?P<most>\d*))?\})\??"
    r"|(?P<anchor>[\^$])"
    r"|.",
    re.DOTALL,
)
_ABSOLUTE: Final = re.compile(r"\\\\|\\[Az]|\(\?[a-zA-Z]*-[a-zA-Z]*m")


@lru_cache(maxsize=4096)
def longest(pattern: str) -> int | None:
    """Return how many characters a match can have at most, or None where there is no bound."""
    width = _alternatives(_TOKEN.finditer(pattern))
    return None if math.isinf(width) else int(width)


def is_absolute(pattern: str) -> bool:
    r"""Whether the pattern speaks of the beginning or the end of the whole text (``\A``, ``\z``, ``(?-m)``) rather than of a line."""
    return any(match.group() != r"\\" for match in _ABSOLUTE.finditer(pattern))


def _alternatives(tokens: Iterator[re.Match[str]]) -> float:
    """Read up to the closing bracket, or to the end."""
    widest = before = last = 0.0
    for token in tokens:
        if token["close"]:
            break
        if token["other"]:
            widest, before, last = max(widest, before + last), 0.0, 0.0
        elif token["least"]:
            last = _repeated(last, token)
        else:
            before, last = before + last, _width(token, tokens)
    return max(widest, before + last)


def _width(token: re.Match[str], tokens: Iterator[re.Match[str]]) -> float:
    if token["open"]:
        return _alternatives(tokens)
    if token["flags"] or token["anchor"] or token["nothing"]:
        return 0.0
    return 1.0 if token["quoted"] is None else float(len(token["quoted"]))


def _repeated(width: float, token: re.Match[str]) -> float:
    sign = token["least"]
    if not width or sign == "?":
        return width
    if sign[0] != "{" or (token["more"] and not token["most"]):
        return math.inf
    return width * int(token["most"] or sign[1:-1])
