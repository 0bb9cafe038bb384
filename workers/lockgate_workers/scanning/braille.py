"""Braille as the letters that it is: the cells of one letter each, with the signs for capitals and numbers; or cells as bytes. Facts and a reader.

What comes out is meant for the rules. Contractions of any language are left as they are, and with them the run they stand in.
"""

from __future__ import annotations

from typing import Final

_CELLS: Final = "\u2801\u2803\u2809\u2819\u2811\u280b\u281b\u2813\u280a\u281a\u2805\u2807\u280d\u281d\u2815\u280f\u281f\u2817\u280e\u281e\u2825\u2827\u283a\u282d\u283d\u2835"
_LETTERS: Final = dict(zip(_CELLS, "abcdefghijklmnopqrstuvwxyz", strict=True))
_DIGITS: Final = dict(zip(_CELLS[:10], "1234567890", strict=True))
_SIGNS: Final = {"\u2824": "-", "\u2832": ".", "\u2812": ":", "\u2802": ",", "\u280c": "/"}
_PAIRS: Final = {"\u2838\u2824": "_", "\u2808\u2801": "@", "\u2838\u280c": "/", "\u2810\u2836": "="}
_NUMBER, _LETTER, _CAPITAL = "\u283c", "\u2830", "\u2820"
_FIRST: Final = 0x2800


def braille(run: str) -> str:
    """Return the text that a run of cells stands for, or the run when it stands for none."""
    return _by_letters(run) or _by_bytes(run) or run


def _by_letters(run: str) -> str:
    found: list[str] = []
    numbers = capital = False
    position = 0
    while position < len(run):
        cell, pair = run[position], run[position : position + 2]
        position += 2 if pair in _PAIRS else 1
        if pair in _PAIRS or cell in _SIGNS:
            found.append(_PAIRS.get(pair) or _SIGNS[cell])
            numbers = numbers and cell in _SIGNS
        elif cell in {_NUMBER, _LETTER, _CAPITAL}:
            numbers, capital = cell == _NUMBER, cell == _CAPITAL
        else:
            letter = (_DIGITS if numbers else _LETTERS).get(cell) or _LETTERS.get(cell)
            if letter is None:
                return ""
            numbers = numbers and cell in _DIGITS
            found.append(letter.upper() if capital else letter)
            capital = False
    return "".join(found)


def _by_bytes(run: str) -> str:
    """Eight dots are the eight bits of a byte."""
    data = bytes(ord(cell) - _FIRST for cell in run)
    return data.decode("ascii") if data.isascii() and all(0x20 <= one < 0x7F for one in data) else ""  # noqa: PLR2004 - printable ASCII
