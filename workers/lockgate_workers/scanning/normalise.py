"""Views of a text: the same content as a reader, a browser or a model would take it, with a map back to the original offsets.

A rule written in plain characters must also find what is written with zero-width characters in between, in fullwidth letters,
with Cyrillic look-alikes or as escapes. So a text has several views: as it is (rules in other scripts need that one), folded
(NFKC, invisible characters removed, look-alikes replaced; case is kept), revealed (what tag characters, variation selectors or
zero-width bits spell), in display order where a bidi override turns it round, as a terminal draws it, which takes colours and titles out,
and unescaped (JSON, program, HTML and URL escapes, a few times over). What is inside encoded or cut-up runs is left to `decode`; what a view means is left to the rules.
"""

from __future__ import annotations

import html
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from lockgate_workers.scanning.braille import braille
from lockgate_workers.scanning.confusables import CONFUSABLES
from lockgate_workers.scanning.view import Characters, Fit, Part, View, parts_of, rewritten

ESCAPE_DEPTH: Final = 3

_LONGEST_FOLD: Final = 4
"""A character whose compatibility form is longer stays as it is (one becomes 18): no secret is written so, and a flood of them would grow."""
_FEW_KINDS: Final = 32
_SURROGATES: Final = range(0xD800, 0xE000)
_LINE_ENDS: Final = {0x2028: "\n", 0x2029: "\n", 0x85: "\n"}
# Not of category Cf, and yet drawn as nothing: variation selectors, grapheme joiner, fillers; combining marks only decorate ASCII.
_UNSEEN_RANGES: Final = (
    (0x300, 0x36F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x1AB0, 0x1AFF), (0x1DC0, 0x1DFF), (0x20D0, 0x20FF),
    (0x2800, 0x2800), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFE20, 0xFE2F), (0xFFA0, 0xFFA0), (0xE0100, 0xE01EF),
)  # fmt: skip
_UNSEEN: Final = frozenset(code for first, last in _UNSEEN_RANGES for code in range(first, last + 1))
# Letters on flags, in filled circles and squares, which NFKC leaves alone, and those in brackets or with a full stop, which it takes for several.
_DRAWN: Final = (
    (0x1F1E6, "A", 26),
    (0x1F110, "A", 26),
    (0x1F150, "A", 26),
    (0x1F170, "A", 26),
    (0x249C, "a", 26),
    (0x2474, "1", 9),
    (0x2488, "1", 9),
)
_DRAWN_LETTERS: Final = {first + index: chr(ord(letter) + index) for first, letter, count in _DRAWN for index in range(count)}
_SHOWN: Final = {**CONFUSABLES, **_LINE_ENDS, **_DRAWN_LETTERS}

_TAGS: Final = "\U000e0020-\U000e007e"
_SELECTORS: Final = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
_BITS: Final = "\u200b-\u200d\u2060-\u2064\ufeff"
_HIDDEN: Final = re.compile(f"[{_TAGS}]++|[{_SELECTORS}]{{4,}}+|[{_BITS}]{{32,}}+|[\u2801-\u28ff]{{6,}}+")
_BITS_IN_BYTE: Final = 8
_OVERRIDE: Final = re.compile("\u202e([^\u202c\u2069\n]*+)")
_CONTROLS: Final = ("\x1b", "\x9b")
# ECMA-48, 5.4 to 5.6: control sequences, control strings up to what ends them, and the short ones. No class holds what begins one: linear.
_CONTROL: Final = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*+[ -/]*+(?P<last>[@-~])|\x1b[\]PX^_][^\x07\x1b\x9c]*+(?:\x07|\x1b\\|\x9c)|\x1b[ -/]*+[0-~]"
)
_MOVES: Final = frozenset("ABCDEFGHdf`ae")
"""What moves the cursor: the words on either side are not one."""

