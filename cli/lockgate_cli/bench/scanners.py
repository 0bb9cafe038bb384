"""How fast the scanners are on this machine: on clean text of words, in processor time of this thread.

Decides nothing about accuracy. Clean text is what most messages are, and what every one of them costs.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from lockgate_workers.scanning.content import Scans

SIZE: Final = 10_000
"""Characters of one text."""
_WORDS: Final = [
    "the",
    "report",
    "of",
    "last",
    "week",
    "says",
    "that",
    "three",
    "orders",
    "were",
    "late",
    "and",
    "two",
    "came",
    "back",
    "because",
    "a",
    "label",
    "was",
    "wrong",
    "so",
    "the",
    "team",
    "now",
    "looks",
    "at",
    "each",
    "label",
    "before",
    "it",
    "leaves",
    "the",
    "house",
    "and",
    "writes",
    "down",
    "what",
    "it",
    "saw",
    "which",
    "takes",
    "a",
    "minute",
    "and",
    "saves",
    "an",
    "hour",
    "when",
    "somebody",
    "asks",
    "later",
]
_LINE: Final = 12


@dataclass(frozen=True, slots=True)
class Speed:
    """``megabytes`` a second, and milliseconds for one text of `SIZE`: the middle one, and the one that 99 of 100 do not exceed."""

    megabytes: float
    median: float
    p99: float


def clean_texts(count: int, seed: int = 1) -> Iterator[str]:
    """Texts of words in lines, each another one, and the same ones every time."""
    draw = random.Random(seed)  # noqa: S311 - filler text, and the same one on every machine
    for _ in range(count):
        lines: list[str] = []
        length = 0
        while length < SIZE:
            line = " ".join(draw.choices(_WORDS, k=_LINE)).capitalize() + "."
            lines.append(line)
            length += len(line) + 1
        yield "\n".join(lines)[:SIZE]


def measured(scanner: Scans, rounds: int, timer: Callable[[], float] = time.thread_time) -> Speed:
    """Scan ``rounds`` texts, one at a time. ``timer`` tells seconds."""
    texts = list(clean_texts(rounds))
    scanner.scan(texts[0])  # the first one sets up scratch space
    times = []
    for text in texts:
        start = timer()
        scanner.scan(text)
        times.append(timer() - start)
    total = sum(times) or 1e-9
    times.sort()
    return Speed(
        megabytes=rounds * SIZE / total / 1e6,
        median=times[rounds // 2] * 1000,
        p99=times[min(rounds - 1, rounds * 99 // 100)] * 1000,
    )
