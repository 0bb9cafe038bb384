"""Which parts of a text are prose: where a language model could find a name, and what it is spared. Pure.

Line by line, by the words in it and not by what stands around: a fence around a letter does not make the letter code.

- A line is prose when it has at least two words (letters, with apostrophes or hyphens within; initials count) and these make up at
  least half of what stands between its spaces, short numbers aside.
- A line with one word, and short numbers or none, is prose when the line before it is: addresses are written like that.
- Not prose: code (brackets, assignments and names with ``_`` or ``.`` within are no words), numbers and ids, hashes and base64 (long
  runs without a space), paths and addresses. Marks of lists, tables, quotes and headings count as spaces.

Prose lines that follow one another form a piece, so that a sentence may run over lines. A piece has at most `PIECE` characters; a longer one
is cut at the end of a sentence or at a space, and then the next begins a little earlier, so that no name is cut in two.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

PIECE: Final = 2_000
OVERLAP: Final = 80
"""Characters; names and addresses are shorter."""
_LEAST_WORDS: Final = 2
_LEAST_SHARE: Final = 0.5
_NUMBER: Final = 6

# Python's `re` over anybody's text: single classes and fixed alternatives without nesting, so linear.
_LINE: Final = re.compile(r"[^\n]+")
_MARKS: Final = str.maketrans(dict.fromkeys('|*#>•·"“”«»', " "))
_ENDS: Final = ".,;:!?()'\u2019…"
_SENTENCE: Final = re.compile(r"[.!?…][\"')\]]{0,2}\s")


def pieces(text: str) -> Iterator[tuple[int, int]]:
    """Yield the spans of prose, in order; a span that was cut overlaps the one before it."""
    start = end = -1
    for line in _LINE.finditer(text):
        follows = start >= 0 and line.start() - end <= 1
        if not (is_prose(line.group()) or (follows and is_prose(line.group(), follows=True))):
            continue
        if start >= 0 and not text[end : line.start()].strip() and line.end() - start <= PIECE:
            end = line.end()
            continue
        if start >= 0:
            yield from _cut(text, start, end)
        start, end = line.span()
    if start >= 0:
        yield from _cut(text, start, end)


def is_prose(line: str, *, follows: bool = False) -> bool:
    """Whether a line is made of words. ``follows`` is whether the line before it is prose."""
    parts = [part.strip(_ENDS) for part in line.translate(_MARKS).split()]
    tokens = [part for part in parts if part.strip("-") and not _is_short_number(part)]
    words = sum(map(_is_word, tokens))
    if follows and words == len(tokens) == 1:
        return True
    return words >= _LEAST_WORDS and words >= _LEAST_SHARE * len(tokens)


def _is_word(token: str) -> bool:
    """Letters, with apostrophes and hyphens within; one alone only as an initial."""
    letters = token.replace("'", "").replace("\u2019", "").replace("-", "")
    return letters.isalpha() and (len(letters) > 1 or letters.isupper()) and len(token) <= OVERLAP


def _is_short_number(token: str) -> bool:
    return len(token) <= _NUMBER and token.isdigit()


def _cut(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while end - start > PIECE:
        stop = _last_break(text, start, start + PIECE)
        yield start, stop
        start = max(start + 1, stop - OVERLAP)
    yield start, end


def _last_break(text: str, start: int, limit: int) -> int:
    """The end of the last sentence in the second half of the window, or else the last space there, or else the limit."""
    half = start + PIECE // 2
    sentences = [match.end() for match in _SENTENCE.finditer(text, half, limit)]
    return sentences[-1] if sentences else max(text.rfind(" ", half, limit) + 1, 0) or limit
