"""A view: a text made from another one, with the way back to the offsets of the original.

What is found in a view has to be redacted in the text the view came from, so every view knows the view before it and how its
characters came about. How views are made is decided by `normalise`, `decode` and the modules they use; this one keeps the books.
The books are made when a finding asks for them, not before: most views hold nothing, and then their maps would be the larger part
of the work.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from enum import IntEnum
from typing import Final, NamedTuple, Protocol

import msgspec

SEPARATOR: Final = "\n\x1e\n"
"""Stands between the pieces of a mosaic: a line end for the rules' anchors, and a sign that is neither white space nor text."""
LEAD: Final = 48
"""So many characters before a piece, on the same line, are shown with it: the words before a value tell what it is."""


class DecodingLimitError(Exception):
    """A text unfolds to more than it may; the engine turns this into a refusal."""


class Fit(IntEnum):
    """How the characters of a part lie over the span they came from."""

    SAME = 0
    """One to one."""
    WHOLE = 1
    """Each of them stands for the whole span."""
    EVEN = 2
    """Spread evenly, as an encoding of fixed ratio does; rounded outwards."""
    TURNED = 3
    """One to one, from the end to the beginning."""


class Part(NamedTuple):
    """A part of a view, and where it came from: ``first`` to ``last`` of the view before, give or take ``slack`` characters."""

    text: str
    first: int
    last: int
    fit: Fit = Fit.SAME
    slack: int = 0


class Stretch(NamedTuple):
    """A part as the map keeps it: from ``start`` on, ``size`` characters long."""

    start: int
    size: int
    first: int
    last: int
    fit: Fit
    slack: int


class Map(Protocol):
    """The way back from a view to the one before it."""

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the span from which the characters ``start`` to ``end`` (at least one) came."""
        ...


class Stretches:
    """A map of parts, made from them on the first question."""

    __slots__ = ("_parts", "_stretches")

    def __init__(self, parts: Callable[[], Iterable[Part]]) -> None:
        self._parts = parts
        self._stretches: tuple[Stretch, ...] = ()

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the span from which the characters ``start`` to ``end`` came, rounded outwards."""
        if not self._stretches:
            self._stretches = tuple(_laid_out(self._parts()))
        head, tail = self._at(start), self._at(end - 1)
        if head.fit is Fit.TURNED or tail.fit is Fit.TURNED:
            return _turned(head, tail, start, end)
        first, last = _first(head, start - head.start), _last(tail, end - tail.start)
        if first < last:
            return first, last
        return min(head.first, tail.first), max(
            head.last, tail.last
        )  # over pieces that do not lie in order: all that they cover

    def _at(self, index: int) -> Stretch:
        return self._stretches[bisect_right(self._stretches, index, key=_start) - 1]


class Characters:
    """A map where some characters became none or several: ``resized`` gives the index of each, in order, and how many it became."""

    __slots__ = ("_ends", "_indices", "_resized", "_shifts")

    def __init__(self, resized: Callable[[], Iterable[tuple[int, int]]]) -> None:
        self._resized = resized
        self._indices: list[int] = []
        self._ends: list[int] = []
        self._shifts = [0]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the span from which the characters ``start`` to ``end`` came."""
        if not self._ends:
            self._learn()
        return self._index(start), self._index(end - 1) + 1

    def _learn(self) -> None:
        """Note of each resized character where it ends in the view, and how far all characters behind it are shifted."""
        shift = 0
        for index, size in self._resized():
            self._indices.append(index)
            self._ends.append(index + shift + size)
            shift += size - 1
            self._shifts.append(shift)

    def _index(self, at: int) -> int:
        """The character that became the one at ``at``."""
        behind = bisect_right(self._ends, at)
        index = at - self._shifts[behind]
        return min(index, self._indices[behind]) if behind < len(self._indices) else index


class View(msgspec.Struct, frozen=True):
    """A text and where it came from; without ``before`` it is the original, without ``map`` it lies one to one over ``before``.

    In a ``weak`` view chance makes shapes, as nothing says that its text was meant to be read so: only rules of distinctive shape count.
    ``told``, of the original, is called for every piece that is read out of it or out of what was made from it, before it is kept.
    """

    text: str
    before: View | None = None
    map: Map | None = None
    weak: bool = False
    pieces: bool = False
    told: Callable[[], None] | None = None

    @property
    def origin(self) -> View:
        """The original."""
        return self if self.before is None else self.before.origin

    @property
    def root(self) -> View:
        """What this view is a rewriting of: the original, or the mosaic of what was read out of another view."""
        return self if self.before is None or self.pieces else self.before.root

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the span of the original text from which the characters ``start`` to ``end`` (at least one) of this view came."""
        if self.before is None:
            return start, end
        if self.map is not None:
            start, end = self.map.span(start, end)
        return self.before.span(start, end)


