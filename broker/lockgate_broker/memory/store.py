"""One stream in memory: what is stored, delivered, due again.

Pure: every call is given the time. The rules are those of the JetStream configuration in `nats/topology.py`: work-queue
retention, refusal when full, a window of ids, redelivery after the acknowledgement time.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass

from lockgate_schemas.errors import BrokerRefusedError


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of one stream; None is without limit."""

    message_bytes: int
    total_bytes: int
    messages: int | None = None
    discard_old: bool = False
    pending: int = 1 << 30


@dataclass(slots=True)
class Stored:
    """One message, how often it was delivered, and when it is due again (meaningless before the first delivery)."""

    number: int
    topic: str
    body: bytes
    attempt: int = 0
    due: float = 0.0


class Store:
    """See the module."""

    def __init__(self, bounds: Bounds, ack_wait: float, dedupe_window: float) -> None:
        self.messages: dict[int, Stored] = {}
        self._bounds = bounds
        self._ack_wait = ack_wait
        self._window = dedupe_window
        self._bytes = 0
        self._next = 1
        self._fresh: deque[int] = deque()
        self._again: list[tuple[float, int]] = []
        self._ids: dict[str, float] = {}
        self._pending = 0

    def put(self, topic: str, body: bytes, dedupe: str, now: float) -> None:
        """Store a message, or not if its id is known; raise `BrokerRefusedError` over a limit."""
        if len(body) > self._bounds.message_bytes:
            raise BrokerRefusedError("the message is over the limit of its queue")
        if dedupe:
            self._ids = {known: at for known, at in self._ids.items() if now - at < self._window}
            if dedupe in self._ids:
                return
        self._make_room(len(body))
        if dedupe:
            self._ids[dedupe] = now
        self.messages[self._next] = Stored(self._next, topic, body)
        self._fresh.append(self._next)
        self._bytes += len(body)
        self._next += 1

    def take(self, now: float) -> Stored | None:
        """Deliver the next message that is due, if any."""
        while self._again and self._again[0][0] <= now:
            due, number = heapq.heappop(self._again)
            message = self.messages.get(number)
            if message is not None and message.due == due:
                return self._deliver(message, now)
        while self._fresh and self._pending < self._bounds.pending:
            message = self.messages.get(self._fresh.popleft())
            if message is not None:
                self._pending += 1
                return self._deliver(message, now)
        return None

    def next_due(self) -> float | None:
        """When a delivered message comes again, unless somebody acknowledges it; None if nothing was delivered."""
        return self._again[0][0] if self._again else None

    def ack(self, number: int) -> None:
        """Done with: forget it. An acknowledgement after redelivery counts too, as it does on JetStream."""
        message = self.messages.pop(number, None)
        if message is not None:
            self._bytes -= len(message.body)
            self._pending -= 1 if message.attempt else 0

    def schedule(self, number: int, due: float) -> None:
        """Let a delivered message come again at ``due``."""
        message = self.messages.get(number)
        if message is not None and message.attempt:
            message.due = due
            heapq.heappush(self._again, (due, number))

    def extend(self, number: int, now: float) -> None:
        """Restart the redelivery timer."""
        self.schedule(number, now + self._ack_wait)

    def _deliver(self, message: Stored, now: float) -> Stored:
        message.attempt += 1
        self.schedule(message.number, now + self._ack_wait)
        return message

    def _make_room(self, size: int) -> None:
        while self._full(size):
            if not self._bounds.discard_old or not self.messages:
                raise BrokerRefusedError("the queue is at its limit")
            self.ack(next(iter(self.messages)))

    def _full(self, size: int) -> bool:
        count = self._bounds.messages
        return self._bytes + size > self._bounds.total_bytes or (count is not None and len(self.messages) >= count)
