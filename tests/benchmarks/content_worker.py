"""A process with one gate as a worker has it: load, say how large it is, scan, say it again. ``python content_worker.py dlp|injection FOLDER``.

The folder is where compiled rules are kept; with an empty one the rules are compiled. One JSON object on standard output.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from content_texts import KINDS, answers

import lockgate_cli.process  # noqa: F401 - what every worker has in memory before its gate
import lockgate_workers.dlp.stage
import lockgate_workers.inspection.stage  # noqa: F401 - the same
from lockgate_workers.dlp.decide import decide as decide_answer
from lockgate_workers.inspection.decide import decide as decide_request
from lockgate_workers.inspection.loading import load_scorer
from lockgate_workers.scanning.loading import load_scanner

SCANS = 100
KEY = b"an evidence key for measurements"


def _loaded(kind: str, cache: Path) -> Callable[[str], object]:
    if kind == "dlp":
        scanner = load_scanner("dlp", evidence_key=KEY, cache=cache)
        return lambda text: decide_answer(text, "text/plain", scanner)
    scanner, scorer = load_scanner("injection", evidence_key=KEY, cache=cache), load_scorer()
    return lambda text: decide_request(text, scanner, scorer)


def _mebibytes() -> float:
    return psutil.Process().memory_info().rss / 2**20


def main() -> None:
    """Measure and tell."""
    before = _mebibytes()
    start = time.perf_counter()
    decide = _loaded(sys.argv[1], Path(sys.argv[2]))
    seconds = time.perf_counter() - start
    loaded = _mebibytes()
    texts = [text for kind in KINDS for text in answers(kind, SCANS // len(KINDS) + 1)]
    for text in texts[:SCANS]:
        decide(text)
    json.dump({"bare": before, "loaded": loaded, "scanned": _mebibytes(), "seconds": seconds}, sys.stdout)


if __name__ == "__main__":
    main()
