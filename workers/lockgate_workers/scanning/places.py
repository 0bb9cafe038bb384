"""Where a pattern of the rules matches in a text, or in which of many, found by RE2: time is linear whatever the rules say. Nothing is decided here."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import re2

_MEMORY: Final = 32 << 20


class Places:
    """A pattern of plain ASCII, in RE2's syntax."""

    __slots__ = ("_pattern",)

    def __init__(self, pattern: str) -> None:
        options = re2.Options()
        options.log_errors = False
        options.never_capture = True
        self._pattern = re2.compile(pattern.encode(), options=options)

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield the spans of all matches. Other characters than ASCII match nothing, and count one place each."""
        for match in self._pattern.finditer(text.encode("ascii", "replace")):
            yield match.span()


class AnyOf:
    """Patterns of plain ASCII, of which it tells those that match somewhere in a text: in one pass, however many they are. Compiled when it is needed."""

    __slots__ = ("_compiled", "_patterns")

    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns = tuple(patterns)
        self._compiled: Any = None

    def within(self, text: str) -> list[int]:
        """The positions of the patterns that match, in order. RE2 gives up on a set only where memory does not hold two of its states."""
        if self._compiled is None:
            options = re2.Options()
            options.log_errors = False
            options.never_capture = True
            options.max_mem = _MEMORY
            compiled = re2.Set.SearchSet(options)
            for pattern in self._patterns:
                compiled.Add(pattern.encode())
            compiled.Compile()
            self._compiled = compiled
        return sorted(self._compiled.Match(text.encode("ascii", "replace")) or ())


class Spread:
    """A pattern that is looked for in many texts at once, which stand together with a line end between them. Compiled when it is needed."""

    __slots__ = ("_caseless", "_compiled", "_pattern")

    def __init__(self, pattern: str, *, caseless: bool = False) -> None:
        self._pattern = pattern
        self._caseless = caseless
        self._compiled: Any = None

    def texts(self, data: bytes, ends: Sequence[int]) -> Iterator[int]:
        """Yield which texts may hold a match, in order; ``ends`` is where each of them ends in ``data``, the line end behind it included.

        None that holds one is left out: a match over several texts counts for each of them.
        """
        search = self._expression().search
        position = 0
        while position < len(data) and (match := search(data, position)) is not None:
            first, last = match.span()
            at = bisect_right(ends, first)
            yield at
            while ends[at] < last:
                at += 1
                yield at
            position = ends[at]

    def _expression(self) -> Any:
        """The pattern for lines: where texts stand together, what one of them matches as a whole stands from one line's begin to a line's end."""
        if self._compiled is None:
            options = re2.Options()
            options.log_errors = False
            options.never_capture = True
            options.case_sensitive = not self._caseless
            options.max_mem = _MEMORY
            pattern = self._pattern
            lines = rf"^(?:{pattern[2:-2]})$" if pattern.startswith(r"\A") and pattern.endswith(r"\z") else pattern
            self._compiled = re2.compile(f"(?m){lines}", options=options)
        return self._compiled
