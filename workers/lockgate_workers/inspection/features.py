"""What the injection model sees of a text: hashed n-grams with their places, and how the text is built. Pure, numpy only.

Words (one to three in a row, and two with one between) and runs of three to five characters are hashed into one table of
`BUCKETS` places. Case, runs of white space, digits and letters written as digits (``1gn0re``) make no difference; a character of a
script without spaces counts as a word. All of it is array arithmetic over blocks of bounded size: time is linear in the text and
memory is bounded by the block. Which weight a place has is left to `model`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

BITS: Final = 18
BUCKETS: Final = 1 << BITS
BLOCK: Final = 32_768
"""Characters looked at together. A block starts `OVERLAP` before the end of the one before, so that no window is cut for ever."""
OVERLAP: Final = 1_200

Codes = npt.NDArray[np.uint32]
Hashes = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]

_SPACE, _SIGN, _LETTER, _IDEOGRAPH = 0, 1, 2, 3
_WORDLESS: Final = ((0x0E00, 0x0EFF), (0x3040, 0x30FF), (0x3400, 0x9FFF), (0xF900, 0xFAFF))
_BASE: Final = 0x9E3779B97F4A7C15
_MIX: Final = np.uint64(0xD6E8FEB86659FD93)
_SHORT_MIX: Final = np.uint32(0x9E3779B1)
_WORD_STEPS: Final = (np.uint64(0xA0761D6478BD642F), np.uint64(0xE7037ED1A0B428DB), np.uint64(0x8EBC6AF09C88C6E3))
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
_ENDS: Final = np.array([chr(code) in ".!?;" for code in range(128)])
_EURO: Final = 0x20AC
_LETTERS: Final = np.array([ord(_LEET.get(chr(code), chr(code))) for code in range(128)], np.uint32)
_LETTER_I, _LETTER_L = np.uint32(ord("i")), np.uint32(ord("l"))
_IS_LETTER_SIGN: Final = np.array([chr(code) in "$@|!+" for code in range(128)])
_IS_DIGIT: Final = np.array([chr(code).isdigit() for code in range(128)])
_IS_ASCII_LETTER: Final = np.array([chr(code).isalpha() for code in range(128)])


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
    codes, kinds, breaks = _plain(np.frombuffer(block.encode("utf-32-le", "replace"), np.uint32))
    codes, kinds = _with_letter_signs(codes, kinds)
    starts, ends = _words(kinds)
    codes = _without_digits(codes, starts, ends)
    return Grams(codes, breaks, starts, _word_grams(codes, starts, ends), _character_grams(codes))


def _plain(codes: Codes) -> tuple[Codes, npt.NDArray[np.uint8], Places]:
    """Make every run of white space one space, and say where sentences and lines begin."""
    kinds = _KINDS[np.minimum(codes, 0xFFFF)]
    space = kinds == _SPACE
    keep = np.ones(len(codes), np.bool_)
    keep[1:] = ~(space[1:] & space[:-1])
    codes, kinds = codes[keep], kinds[keep]
    space = kinds == _SPACE
    ends = _ENDS[np.minimum(codes, 127)] & (codes < 128)  # noqa: PLR2004 - ASCII
    over = space & ((codes == _NEWLINE) | (codes == _RETURN))
    over[1:] |= space[1:] & ends[:-1]
    over |= (codes == _FULL_STOP) | (codes == _SEPARATOR)
    return np.where(space, np.uint32(32), codes), kinds, np.flatnonzero(over) + 1


def _with_letter_signs(codes: Codes, kinds: npt.NDArray[np.uint8]) -> tuple[Codes, npt.NDArray[np.uint8]]:
    """A sign that looks like a letter is one where letters or digits stand on both sides of it."""
    sign = (_IS_LETTER_SIGN[np.minimum(codes, 127)] | (codes == _EURO)) & (kinds == _SIGN)
    if not sign.any():
        return codes, kinds
    inner = np.zeros(len(codes), np.bool_)
    inner[1:-1] = sign[1:-1] & (kinds[:-2] >= _LETTER) & (kinds[2:] >= _LETTER)
    meant = np.where(codes == _EURO, np.uint32(ord("e")), _LETTERS[np.minimum(codes, 127)])
    return np.where(inner, meant, codes), np.where(inner, np.uint8(_LETTER), kinds)


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
    codes = np.where(codes == _LETTER_I, _LETTER_L, codes)
    ascii_codes = np.minimum(codes, 127)
    digit = _IS_DIGIT[ascii_codes]
    if not digit.any():
        return codes
    letters = np.concatenate((np.zeros(1, np.int64), np.cumsum(_IS_ASCII_LETTER[ascii_codes])))
    in_word = np.zeros(len(codes) + 1, np.int64)
    written = letters[ends] > letters[starts]
    in_word[starts[written]] += 1
    in_word[ends[written]] -= 1
    return np.where(digit, np.where(np.cumsum(in_word)[:-1] > 0, _LETTERS[ascii_codes], np.uint32(48)), codes)


def _word_grams(codes: Codes, starts: Places, ends: Places) -> tuple[Places, ...]:
    sums = np.zeros(len(codes) + 1, np.uint64)
    np.cumsum(codes * _POWERS[: len(codes)], out=sums[1:])
    one = _mixed((sums[ends] - sums[starts]) * _INVERSES[starts])
    two = one[:-1] * _WORD_STEPS[0] + one[1:]
    three = two[:-1] * _WORD_STEPS[1] + one[2:]
    apart = one[:-2] * _WORD_STEPS[2] + one[2:]
    return tuple(_bucket(hashes + np.uint64(salt)) for salt, hashes in enumerate((one, two, three, apart)))


def _character_grams(codes: Codes) -> tuple[Places, ...]:
    """Hash runs of three to five characters, each from the hash of the run that is one shorter."""
    hashes, found = codes * _SHORT_MIX, []
    for size in range(2, _LONGEST + 1):
        count = max(0, len(codes) - size + 1)
        hashes = (hashes[:count] + codes[size - 1 : size - 1 + count]) * _SHORT_MIX
        if size >= _SHORTEST:
            mixed = (hashes ^ (hashes >> np.uint32(15))) * _SHORT_MIX
            found.append((mixed >> np.uint32(32 - BITS)).astype(np.int64))
    return tuple(found)


def _mixed(hashes: Hashes) -> Hashes:
    hashes = (hashes ^ (hashes >> np.uint64(32))) * _MIX
    return hashes ^ (hashes >> np.uint64(29))


def _bucket(hashes: Hashes) -> Places:
    return (_mixed(hashes) >> np.uint64(64 - BITS)).astype(np.int64)
