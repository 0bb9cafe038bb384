"""A list of texts in a JSON document as one text: files come as lists of lines, and what is cut into items is in none of them.

A private key of which each line is an item is found by its first line alone, and its body would go out. So lists are scanned a second
time, with their items one to a line. What lies within one item is left to the scan of the item, which knows the list's name. Pure.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from typing import Final

from lockgate_workers.dlp.json_body import Leaf
from lockgate_workers.scanning.findings import Finding, ScanResult

_begin: Final = itemgetter(1)
_end: Final = itemgetter(2)


@dataclass(frozen=True, slots=True)
class Listed:
    """The items of one list as a text. ``places`` are, for each item, its leaf's position in the document and where it begins and ends."""

    text: str
    places: tuple[tuple[int, int, int], ...]


def lists(found: Sequence[Leaf]) -> list[Listed]:
    """The lists of a document in which at least two texts follow one another."""
    numbered = [(leaf.list, position) for position, leaf in enumerate(found) if leaf.list]
    together = [[position for _, position in group] for _, group in groupby(numbered, key=itemgetter(0))]
    return [_listed(found, positions) for positions in together if len(positions) > 1]


def across(listed: Listed, result: ScanResult) -> Iterator[tuple[int, Finding]]:
    """What was found over more than one item: for each of these the leaf's position, and the finding as far as it lies in it."""
    for one in result.findings:
        first = bisect_right(listed.places, one.start, key=_end)
        touched = listed.places[first : bisect_left(listed.places, one.end, key=_begin)]
        if len(touched) > 1:
            for at, begin, end in touched:
                yield at, replace(one, start=max(one.start, begin) - begin, end=min(one.end, end) - begin)


def _listed(found: Sequence[Leaf], positions: Sequence[int]) -> Listed:
    pieces: list[str] = []
    places: list[tuple[int, int, int]] = []
    length = 0
    for position in positions:
        text = found[position].text
        places.append((position, length, length + len(text)))
        pieces += (text,) if text.endswith("\n") else (text, "\n")
        length += len(text) + (not text.endswith("\n"))
    return Listed("".join(pieces), tuple(places))
