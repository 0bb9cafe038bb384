"""Honest code to learn from: pieces of the Python standard library of the interpreter that trains (PSF-2.0), in one order.

A piece has the size of a message. Each module gives its beginning, where comments and imports stand, and one piece from further on, at
a place that its name decides. Tests are left out, and what other people's packages hold: nothing but the library's own code is read.
Another version of Python holds other code, so weights are the same only where Python is.
"""

from __future__ import annotations

import sysconfig
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lockgate_workers.inspection.training.pieces import PIECE
from lockgate_workers.inspection.training.rows import CorpusRow

LIBRARY: Final = "python-library"
_LEFT_OUT: Final = frozenset(
    {"test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__", "lib2to3", "encodings"}
)


def library_rows(folder: Path | None = None) -> Iterator[CorpusRow]:
    """Yield pieces of every module below ``folder``; without one, of the standard library."""
    root = Path(sysconfig.get_paths()["stdlib"]) if folder is None else folder
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root)
        if not _LEFT_OUT.intersection(name.parts):
            yield from _pieces(name.as_posix(), path.read_text(encoding="utf-8", errors="replace"))


def _pieces(name: str, code: str) -> Iterator[CorpusRow]:
    starts = {0}
    if len(code) > 2 * PIECE:
        starts.add(PIECE + zlib.crc32(name.encode()) % (len(code) - 2 * PIECE))
    for start in sorted(starts):
        if piece := code[start : start + PIECE].strip():
            yield CorpusRow(
                text=piece, label="benign", cls="library_code", source=LIBRARY, licence="PSF-2.0", group=f"{LIBRARY}:{name}"
            )
