"""What both clients of the gateway share: the envelopes made beforehand, how long each took, and the receipts kept to be verified."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from lockgate_cli.bench.child import say
from lockgate_cli.bench.plans import DONE, WARM, ClientPlan

SEPARATOR: Final = b"\t"


class Clocked:
    """The requests of one run: which was sent when, and what has come of it."""

    def __init__(self, plan: ClientPlan) -> None:
        self.envelopes = Path(plan.envelopes).read_bytes().split()
        self._plan = plan
        self._sent = [0.0] * len(self.envelopes)
        self._took = [0.0] * len(self.envelopes)
        self._ended = 0
        self._failed = 0
        self._next = 0
        self._kept: list[bytes] = []

    def take(self) -> int | None:
        """The number of the next envelope to send, now; nothing when all are sent."""
        number = self._next
        if number == len(self.envelopes):
            return None
        self._next += 1
        self._sent[number] = time.perf_counter()
        return number

    def end(self, number: int, receipt: bytes | None) -> bool:
        """Its outcome is known: a receipt when it was delivered. True when it was the last."""
        now = time.perf_counter()
        self._took[number] = now - self._sent[number]
        self._ended += 1
        if receipt is None:
            self._failed += 1
        elif number % self._plan.sample == 0:
            self._kept.append(b"%d" % number + SEPARATOR + receipt)
        if self._ended == self._plan.warmup:
            say(WARM, at=now, count=self._ended)
        if self._ended < len(self.envelopes):
            return False
        Path(self._plan.receipts).write_bytes(b"\n".join(self._kept))
        say(DONE, at=now, count=self._ended, failed=self._failed, request=tuple(self._took[self._plan.warmup :]))
        return True
