"""Where in a text the injection model looks: the whole, overlapping windows of two sizes, and each string of a message. Pure.

An order of one sentence inside a long report disappears in the average of the report; in a window of its own size it does not.
The score of a text is that of its worst window.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from lockgate_workers.inspection.features import Codes, Places

SIZES: Final = (320, 1_200)
"""Lengths in characters. Each window starts half a length after the one before."""


SEPARATOR: Final = "\x1e"
"""Stands between the strings of a message. One inside a string makes windows more, not fewer."""
_SEPARATOR_CODE: Final = ord(SEPARATOR)
_SHORTEST: Final = 16
"""A string with fewer characters has no window of its own: a name or a number says nothing alone."""


def windows(codes: Codes) -> tuple[Places, Places]:
    """Return where the windows over the characters start and end; the whole comes first."""
    length = len(codes)
    starts, ends = [np.zeros(1, np.int64)], [np.full(1, length, np.int64)]
    for size in SIZES:
        if length > size * 5 // 4:
            first = np.arange(0, length - size // 2, size // 2, dtype=np.int64)
            starts.append(first)
            ends.append(np.minimum(first + size, length))
    between = np.flatnonzero(codes == _SEPARATOR_CODE)
    if len(between):
        first, last = np.append(0, between + 1), np.append(between, length)
        own = last - first >= _SHORTEST
        starts.append(first[own])
        ends.append(last[own])
    return np.concatenate(starts), np.concatenate(ends)