class Mosaic:
    """Collects what was read out of pieces of a view, and lays it out as one view, so that one pass scans all of it."""

    __slots__ = ("_before", "_last", "_pieces", "_seen", "_texts", "_told", "size")

    def __init__(self, before: View) -> None:
        self._before = before
        self._told = before.origin.told
        self._texts: list[str] = []
        self._pieces: list[Callable[[], Iterable[Part]]] = []
        self._seen: set[tuple[int, int, str]] = set()
        self._last = 0
        self.size = 0

    def add(self, *parts: Part) -> None:
        """Add one piece, made of parts in order."""
        text = parts[0].text if len(parts) == 1 else "".join(part.text for part in parts)
        self.add_piece(text, parts[0].first, parts[-1].last, lambda: parts)

    def add_piece(self, text: str, first: int, last: int, parts: Callable[[], Iterable[Part]]) -> None:
        """Add one piece that was read from ``first`` to ``last``, with the words before it and the sign after it."""
        if self._told is not None:
            self._told()
        if (first, last, text) in self._seen:
            return
        self._seen.add((first, last, text))
        whole = self._before.text
        lead = max(whole.rfind("\n", max(0, first - LEAD), first) + 1, first - LEAD, 0)
        if (
            self._last <= first
        ):  # words before the piece before belong to that one; without this bound mosaics would outgrow their text
            lead = max(lead, self._last)
        if first and whole[first - 1].isalnum():
            lead = first
        trail = last + 1 if last < len(whole) and not whole[last].isalnum() else last
        self._texts += (whole[lead:first], text, whole[last:trail], SEPARATOR)
        self._pieces.append(lambda: _framed(whole, (lead, first, last, trail), parts()))
        self._last = last
        self.size += len(text)

    def view(self, *, weak: bool = False) -> View | None:
        """Return the view, or None when nothing was added."""
        if not self._pieces:
            return None
        pieces = tuple(self._pieces)
        stretches = Stretches(lambda: (part for piece in pieces for part in piece()))
        return View("".join(self._texts), self._before, stretches, weak or self._before.weak, pieces=True)


def _framed(whole: str, bounds: tuple[int, int, int, int], parts: Iterable[Part]) -> Iterator[Part]:
    """The parts of a piece between the words before it and the sign after it."""
    lead, first, last, trail = bounds
    yield Part(whole[lead:first], lead, first)
    yield from parts
    yield Part(whole[last:trail], last, trail)
    yield Part(SEPARATOR, trail - 1, trail, Fit.WHOLE)


def rewritten(before: View, text: str, parts: Callable[[], Iterable[Part]]) -> View:
    """Return a view of the whole of ``before`` with the text ``text``, whose parts are told when they are asked for."""
    return View(text, before, Stretches(parts), before.weak)


def parts_of(
    text: str, pattern: re.Pattern[str], replaced: Callable[[re.Match[str]], Iterable[Part]], offset: int = 0
) -> Iterator[Part]:
    """Yield the parts of a text, which lies at ``offset`` of the view before, in which every match of ``pattern`` was replaced."""
    position = 0
    for match in pattern.finditer(text):
        yield Part(text[position : match.start()], offset + position, offset + match.start())
        for text_of_it, first, last, fit, slack in replaced(match):
            yield Part(text_of_it, offset + first, offset + last, fit, slack)
        position = match.end()
    yield Part(text[position:], offset + position, offset + len(text))


def _laid_out(parts: Iterable[Part]) -> Iterable[Stretch]:
    start = 0
    for part in parts:
        if part.text:
            yield Stretch(start, len(part.text), part.first, part.last, part.fit, part.slack)
            start += len(part.text)


def _turned(head: Stretch, tail: Stretch, start: int, end: int) -> tuple[int, int]:
    if head is tail:
        return head.last - (end - head.start), head.last - (start - head.start)
    return min(head.first, tail.first), max(head.last, tail.last)


def _first(stretch: Stretch, offset: int) -> int:
    if stretch.fit is Fit.SAME:
        return stretch.first + offset
    if stretch.fit is Fit.WHOLE:
        return stretch.first
    return max(stretch.first, stretch.first + offset * (stretch.last - stretch.first) // stretch.size - stretch.slack)


def _last(stretch: Stretch, offset: int) -> int:
    if stretch.fit is Fit.SAME:
        return stretch.first + offset
    if stretch.fit is Fit.WHOLE:
        return stretch.last
    return min(stretch.last, stretch.first - (-offset * (stretch.last - stretch.first) // stretch.size) + stretch.slack)


def _start(stretch: Stretch) -> int:
    return stretch.start
