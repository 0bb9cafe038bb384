"""Honest handbooks to learn from: the language reference and the texts that Python brings along (PSF-2.0), in one order.

A reference says what must, may and must not be done, what is ignored and what overrides what, and none of it is an order to its reader.
It is read from the interpreter that trains, as its code is (`library`); another version of Python brings other text.
"""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path
from pydoc_data.topics import topics
from typing import Final

from lockgate_workers.inspection.training.pieces import cut
from lockgate_workers.inspection.training.rows import CorpusRow

MANUAL: Final = "python-manual"
_TEXTS: Final = ("email/*.rst", "idlelib/*.txt")


def manual_rows(reference: Mapping[str, str] = topics, folder: Path | None = None) -> Iterator[CorpusRow]:
    """Yield the pieces of a reference by topic, and of the texts in ``folder`` (without one, in the standard library)."""
    root = Path(sysconfig.get_paths()["stdlib"]) if folder is None else folder
    files = sorted(path for pattern in _TEXTS for path in root.glob(pattern))
    named = [(name, reference[name]) for name in sorted(reference)]
    named += [(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8", errors="replace")) for path in files]
    for name, text in named:
        for piece in cut(text):
            yield CorpusRow(
                text=piece, label="benign", cls="library_docs", source=MANUAL, licence="PSF-2.0", group=f"{MANUAL}:{name}"
            )
