"""Runs of characters that encode text: base64, base32, base16 and base2, ascii85, lists of character codes; deflated or not.

Each reader takes a text in which the gate saw a sign of its encoding (`SIGNS`) and yields the runs whose bytes turn out to be
text. Everything else (hashes, images, keys in binary form) costs one decoding and is dropped. The signs rest on what text does to
an encoding: printable ASCII has its high bits in a narrow range, so that in base64, for instance, every fourth character comes
from 24 of 64 only. A text deep inside other encodings is left to `decode`, which comes here again.
"""

from __future__ import annotations

import base64
import binascii
import bz2
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Final

from lockgate_workers.scanning.view import DecodingLimitError, Fit, Part

Reader = Callable[[str], Iterator[Part]]

MOST_INFLATED: Final = 262_144
"""Bytes of text that one deflated run may hold. A bomb is neither followed nor cut, but refused."""
_FIRST_LOOK: Final = 4_096

_A: Final = r"[A-Za-z0-9+/_\-]"
# The four places of a base64 group that holds three characters of ASCII text.
_QUAD: Final = rf"[CDI-Za-f][AC-HQS-Xgi-nwy-z0-3][ABEFIJMNQRUVYZcdghklopstwx014589]{_A}"
# The same, from the end to the beginning.
_DAUQ: Final = rf"{_A}[ABEFIJMNQRUVYZcdghklopstwx014589][AC-HQS-Xgi-nwy-z0-3][CDI-Za-f]"
_BLANKS: Final = r"[\s,;:\-._|]{1,8}"

SIGNS: Final = MappingProxyType(
    {
        "base64": rf"\b(?:{_QUAD}){{3}}|(?:{_QUAD}){{4}}|\b(?:H4sI|eJ|eN|eA|eF){_A}{{16}}|{_A}{{40}}|(?:{_A}[ABEFIJMNQRUVYZcdghklopstwx014589]A{_A}){{5}}"
        rf"|(?:A[A-H]{_A}A{_A}[AQgw][AB]{_A}){{3}}|\bQlpo|/Td6WFo",
        "base32": r"(?:[E-P][A-Z2-7]{7}){2}|\b(?:[e-p][a-z2-7]{7}){2}|\b(?:[4-9A-F][0-9A-V]{7}){2}",
        "hex": r"(?:(?:[2-7][0-9a-fA-F]){2} ?){4}|(?:[2-7][0-9a-fA-F]00){6}|(?:[2-7][0-9a-fA-F][^0-9A-Za-z]{1,3}(?:0?[xX])?){6}|1[fF]8[bB]08|789[cC]",
        "codes": r"(?:\b\d{2,3}[^\w]{1,3}){8}|[cC][hH][aA]?[rR](?:\]|[cC]ode)?\(?\d",
        "bits": r"(?:[01]{8}[ ,]?){7}",
        "ascii85": r"<~[!-uz]{10}",
        "points": r"(?:U\+00[2-7][0-9A-F][ ,;]{0,2}){4}",
    }
)
"""What the gate looks for, by reader."""

