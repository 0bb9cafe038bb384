"""Dumps of bytes, as ``xxd``, ``hexdump`` and ``od`` print them: lines of an offset, bytes in columns, and often the text beside them.

The columns of lines that follow one another are read as one text, whatever else is in the bytes: of binary data the printable runs are
kept, as ``strings`` would. Words of two bytes are read in both orders. What a line says comes from the whole of the line, the text
beside the bytes included, so that both are redacted. Bytes without an offset before them are the work of `runs`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from lockgate_workers.scanning.view import Fit, Mosaic, Part

SIGN: Final = r"0000\w{0,4}:?[ \t]{1,4}(?:[2-7][0-9a-fA-F] ?){4}|0000[0-7]{3}[ \t]{1,3}(?:[01][0-7]{2} ){4}|0000[0-7]{3}(?: {2,3}[!-~]){4}"
"""What the gate looks for: an offset of some zeros, and behind it bytes that are text. Without them it would cost every text."""

_LINE: Final = re.compile(r"(?<![\w.:\-])((?:0[xX])?([0-9a-fA-F]{4,16})(:?)[ \t]{1,4})([^ \t\n][^\n]{1,120})$", re.MULTILINE)
_BYTES: Final = re.compile(r"(?<!\S)(?:[0-9a-fA-F]{2}){1,8}(?!\S)")
_OCTAL: Final = re.compile(r"[0-3][0-7]{2}(?: [0-3][0-7]{2})*+(?!\S)")
_OCTAL_OFFSET: Final = re.compile(r"[0-7]{7}")
_OF_CHARACTERS: Final = re.compile(r"(?:\\[abfnrtv0]|[0-7]{3}|[ -~])(?:[ ]{2,3}(?:\\[abfnrtv0]|[ -~])|[ ][0-7]{3})*+[ ]{0,2}")
_END: Final = re.compile(r"[ \t]{3}|\|")
_ACROSS: Final = 16
"""Bytes in a line. One that shows more of them shows them in pairs of lines."""
_WORD: Final = 4
_FEWEST: Final = 8
_PRINTABLE: Final = re.compile(r"[ -~]{8}")
_READABLE: Final = bytes(code if 0x20 <= code < 0x7F or code in b"\t\n\r" else 0x0A for code in range(256))  # noqa: PLR2004 - printable ASCII


class _Line(NamedTuple):
    """The bytes of one line, and the span of what shows them."""

    data: bytes
    first: int
    last: int
    swapped: bool
    offset: str


def read_dumps(text: str, certain: Mosaic) -> None:
    """Add what each dump in a text says."""
    block: list[_Line] = []
    for line in _lines(text):
        if block and not _follows(line, block[-1]):
            _add(block, certain)
            block = []
        block.append(line)
    _add(block, certain)


def _follows(line: _Line, before: _Line) -> bool:
    """Whether a line stands below another one, and its offset is as much larger as there are bytes in that; in either way of counting."""
    if line.first > before.last + len(line.offset) + _ACROSS:
        return False
    return any(_counted(line.offset, base) - _counted(before.offset, base) == len(before.data) for base in (16, 8))


def _counted(offset: str, base: int) -> int:
    return int(offset, base) if base == 16 or _OCTAL_OFFSET.fullmatch(offset) is not None else -1  # noqa: PLR2004 - hexadecimal


def _lines(text: str) -> Iterator[_Line]:
    for match in _LINE.finditer(text):
        body = match[4]
        data, swapped = _read(body, colon=bool(match[3]), octal=len(match[2]) == 7)  # noqa: PLR2004 - digits of od's offset
        if data:
            yield _Line(data, match.start(4), match.end(), swapped, match[2])


def _read(body: str, *, colon: bool, octal: bool) -> tuple[bytes, bool]:
    """The bytes that a line shows, and whether they may be words of two with the lower byte first."""
    end = _END.search(body)
    columns = body if end is None else body[: end.start()]
    if octal and (found := _OCTAL.match(columns)) is not None:
        return bytes(int(one, 8) for one in found.group().split()[:_ACROSS]), False
    groups: list[str] = []
    position = 0
    for match in _BYTES.finditer(columns):
        if match.start() - position > 2 or sum(map(len, groups)) >= 2 * _ACROSS:  # noqa: PLR2004 - a gap in the middle, no more
            break
        groups.append(match.group())
        position = match.end()
    if groups and (len(groups) > 1 or len(groups[0]) > _WORD):
        return bytes.fromhex("".join(groups)), not colon and all(len(one) == _WORD for one in groups)
    return (_characters(body), False) if octal else (b"", False)


def _characters(body: str) -> bytes:
    """What ``od -c`` shows: every byte as a character, four columns each."""
    found = _OF_CHARACTERS.match(body)
    if found is None:
        return b""
    columns = (body[at : at + 4].strip() or " " for at in range(0, found.end(), 4))
    return "".join(one if len(one) == 1 else "\n" for one in columns).encode()


def _add(block: list[_Line], certain: Mosaic) -> None:
    if sum(len(line.data) for line in block) < _FEWEST or not block[0].offset.endswith("0"):
        return
    _add_text(block, [line.data for line in block], certain)
    if all(line.swapped for line in block):
        _add_text(block, [_swapped(line.data) for line in block], certain)


def _add_text(block: list[_Line], data: list[bytes], certain: Mosaic) -> None:
    texts = [one.translate(_READABLE).decode("ascii") for one in data]
    if _PRINTABLE.search("".join(texts)) is not None:
        certain.add(*(Part(text, line.first, line.last, Fit.WHOLE) for text, line in zip(texts, block, strict=True)))


def _swapped(data: bytes) -> bytes:
    """Words of two bytes, the other way round; a zero that fills the last word is no character of the text."""
    turned = bytearray(len(data))
    turned[0::2], turned[1::2] = data[1::2], data[0::2]
    return bytes(turned)
