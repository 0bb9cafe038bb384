"""What the injection model sees of a text: hashed n-grams with their places, and how the text is built. Pure, numpy only.

Words (one to three in a row, and two with one between) and runs of three to five characters are hashed into one table of
`BUCKETS` places. Case, runs of white space or of one character, digits and letters written as digits (``1gn0re``) make no difference; a character of a
script without spaces counts as a word. All of it is array arithmetic over blocks of bounded size: time is linear in the text and
memory is bounded by the block. Which weight a place has is left to `model`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

BITS: Final = 18
BUCKETS: Final = 1 << BITS
BLOCK: Final = 32_768
"""Characters looked at together. A block starts `OVERLAP` before the end of the one before, so that no window is cut for ever."""
OVERLAP: Final = 1_200

Codes = npt.NDArray[Any]
"""Characters as numbers, of one byte each where all are ASCII (which is several times as fast) and else of four."""
Bytes = npt.NDArray[np.uint8]
Hashes = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]

_SPACE, _SIGN, _LETTER, _IDEOGRAPH = 0, 1, 2, 3
_WORDLESS: Final = ((0x0E00, 0x0EFF), (0x3040, 0x30FF), (0x3400, 0x9FFF), (0xF900, 0xFAFF))
_BASE: Final = 0x9E3779B97F4A7C15
_MIX: Final = np.uint64(0xD6E8FEB86659FD93)
_SHORT_MIX: Final = np.uint32(0x9E3779B1)
_WORD_STEPS: Final = (np.uint64(0xA0761D6478BD642F), np.uint64(0xE7037ED1A0B428DB), np.uint64(0x8EBC6AF09C88C6E3))
_SALTS: Final = (np.uint64(1), np.uint64(2), np.uint64(3))
_SHORTEST, _LONGEST = 3, 5
_LEET: Final = {
    "0": "o", "1": "l", "3": "e", "4": "a", "5": "s", "6": "g", "7": "t", "8": "b", "9": "g", "i": "l",
    "$": "s", "@": "a", "|": "l", "!": "l", "+": "t", "\u20ac": "e",
}  # fmt: skip
"""What a word's digits and signs may stand for. One that stands for i or l is both, and so i and l are the same letter here."""


def _kinds() -> npt.NDArray[np.uint8]:
    kinds = np.full(0x10000, _SIGN, np.uint8)
    for code in range(0x10000):
        category = unicodedata.category(chr(code))
        if category[0] in "LNM":
            kinds[code] = _LETTER
        elif category[0] == "Z" or code in {9, 10, 11, 12, 13}:
            kinds[code] = _SPACE
    for first, last in _WORDLESS:
        span = kinds[first : last + 1]
        span[span == _LETTER] = _IDEOGRAPH
    return kinds


def _powers(base: int) -> Hashes:
    powers = np.full(BLOCK + 1, base, np.uint64)
    powers[0] = 1
    return np.multiply.accumulate(powers)


_KINDS: Final = _kinds()
_POWERS: Final = _powers(_BASE)
_INVERSES: Final = _powers(pow(_BASE, -1, 1 << 64))
_NEWLINE, _RETURN, _FULL_STOP, _SEPARATOR = 10, 13, 0x3002, 0x1E
_EURO: Final = 0x20AC


def _of_ascii(value: Callable[[str], int]) -> bytes:
    """A value for each ASCII character, and for any other that of the character DEL, which no text has."""
    return bytes(value(chr(min(code, _DELETE))) for code in range(256))


_DELETE: Final = 127
_ASCII_KINDS: Final = _of_ascii(lambda one: int(_KINDS[ord(one)]))
_ENDS: Final = _of_ascii(lambda one: one in ".!?;")
_LETTERS: Final = _of_ascii(lambda one: ord(_LEET.get(one, one)))
_IS_LETTER_SIGN: Final = _of_ascii(lambda one: one in "$@|!+")
_IS_DIGIT: Final = _of_ascii(str.isdigit)
_IS_ASCII_LETTER: Final = _of_ascii(str.isalpha)
_LETTER_I, _LETTER_L = ord("i"), ord("l")


@dataclass(frozen=True, slots=True)
class Grams:
    """The hashed n-grams of a block. ``starts`` says where in ``codes`` the words begin, ``breaks`` where the sentences and lines do.

    ``words`` holds an array for each family, of the buckets of the n-grams that begin with each word (the last words begin none);
    ``characters`` likewise, for each character.
    """

    codes: Codes
    breaks: Places
    starts: Places
    words: tuple[Places, ...]
    characters: tuple[Places, ...]


def blocks(text: str) -> Iterator[Grams]:
    """Yield the n-grams of a text, block by block. A text without a character yields nothing."""
    start = 0
    lowered = text.lower()
    while start < len(lowered):
        yield grams(lowered[start : start + BLOCK])
        if start + BLOCK >= len(lowered):
            return
        start += BLOCK - OVERLAP


def grams(block: str) -> Grams:
    """Hash one block of at most `BLOCK` lower-case characters."""
    codes, kinds, breaks = _plain(*_read(block))
    codes, kinds = _with_letter_signs(codes, kinds)
    starts, ends = _words(kinds)
    codes = _without_digits(codes, starts, ends)
    return Grams(codes, breaks, starts, _word_grams(codes, starts, ends), _character_grams(codes))