_BASE64: Final = re.compile(rf"(?<!{_A}){_A}{{12,}}+={{0,2}}")
_QUADS: Final = re.compile(rf"(?:{_QUAD}){{3}}")
_DAUQS: Final = re.compile(rf"(?:{_DAUQ}){{4}}")
_BASE64_PIECES: Final = re.compile(
    rf"(?<!{_A}){_QUAD}(?:{_A}{{4}}){{0,9}}+([ .\-]|\r?\n){_QUAD}(?:{_A}{{4}}){{0,9}}+(?:\1{_A}{{2,40}}+){{1,400}}+={{0,2}}"
)
_CUT: Final = re.compile(r"[/_\-]")
_DEFLATED: Final = ("H4sI", "eJ", "eN", "eA", "eF", "Qlpo", "/Td6WFo", "XQAA")
_MIN_RUN: Final = 12
_LONG_RUN: Final = 40
_SHORT: Final = 256
"""Bytes in a run that is redacted whole: what is left of one is of no use to anybody, and a cut in the wrong place tells."""
_MIN_DISTINCT: Final = 6
_BASE32: Final = re.compile(r"(?<![A-Za-z0-9])(?:[A-Z2-7]{16,}+|[a-z2-7]{16,}+|[0-9A-V]{16,}+)={0,6}(?![A-Za-z0-9])")
_HEX: Final = re.compile(r"(?<![0-9A-Za-z])(?:0[xX])?(?:[0-9a-fA-F]{2}){8,}+(?![0-9A-Za-z])")
_HEX_LIST: Final = re.compile(
    rf"(?<![0-9A-Za-z])(?:0[xX])?[0-9a-fA-F]{{2}}(?:{_BLANKS}(?:0[xX]|\\x|[uU]\+?00)?[0-9a-fA-F]{{2}}(?![0-9A-Za-z])){{7,}}+"
)
_HEX_WORDS: Final = re.compile(
    r"(?<![0-9A-Za-z])(?:0[xX])?(?:[0-9a-fA-F]{2}){2,8}(?:[ \t,;]{1,3}(?:0[xX])?(?:[0-9a-fA-F]{2}){2,8}(?![0-9A-Za-z])){2,}+"
    r"(?: [0-9a-fA-F]{2}(?![0-9A-Za-z]))?"
)
_HEX_WORD: Final = re.compile(r"(?:0[xX])?([0-9a-fA-F]{2,16})")
_HEX_PAIR: Final = re.compile(r"[0-9a-fA-F]{2}(?![0-9a-zA-Z+])")
_CODE_LIST: Final = re.compile(rf"(?<!\d)\d{{2,3}}(?:{_BLANKS}\d{{2,3}}(?!\d)){{7,}}+")
_CODE_CALLS: Final = re.compile(r"(?<!\d)(\d{2,3})([^\d\n]{3,16}?)\d{2,3}(?:\2\d{2,3}){4,}+")
_NUMBER: Final = re.compile(r"\d+")
_OCTAL: Final = frozenset("01234567")
_BITS: Final = re.compile(r"(?<![01])[01]{8}(?:[\s,]?[01]{8}){6,}+(?![01])")
_POINTS: Final = re.compile(r"U\+00[2-7][0-9A-F](?:[ ,;]{0,2}U\+00[2-7][0-9A-F]){3,}+")
_POINT: Final = re.compile(r"U\+00([2-7][0-9A-F])")
_ASCII85: Final = re.compile(r"<~[!-uz\s]{10,}+~>")

_TEXT: Final = bytes(range(0x20, 0x7F)) + b"\t\n\r"
_MOST_BINARY: Final = 0.1
_GZIP: Final = b"\x1f\x8b"
_MEMORY: Final = 32 << 20
"""Bytes that unpacking one run may take: what needs more was not packed to be read in passing."""
_PACKED: Final = ("Qlpo", "/Td6WFo", "XQAA")
"""How base64 of bzip2, xz and LZMA begins."""
_PACKED_AT_LEAST: Final = 8
_PACKED_IN: Final = 32_768
"""Packed runs that are tried: one in so many characters. Small ones can be milliseconds of work, and nobody honest sends many."""
_ZLIB: Final = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")


