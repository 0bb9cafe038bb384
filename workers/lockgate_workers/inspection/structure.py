"""How a text is built, as a few numbers between 0 and 1: code, markup, lists, quotations, dialogue. Pure.

An order hidden in an e-mail and the source code of a filter that looks for it share their words; their build is different. The
numbers are of the whole text, in the order of `NAMES`; what each is worth is learned (`training`) and kept with the weights. How
long a text is, is left out on purpose: padding must not buy an attack anything.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

MOST: Final = 65_536
"""Characters looked at: the build of a longer text is that of its beginning."""

NAMES: Final = (
    "code-signs", "indented", "fence", "heading", "table", "bullets", "double-quotes", "single-quotes", "backticks",
    "links", "tags", "question", "other-script", "capitals", "digits", "members", "calls", "turns",
)  # fmt: skip

_CODE_SIGNS: Final = b"{}();=<>[]"
_CAPITALS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DIGITS: Final = b"0123456789"
_TURNS: Final = ("\nuser:", "\nhuman:", "\nassistant:", "\nai:", "\nq:", "\na:")


def structure(text: str) -> npt.NDArray[np.float32]:
    """Return the numbers for one text."""
    text = text[:MOST]
    size = max(1, len(text))
    lines = text.count("\n") + 1
    count = text.count
    turns = sum(map(f"\n{text}".lower().count, _TURNS)) if ":" in text else 0
    data = text.encode("utf-8", "replace")
    encoded = len(data)
    values = (
        8 * (encoded - len(data.translate(None, _CODE_SIGNS))) / size,
        (count("\n  ") + count("\n\t")) / lines,
        float("```" in text),
        float(text.startswith("#") or "\n#" in text),
        float("\n|" in text or count(" | ") > 1),
        (count("\n- ") + count("\n* ")) / lines,
        20 * count('"') / size,
        20 * count("'") / size,
        20 * count("`") / size,
        count("http") / lines,
        20 * count("</") / size,
        float(text.rstrip().endswith("?")),
        (encoded - size) / encoded if encoded else 0.0,
        5 * _share(data, _CAPITALS),
        5 * _share(data, _DIGITS),
        10 * (count('":') + count("::")) / size,
        10 * (count("()") + count("(self") + count(");")) / size if "(" in text or ");" in text else 0.0,
        turns / lines,
    )
    return np.minimum(np.array(values, np.float32), 1.0)


def _share(data: bytes, of: bytes) -> float:
    return 1.0 - len(data.translate(None, of)) / len(data) if data else 0.0
