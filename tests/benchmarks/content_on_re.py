"""The DLP rules' patterns on Python's ``re``: texts as a JSON list on standard input, what it took as JSON on standard output.

No part of the gateway does this. A pattern that is not done with one text after a second is stopped by a signal, counted as one that hung
with that second, and not tried again, so the sum is less than the truth.
"""

from __future__ import annotations

import json
import re
import signal
import sys
import time
import warnings
from typing import Any, Final

from lockgate_workers.scanning.loading import packaged_packs
from lockgate_workers.scanning.packs import all_rules

_BOUND: Final = 1.0


class _HungError(Exception):
    """Raised by the signal."""


def _stop(*_: object) -> None:
    raise _HungError


def _patterns() -> tuple[dict[str, re.Pattern[str]], list[str]]:
    found, refused = {}, []
    for rule in all_rules(packaged_packs("dlp")):
        flags = re.MULTILINE | re.ASCII | (re.IGNORECASE if rule.caseless else 0)
        try:
            found[rule.id] = re.compile(rule.pattern.replace(r"\z", r"\Z"), flags)
        except re.error:
            refused.append(rule.id)
    return found, refused


def _once(pattern: re.Pattern[str], text: str) -> tuple[float, bool]:
    """Seconds, and whether it was stopped."""
    start = time.thread_time()
    signal.setitimer(signal.ITIMER_VIRTUAL, _BOUND)
    try:
        for _ in pattern.finditer(text):
            pass
    except _HungError:
        return time.thread_time() - start, True
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return time.thread_time() - start, False


def main() -> None:
    """Read the texts, run the patterns, write what it took."""
    warnings.simplefilter("ignore")  # what `re` will one day read in another way
    signal.signal(signal.SIGVTALRM, _stop)
    texts: list[str] = json.load(sys.stdin)
    patterns, refused = _patterns()
    hung: list[str] = []
    times = []
    for text in texts:
        total = 0.0
        for name, pattern in patterns.items():
            if name in hung:
                continue
            took, stopped = _once(pattern, text)
            total += took
            if stopped:
                hung.append(name)
        times.append(total)
    report: dict[str, Any] = {"seconds": times, "patterns": len(patterns), "refused": refused, "hung": hung}
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    main()
