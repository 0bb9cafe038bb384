"""Check digits of numbers of people that `python-stdnum` does not know. Pure; each with the weights by which its country computes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

_MONTHS: Final = 12
_DAYS: Final = 31


def _digits(text: str, length: int) -> list[int] | None:
    """The digits of a number of such a length, or None; one digit again and again is no number."""
    found = [int(one) for one in text if one.isascii() and one.isdigit()]
    return found if len(found) == length and len(set(found)) > 1 else None


def _dated(month: list[int], day: list[int]) -> bool:
    return 1 <= month[0] * 10 + month[1] <= _MONTHS and 1 <= day[0] * 10 + day[1] <= _DAYS


def iran(text: str) -> bool:
    """Iranian national code: ten digits, weights 10 to 2 modulo 11; below two the remainder itself is the last digit."""
    number = _digits(text, 10)
    if number is None:
        return False
    rest = sum(digit * weight for digit, weight in zip(number, range(10, 1, -1), strict=False)) % 11
    return number[9] == (rest if rest < 2 else 11 - rest)  # noqa: PLR2004 - the plan's own exception


def kazakhstan(text: str) -> bool:
    """Kazakh individual number: a date, a digit for century and sex, weights 1 to 11 modulo 11, and from 3 on where that gives ten."""
    number = _digits(text, 12)
    if number is None or not _dated(number[2:4], number[4:6]):
        return False
    sums = (sum(d * w for d, w in zip(number, weights, strict=False)) % 11 for weights in (range(1, 12), (*range(3, 12), 1, 2)))
    return number[11] == next((one for one in sums if one < 10), -1)  # noqa: PLR2004 - a digit


def yugoslavia(text: str) -> bool:
    """Number of a citizen (JMBG, EMBG, EMŠO) of Serbia, Bosnia, Montenegro, North Macedonia and Slovenia: a date, and modulo 11."""
    number = _digits(text, 13)
    if number is None or not _dated(number[2:4], number[0:2]):
        return False
    rest = 11 - sum(digit * weight for digit, weight in zip(number, (7, 6, 5, 4, 3, 2) * 2, strict=False)) % 11
    return number[12] == (0 if rest > 9 else rest)  # noqa: PLR2004 - a digit


def uruguay(text: str) -> bool:
    """Uruguayan identity number: eight digits, weights 2 9 8 7 6 3 4 modulo 10."""
    number = _digits(text, 8)
    return number is not None and -sum(d * w for d, w in zip(number, (2, 9, 8, 7, 6, 3, 4), strict=False)) % 10 == number[7]


FURTHER: Final[Mapping[str, Callable[[str], bool]]] = MappingProxyType(
    {"ir-id": iran, "kz-iin": kazakhstan, "yu-jmbg": yugoslavia, "uy-ci": uruguay}
)
"""Checks by the names under which rule packs ask for them."""
