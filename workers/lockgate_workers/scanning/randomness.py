"""Whether a text was drawn at random or written by somebody: words, names, paths and versions against keys.

Entropy alone cannot say: ``get_next_page_token`` has as many bits a character as a short key. Letters of words come in the same
pairs again and again, random ones do not, so the share of usual pairs is measured, beside how digits are mixed in. It says nothing
about what a value is for; that is left to the rules.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

# The 160 pairs of letters which make up 87 of 100 pairs in the words of the standard library's source; of random pairs it is 24.
_PAIRS: Final = frozenset(
    "ab ac ad ag ai al am an ap ar as at ba be bl bu ca ce ch ci ck cl co cr ct cu da de di do ds ea ec ed ee ef el em en ep er es et ev ex "  # noqa: SIM905 - a list of so many reads worse
    "fa ff fi fo fu ge ha he hi ho ia ib ic id ie if ig il im in io ip ir is it iv ke la le li ll lo ls lt lu ly ma me mi mo mp na nc nd ne "
    "ng ni no ns nt oc od ol om on op or os ot ou ov ow pa pe pl po pp pr pt qu ra rd re rg ri rm rn ro rr rs rt ru ry sa se sh si so sp ss "
    "st su ta te th ti to tr ts tt tu ty ue ul um un up ur us ut va ve wa wh wi".split(" ")
)
_HEX: Final = re.compile(r"(?:0x)?[0-9a-f]{16,}|(?:0x)?[0-9A-F]{16,}")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_PART: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_VERSION: Final = re.compile(r"[vV]?[0-9]+(?:[.\-:/_][0-9]+)+(?:[.\-+_]?[a-z]{1,12}[0-9.]*)*")
_NAME: Final = re.compile(r"[A-Za-z]{1,16}(?:[_.\-/: ][A-Za-z]{1,16})+[_.\-]?[0-9]{0,4}")
_SNAKE: Final = re.compile(
    r"_*[a-z]{1,16}[0-9]{0,4}(?:_[a-z]{1,16}[0-9]{0,4})+_*|_*[A-Z]{1,16}[0-9]{0,4}(?:_[A-Z]{1,16}[0-9]{0,4})+_*"
)
_ALPHABET: Final = re.compile(r"abcdefghij|ijklmnopqr|qrstuvwxyz", re.IGNORECASE)
_MIN_LENGTH: Final = 8
_MIN_LETTERS_ONLY: Final = 20
_MIN_DIGITS_ONLY: Final = 20
_STRONG_SIGNS: Final = frozenset("!@#$%^&*?~+")
_STRONG_KINDS: Final = 3
_MIN_HEX_LETTERS: Final = 24
_WORD_LENGTH: Final = 4
_WORD_PAIRS: Final = 0.6
_WORDS_MOST: Final = 0.5
_SNAKE_LEAST: Final = 0.3
_USUAL: Final = 0.5
_USUAL_LETTERS: Final = 0.62
_FEW_PAIRS: Final = 4
_MIXED_IN: Final = 3


def usual_pairs(text: str) -> tuple[int, int]:
    """How many pairs of letters are usual in words, and how many there are. Pairs do not reach over a change of case or a sign."""
    usual = total = 0
    for part in _PART.findall(text):
        if part.isalpha():
            total += len(part) - 1
            usual += _usual(part.lower())
    return usual, total


def generated(text: str) -> bool:
    """Looks drawn at random: a hexadecimal run, a UUID, or characters without words in them."""
    text = text.strip("\"':,.;!?)")
    if len(text) < _MIN_LENGTH or _VERSION.fullmatch(text) is not None or _NAME.fullmatch(text) is not None or _is_snake(text):
        return False
    if _UUID.fullmatch(text) is not None:
        return True
    has_digit = any("0" <= one <= "9" for one in text)
    if not any(one.isalpha() for one in text):
        return len(text) >= _MIN_DIGITS_ONLY and text.isdigit() and len(set(text)) > _FEW_PAIRS
    if _HEX.fullmatch(text) is not None:
        return has_digit or len(text) >= _MIN_HEX_LETTERS
    if not has_digit:
        return _letters_only(text)
    return _words_share(text) < _WORDS_MOST and (_digits_mixed_in(text) or not _wordy(text, _USUAL))


def _is_snake(text: str) -> bool:
    """A name of a program in one case whose parts may end in numbers, with a word among them: ``gss_krb5_rfc1964_keydata``."""
    return _SNAKE.fullmatch(text) is not None and _words_share(text) >= _SNAKE_LEAST


def secret_like(text: str) -> bool:
    """Drawn at random, or chosen as a password policy wants it: three kinds of characters, a sign among them."""
    return generated(text) or _strong(text)


def _strong(text: str) -> bool:
    kinds = (
        any(one in _STRONG_SIGNS for one in text[1:]),
        any(one.isdigit() for one in text),
        any(one.isupper() for one in text),
        any(one.islower() for one in text),
    )
    return kinds[0] and sum(kinds) >= _STRONG_KINDS and len(text) >= _MIN_LENGTH


def _letters_only(text: str) -> bool:
    """Letters alone are random only when there are many, and hardly any usual pair; the alphabet itself stands in for a key."""
    if len(text) < _MIN_LETTERS_ONLY or not text.isascii():
        return False
    return (_words_share(text) < _WORDS_MOST and not _wordy(text, _USUAL_LETTERS)) or _ALPHABET.search(text) is not None


def _digits_mixed_in(text: str) -> bool:
    """Digits stand between letters again and again, without a sign in between: names have their digits at the end."""
    changes = sum(left.isalnum() and right.isalnum() and left.isdigit() != right.isdigit() for left, right in pairwise(text))
    return changes > _MIXED_IN


def _words_share(text: str) -> float:
    """The share of the letters and digits that lie in words: ``ed25519.PublicKey`` is a name for all its digits."""
    parts = _PART.findall(text)
    words = sum(len(one) for one in parts if len(one) >= _WORD_LENGTH and _usual(one.lower()) >= (len(one) - 1) * _WORD_PAIRS)
    return words / max(1, sum(map(len, parts)))


def _wordy(text: str, share: float) -> bool:
    usual, total = usual_pairs(text)
    if total < _FEW_PAIRS:
        return total * 2 < len(text) and not any(one.isdigit() for one in text)
    return usual >= total * share


def _usual(lower: str) -> int:
    return sum(lower[index : index + 2] in _PAIRS for index in range(len(lower) - 1))
