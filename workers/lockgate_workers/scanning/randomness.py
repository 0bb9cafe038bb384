"""Whether a text was drawn at random or written by somebody: words, names, paths and versions against keys.

Entropy alone cannot say: ``get_next_page_token`` has as many bits a character as a short key. Letters of words come in the same
pairs again and again, random ones do not, so the share of usual pairs is measured, beside how digits are mixed in. It says nothing
about what a value is for; that is left to the rules.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final, NamedTuple

# The 160 pairs of letters which make up 87 of 100 pairs in the words of the standard library's source; of random pairs it is 24.
_LOWER_PAIRS: Final = (
    "ab ac ad ag ai al am an ap ar as at ba be bl bu ca ce ch ci ck cl co cr ct cu da de di do ds ea ec ed ee ef el em en ep er es et ev ex "  # noqa: SIM905 - a list of so many reads worse
    "fa ff fi fo fu ge ha he hi ho ia ib ic id ie if ig il im in io ip ir is it iv ke la le li ll lo ls lt lu ly ma me mi mo mp na nc nd ne "
    "ng ni no ns nt oc od ol om on op or os ot ou ov ow pa pe pl po pp pr pt qu ra rd re rg ri rm rn ro rr rs rt ru ry sa se sh si so sp ss "
    "st su ta te th ti to tr ts tt tu ty ue ul um un up ur us ut va ve wa wh wi".split(" ")
)
_PAIRS: Final = frozenset(tuple(case(pair)) for pair in _LOWER_PAIRS for case in (str.lower, str.title, str.upper))
_DIGITS: Final = "0123456789"
_HEX: Final = re.compile(r"(?:0x)?[0-9a-f]{16,}|(?:0x)?[0-9A-F]{16,}")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_PART: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_VERSION: Final = re.compile(r"[vV]?[0-9]+(?:[.\-:/_][0-9]+)+(?:[.\-+_]?[a-z]{1,12}[0-9.]*)*")
_NAME: Final = re.compile(r"[A-Za-z]{1,16}(?:[_.\-/: ][A-Za-z]{1,16})+[_.\-]?[0-9]{0,4}")
_SNAKE: Final = re.compile(
    r"_*[a-z]{1,16}[0-9]{0,4}(?:_[a-z]{1,16}[0-9]{0,4})+_*|_*[A-Z]{1,16}[0-9]{0,4}(?:_[A-Z]{1,16}[0-9]{0,4})+_*"
)
_LISTED: Final = re.compile(
    r"(?:CVE|CAN)-[0-9]{4}-[0-9]{4,7}|GHSA(?:-[0-9a-z]{4}){3}|(?:RHSA|RHBA|DSA|DLA|USN|ELSA|XSA)-[0-9]{3,4}(?:[:\-][0-9]{1,5}){0,2}"
)
"""The number under which a weakness or an advisory is listed, for everybody to read."""
_SIZED: Final = re.compile(r"[A-Z][A-Z0-9]{1,7}(?:-[A-Z0-9]{2,5}){0,2}-[0-9]{1,4}[KMGT]B")
"""A model of something, with how much it holds."""
_RESOURCE: Final = re.compile(r"arn:aws[a-z\-]*:.*|[a-z]{2}-(?:[a-z]+-){1,2}[0-9]:[0-9]{12}:.*", re.DOTALL)
"""The name of a resource of Amazon's, from its beginning or from its region on."""
_PUBLIC: Final = (_VERSION, _NAME, _LISTED, _SIZED, _RESOURCE)
_ALPHABET: Final = re.compile(r"abcdefghij|ijklmnopqr|qrstuvwxyz", re.IGNORECASE)
_DIGIT: Final = re.compile(r"[0-9]")
_LETTER: Final = re.compile(r"[^\W\d_]")
_STRONG_SIGN: Final = re.compile(r"[!@#$%^&*?~+]")
_CHANGE: Final = re.compile(r"\d(?=[^\W\d_])|[^\W\d_](?=\d)")
_MIN_LENGTH: Final = 8
_WORDED: Final = 0.4
_MIN_LETTERS_ONLY: Final = 20
_MIN_DIGITS_ONLY: Final = 20
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


