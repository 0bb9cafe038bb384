"""Where a pattern made from the rules matches in a text, found by RE2: time is linear whatever the rules say. Nothing is decided here."""

from __future__ import annotations

from collections.abc import Iterator

import re2


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
