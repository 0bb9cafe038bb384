"""Cut texts into pieces of the size of a message, and draw some of them: the same ones every time. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Final

PIECE: Final = 2_000
"""Characters in a piece."""
_LEAST: Final = 200
"""A rest that is shorter than this says nothing that the piece before does not."""


def cut(text: str) -> Iterator[str]:
    """Yield a text in pieces of `PIECE` characters, one after the other; a short text is one piece."""
    for start in range(0, len(text), PIECE):
        piece = text[start : start + PIECE].strip()
        if len(piece) >= _LEAST or (piece and not start):
            yield piece


def drawn(pieces: Iterable[tuple[str, str]], most: int) -> list[tuple[str, str]]:
    """Return ``most`` of the named pieces, spread over all: what a checksum of name and text decides, in their own order."""
    known = list(pieces)
    ranked = sorted(range(len(known)), key=lambda at: (zlib.crc32("\0".join(known[at]).encode("utf-8", "replace")), at))
    return [known[at] for at in sorted(ranked[:most])]
