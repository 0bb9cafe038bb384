"""Text turned round, or with each letter replaced by another one of the alphabet: read back where it pays to try.

Any text can be turned round, so this happens only where something that a rule knows stands turned round or rotated already (the
heads of its tokens, the schemes of addresses), or where common words do. In the first case one token is read back, for a weak view;
in the second a line, which then is what its writer meant.

Thirteen letters are the usual rotation and have signs of their own. The other ones, Atbash (the alphabet backwards) and ROT47 (all of ASCII)
share two: a longer head or word in any of them, or the name of a cipher. Which one it is is found out only then.
"""

from __future__ import annotations

import codecs
import re
import string
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice, product
from types import MappingProxyType
from typing import Final

from lockgate_workers.scanning.places import AnyOf, Places
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
_WORD_BACK: Final = re.compile(r"(?<![!-~])[!-~]++$")
_WORD_ON: Final = re.compile(r"[!-~]++")


def turned(text: str) -> str:
    """Return a text turned round."""
    return text[::-1]


def rotated(text: str) -> str:
    """Return a text with every letter moved by thirteen places; doing it again undoes it."""
    return codecs.encode(text, "rot13")


CHANGES: Final[Mapping[str, Change]] = MappingProxyType({"turned": turned, "rotated": rotated})

_SMALL: Final = string.ascii_lowercase
_LETTERS: Final = _SMALL + string.ascii_uppercase
_VISIBLE: Final = "".join(map(chr, range(0x21, 0x7F)))


def _replacing(letters: str, others: str) -> Change:
    table = str.maketrans(letters, others)
    return lambda text: text.translate(table)


def _moved(by: int) -> Change:
    moved = _SMALL[by:] + _SMALL[:by]
    return _replacing(_LETTERS, moved + moved.upper())


_MIRRORED: Final = _replacing(_LETTERS, _SMALL[::-1] + _SMALL[::-1].upper())
_HALFWAY: Final = _replacing(_VISIBLE, _VISIBLE[47:] + _VISIBLE[:47])
_ROTATED: Final = 13
SHIFTS: Final[tuple[tuple[Change, Change], ...]] = (
    *((_moved(by), _moved(26 - by)) for by in range(1, 26) if by != _ROTATED),
    (_MIRRORED, _MIRRORED),
    (_HALFWAY, _HALFWAY),
)
"""The ciphers besides, each as it is written and as it is read."""
_NAMES: Final = r"(?i:caesar|atbash|\brot-?(?:\d{1,2}|47)\b|shift(?:ed)? (?:cipher|by|of|each)|letters? (?:shift|moved)|substitution cipher)"
_LONG_HEAD: Final = 6
_LONG_WORD: Final = 6
_LONG_WORDS: Final = tuple(word for word in _TELLING if len(word) >= _LONG_WORD)
_KNOWN_HEADS: Final = frozenset({"AKIA", "ASIA", "ghp_", "gho_", "AIza"})
"""Short heads of what is met most often."""
_MORE_HEADS: Final = ("xoxb-", "xoxp-", "sk-proj-", "sk-ant-")
_SHORT: Final = 4


def shifted_signs(heads: Iterable[str]) -> Mapping[str, str]:
    """What the gate looks for: long heads, schemes and words in any of the ciphers, as plain words, and the names of ciphers."""
    every = [*_telling_heads(heads), *_LONG_WORDS]
    written = {write(one) for one in every for write, _ in SHIFTS}
    either = "|".join(sorted(re.escape(one) for one in written if "|" not in one))
    return {"shifted": f"(?:{either})", "cipher": _NAMES}


def _telling_heads(heads: Iterable[str]) -> list[str]:
    """Heads that are hardly made by chance when each of their letters may be any other."""
    tokens = [one for one in heads if (len(one) >= _LONG_HEAD and " " not in one) or one in _KNOWN_HEADS]
    return [*tokens, *_MORE_HEADS, *(f"{one}://" for one in (*_SCHEMES, *_MORE_SCHEMES) if len(one) >= _SHORT)]


_DIGITS: Final = {"o": "0", "i": "1", "e": "3", "a": "4", "s": "5", "t": "7"}
undigited: Final[Change] = _replacing("013457", "oieast")
"""Digits back into the letters that they are written for (``1gn0r3``)."""