_ESCAPE_SIGNS: Final = re.compile(r"[\\&%]")
_X: Final = "[0-9a-fA-F]"
_ENTITY: Final = rf"&(?:\#[0-9]{{1,7}}+;?|\#[xX]{_X}{{1,6}}+;?|[A-Za-z][A-Za-z0-9]{{1,30}}+;)"
# Runs of one kind of escape are read in one go: a flood of escapes is one match.
_ESCAPES: Final = re.compile(
    rf"\\(?:0000[2-7]{_X}(?:\\0000[2-7]{_X})++|[2-7]{_X}[ ](?:\\[2-7]{_X}(?:[ ]|(?![0-9a-zA-Z]))){{3,}}+|0[01][0-7]{{2}}(?:\\0[01][0-7]{{2}})++"
    rf"|(?<=[A-Za-z0-9]\\)[_@]|N\{{[A-Z][A-Z0-9 \-]{{1,60}}\}}|x\{{{_X}{{1,6}}\}}|u{_X}{{4}}(?:\\u{_X}{{4}})*+|x{_X}{{2}}(?:\\x{_X}{{2}})*+|[0-3][0-7]{{2}}(?:\\[0-3][0-7]{{2}})*+"
    rf"|[nrt\"'/](?:\\[nrt\"'/])*+|\\(?:\\\\)*+|u\{{{_X}{{1,6}}\}}|U00{_X}{{6}})"
    rf"|%(?:{_X}{{2}}(?:%{_X}{{2}})*+|u{_X}{{4}}(?:%u{_X}{{4}})*+)"
    rf"|{_ENTITY}(?:{_ENTITY})*+"
)
_ONE_ENTITY: Final = re.compile(_ENTITY)
_SHORT_ESCAPES: Final = str.maketrans("nrt", "\n\r\t")


def views(text: str) -> tuple[View, ...]:
    """Return all views of a text, the text itself first. Plain ASCII without escapes, those of terminals included, has one."""
    return derived(View(text))


def derived(view: View) -> tuple[View, ...]:
    """Return a view and all that can be made of it by folding, revealing and unescaping; the last one is the plainest."""
    found = [view]
    current = _drawn(_folded(view))
    if not view.text.isascii():
        found += [_folded(one) for one in _displayed(view)]
        for one in _revealed(view):
            found.append(current)
            current = _drawn(_folded(one))
    if current is not view:
        found.append(current)
    for _ in range(ESCAPE_DEPTH):
        unescaped = _unescaped(current)
        if unescaped is current:
            break
        current = _drawn(_folded(unescaped))
        found.append(current)
    return tuple(found)


def fold(character: str) -> str:
    """Return what a reader sees in one character, in ASCII where there is a look-alike; nothing for what cannot be seen."""
    return _folds([character]).get(ord(character), character)


def _folds(characters: list[str]) -> dict[int, str]:
    """Return what becomes of those characters that do not stay as they are. One call of the library for all: attackers send thousands."""
    forms = unicodedata.normalize("NFKC", "\0".join(characters)).split("\0")
    return {ord(one): seen for one, form in zip(characters, forms, strict=True) if (seen := _seen(one, form)) != one}


def _seen(character: str, form: str) -> str:
    code = ord(character)
    if code in _SURROGATES:
        return "\ufffd"
    if code in _SHOWN:
        return _SHOWN[code]
    category = unicodedata.category(character)
    if category == "Cf" or code in _UNSEEN:
        return ""
    if category == "Nd":
        return str(unicodedata.digit(character))
    if form == character or len(form) > _LONGEST_FOLD:
        return character
    return form.translate(_SHOWN)


def _folded(view: View) -> View:
    """Fold every character, or return the very same view when nothing changes."""
    text = view.text
    if text.isascii():
        return view
    changes = _folds([one for one in set(text) if one > "\x7f"])
    if not changes:
        return view
    folded = _changed(text, changes)
    resized = {chr(code): len(seen) for code, seen in changes.items() if len(seen) != 1}
    if not resized:
        return View(folded, view, weak=view.weak)
    return View(folded, view, Characters(lambda: _resized(text, resized)), view.weak)


