"""Whether a place in a text lies within a tag, or within what may be the description of an image. Pure; asked place by place, in order.

What was said of one place is carried on to the next, so that any number of questions costs one reading of the text: nothing is bounded by how
far back a tag or a description begins. Only tags with ``<`` or ``>`` between quotes are looked for anew, by an engine without backtracking, within a
window; when a text asks for more of that than any honest one does, everything counts as within a tag, for then more is looked at.
"""

from __future__ import annotations

from typing import Final

import re2

_WINDOW: Final = 16_384
_MOST_READ: Final = 2_097_152
_PARAGRAPH: Final = "\n\n"
_IMAGE: Final = "!["
_INDENT: Final = 16
"""Blanks before the `>` of a quotation."""


def _pattern(expression: str) -> re2._Regexp:
    options = re2.Options()
    options.case_sensitive = False
    options.dot_nl = True
    options.log_errors = False
    return re2.compile(expression, options=options)


# Signs between quotes end no tag, nor does the `>` with which the next line of a quotation begins; and a `<` that begins none is a sign like others.
BODY: Final = r"(?:[^<>]|<[^a-z>]|=\s*\"[^\"]*\"|=\s*'[^']*'|\n[ \t]*>)*"
_OPEN: Final = _pattern(rf"<[a-z]{BODY}\z")


class Spots:
    """The tags and images of one text. Places are asked about in ascending order."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._read = 0
        self._opened = self._closed = -1
        self._seen = self._looked = 0
        self._image = False
        self.has_images: Final = _IMAGE in text

    def in_tag(self, place: int) -> bool:
        """Whether ``place`` lies in a tag that is not closed before it."""
        text, since = self._text, self._read
        self._opened = max(self._opened, text.rfind("<", since, place))
        self._closed = max(self._closed, text.rfind(">", since, place))
        self._read = max(since, place)
        if self._opened < 0:
            return False
        if self._opened > self._closed and text[self._opened + 1 : self._opened + 2].isalpha():
            return True
        return self._in_quoting_tag(place)

    def _in_quoting_tag(self, place: int) -> bool:
        """The same, for tags in which such signs stand between quotes."""
        if not self._goes_on(max(self._opened, self._closed), place):
            return False
        window = self._text[max(0, place - _WINDOW) : place]
        self._looked += len(window)
        return self._looked > _MOST_READ or _OPEN.search(window) is not None

    def _goes_on(self, seeming: int, place: int) -> bool:
        """Whether the sign at ``seeming``, the last one, may have ended no tag: behind it quotes end, or before it a line begins."""
        begin = max(seeming, place - _WINDOW)
        if any(self._text.find(quote, begin, place) >= 0 for quote in "\"'"):
            return True
        return self._text[max(0, seeming - _INDENT) : seeming].rstrip(" \t").endswith("\n")

    def in_image(self, place: int) -> bool:
        """Whether the description of an image begins before ``place``, in the same paragraph."""
        if not self.has_images:
            return False
        text, since = self._text, max(0, self._seen - 1)
        paragraph = text.rfind(_PARAGRAPH, since, place)
        if paragraph >= 0:
            self._image, since = False, paragraph
        self._image = self._image or text.find(_IMAGE, since, place) >= 0
        self._seen = max(self._seen, place)
        return self._image
