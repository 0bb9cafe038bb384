"""Where in a text the injection model looks: the whole, overlapping windows of two sizes, each sentence, and each two. Pure.

An order of one sentence inside a long report disappears in the average of the report; in a window of its own size it does not. The
strings of a message count as sentences. The score of a text is that of its worst window.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from lockgate_workers.inspection.features import Grams, Places

SIZES: Final = (320, 1_200)
"""Lengths in characters. Each window starts half a length after the one before."""


SEPARATOR: Final = "\x1e"
"""Stands between the strings of a message and ends a sentence. One inside a string makes windows more, not fewer."""
_SHORTEST: Final = 16
"""What has fewer characters has no window of its own: a name or a number says nothing alone."""


def windows(grams: Grams) -> tuple[Places, Places]:
    """Return where the windows over the characters start and end; the whole comes first."""
    length = len(grams.codes)
    starts, ends = [np.zeros(1, np.int64)], [np.full(1, length, np.int64)]
    for size in SIZES:
        if length > size * 5 // 4:
            first = np.arange(0, length - size // 2, size // 2, dtype=np.int64)
            starts.append(first)
            ends.append(np.minimum(first + size, length))
    if len(grams.breaks):
        edges = np.concatenate(([0], grams.breaks, [length]))
        for sentences in (1, 2):
            first, last = edges[:-sentences], edges[sentences:]
            own = (last - first >= _SHORTEST) & (last - first < length)
            starts.append(first[own])
            ends.append(last[own])
    return np.concatenate(starts), np.concatenate(ends)