def _resized(text: str, sizes: Mapping[str, int]) -> Iterator[tuple[int, int]]:
    """Yield where in a text each of the given characters stands, and the size that is given for it."""
    for match in re.finditer(f"[{re.escape(''.join(sizes))}]", text):
        yield match.start(), sizes[match.group()]


def _changed(text: str, changes: Mapping[int, str]) -> str:
    """The text with every character changed that is. A few kinds are replaced one by one: to translate a text takes a look at each character."""
    if len(changes) > _FEW_KINDS or any(ord(one) in changes for seen in changes.values() for one in seen):
        return text.translate(changes)
    for code, seen in changes.items():
        text = text.replace(chr(code), seen)
    return text


def _revealed(view: View) -> Iterator[View]:
    """Yield the view with what invisible characters spell put in their place, when they spell anything."""
    if _HIDDEN.search(view.text) is None:
        return
    text = _HIDDEN.sub(_spelled, view.text)
    if text != view.text:
        yield rewritten(view, text, lambda: parts_of(view.text, _HIDDEN, _hidden_parts))


def _spelled(match: re.Match[str]) -> str:
    """Return the text that a run of invisible characters stands for, or the run when it stands for none."""
    run = match.group()
    code = ord(run[0])
    if code & ~0x7F == 0xE0000:  # noqa: PLR2004 - the block of tag characters: ASCII, moved
        return "".join(chr(ord(one) & 0x7F) for one in run)
    if code & ~0xFF == 0x2800:  # noqa: PLR2004 - the block of Braille
        return braille(run)
    if chr(code) in "\u200b\u200c\u200d\u2060\u2061\u2062\u2063\u2064\ufeff":
        return _bits(run)
    data = bytes(_selector_byte(ord(one)) for one in run)
    return _as_text(data) or run


def _selector_byte(code: int) -> int:
    """Variation selectors 1 to 256 carry one byte each."""
    return code - 0xFE00 if code < 0xE0100 else code - 0xE0100 + 16  # noqa: PLR2004 - the two blocks of variation selectors


