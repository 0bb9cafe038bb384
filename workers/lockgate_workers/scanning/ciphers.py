"""Text turned round or rotated by thirteen letters: read back where it pays to try.

Any text can be turned round, so this happens only where something that a rule knows stands turned round or rotated already (the
heads of its tokens, the schemes of addresses), or where common words do. In the first case one token is read back, for a weak view;
in the second a line, which then is what its writer meant.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from types import MappingProxyType
from typing import Final

from lockgate_workers.scanning.places import Places
from lockgate_workers.scanning.view import DecodingLimitError, Fit, Mosaic, Part

Change = Callable[[str], str]

_SCHEMES: Final = (
    "postgres",
    "postgresql",
    "mysql",
    "mongodb",
    "mongodb+srv",
    "redis",
    "rediss",
    "amqp",
    "amqps",
    "http",
    "https",
)
_MORE_SCHEMES: Final = ("ftp", "sftp", "jdbc", "mssql", "smtp", "smtps", "ldap", "ldaps", "ssh")
_TELLING: Final = (
    "ignore",
    "previous",
    "instructions",
    "instruction",
    "system",
    "prompt",
    "password",
    "secret",
    "your",
    "you",
    "reveal",
)
_WORDS: Final = (
    *_TELLING,
    "the",
    "and",
    "all",
    "from",
    "this",
    "that",
    "with",
    "for",
    "are",
    "not",
    "key",
    "token",
    "is",
    "to",
    "of",
)
_TOKENS_AT_LEAST: Final = 1_024
_TOKENS_IN: Final = 64
"""Tokens that may be read back in a text: one in so many characters. Only a flood of heads has more."""
_LONGEST: Final = 1_024
_ENOUGH_WORDS: Final = 3
_T: Final = r"[A-Za-z0-9_\-+/=.:@!$%~?&]"
_TOKEN_BACK: Final = re.compile(rf"(?<!{_T}){_T}++$")
_TOKEN_ON: Final = re.compile(rf"{_T}++")


def turned(text: str) -> str:
    """Return a text turned round."""
    return text[::-1]


def rotated(text: str) -> str:
    """Return a text with every letter moved by thirteen places; doing it again undoes it."""
    return codecs.encode(text, "rot13")


CHANGES: Final[Mapping[str, Change]] = MappingProxyType({"turned": turned, "rotated": rotated})


def words(change: Change, *, telling: bool) -> str:
    """Return a pattern for common words after a change; with ``telling`` for those only that give a passage away."""
    return r"(?i:\b(?:" + "|".join(change(one) for one in (_TELLING if telling else _WORDS)) + r")\b)"


def changed_heads(heads: Iterable[str], change: Change) -> str:
    """Return a pattern for heads, and for the schemes of addresses, after a change."""
    every = [*heads, *(f"{one}://" for one in (*_SCHEMES, *_MORE_SCHEMES))]
    either = "|".join(sorted(re.escape(change(one)) for one in every))
    return rf"(?:{either})(?:\b|_)" if change is turned else rf"\b(?:{either})"


_COMMON: Final = {change: re.compile(words(change, telling=False)) for change in CHANGES.values()}


def read_tokens(text: str, heads: Places, change: Change, doubtful: Mosaic) -> None:
    """Add each token that holds a changed head, changed back.

    Raises:
        DecodingLimitError: there are too many of them.
    """
    left = max(_TOKENS_AT_LEAST, len(text) // _TOKENS_IN)
    begin = end = 0
    for first, last in heads.spans(text):
        if begin <= first and last <= end:
            continue
        back = _TOKEN_BACK.search(text[max(0, first - _LONGEST) : first])
        on = _TOKEN_ON.match(text, last, last + _LONGEST)
        begin = first if back is None else first - len(back.group())
        end = last if on is None else on.end()
        doubtful.add(_part(text, begin, end, change))
        left -= 1
        if left < 0:
            raise DecodingLimitError


def read_passages(text: str, change: Change, certain: Mosaic) -> None:
    """Add each line in which enough common words stand changed, changed back."""
    position = 0
    for line in text.splitlines(keepends=True):
        if len(list(islice(_COMMON[change].finditer(line), _ENOUGH_WORDS))) == _ENOUGH_WORDS:
            certain.add(_part(text, position, position + len(line.rstrip()), change))
        position += len(line)


def _part(text: str, first: int, last: int, change: Change) -> Part:
    return Part(change(text[first:last]), first, last, Fit.TURNED if change is turned else Fit.SAME)
