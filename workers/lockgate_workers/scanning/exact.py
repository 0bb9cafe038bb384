"""One rule looked at exactly: where its pattern matches (RE2), and whether a candidate is more than that.

A pattern finds candidates. What it cannot say is checked here, the cheap and the telling first: words beside it and words that must
not be there (after the value, for rules that ask for no word), validators, entropy, the rule's own allow-list, and whether it is a
stand-in. Pure. The expressions are
compiled when they are needed for the first time, as most of the rules never are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from lockgate_workers.scanning.explaining import Verdict
from lockgate_workers.scanning.extent import longest
from lockgate_workers.scanning.packs import Rule, compiled
from lockgate_workers.scanning.placeholders import is_placeholder
from lockgate_workers.scanning.validators import VALIDATORS, entropy

NEAR: Final = 1_024
"""Rules that match no more characters than this can be looked for in a part of a long text."""
_APART: Final = bytes(code if code >= ord("\x80") or chr(code).isalnum() else 0x20 for code in range(256))
_LONGEST_STAND_IN: Final = 1_024
_CHARACTER_BYTES: Final = 4
_PRICE: Final = 3_000
_PRICES: Final = {
    "phone": 35_000,
    "phone-american": 60_000,
    "phone-common": 60_000,
    "number-alone": 50_000,
    "vat": 40_000,
    "private-address": 4_000,
    "private-address-common": 4_000,
}
_CHARACTER: Final = 350
"""Measured, with room: what a validator takes for one candidate, the slow ones by name, and what a character of a value takes."""


class _Words:
    """Words to look for in a text in lower case. One with a blank in it holds also where a sign stands for the blank, and at both ends."""

    __slots__ = ("_apart", "_plain")

    def __init__(self, words: Iterable[str]) -> None:
        words = tuple(words)
        self._plain = tuple(word for word in words if " " not in word)
        self._apart = tuple(word for word in words if " " in word)

    def any_in(self, text: str) -> bool:
        """Whether any of the words stands in the text."""
        if any(map(text.__contains__, self._plain)):
            return True
        if not self._apart:
            return False
        text = f"{text} {_apart(text)} "
        return any(map(text.__contains__, self._apart))


class ExactRule:
    """A rule with its compiled expressions."""

    __slots__ = (
        "_compiled", "_keywords", "_letter_price", "_near", "_price", "_unless", "_validators", "is_placed_first", "looks_around", "rule",
    )  # fmt: skip

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.looks_around: Final = bool(rule.keywords or rule.unless)
        """Whether what stands around a candidate matters."""
        self.is_placed_first: Final = bool(rule.keywords)
        """Whether what stands around a candidate is looked at before its value: a missing word settles most candidates cheaply."""
        self._compiled: tuple[Any, tuple[int, ...], Any | None] | None = None
        self._near: bool | None = None
        self._keywords = _Words(rule.keywords)
        self._unless = _Words(rule.unless)
        self._validators = tuple(VALIDATORS[name] for name in rule.validators)
        self._price = sum(_PRICES.get(name, _PRICE) for name in rule.validators)
        self._letter_price = _CHARACTER if rule.validators or rule.entropy or rule.placeholder == "skip" else 0

    @property
    def near(self) -> bool:
        """Whether no match is longer than `NEAR` characters."""
        if self._near is None:
            width = longest(self.rule.pattern)
            self._near = width is not None and width <= NEAR
        return self._near

    def candidates(self, data: bytes, places: Iterable[tuple[int, int]], beyond: int) -> Iterator[tuple[int, int]]:
        r"""Yield the byte spans of all candidates whose match begins in one of ``places``, which are in order and do not overlap.

        A match may end up to ``beyond`` bytes past its place. What stands around a place is seen by ``^``, ``$`` and ``\b`` as it is.
        """
        pattern, groups, _ = self._expressions()
        position = 0
        for begin, end in places:
            position = max(position, begin)
            again = True
            while again:
                again = False
                for match in pattern.finditer(data, position, end + beyond):
                    first, last = match.span()
                    if first >= end:
                        break
                    found = _value(match, groups)
                    yield found
                    # The sign behind one value is often what the next one needs before it: in a list every second one would be passed over.
                    position = max(first + 1, found[1], last - _CHARACTER_BYTES)
                    if again := position != last:
                        break

    def price(self, length: int) -> int:
        """What it costs to look at the value of one candidate of so many characters, in the units of `meter`."""
        return self._price + self._letter_price * length

    def refused(self, value: str) -> Verdict | None:
        """Return the first check by which ``value`` is no finding, whatever stands around it; None if it passes them all."""
        rule = self.rule
        for validator in self._validators:
            if not validator(value):
                return Verdict.VALIDATOR
        if rule.entropy and entropy(value) < rule.entropy:
            return Verdict.ENTROPY
        if rule.allow:
            allow = self._expressions()[2]
            if allow is not None and allow.fullmatch(value.encode("utf-8", "replace")) is not None:
                return Verdict.ALLOWED
        if rule.placeholder == "skip" and len(value) <= _LONGEST_STAND_IN and is_placeholder(value):
            return Verdict.PLACEHOLDER
        return None

    def around(self, text: str, start: int, end: int) -> str:
        """What stands around the candidate at ``start`` to ``end`` of ``text``, and itself."""
        return text[max(0, start - self.rule.window) : end + self.rule.window]

    def misplaced(self, around: str) -> Verdict | None:
        """Return why what stands ``around`` a candidate says that it is no finding, or None."""
        around = around.lower()
        if self.is_placed_first and not self._keywords.any_in(around):
            return Verdict.KEYWORD
        return Verdict.UNLESS if self._unless.any_in(around) else None

    def _expressions(self) -> tuple[Any, tuple[int, ...], Any | None]:
        """The pattern, its named groups (the first that took part is the secret, else the match), the allow-list. Two threads may compile it twice."""
        if self._compiled is None:
            pattern, allow = compiled(self.rule)
            self._compiled = pattern, tuple(pattern.groupindex.values()), allow
        return self._compiled


def _value(match: Any, groups: tuple[int, ...]) -> tuple[int, int]:
    """The span of the first of the groups that took part, or of the whole match."""
    for group in groups:
        span: tuple[int, int] = match.span(group)
        if span[0] >= 0:
            return span
    whole: tuple[int, int] = match.span()
    return whole


def _apart(text: str) -> str:
    """A blank for every sign of ASCII. By way of bytes: translating a text with other characters in it takes fifty times as long."""
    return text.encode("utf-8", "surrogatepass").translate(_APART).decode("utf-8", "surrogatepass")