def _bits(run: str) -> str:
    """Two kinds of zero-width character are the two digits of binary, either way round."""
    kinds = sorted(set(run))
    if len(kinds) != len("01") or len(run) % _BITS_IN_BYTE:
        return run
    for zero, one in (kinds, kinds[::-1]):
        digits = run.translate({ord(zero): "0", ord(one): "1"})
        text = _as_text(int(digits, 2).to_bytes(len(digits) // _BITS_IN_BYTE, "big"))
        if text:
            return text
    return run


def _as_text(data: bytes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return ""
    return text if text.replace("\n", "").isprintable() else ""


def _hidden_parts(match: re.Match[str]) -> Iterable[Part]:
    spelled = _spelled(match)
    return (Part(spelled, *match.span(), Fit.WHOLE if len(match.group()) % (len(spelled) or 1) else Fit.EVEN),)


def _displayed(view: View) -> Iterator[View]:
    """Yield the view as it is drawn where a right-to-left override turns letters round."""
    text = view.text
    if "\u202e" in text:
        yield rewritten(view, _OVERRIDE.sub(_turned, text), lambda: parts_of(text, _OVERRIDE, _turned_parts))


def _turned(match: re.Match[str]) -> str:
    return match[1][::-1]


def _turned_parts(match: re.Match[str]) -> Iterable[Part]:
    return (Part(_turned(match), *match.span(1), Fit.TURNED),)


def _drawn(view: View) -> View:
    """Take out what a terminal does not draw: a colour's last letter, before a key, makes another word of it. Or return the very same view."""
    text = view.text
    if not any(sign in text for sign in _CONTROLS):
        return view
    drawn = _CONTROL.sub(_left, text)
    return view if drawn == text else rewritten(view, drawn, lambda: parts_of(text, _CONTROL, _control_parts))


def _left(match: re.Match[str]) -> str:
    return " " if match["last"] in _MOVES else ""


def _control_parts(match: re.Match[str]) -> Iterable[Part]:
    return (Part(_left(match), *match.span(), Fit.WHOLE),)


def _unescaped(view: View) -> View:
    """Resolve escapes, or return the very same view when there is none."""
    text = view.text
    if _ESCAPE_SIGNS.search(text) is None or _ESCAPES.search(text) is None:
        return view
    unescaped = _ESCAPES.sub(_meaning, text)
    if unescaped == text:
        return view
    return rewritten(view, unescaped, lambda: parts_of(text, _ESCAPES, _escape_parts))


def _escape_parts(match: re.Match[str]) -> Iterable[Part]:
    """Say where the characters of a run of escapes came from: exactly where escapes differ in length, evenly where they do not."""
    run, meant = match.group(), _meaning(match)
    if run[0] == "&":
        found = list(_ONE_ENTITY.finditer(run))
        texts = {one: html.unescape(one) for one in {match.group() for match in found}}
        entities = [(one.span(), texts[one.group()]) for one in found]
        if "".join(text for _, text in entities) == meant:
            offset = match.start()
            return [Part(text, offset + first, offset + last, Fit.WHOLE) for (first, last), text in entities]
    even = meant and len(run) % len(meant) == 0
    return (Part(meant, *match.span(), Fit.EVEN if even else Fit.WHOLE),)


def _meaning(match: re.Match[str]) -> str:
    """Return the characters that a run of escapes of one kind stands for."""
    run = match.group()
    if run[0] == "&":
        return html.unescape(run)
    if run[0] == "\\" and (run[3:4] == " " or run[1:5] == "0000"):
        return _styled(run)
    meaning = _KINDS.get(run[:2]) or _KINDS.get(run[0])
    return run[1::2].translate(_SHORT_ESCAPES) if meaning is None else meaning(run)


def _wide(run: str) -> str:
    """Four hexadecimal digits each are UTF-16; half a pair becomes the replacement character."""
    if run[2] == "{":
        return _character(run[3:-1])
    return bytes.fromhex(run.replace(run[:2], "")).decode("utf-16-be", "replace")


def _styled(run: str) -> str:
    """Two or six hexadecimal digits each, as in style sheets, where a blank ends the shorter ones."""
    return bytes.fromhex(run.replace("\\0000", "").replace("\\", "").replace(" ", "")).decode("latin-1")


def _named(run: str) -> str:
    """A character by its name in Unicode."""
    try:
        return unicodedata.lookup(run[3:-1])
    except KeyError:
        return run


def _narrow(run: str) -> str:
    """Two hexadecimal digits each are bytes."""
    if run[2] == "{":
        return _character(run[3:-1])
    return _bytes(bytes.fromhex(run.replace("\\x" if run[0] == "\\" else "%", "")))


def _octal(run: str) -> str:
    return _bytes(bytes(int(one, 8) & 0xFF for one in run[1:].split("\\")))


def _long(run: str) -> str:
    return _character(run[2:])


def _bytes(data: bytes) -> str:
    """Bytes are UTF-8, or else characters below 256."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _character(digits: str) -> str:
    code = int(digits, 16)
    return "\ufffd" if code in _SURROGATES or code > sys.maxunicode else chr(code)


_KINDS: Final[Mapping[str, Callable[[str], str]]] = MappingProxyType(
    {
        "\\u": _wide,
        "\\N": _named,
        "\\x": _narrow,
        "\\U": _long,
        "%u": _wide,
        "%": _narrow,
        **{f"\\{digit}": _octal for digit in "0123"},
    }
)
"""How a run of escapes is read, by its first two characters or its first."""
