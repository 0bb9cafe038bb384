"""The waiting room before the acceptor: bounded, and fair between those who claim different keys.

Each lane is one claimed key; envelopes that claim an unknown key share one lane. A batch is filled by turns, and no lane may hold
more than the room that is left, so a flood under one name (or under none) fills its own lane and not the others'.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Lanes(Generic[T]):
    """A queue of queues. One task takes, many put."""

    def __init__(self, *, items: int, weight: int) -> None:
        self._room_items = items
        self._room_weight = weight
        self._lanes: dict[str, deque[tuple[T, int]]] = {}
        self._weights: dict[str, int] = {}
        self._turns: deque[str] = deque()
        self._filled = asyncio.Event()

    def put(self, lane: str, item: T, weight: int) -> bool:
        """Let ``item`` wait in ``lane``; false if there is no room for it."""
        queue = self._lanes.get(lane)
        held, held_weight = (len(queue), self._weights[lane]) if queue is not None else (0, 0)
        if held >= self._room_items or held_weight + weight > self._room_weight:
            return False
        if queue is None:
            queue = self._lanes[lane] = deque()
            self._turns.append(lane)
        queue.append((item, weight))
        self._weights[lane] = held_weight + weight
        self._room_items -= 1
        self._room_weight -= weight
        self._filled.set()
        return True

    async def take(self, most: int) -> list[T]:
        """Wait for something, then take up to ``most``, one from each lane in turn. Never waits to fill."""
        await self._filled.wait()
        return self.taken(most)

    def taken(self, most: int) -> list[T]:
        """Up to ``most`` of what is waiting now."""
        batch: list[T] = []
        while self._turns and len(batch) < most:
            lane = self._turns.popleft()
            queue = self._lanes[lane]
            item, weight = queue.popleft()
            batch.append(item)
            self._weights[lane] -= weight
            self._room_items += 1
            self._room_weight += weight
            if queue:
                self._turns.append(lane)
            else:
                del self._lanes[lane], self._weights[lane]
        if not self._turns:
            self._filled.clear()
        return batch
