"""Text written as a number in a large base: base85 in its three alphabets, base58, base62, base45, base36 and plain decimal.

These have no sign of their own: a run is tried, and what comes out counts only when all of it is printable ASCII. Chance gets there once in
some hundred million runs, so that hashes, identifiers and pictures are dropped. A number is tried only when its first digits say that
the first byte would be a printable character, and only up to a length: to read it takes time that grows faster than it does.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from math import log2
from types import MappingProxyType
from typing import Final

from lockgate_workers.scanning.view import Fit, Part

_P: Final = r"[!#$&;?@^~<>{}|%*]"

SIGNS: Final = MappingProxyType(
    {
        "base85": rf"[A-Za-z0-9]{_P}[A-Za-z0-9][!-~]{{0,12}}[A-Za-z0-9]{_P}[A-Za-z0-9]|(?i:(?:base|ascii|\b[abz])-?85)",
        "numbers": r"[A-Za-z0-9]{26}",
        "base45": r"(?i:base-?45)",
    }
)
"""What the gate looks for: signs within a word that do not stand between letters otherwise, many letters and digits in a row, or the name."""

_Z85: Final = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_B85: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
_TO_B85: Final = str.maketrans(_Z85, _B85)
# The first of five characters that four of printable ASCII become.
_FIRST_B85: Final = frozenset(_B85[10:41])
_FIRST_Z85: Final = frozenset(_Z85[10:41])
_FIRST_A85: Final = frozenset(map(chr, range(0x21 + 10, 0x21 + 41)))
_IN_B85: Final = re.compile(r"[0-9A-Za-z!#$%&()*+\-;<=>?@^_`{|}~]{25,4000}+")
_IN_Z85: Final = re.compile(r"[0-9A-Za-z.\-:+=^!/*?&<>()\[\]{}@%$#]{25,4000}+")
_IN_A85: Final = re.compile(r"[!-uz]{25,4000}+")
_DIGITS: Final = "0123456789"
_UPPER: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LOWER: Final = _UPPER.lower()
_BITCOIN: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_ALPHABETS: Final = (_BITCOIN, _DIGITS + _UPPER + _LOWER, _DIGITS + _LOWER + _UPPER, _UPPER + _LOWER + _DIGITS)
_VALUES: Final = tuple(
    ({letter: value for value, letter in enumerate(alphabet)}, log2(len(alphabet))) for alphabet in _ALPHABETS
)
_FIRST_BITS: Final = (5, 6)
"""The highest bit of a printable character, counted from nought."""
_ALPHANUMERIC: Final = re.compile(r"(?<![A-Za-z0-9])[A-Za-z0-9]{20,160}+(?![A-Za-z0-9])")
_HEXADECIMAL: Final = frozenset("0123456789abcdefABCDEF")
_HEAD: Final = 10
_BEGIN: Final = 3
"""Bytes at the beginning of a number which its first digits settle: three of them are printable by chance once in a score."""
_SHORTEST: Final = 12
_BYTE: Final = 8
_FORTY_FIVE: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_IN_45: Final = re.compile(r"(?<![A-Z0-9$%*+./:\-])[A-Z0-9$%*+./: \-]{27,2000}(?<! )(?![A-Z0-9$%*+./:\-])")
_PRINTABLE: Final = bytes(range(0x20, 0x7F)) + b"\t\n\r"
_FEWEST_KINDS: Final = 8
_QUOTES: Final = "`\"'()<>{}[]"


def base85_runs(text: str) -> Iterator[Part]:
    """Base85 in Python's (RFC 1924), ZeroMQ's and Adobe's alphabet, without brackets."""
    for pattern, firsts, decode in (
        (_IN_B85, _FIRST_B85, _from_b85),
        (_IN_Z85, _FIRST_Z85, _from_z85),
        (_IN_A85, _FIRST_A85, _from_a85),
    ):
        for match in pattern.finditer(text):
            for offset, run in _peeled(match.group(), firsts):
                read = decode(run)
                if read:
                    first = match.start() + offset
                    yield Part(read, first, first + len(run), Fit.WHOLE)
                    break


