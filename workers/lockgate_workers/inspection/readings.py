"""The texts that a model may read out of one text, for the injection model: unescaped, decoded, put together, turned round. Pure.

The rules have the views of the scanner. The model has its own few readings, so that its weights do not depend on how the scanner
decodes: the text with escapes and look-alikes resolved, what is inside its encoded runs, and, where ordinary words are missing but
appear in another reading, that other reading: letters put together again that stood apart, the text backwards, or ROT13.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from lockgate_workers.inspection.windows import SEPARATOR
from lockgate_workers.scanning.decode import decoded
from lockgate_workers.scanning.normalise import views
from lockgate_workers.scanning.view import View

MOST_DECODED: Final = 6
"""Encoded runs that are each read for themselves. The others are read together: what stands behind a few harmless ones is not to be left out."""
MOST_TURNED: Final = 4_096
"""Characters that are tried backwards and in ROT13 at once: what is turned round need not stand at the beginning, nor be most of a text."""

_FEWEST_DECODED: Final = 12
_FEWEST_COMMON: Final = 3
_FEWEST_APART: Final = 6
_FEWEST_COUNTED: Final = _FEWEST_APART // 2
"""So often at least ``str.count`` finds a letter between blanks where `_FEWEST_APART` stand: it does not count a blank twice."""
_SHORTEST_APART: Final = 11
_MOST_APART: Final = 0.6
_BETWEEN: Final = " ._-*|\t"
_FEWEST_BETWEEN: Final = 0.35
_SEPARATORS: Final = str.maketrans("._-*|\t", "      ")
_WORD: Final = re.compile(r"[a-z]+")
_ENCODED: Final = 16
"""Letters and digits in a row that may be part of an encoded run. Of ASCII text, base64 has a sign for ``>``, ``?`` and ``~`` alone."""
_ENCODED_RUN: Final = re.compile(rf"[A-Za-z0-9]{{{_ENCODED},}}")
_FEWEST_CAPITALS: Final = 0.25
"""Capitals among the letters of a run without a digit, where it may be encoded: a name in code (``ContentLengthError``) has fewer."""
_CODES: Final = re.compile(r"(?:\b(?:0?x[0-9a-f]{2}|[0-9a-f]{2,3}|[01]{8})[^\w]{1,3}){8}", re.IGNORECASE)
_CONTINUED: Final = bytes(range(0x80, 0xC0))
_X, _BLANK = ord("x"), ord(" ")
_RUNS: Final = bytes(_X if re.match(r"[A-Za-z0-9]", chr(code)) else _BLANK for code in range(256))
_APART: Final = bytes(code if chr(code) == "\n" else _BLANK if chr(code) in _BETWEEN else _X for code in range(256))
"""Characters drawn as x and blanks, so that plain searches find runs of the one or letters alone between the others."""
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
_COMMON_BACKWARDS: Final = frozenset(word[::-1] for word in _COMMON)
_COMMON_ROT13: Final = frozenset(codecs.encode(word, "rot13") for word in _COMMON)


def readings(text: str) -> tuple[str, ...]:
    """Return the readings of a text, the plainest first. An ordinary text has one."""
    plain = views(text)[-1]
    found = [plain.text]
    data = plain.text.encode("utf-8", "replace")
    if _has_encoded(plain.text, data):
        found.extend(_decoded(plain))
    joined = _joined(plain.text, data)
    if joined != plain.text:
        found.append(joined)
    for begin in range(0, len(plain.text), MOST_TURNED):
        found.extend(_turned(plain.text[begin : begin + MOST_TURNED]))
    return tuple(found)


def _has_encoded(text: str, data: bytes) -> bool:
    """Whether a run without blanks may be encoded, or numbers side by side may be codes of characters."""
    runs = b"x" * _ENCODED in data.translate(_RUNS) and any(map(_may_be_encoded, _ENCODED_RUN.findall(text)))
    return runs or _CODES.search(text) is not None


def _may_be_encoded(run: str) -> bool:
    return not run.isalpha() or sum(map(str.isupper, run)) > _FEWEST_CAPITALS * len(run)


def _decoded(view: View) -> Iterator[str]:
    """Yield what is inside the first few encoded runs, and then what is inside the rest of them."""
    read = (inner.text for inner in decoded(view) if len(inner.text) >= _FEWEST_DECODED)
    for text in islice(read, MOST_DECODED):
        yield views(text)[-1].text
    rest = SEPARATOR.join(read)
    if rest:
        yield views(rest)[-1].text


def _joined(text: str, data: bytes) -> str:
    """Put letters together that stand apart (``i g n o r e``), line by line; a wider gap is the space between two words."""
    shape = data.translate(_APART, _CONTINUED)
    if shape.replace(b"\n", b" ").count(b" x ") < _FEWEST_COUNTED - 1:  # the text has no blank before and after it
        return text
    lines = text.split("\n")
    for at, drawn in enumerate(shape.split(b"\n")):
        if _may_be_apart(drawn):
            lines[at] = _line_joined(lines[at])
    return "\n".join(lines)


def _may_be_apart(drawn: bytes) -> bool:
    """Whether a line, as it is drawn, has blanks and letters alone enough to be worth reading: hardly one does, and a text has many."""
    return (
        drawn.count(b" ") >= _FEWEST_BETWEEN * len(drawn) >= _FEWEST_BETWEEN * _SHORTEST_APART
        and (b" %b " % drawn).count(b" x ") >= _FEWEST_COUNTED
    )


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
    if _common(chunks := lowered.split(), _COMMON) * 8 > len(chunks):
        return  # ordinary prose: what most texts are
    words = _WORD.findall(lowered)
    own = _common(words, _COMMON)
    if own * 8 > len(words):
        return
    least = max(_FEWEST_COMMON, 2 * own)
    if _common(words, _COMMON_BACKWARDS) >= least:
        yield lowered[::-1]
    if _common(words, _COMMON_ROT13) >= least:
        yield codecs.encode(lowered, "rot13")


def _common(words: Iterable[str], among: frozenset[str]) -> int:
    return sum(map(among.__contains__, words))
