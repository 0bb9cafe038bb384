"""The texts that a model may read out of one text, for the injection model: unescaped, decoded, put together, turned round. Pure.

The rules have the views of the scanner. The model has its own few readings, so that its weights do not depend on how the scanner
decodes: the text with escapes and look-alikes resolved, what is inside its encoded runs, and, where ordinary words are missing but
appear in another reading, that other reading: letters put together again that stood apart, the text backwards, or ROT13.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Final

from lockgate_workers.scanning.decode import decoded
from lockgate_workers.scanning.normalise import View, views

MOST_DECODED: Final = 6
"""Encoded runs that are read; a text with more of them is full of keys or pictures."""
MOST_TURNED: Final = 4_096
"""Characters of a text that are tried backwards and in ROT13."""

_FEWEST_DECODED: Final = 12
_FEWEST_COMMON: Final = 3
_FEWEST_APART: Final = 6
_SHORTEST_APART: Final = 11
_MOST_APART: Final = 0.6
_BETWEEN: Final = " ._-*|\t"
_FEWEST_BETWEEN: Final = 0.35
_SEPARATORS: Final = str.maketrans("._-*|\t", "      ")
_WORD: Final = re.compile(r"[a-z]+")
_ENCODED: Final = re.compile(r"[A-Za-z0-9+/_\-]{16}")
# fmt: off
_COMMON: Final = frozenset([
    "the", "and", "you", "your", "all", "that", "this", "with", "for", "not", "are", "from", "have", "what", "will", "was",
    "but", "show", "tell", "any", "about", "every", "who", "can", "now", "said", "give", "rules", "previous",
    "instructions", "system", "prompt", "ignore", "reveal", "password", "user", "of", "to", "in", "is", "it", "as", "me",
    "my", "or", "on", "no", "do", "be", "by", "der", "die", "das", "und", "ist", "nicht", "ich", "sie", "du", "alle", "mit",
    "von", "ein", "eine", "les", "des", "une", "est", "pas", "tout", "avec", "que", "los", "las", "por", "para", "una",
    "con", "del",
])
# fmt: on
"""Frequent words of some languages, and what attacks speak of: a text in which they are missing may be turned round."""


def readings(text: str) -> tuple[str, ...]:
    """Return the readings of a text, the plainest first. An ordinary text has one."""
    plain = views(text)[-1]
    found = [plain.text]
    if _ENCODED.search(plain.text):
        found.extend(_decoded(plain))
    joined = _joined(plain.text)
    if joined != plain.text:
        found.append(joined)
    found.extend(_turned(plain.text[:MOST_TURNED]))
    return tuple(found)


def _decoded(view: View) -> Iterator[str]:
    """Yield what is inside the first few encoded runs."""
    count = 0
    for inner in decoded(view):
        if len(inner.text) >= _FEWEST_DECODED:
            yield views(inner.text)[-1].text
            count += 1
        if count == MOST_DECODED:
            return


def _joined(text: str) -> str:
    """Put letters together that stand apart (``i g n o r e``), line by line; a wider gap is the space between two words."""
    return "\n".join(map(_line_joined, text.split("\n")))


def _line_joined(line: str) -> str:
    if len(line) < _SHORTEST_APART or sum(map(line.count, _BETWEEN)) < _FEWEST_BETWEEN * len(line):
        return line
    parts = line.translate(_SEPARATORS).split(" ")
    single = sum(len(part) == 1 for part in parts)
    if single < _FEWEST_APART or single < _MOST_APART * sum(map(bool, parts)):
        return line
    return " ".join("".join(part or " " for part in parts).split())


def _turned(text: str) -> Iterator[str]:
    """Yield the text backwards, or in ROT13, where that has ordinary words and more of them than the text itself."""
    lowered = text.lower()
    if not lowered.isascii():
        return
    words = _WORD.findall(lowered)
    own = sum(map(_COMMON.__contains__, words))
    if own * 8 > len(words):
        return
    least = max(_FEWEST_COMMON, 2 * own)
    for reading in (lowered[::-1], codecs.encode(lowered, "rot13")):
        if _common(reading) >= least:
            yield reading


def _common(text: str) -> int:
    return sum(map(_COMMON.__contains__, _WORD.findall(text)))