def base64_runs(text: str) -> Iterator[Part]:
    """Base64 in either alphabet, with padding or without, at the end of a path or a dashed name or on its own.

    Raises:
        DecodingLimitError: what is packed in it holds more text than it may, or there is more packed than may be tried.
    """
    left = max(_PACKED_AT_LEAST, len(text) // _PACKED_IN)
    for match in _BASE64.finditer(text):
        run = match.group()
        if _is_base64_like(run):
            left -= run.startswith(_PACKED)
            if left < 0:
                raise DecodingLimitError
            yield from _base64_run(match.start(), run)
        if _DAUQS.search(run) is not None:
            yield from _turned_run(text, match)


def base64_pieces(text: str) -> Iterator[Part]:
    """Base64 in pieces of whole groups, with the same sign between all of them."""
    for match in _BASE64_PIECES.finditer(text):
        read = _strict(_base64(match.group().replace(match[1], "")))
        if read:
            yield Part(read, *match.span(), Fit.WHOLE)


def _turned_run(text: str, match: re.Match[str]) -> Iterator[Part]:
    """Base64 from the end to the beginning, its padding first."""
    first, last = match.span()
    body = text[first:last].strip("=")
    while first and text[first - 1] == "=":
        first -= 1
    read = _strict(_base64(body[::-1]))
    if read:
        yield Part(read, first, last, Fit.WHOLE)


def _is_base64_like(run: str) -> bool:
    """Identifiers, paths and rulers are the common case."""
    likely = len(run) >= _LONG_RUN or run.startswith(_DEFLATED) or _QUADS.search(run) is not None or "A" in run[2::4]
    return likely and len(set(run)) >= _MIN_DISTINCT


def _base64_run(start: int, run: str) -> Iterator[Part]:
    for offset, attempt in _attempts(run):
        data = _base64(attempt)
        read = text_of(_unpacked(data) if attempt.startswith(_PACKED) else data)
        if read:
            body = attempt.rstrip("=")
            fit = _fit(read, len(body) * 3 // 4)
            yield Part(read, start + offset, start + offset + len(attempt), fit, slack=1)
            return


def _attempts(run: str) -> Iterator[tuple[int, str]]:
    """The run itself, then its parts: a path or a dashed name around an encoded piece shifts the alignment."""
    yield 0, run
    if run[0] in "+/":
        yield 1, run[1:].rstrip("-")  # UTF-7 begins its runs with a sign, and so may a path
    if "/" in run or "-" in run or "_" in run:
        position = 0
        for part in _CUT.split(run):
            if _MIN_RUN <= len(part) < len(run):
                yield position, part
            position += len(part) + 1
    aligned = _QUADS.search(run)
    if aligned is not None and aligned.start():
        yield aligned.start(), run[aligned.start() :]


def _base64(run: str) -> bytes:
    body = run.rstrip("=")
    if "-" in body or "_" in body:  # replacing is ten times as fast as translating, and most runs have neither
        body = body.replace("-", "+").replace("_", "/")
    if len(body) % 4 == 1:
        body = body[:-1]  # no encoder ends like this; a character of what follows was taken along
    try:
        return binascii.a2b_base64(body + "=" * (-len(body) % 4), strict_mode=True)
    except binascii.Error:
        return b""


def base32_runs(text: str) -> Iterator[Part]:
    """Base32 in the standard alphabet (either case) or the one in order of value (RFC 4648, sections 6 and 7)."""
    for match in _BASE32.finditer(text):
        body = match.group().rstrip("=").upper()
        padded = body + "=" * (-len(body) % 8)
        for decode in (base64.b32decode, base64.b32hexdecode):
            try:
                read = text_of(decode(padded))
            except binascii.Error:
                continue
            if read:
                yield Part(read, *match.span(), _fit(read, len(body) * 5 // 8), slack=6)
                break


def hex_runs(text: str) -> Iterator[Part]:
    """Two hexadecimal digits a byte, in one run or with blanks, commas, colons or dashes and ``0x`` between."""
    for match in _HEX.finditer(text):
        digits = match.group().removeprefix("0x").removeprefix("0X")
        yield from _hex_run(match, digits)
    for match in _HEX_LIST.finditer(text):
        yield from _hex_run(match, "".join(_HEX_PAIR.findall(match.group())))
    for match in _HEX_WORDS.finditer(text):
        yield from _hex_run(match, "".join(_HEX_WORD.findall(match.group())))


def _hex_run(match: re.Match[str], digits: str) -> Iterator[Part]:
    read = text_of(bytes.fromhex(digits))
    if read:
        yield Part(read, *match.span(), _fit(read, len(digits) // 2), slack=4)


def code_runs(text: str) -> Iterator[Part]:
    """Decimal character codes, in a list or each in a call (``chr(65)``)."""
    for pattern in (_CODE_LIST, _CODE_CALLS):
        for match in pattern.finditer(text):
            codes = _codes(_NUMBER.findall(match.group()))
            if codes and max(codes) < 0x7F:  # noqa: PLR2004 - the last printable character of ASCII is one before it
                read = text_of(bytes(codes))
                if read:
                    yield Part(read, *match.span(), Fit.WHOLE)


def _codes(numbers: list[str]) -> list[int]:
    """Decimal numbers; or octal ones of three digits each, when they are no codes of characters otherwise."""
    joined = "".join(numbers)
    codes = [int(one) for one in numbers]
    is_octal = len(joined) == 3 * len(numbers) and _OCTAL.issuperset(joined)
    if is_octal and (max(codes) >= 0x7F or min(joined[::3]) == "0"):  # noqa: PLR2004 - the last printable character is one before it
        return [int(one, 8) for one in numbers]
    return codes


def bit_runs(text: str) -> Iterator[Part]:
    """Eight binary digits a byte."""
    for match in _BITS.finditer(text):
        digits = "".join(one for one in match.group() if one in "01")
        read = text_of(int(digits, 2).to_bytes(len(digits) // 8, "big"))
        if read:
            yield Part(read, *match.span(), _fit(read, len(digits) // 8), slack=2)


def ascii85_runs(text: str) -> Iterator[Part]:
    """Ascii85 in its brackets."""
    for match in _ASCII85.finditer(text):
        try:
            read = text_of(base64.a85decode(match.group(), adobe=True))
        except ValueError:
            continue
        if read:
            yield Part(read, *match.span(), Fit.WHOLE)


def point_runs(text: str) -> Iterator[Part]:
    """Characters by their code points (``U+0041``)."""
    for match in _POINTS.finditer(text):
        yield Part(bytes.fromhex("".join(_POINT.findall(match.group()))).decode("ascii"), *match.span(), Fit.EVEN, slack=8)


READERS: Final = MappingProxyType(
    {
        "base64": base64_runs,
        "base32": base32_runs,
        "hex": hex_runs,
        "codes": code_runs,
        "bits": bit_runs,
        "ascii85": ascii85_runs,
        "points": point_runs,
    }
)
"""The readers, by the name of their sign."""


def text_of(data: bytes) -> str:
    """Return bytes as text when they are mostly that, inflated first where they are deflated; nothing otherwise.

    Raises:
        DecodingLimitError: they inflate to more text than they may.
    """
    if len(data) < 2:  # noqa: PLR2004 - too short for anything
        return ""
    if data.startswith(_GZIP):
        data = _inflate(data[:-8], 31) or data  # without the checksum at the end: who reads it by force does not check
    elif data[:2] in _ZLIB:
        data = _inflate(data[:-4], 15) or data
    if _is_text(data):
        return data.decode("utf-8", "replace")
    wide = _wide(data)
    if wide:
        return wide
    try:
        text = data.decode()  # other scripts: strict, as bytes that are no text hardly ever pass
    except UnicodeDecodeError:
        return _raw_inflated(data)
    return text if text.replace("\n", "").isprintable() else ""


def _strict(data: bytes) -> str:
    """Bytes as text when they are nothing else: where chance has more to choose from."""
    return data.decode() if len(data) >= _MIN_RUN - 2 and not data.translate(None, _TEXT) else ""


def _wide(data: bytes) -> str:
    """UTF-16 of what has one byte a character, as PowerShell takes its commands, and Java and UTF-7 write it."""
    data = data.removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff")
    if len(data) < 2:  # noqa: PLR2004 - no character
        return ""
    if not any(data[1::2]):
        return data[::2].decode("latin-1")
    return "" if any(data[::2]) else data[1::2].decode("latin-1")


def _unpacked(data: bytes) -> bytes:
    """Unpack bzip2, xz or LZMA, if a first look at it shows text.

    Raises:
        DecodingLimitError: there is more text in it than may be.
    """
    make = bz2.BZ2Decompressor if data.startswith(b"BZ") else _lzma_decompressor
    try:
        unpacked = make().decompress(data, _FIRST_LOOK)
        if len(unpacked) == _FIRST_LOOK and _is_text(unpacked):
            unpacked = make().decompress(data, MOST_INFLATED + 1)
    except (OSError, EOFError, ValueError, lzma.LZMAError):
        return b""
    if len(unpacked) > MOST_INFLATED:
        raise DecodingLimitError
    return unpacked


def _lzma_decompressor() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(memlimit=_MEMORY)


def _raw_inflated(data: bytes) -> str:
    """Inflate without a header. What passes by chance is short and no text."""
    inflated = _inflate(data, -15)
    return inflated.decode("utf-8", "replace") if len(inflated) >= _MIN_RUN and _is_text(inflated) else ""


def _inflate(data: bytes, window: int) -> bytes:
    """Inflate, if a first look at it shows text.

    Raises:
        DecodingLimitError: there is more text in it than may be.
    """
    try:
        inflated = zlib.decompressobj(wbits=window).decompress(data, _FIRST_LOOK)
        if len(inflated) == _FIRST_LOOK and _is_text(inflated):
            inflated = zlib.decompressobj(wbits=window).decompress(data, MOST_INFLATED + 1)
    except zlib.error:
        return b""
    if len(inflated) > MOST_INFLATED:
        raise DecodingLimitError
    return inflated


def _is_text(data: bytes) -> bool:
    return len(data.translate(None, _TEXT)) <= len(data) * _MOST_BINARY


def _fit(read: str, size: int) -> Fit:
    """In a long run characters lie evenly when each was one byte of it; else, and in a short one, any of them stands for the whole run."""
    return Fit.EVEN if len(read) == size > _SHORT and read.isascii() else Fit.WHOLE