def digited_words() -> str:
    """A pattern for telling words with digits for some or all of the letters that look like them."""
    forms = {form for word in _LONG_WORDS for form in _with_digits(word)}
    return f"(?:{'|'.join(sorted(forms))})"


def _with_digits(word: str) -> Iterator[str]:
    for letters in product(*((letter, _DIGITS[letter]) if letter in _DIGITS else (letter,) for letter in word)):
        form = "".join(letters)
        if form != word:
            yield form


class Shifted:
    """Reads what is written in one of the other ciphers, for the heads of a set of rules. Expressions are compiled when they are needed."""

    def __init__(self, heads: Iterable[str]) -> None:
        known = [one for one in heads if (len(one) >= _SHORT and " " not in one) or one in _KNOWN_HEADS]
        self._every: Final = (*known, *_MORE_HEADS, *(f"{one}://" for one in (*_SCHEMES, *_MORE_SCHEMES)))
        self._places: Final[dict[int, Places]] = {}
        self._with_heads: Final = AnyOf(map(self._pattern, range(len(SHIFTS))))
        self._with_words: Final = AnyOf("|".join(re.escape(write(word)) for word in _LONG_WORDS) for write, _ in SHIFTS)

    def read(self, text: str, certain: Mosaic, doubtful: Mosaic) -> None:
        """Add tokens with a head, and lines with common words, as they read in any of the ciphers.

        Raises:
            DecodingLimitError: there are too many of them.
        """
        for at in self._with_heads.within(text):
            read_tokens(text, self._at(at), SHIFTS[at][1], doubtful)
        for at in self._with_words.within(text.lower()):
            read_passages(text, SHIFTS[at][1], certain)

    def _at(self, at: int) -> Places:
        if at not in self._places:
            self._places[at] = Places(self._pattern(at))
        return self._places[at]

    def _pattern(self, at: int) -> str:
        write, _ = SHIFTS[at]
        either = "|".join(sorted(re.escape(write(one)) for one in self._every))
        return either if write is _HALFWAY else rf"\b(?:{either})"


def words(change: Change, *, telling: bool) -> str:
    """Return a pattern for common words after a change; with ``telling`` for those only that give a passage away."""
    return r"(?i:\b(?:" + "|".join(change(one) for one in (_TELLING if telling else _WORDS)) + r")\b)"


def changed_heads(heads: Iterable[str], change: Change) -> str:
    """Return a pattern for heads, and for the schemes of addresses, after a change."""
    every = [*heads, *(f"{one}://" for one in (*_SCHEMES, *_MORE_SCHEMES))]
    either = "|".join(sorted(re.escape(change(one)) for one in every))
    return rf"(?:{either})(?:\b|_)" if change is turned else rf"\b(?:{either})"


_DIGITED: Final = re.compile(digited_words())
_COMMON: Final = {change: re.compile(words(change, telling=False)) for change in CHANGES.values()}
_PLAIN_WORDS: Final = re.compile(r"(?i:\b(?:" + "|".join(_WORDS) + r")\b)")


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
        before, behind = (_WORD_BACK, _WORD_ON) if change is _HALFWAY else (_TOKEN_BACK, _TOKEN_ON)
        back = before.search(text[max(0, first - _LONGEST) : first])
        on = behind.match(text, last, last + _LONGEST)
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
        found = _COMMON[change].finditer(line) if change in _COMMON else _PLAIN_WORDS.finditer(change(line))
        if len(list(islice(found, _ENOUGH_WORDS))) == _ENOUGH_WORDS:
            certain.add(_part(text, position, position + len(line.rstrip()), change))
        position += len(line)


def read_digits(text: str, certain: Mosaic) -> None:
    """Add each line in which a telling word stands with digits for letters, and enough common words do, with letters for digits."""
    position = 0
    for line in text.splitlines(keepends=True):
        if _DIGITED.search(line) is not None and len(_PLAIN_WORDS.findall(undigited(line))) >= _ENOUGH_WORDS:
            certain.add(_part(text, position, position + len(line.rstrip()), undigited))
        position += len(line)


def _part(text: str, first: int, last: int, change: Change) -> Part:
    return Part(change(text[first:last]), first, last, Fit.TURNED if change is turned else Fit.SAME)