def _read(block: str) -> tuple[Codes, Bytes]:
    """Return the characters and their kinds."""
    if block.isascii():
        data = block.encode()
        return np.frombuffer(data, np.uint8), np.frombuffer(data.translate(_ASCII_KINDS), np.uint8)
    codes = np.frombuffer(block.encode("utf-32-le", "replace"), np.uint32)
    return codes, _KINDS[np.minimum(codes, 0xFFFF)]


def _looked_up(codes: Codes, values: bytes) -> Bytes:
    """Return what a table says of each character."""
    return np.frombuffer(_as_bytes(codes).translate(values), np.uint8)


def _as_bytes(codes: Codes) -> bytes:
    return codes.tobytes() if codes.itemsize == 1 else np.minimum(codes, _DELETE).astype(np.uint8).tobytes()


def _plain(codes: Codes, kinds: Bytes) -> tuple[Codes, Bytes, Places]:
    """Make every run of white space one space, cut other runs short, and say where sentences and lines begin."""
    space = kinds == _SPACE
    same = codes[1:] == codes[:-1]
    again = space[1:] & space[:-1]
    again[2:] |= same[2:] & same[1:-1] & same[:-2]  # three count: a ruler of a hundred would outweigh every word beside it
    if again.any():
        keep = np.ones(len(codes), np.bool_)
        np.logical_not(again, out=keep[1:])
        codes, kinds, space = codes[keep], kinds[keep], space[keep]
    over = space & ((codes == _NEWLINE) | (codes == _RETURN))
    over[1:] |= space[1:] & _looked_up(codes[:-1], _ENDS).view(np.bool_)
    over |= codes == _SEPARATOR
    if codes.itemsize > 1:
        over |= codes == _FULL_STOP
    return np.where(space, codes.dtype.type(32), codes), kinds, np.flatnonzero(over) + 1


def _with_letter_signs(codes: Codes, kinds: Bytes) -> tuple[Codes, Bytes]:
    """A sign that looks like a letter is one where letters or digits stand on both sides of it."""
    sign = _looked_up(codes, _IS_LETTER_SIGN).view(np.bool_)
    if codes.itemsize > 1:
        sign = sign | (codes == _EURO)
    places = np.flatnonzero(sign[1:-1]) + 1
    places = places[(kinds[places] == _SIGN) & (kinds[places - 1] >= _LETTER) & (kinds[places + 1] >= _LETTER)]
    if not len(places):
        return codes, kinds
    codes, kinds = codes.copy(), kinds.copy()
    signs = codes[places]
    codes[places] = np.where(signs == _EURO, ord("e"), _looked_up(signs, _LETTERS))
    kinds[places] = _LETTER
    return codes, kinds


def _words(kinds: npt.NDArray[np.uint8]) -> tuple[Places, Places]:
    letter = kinds >= _LETTER
    alone = kinds == _IDEOGRAPH
    joined = letter[1:] & letter[:-1] & ~alone[1:] & ~alone[:-1]
    starts, ends = letter.copy(), letter.copy()
    starts[1:] &= ~joined
    ends[:-1] &= ~joined
    return np.flatnonzero(starts), np.flatnonzero(ends) + 1


def _without_digits(codes: Codes, starts: Places, ends: Places) -> Codes:
    """Digits in a word with a letter are taken for the letters they look like; elsewhere all digits are the same."""
    codes = np.where(codes == _LETTER_I, codes.dtype.type(_LETTER_L), codes)
    places = np.flatnonzero(_looked_up(codes, _IS_DIGIT))
    if not len(places):
        return codes
    words = np.searchsorted(starts, places, "right") - 1  # a digit always stands in a word
    letters = np.concatenate((np.zeros(1, np.int64), np.cumsum(_looked_up(codes, _IS_ASCII_LETTER), dtype=np.int64)))
    written = letters[ends[words]] > letters[starts[words]]
    codes[places] = np.where(written, _looked_up(codes[places], _LETTERS), ord("0"))
    return codes


def _word_grams(codes: Codes, starts: Places, ends: Places) -> tuple[Places, ...]:
    sums = np.zeros(len(codes) + 1, np.uint64)
    np.cumsum(codes * _POWERS[: len(codes)], out=sums[1:])
    one = _mixed((sums[ends] - sums[starts]) * _INVERSES[starts])
    two = one[:-1] * _WORD_STEPS[0] + one[1:]
    three = two[:-1] * _WORD_STEPS[1] + one[2:]
    apart = one[:-2] * _WORD_STEPS[2] + one[2:]
    families = one, two + _SALTS[0], three + _SALTS[1], apart + _SALTS[2]
    found = (_mixed(np.concatenate(families)) >> np.uint64(64 - BITS)).astype(np.int64)
    edges = np.cumsum([len(family) for family in families])
    return tuple(np.split(found, edges[:-1]))


def _character_grams(codes: Codes) -> tuple[Places, ...]:
    """Hash runs of three to five characters, each from the hash of the run that is one shorter."""
    codes = codes.astype(np.uint32)
    hashes, found = codes * _SHORT_MIX, []
    for size in range(2, _LONGEST + 1):
        count = max(0, len(codes) - size + 1)
        hashes = hashes[:count] + codes[size - 1 : size - 1 + count]
        hashes *= _SHORT_MIX
        if size >= _SHORTEST:
            mixed = hashes >> np.uint32(15)
            mixed ^= hashes
            mixed *= _SHORT_MIX
            mixed >>= np.uint32(32 - BITS)
            found.append(mixed.astype(np.int64))
    return tuple(found)


def _mixed(hashes: Hashes) -> Hashes:
    hashes = (hashes ^ (hashes >> np.uint64(32))) * _MIX
    return hashes ^ (hashes >> np.uint64(29))