def _peeled(run: str, firsts: frozenset[str]) -> Iterator[tuple[int, str]]:
    """The run itself, and without the quotation marks and brackets around it, which are letters of these alphabets as well."""
    bare = run.strip(_QUOTES)
    for offset, one in ((0, run), (run.index(bare[0]) if bare else 0, bare)):
        if len(one) >= _SHORTEST and firsts.issuperset(one[::5]) and len(set(one)) >= _FEWEST_KINDS:
            yield offset, one


def _from_b85(run: str) -> str:
    try:
        return _text(base64.b85decode(run))
    except ValueError:
        return ""


def _from_z85(run: str) -> str:
    return _from_b85(run.translate(_TO_B85))


def _from_a85(run: str) -> str:
    try:
        return _text(base64.a85decode(run))
    except ValueError:
        return ""


def number_runs(text: str) -> Iterator[Part]:
    """Letters and digits as one large number: base58, base62, base36 and decimal."""
    for match in _ALPHANUMERIC.finditer(text):
        run = match.group()
        if run.isalpha() or len(set(run)) < _FEWEST_KINDS or (_HEXADECIMAL.issuperset(run) and not run.isdecimal()):
            continue
        for data in _numbers(run):
            read = _text(data)
            if read:
                yield Part(read, *match.span(), Fit.WHOLE)
                break


def _numbers(run: str) -> Iterator[bytes]:
    """What a run is as a number, in each base in which it can be one that begins with a character."""
    if run.isdecimal():
        yield _to_bytes(int(run))
        return
    if run.islower() or run.isupper():
        number = int(run, 36)
        if (number.bit_length() - 1) % _BYTE in _FIRST_BITS:
            yield _to_bytes(number)
        return
    rest = len(run) - _HEAD
    for values, bits in _VALUES:
        head = _number(run[:_HEAD], values)
        if head and int(log2(head) + rest * bits) % _BYTE in _FIRST_BITS and _may_begin(head, len(values) ** rest):
            yield _to_bytes(_number(run, values))


def _may_begin(head: int, power: int) -> bool:
    """Whether the first bytes of a number whose first digits are ``head`` can all be printable: of the least it can be, or of the most."""
    return any(
        not (number >> _bits_behind(number)).to_bytes(_BEGIN, "big").translate(None, _PRINTABLE)
        for number in (head * power, (head + 1) * power)
    )


def _bits_behind(number: int) -> int:
    return max(0, _BYTE * (-(-number.bit_length() // _BYTE) - _BEGIN))


def _number(run: str, values: dict[str, int]) -> int:
    """A run as a number, or 0 when some letter is none of its alphabet."""
    number, base = 0, len(values)
    try:
        for value in map(values.__getitem__, run):
            number = number * base + value
    except KeyError:
        return 0
    return number


def _to_bytes(number: int) -> bytes:
    return number.to_bytes(-(-number.bit_length() // _BYTE), "big")


def base45_runs(text: str) -> Iterator[Part]:
    """Base45 (RFC 9285), as in QR codes."""
    for match in _IN_45.finditer(text):
        run = match.group()
        for one in dict.fromkeys((run.strip(), run.strip(" :.-"), run.partition(": ")[2].strip())):
            read = _text(_from_45(one))
            if read:
                first = match.start() + run.index(one)
                yield Part(read, first, first + len(one), Fit.WHOLE)
                break


def _from_45(run: str) -> bytes:
    values = [_FORTY_FIVE.index(letter) for letter in run]
    found = bytearray()
    for at in range(0, len(values), 3):
        three = values[at : at + 3]
        number = sum(value * 45**place for place, value in enumerate(three))
        size = len(three) - 1
        if not size or number >= 256**size:
            return b""
        found += number.to_bytes(size, "big")
    return bytes(found)


def _text(data: bytes) -> str:
    """Bytes as text when they are printable ASCII and nothing else, and enough of them that chance does not get there."""
    data = data.rstrip(b"\0")
    return data.decode() if len(data) >= _SHORTEST and not data.translate(None, _PRINTABLE) else ""


READERS: Final = MappingProxyType({"base85": base85_runs, "numbers": number_runs, "base45": base45_runs})
"""The readers, by the name of their sign."""
