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
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

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
    r"[\\&%](?:(?<=\\)(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|[nrt\"'/\\])"
    r"|(?<=&)(?:#[xX]?[0-9a-fA-F]{1,7};?|[A-Za-z]{2,8};)|(?<=%)[0-9a-fA-F]{2})"
)
_SHORT_ESCAPES: Final = {"n": "\n", "r": "\n", "t": "\t"}
_SURROGATES: Final = range(0xD800, 0xE000)


class Stretch(NamedTuple):
    """A piece of a view: from ``start`` on it came from ``first`` to ``last`` of the view before, one to one or as a replacement."""

    start: int
    first: int
    last: int
    replaced: bool


@dataclass(frozen=True, slots=True)
class View:
    """A text and where it came from: the original, a rewriting of another view (``stretches``), or the inside of the span ``whole``."""

    text: str
    before: View | None = None
    stretches: tuple[Stretch, ...] = ()
    whole: tuple[int, int] | None = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the span of the original text from which the characters ``start`` to ``end`` (at least one) of this view came."""
        if self.whole is not None:
            return self.whole
        if self.before is None:
            return start, end
        if not self.stretches:  # rewritten one to one
            return self.before.span(start, end)
        head, tail = self._stretch(start), self._stretch(end - 1)
        first = head.first if head.replaced else head.first + start - head.start
        last = tail.last if tail.replaced else tail.first + end - tail.start
        return self.before.span(first, last)

    def _stretch(self, index: int) -> Stretch:
        return self.stretches[bisect_right(self.stretches, index, key=_start) - 1]


def _start(stretch: Stretch) -> int:
    return stretch.start


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
    return derived(View(text))


def derived(view: View) -> tuple[View, ...]:
    """Return a view and all that can be made of it by folding and unescaping."""
    found = [view]
    current = _folded(view)
    if current is not view:
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
    resized = "".join(one for one, folded in changes.items() if len(folded) != 1)
    folded_text = text.translate({ord(one): folded for one, folded in changes.items()})
    if not resized:
        return View(folded_text, view, whole=view.whole)
    _, stretches = _rewritten(text, re.compile(f"[{re.escape(resized)}]"), changes.__getitem__)
    return View(folded_text, view, stretches, view.whole)


def _unescaped(view: View) -> View:
    """Resolve escapes, or return the very same view when there is none."""
    text = view.text
    if _ESCAPE_SIGNS.search(text) is None or _ESCAPES.search(text) is None:
        return view
    unescaped, stretches = _rewritten(text, _ESCAPES, _meaning)
    return View(unescaped, view, stretches, view.whole)


def _rewritten(text: str, pattern: re.Pattern[str], meaning: Callable[[str], str]) -> tuple[str, tuple[Stretch, ...]]:
    """Replace every match by its meaning; return the text and what came from where. Empty stretches are left out."""
    pieces: list[str] = []
    stretches: list[Stretch] = []
    position = length = 0
    for match in pattern.finditer(text):
        first, last = match.span()
        meant = meaning(match.group())
        if first > position:
            stretches.append(Stretch(length, position, first, replaced=False))
            length += first - position
        if meant:
            stretches.append(Stretch(length, first, last, replaced=True))
            length += len(meant)
        pieces += (text[position:first], meant)
        position = last
    stretches.append(Stretch(length, position, len(text), replaced=False))
    pieces.append(text[position:])
    return "".join(pieces), tuple(stretches)


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
