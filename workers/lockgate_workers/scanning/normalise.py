# ruff: noqa: RUF001 - look-alike letters are what this module is about
"""Views of a text: the same content as a reader, a browser or a model would take it, with a map back to the original offsets.

A rule written in plain characters must also find what is written with zero-width characters in between, in fullwidth letters,
with Cyrillic look-alikes or as escapes. So a text has several views: as it is (rules in other scripts need that one), folded
(NFKC, invisible characters removed, look-alikes replaced; case is kept), and unescaped (JSON, HTML and URL escapes, twice at most).
What is inside base64 or hex runs is left to `decode`; what a view means is left to the rules.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

ESCAPE_DEPTH: Final = 2

# Letters which look like an ASCII letter and which NFKC leaves alone: Cyrillic, Greek, then some of IPA, Armenian and Lisu.
_LOOK_ALIKES: Final = (
    "АA ВB ЕE ЅS ІI ЈJ КK МM НH ОO РP СC ТT ХX УY ԌG Ԛq ԜW ԝw аa сc ԁd еe һh іi јj ӏl оo рp ԛq ѕs уy хx ѵv Ѵv тt мm кk нh вb гr "
    "ΑA ΒB ΕE ΖZ ΗH ΙI ΚK ΜM ΝN ΟO ΡP ΤT ΥY ΧX αa γy εe ιi κk νv οo ρp τt υu χx ϲc ϳj σo ωw ηn βb "
    "ɑa ɡg ɩi ı|i ȷj ʟl ɴn ʀr ʏy ᴀa ᴄc ᴅd ᴇe ᴊj ᴋk ᴍm ᴏo ᴘp ᴛt ᴜu ᴠv ᴡw ᴢz ꜱs օo ոn սu հh ցg ѡw ꓮA ꓐB ꓚC ꓓD ꓰE ꓖG ꓧH ꓲI ꓙJ ꓗK ꓡL "
    '−- ‐- ‑- ‒- –- —- ﹘- ∕/ ⁄/ ∶: ꞉: ․. ‚, ‘\' ’\' ′\' “" ”" «" »"'
)
_HOMOGLYPHS: Final = {ord(pair[0]): pair[-1] for pair in _LOOK_ALIKES.split(" ") if pair}

# Not of category Cf, and yet drawn as nothing: variation selectors, grapheme joiner, fillers; combining marks only decorate ASCII.
_INVISIBLE: Final = re.compile(
    "[\u0300-\u036f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)
_LINE_ENDS: Final = {"\u2028": "\n", "\u2029": "\n", "\x85": "\n"}
_ESCAPE_SIGNS: Final = re.compile(r"[\\&%]")
_ESCAPES: Final = re.compile(
    r"\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|\\[nrt\"'/\\]|&#[xX]?[0-9a-fA-F]{1,7};?|&[A-Za-z]{2,8};|%[0-9a-fA-F]{2}"
)
_SHORT_ESCAPES: Final = {"n": "\n", "r": "\n", "t": "\t"}
_SURROGATES: Final = range(0xD800, 0xE000)


@dataclass(frozen=True, slots=True)
class View:
    """A text and where each of its characters came from. Without a map it is the original, or all of it stands for ``whole``."""

    text: str
    starts: tuple[int, ...] | None = None
    ends: tuple[int, ...] | None = None
    whole: tuple[int, int] | None = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the span of the original text from which the characters ``start`` to ``end`` of this view came."""
        if self.whole is not None:
            return self.whole
        if self.starts is None or self.ends is None:
            return start, end
        return self.starts[start], self.ends[end - 1]


@lru_cache(maxsize=8192)
def fold(character: str) -> str:
    """Return what a reader sees in one character, in ASCII where there is a look-alike; nothing for what cannot be seen."""
    if unicodedata.category(character) == "Cf" or _INVISIBLE.match(character):
        return ""
    if ord(character) in _SURROGATES:
        return "\ufffd"
    character = _LINE_ENDS.get(character, character)
    return "".join(_HOMOGLYPHS.get(ord(one), one) for one in unicodedata.normalize("NFKC", character))


def views(text: str) -> tuple[View, ...]:
    """Return all views of a text, the text itself first. Plain ASCII without escapes has one."""
    original = View(text)
    found = [original]
    current = _folded(original)
    if current is not original:
        found.append(current)
    for _ in range(ESCAPE_DEPTH):
        unescaped = _unescaped(current)
        if unescaped is current:
            break
        current = _folded(unescaped)
        found.append(current)
    return tuple(found)


def _folded(view: View) -> View:
    """Fold every character, or return the very same view when nothing changes."""
    text = view.text
    if text.isascii():
        return view
    changes = {one: folded for one in set(text) if one > "\x7f" and (folded := fold(one)) != one}
    if not changes:
        return view
    folded_text = text.translate({ord(one): folded for one, folded in changes.items()})
    if all(len(folded) == 1 for folded in changes.values()):
        return View(folded_text, view.starts, view.ends, view.whole)  # one to one: the map, or none, stays right
    resized = "".join(one for one, folded in changes.items() if len(folded) != 1)
    return _replaced(view, re.compile(f"[{re.escape(resized)}]"), changes.__getitem__, folded_text)


def _unescaped(view: View) -> View:
    """Resolve escapes, or return the very same view when there is none."""
    text = view.text
    if _ESCAPE_SIGNS.search(text) is None or _ESCAPES.search(text) is None:
        return view
    return _replaced(view, _ESCAPES, _meaning)


def _replaced(view: View, pattern: re.Pattern[str], meaning: Callable[[str], str], result: str | None = None) -> View:
    """Replace every match by its meaning and keep the map; ``result`` is the text when the caller has it already."""
    text = view.text
    pieces: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    position = 0
    for match in pattern.finditer(text):
        meant = meaning(match.group())
        _copy(view, position, match.start(), starts, ends)
        start, end = view.span(match.start(), match.end())
        starts.extend([start] * len(meant))
        ends.extend([end] * len(meant))
        pieces += (text[position : match.start()], meant)
        position = match.end()
    pieces.append(text[position:])
    _copy(view, position, len(text), starts, ends)
    return View("".join(pieces) if result is None else result, tuple(starts), tuple(ends), view.whole)


def _copy(view: View, start: int, end: int, starts: list[int], ends: list[int]) -> None:
    """Carry the map of an unchanged stretch over."""
    if view.starts is not None and view.ends is not None:
        starts.extend(view.starts[start:end])
        ends.extend(view.ends[start:end])
    else:
        starts.extend(range(start, end))
        ends.extend(range(start + 1, end + 1))


def _meaning(escape: str) -> str:
    """Return the characters that one escape stands for."""
    if escape[0] == "&":
        return html.unescape(escape)
    if escape[0] == "%":
        return chr(int(escape[1:], 16))  # a byte, which is enough to find ASCII; other scripts are seen by their own escapes
    kind, rest = escape[1], escape[2:]
    if kind in "ux":
        code = int(rest, 16)
        return "\ufffd" if code in _SURROGATES else chr(code)
    return _SHORT_ESCAPES.get(kind, kind)
