"""Print what the costliest texts cost: the worst of each rule, in milliseconds of the thread's own processor time.

Run: ``python tests/benchmarks/content_adversarial.py [--size 100000] [--each 8] [--mutations 200] [--seed 1] [--rules 20]``. The texts are
those of ``tests/scanning/hostile.py``, of which ``--each`` are taken for a rule (0 for all), and random mutations of the costliest. A timing is
the best of three where the first was long; a refusal is shown, as it is an answer too. Exit status 1: a text took longer than is promised.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, get_args

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scanning"))

from hostile import GENERAL, Hostile, hostile

from lockgate_workers.scanning.engine import Scanner
from lockgate_workers.scanning.loading import ScannerKind, load_scanner

_PROMISED: Final = 100.0
_LONG: Final = 40.0
_SHOWN: Final = 90


@dataclass(frozen=True, slots=True)
class Timing:
    """What one text took, and the answer."""

    milliseconds: float
    answer: str
    text: Hostile

    def __str__(self) -> str:
        return f"{self.milliseconds:8.1f} ms  {self.answer:14} {self.text.rule:28} {self.text.how[:_SHOWN]}"


def timed(scanner: Scanner, text: Hostile) -> Timing:
    """Scan once, and where that took long twice more, for the best of the three: what else runs on the machine is not the text's doing."""
    best = float("inf")
    answer = ""
    for _ in range(3):
        start = time.thread_time()
        result = scanner.scan(text.text)
        best = min(best, (time.thread_time() - start) * 1000)
        answer = result.refusal.value if result.refusal else f"{len(result.findings)} found"
        if best < _LONG:
            break
    return Timing(best, answer, text)


def within(text: Hostile, size: int) -> Hostile:
    """The text, cut where it has so many bytes: what is promised is promised for bytes."""
    return replace(text, text=text.text.encode("utf-8", "surrogatepass")[:size].decode("utf-8", "replace"))


def sampled(texts: Iterator[Hostile], each: int) -> Iterator[Hostile]:
    """So many texts of each rule, spread over all ways to make one; all those against no rule in particular."""
    for rule, group in itertools.groupby(texts, key=lambda one: one.rule):
        against = list(group)
        step = max(1, len(against) // each) if each and rule != GENERAL else 1
        yield from against[::step]


def mutated(timings: list[Timing], count: int, size: int, chance: random.Random) -> Iterator[Hostile]:
    """Texts made of pieces of the costliest ones: cut, joined, repeated, with a character changed."""
    costly = [one.text for one in timings[:40]]
    for _ in range(count):
        pieces = [_piece(chance.choice(costly).text, chance) for _ in range(chance.randint(1, 4))]
        seed = list("".join(pieces))
        for _ in range(chance.randint(0, 3)):
            seed[chance.randrange(len(seed))] = chr(chance.choice((chance.randrange(0x20, 0x7F), chance.randrange(0x3000))))
        text = "".join(seed)
        yield Hostile("mutation", repr(text[:_SHOWN]), (text * (size // len(text) + 1))[:size])


def _piece(text: str, chance: random.Random) -> str:
    start = chance.randrange(max(1, len(text) - 64))
    return text[start : start + chance.choice((4, 16, 64, 512, 4096))] or "x"


def main() -> int:
    """Measure both scanners; return 1 when a text took longer than is promised."""
    arguments = _arguments()
    chance = random.Random(arguments.seed)  # noqa: S311 - to be repeatable, not secret
    slow = False
    for kind in arguments.scanners:
        scanner = load_scanner(kind)
        texts = sampled(hostile(scanner.rules, arguments.size), arguments.each)
        timings = [timed(scanner, within(one, arguments.size)) for one in texts]
        timings.sort(key=lambda one: -one.milliseconds)
        costly = mutated(timings, arguments.mutations, arguments.size, chance)
        timings += [timed(scanner, within(one, arguments.size)) for one in costly]
        timings.sort(key=lambda one: -one.milliseconds)
        worst: dict[str, Timing] = {}
        for timing in timings:
            worst.setdefault(timing.text.rule, timing)
        lines = [
            f"{kind}: {len(timings)} texts of {arguments.size} bytes against {len(scanner.rules)} rules",
            *map(str, timings[: arguments.rules]),
            "the worst of each rule:",
            *map(str, worst.values()),
        ]
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()
        slow = slow or timings[0].milliseconds > _PROMISED * max(1.0, arguments.size / 100_000)
    return 1 if slow else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scanners", nargs="+", choices=get_args(ScannerKind), default=get_args(ScannerKind))
    parser.add_argument("--size", type=int, default=100_000)
    parser.add_argument("--each", type=int, default=8)
    parser.add_argument("--mutations", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rules", type=int, default=20, help="how many of the costliest texts to show")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
