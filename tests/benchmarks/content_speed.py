"""How fast both gates read clean text, one thread, in processor time of that thread; and whether time grows with size alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from content_texts import KINDS, SIZE, answers

from lockgate_cli.bench.content_report import at_least, at_most
from lockgate_cli.bench.figures import percentile
from lockgate_cli.bench.report import Target
from lockgate_workers.inspection.decide import decide
from lockgate_workers.inspection.loading import load_scorer
from lockgate_workers.scanning.engine import ScanLimits, Scanner
from lockgate_workers.scanning.loading import load_scanner

READS: Final = {False: 20.0, True: 8.0}
"""Megabytes a second, without and with decoding: at least."""
P99: Final = {False: 3.0, True: 9.0}
"""Milliseconds for 10 KB, 99 of 100: at most."""
INJECTION_MS: Final = 1.0
"""Milliseconds for a request of 2 KB, the middle one: at most."""
LINEAR: Final = 1.5
"""Time a byte at 10 MB over that at 10 KB: at most."""
_REQUEST: Final = 2_000
_TURN: Final = 1_000
"""Characters of one kind of text at a stretch where kinds take turns."""
_SIZES: Final = (10_000, 100_000, 1_000_000, 10_000_000)


@dataclass(frozen=True, slots=True)
class Timed:
    """Times of single texts in milliseconds, and what was read in a second."""

    megabytes: float
    p50: float
    p99: float
    texts: int


def timed(read: Callable[[str], object], texts: Sequence[str]) -> Timed:
    """Read each text once, after one that sets things up."""
    read(texts[0])
    times = []
    for text in texts:
        start = time.thread_time()
        read(text)
        times.append(time.thread_time() - start)
    total = sum(times) or 1e-9
    ordered = sorted(times)
    size = sum(len(text.encode()) for text in texts)
    return Timed(size / total / 1e6, percentile(ordered, 0.5) * 1000, percentile(ordered, 0.99) * 1000, len(texts))


def scanners() -> dict[bool, Scanner]:
    """The DLP scanner without and with decoding, with room for the largest text."""
    roomy = ScanLimits(max_bytes=1 << 26, max_seconds=600.0)
    return {one: load_scanner("dlp", limits=roomy, decode=one) for one in (False, True)}


def by_kind(both: dict[bool, Scanner], rounds: int, extra: Sequence[str] = ()) -> dict[str, dict[bool, Timed]]:
    """Each kind of text, without and with decoding; ``extra`` texts are a kind of their own."""
    texts = {kind: answers(kind, rounds) for kind in KINDS} | ({"given": list(extra)} if extra else {})
    return {kind: {one: timed(scanner.scan, found) for one, scanner in both.items()} for kind, found in texts.items()}


def injection(rounds: int) -> dict[str, Timed]:
    """A whole decision about requests of 2 KB: strings, rules, score."""
    scanner, scorer = load_scanner("injection"), load_scorer()
    return {kind: timed(lambda text: decide(text, scanner, scorer), answers(kind, rounds, size=_REQUEST)) for kind in KINDS}


def scaling(both: dict[bool, Scanner], largest: int) -> dict[bool, dict[int, float]]:
    """Nanoseconds a byte at each size up to the largest; the middle of some runs.

    Prose, JSON and code take turns, so short that the smallest text holds as much of each as the largest: they are not read equally fast.
    """
    pieces = [answers(kind, 400, seed=2, size=_TURN) for kind in KINDS]
    source = "".join(one for group in zip(*pieces, strict=True) for one in group)
    found: dict[bool, dict[int, float]] = {}
    for decoding, scanner in both.items():
        for size in (one for one in _SIZES if one <= largest):
            text = (source * (size // len(source) + 1))[:size]
            found.setdefault(decoding, {})[size] = _a_byte(scanner, text)
    return found


def _a_byte(scanner: Scanner, text: str) -> float:
    runs = []
    for _ in range(max(3, min(60, 2_000_000 // len(text)))):
        start = time.thread_time()
        result = scanner.scan(text)
        runs.append((time.thread_time() - start) / len(text) * 1e9)
        if result.refusal is not None:
            raise RuntimeError(f"a text of {len(text)} characters was refused: {result.refusal}")
    return median(runs)


def targets(
    kinds: dict[str, dict[bool, Timed]], requests: dict[str, Timed], sizes: dict[bool, dict[int, float]]
) -> list[Target]:
    """The slowest of the made kinds stands for all."""
    found = []
    for decoding, how in ((False, "not decoding"), (True, "decoding")):
        made = [kinds[kind][decoding] for kind in KINDS]
        found.append(at_least(f"{SIZE // 1000} KB, {how}: MB/s", min(one.megabytes for one in made), READS[decoding]))
        found.append(at_most(f"{SIZE // 1000} KB, {how}: p99 in ms", max(one.p99 for one in made), P99[decoding]))
        grown = list(sizes[decoding].values())
        found.append(at_most(f"{how}: time a byte, largest to 10 KB", grown[-1] / grown[0], LINEAR))
    found.append(at_most("injection, 2 KB: p50 in ms", max(one.p50 for one in requests.values()), INJECTION_MS))
    return found
