"""One rule looked at exactly: where its pattern matches (RE2), and whether a candidate is more than that.

A pattern finds candidates. What it cannot say is checked here in a fixed order, the cheap and the telling first: words beside it, words
that must not be there, validators, entropy, the rule's own allow-list, and whether it is a stand-in. Pure. The expressions are
compiled when they are needed for the first time, as most of the rules never are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from lockgate_workers.scanning.explaining import Verdict
from lockgate_workers.scanning.extent import longest
from lockgate_workers.scanning.packs import SECRET_GROUP, Rule, compiled
from lockgate_workers.scanning.placeholders import is_placeholder
from lockgate_workers.scanning.validators import VALIDATORS, entropy

NEAR: Final = 1_024
"""Rules that match no more characters than this can be looked for in a part of a long text."""
_WORD_ENDS: Final = {code: " " for code in range(128) if not chr(code).isalnum()}
_LONGEST_STAND_IN: Final = 1_024


class ExactRule:
    """A rule with its compiled expressions."""

    __slots__ = ("_compiled", "_near", "rule")

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._compiled: tuple[Any, int, tuple[Any, ...]] | None = None
        self._near: bool | None = None

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
        pattern, group, _ = self._expressions()
        position = 0
        for begin, end in places:
            for match in pattern.finditer(data, max(position, begin), end + beyond):
                first, last = match.span()
                if first >= end:
                    break
                position = last
                start, stop = match.span(group)
                yield (start, stop) if start >= 0 else (first, last)

    def refused(self, value: str, text: str, start: int, end: int) -> Verdict | None:
        """Return the first check by which the candidate ``value``, at ``start`` to ``end`` of ``text``, is no finding; None if it is one."""
        rule = self.rule
        context = self._context(text, start, end)
        if context is not None:
            return context
        if rule.validators and not all(VALIDATORS[name](value) for name in rule.validators):
            return Verdict.VALIDATOR
        if rule.entropy and entropy(value) < rule.entropy:
            return Verdict.ENTROPY
        if rule.allow and any(one.fullmatch(value) is not None for one in self._expressions()[2]):
            return Verdict.ALLOWED
        if rule.placeholder == "skip" and len(value) <= _LONGEST_STAND_IN and is_placeholder(value):
            return Verdict.PLACEHOLDER
        return None

    def _context(self, text: str, start: int, end: int) -> Verdict | None:
        rule = self.rule
        if not rule.keywords and not rule.unless:
            return None
        around = text[max(0, start - rule.window) : end + rule.window].lower()
        around = f"{around} {around.translate(_WORD_ENDS)} "
        if rule.keywords and not any(word in around for word in rule.keywords):
            return Verdict.KEYWORD
        return Verdict.UNLESS if any(word in around for word in rule.unless) else None

    def _expressions(self) -> tuple[Any, int, tuple[Any, ...]]:
        """The pattern, the number of its group ``secret`` (0 for the whole match), and the allow-list. Two threads may compile it twice."""
        if self._compiled is None:
            pattern, allow = compiled(self.rule)
            self._compiled = pattern, pattern.groupindex.get(SECRET_GROUP, 0), allow
        return self._compiled
