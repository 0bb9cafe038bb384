"""Deliveries that may wait a moment, unacknowledged, because what follows them may make them superfluous. No IO.

The report that an agent has its request is one: a quick agent's answer brings the same statements along, and then the ledger is spared a
write, and the answer does not have to wait for that write. A draft of an answer is another: the next one has all of its text. Nothing is decided by waiting: each delivery is handled in the end, and one
whose worker dies comes again from the broker.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from lockgate_broker.port import Delivery

HOLD: Final = 0.2
"""Seconds: longer than a quick agent and the gate behind it need, and far below the broker's redelivery time."""
MOST: Final = 512
"""Deliveries that wait at the same time; with more, the oldest wait no longer."""


class Shelf:
    """Keeps deliveries in the order of their coming. ``timer`` tells monotonic seconds."""

    def __init__(self, timer: Callable[[], float]) -> None:
        self._timer = timer
        self._held: deque[tuple[float, Delivery]] = deque()

    def pause(self, longest: float) -> float:
        """How long the next pull may wait before something here is due."""
        if not self._held:
            return longest
        return min(longest, max(0.0, self._held[0][0] - self._timer()))

    def sorted(self, deliveries: Sequence[Delivery], may_wait: Callable[[Delivery], bool]) -> list[Delivery]:
        """What is to be handled now: those of ``deliveries`` that may not wait, and before them what has waited long enough."""
        now = self._timer()
        urgent = []
        for delivery in deliveries:
            # One that came before was in somebody's hands when he died, or was given back: no more waiting.
            if delivery.attempt == 1 and may_wait(delivery):
                self._held.append((now + HOLD, delivery))
            else:
                urgent.append(delivery)
        due = []
        while self._held and (self._held[0][0] <= now or len(self._held) > MOST):
            due.append(self._held.popleft()[1])
        return [*due, *urgent]

    def cleared(self) -> list[Delivery]:
        """Everything that waits, to be handled now."""
        held = [delivery for _, delivery in self._held]
        self._held.clear()
        return held
