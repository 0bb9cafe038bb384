"""The end of the five hops: counts what arrives, each message once, and notes the two moments that make the rate."""

from __future__ import annotations

import time

from lockgate_cli.bench.child import say
from lockgate_cli.bench.plans import DONE, WARM, Plan

_WORD: int = 8


def numbered(number: int, size: int) -> bytes:
    """A message of ``size`` bytes which says which one it is."""
    return number.to_bytes(_WORD, "big") + b"x" * (size - _WORD)


class Arrivals:
    """What arrived at the last hop. The first ``warmup`` only start the clock."""

    def __init__(self, plan: Plan) -> None:
        self.count = 0
        self.repeats = 0
        self._plan = plan
        self._seen = bytearray(plan.total)

    def take(self, body: bytes) -> bool:
        """Count one message, and tell the parent at the two moments. True when it was new."""
        number = int.from_bytes(body[:_WORD], "big")
        if self._seen[number]:
            self.repeats += 1
            return False
        self._seen[number] = 1
        self.count += 1
        if self.count == self._plan.warmup:
            say(WARM, at=time.perf_counter(), count=self.count)
        if self.count == self._plan.total:
            say(DONE, at=time.perf_counter(), count=self.count, failed=self.repeats)
        return True