class _Words(NamedTuple):
    """What a text looks like as words: its letters and digits, how many of them lie in words, its pairs of letters, how many of them are usual."""

    characters: int
    in_words: int
    pairs: int
    usual: int

    @property
    def share(self) -> float:
        """The share of the letters and digits that lie in words: ``ed25519.PublicKey`` is a name for all its digits."""
        return self.in_words / max(1, self.characters)


def _words_in(text: str) -> _Words:
    """Pairs do not reach over a change of case or a sign."""
    characters = in_words = pairs = usual = 0
    for part in _PART.findall(text):
        length = len(part)
        characters += length
        if part[0] in _DIGITS:
            continue
        found = sum(map(_PAIRS.__contains__, pairwise(part)))
        pairs += length - 1
        usual += found
        if length >= _WORD_LENGTH and found >= (length - 1) * _WORD_PAIRS:
            in_words += length
    return _Words(characters, in_words, pairs, usual)


def generated(text: str) -> bool:
    """Looks drawn at random: a hexadecimal run, a UUID, or characters without words in them."""
    text = text.strip("\"':,.;!?)")
    if len(text) < _MIN_LENGTH or any(form.fullmatch(text) is not None for form in _PUBLIC):
        return False
    if _UUID.fullmatch(text) is not None:
        return True
    words = _words_in(text)
    if words.share >= _SNAKE_LEAST and _SNAKE.fullmatch(text) is not None:
        return False  # a name of a program in one case whose parts may end in numbers, with a word among them: ``gss_krb5_rfc1964_keydata``
    has_digit = _DIGIT.search(text) is not None
    if _LETTER.search(text) is None:
        return len(text) >= _MIN_DIGITS_ONLY and text.isdigit() and len(set(text)) > _FEW_PAIRS
    if _HEX.fullmatch(text) is not None:
        return has_digit or len(text) >= _MIN_HEX_LETTERS
    return _mixed(text, words) if has_digit else _letters_only(text, words)


def worded(text: str) -> bool:
    """Words make up much of it: names that were written one after the other, not bytes."""
    return _words_in(text).share >= _WORDED


def secret_like(text: str) -> bool:
    """Drawn at random, or chosen as a password policy wants it: three kinds of characters, a sign among them."""
    return generated(text) or _strong(text)


def _strong(text: str) -> bool:
    kinds = (
        _STRONG_SIGN.search(text, 1) is not None,
        _DIGIT.search(text) is not None,
        text.lower() != text,
        text.upper() != text,
    )
    return kinds[0] and sum(kinds) >= _STRONG_KINDS and len(text) >= _MIN_LENGTH


def _mixed(text: str, words: _Words) -> bool:
    """Letters and digits are random when words do not make up half of them, and digits stand everywhere or pairs are unusual."""
    return words.share < _WORDS_MOST and (_digits_mixed_in(text) or not _wordy(text, words, _USUAL))


def _letters_only(text: str, words: _Words) -> bool:
    """Letters alone are random only when there are many, and hardly any usual pair; the alphabet itself stands in for a key."""
    if len(text) < _MIN_LETTERS_ONLY or not text.isascii():
        return False
    return (words.share < _WORDS_MOST and not _wordy(text, words, _USUAL_LETTERS)) or _ALPHABET.search(text) is not None


def _digits_mixed_in(text: str) -> bool:
    """Digits stand between letters again and again, without a sign in between: names have their digits at the end."""
    return len(_CHANGE.findall(text)) > _MIXED_IN


def _wordy(text: str, words: _Words, share: float) -> bool:
    if words.pairs < _FEW_PAIRS:
        return words.pairs * 2 < len(text) and _DIGIT.search(text) is None
    return words.usual >= words.pairs * share
