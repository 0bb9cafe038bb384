"""Many time limits of the same length for the price of one timer: every request needs two, and hardly any runs out.

The entries are in the order of their ends, because they are in the order of their beginnings. One that was met is dropped when it comes to the
front, and lets go of what it would have called at once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Deadline:
    """One time limit."""

    __slots__ = ("_call", "end", "late")

    def __init__(self, end: float, call: Callable[[], object]) -> None:
        self.end = end
        self.late = False
        self._call: Callable[[], object] | None = call

    @property
    def over(self) -> bool:
        """Whether it was met or has run out."""
        return self._call is None

    def met(self) -> None:
        """It will not run out any more."""
        self._call = None

    def run_out(self) -> None:
        """Call what was to be called, unless it was met."""
        call, self._call = self._call, None
        if call is not None:
            self.late = True
            call()


class Deadlines:
    """Time limits of ``seconds`` each."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._running: deque[Deadline] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def start(self, call: Callable[[], object]) -> Deadline:
        """Call ``call`` after the time, unless the deadline is met before."""
        loop = asyncio.get_running_loop()
        self._drop_over()
        deadline = Deadline(loop.time() + self._seconds, call)
        self._running.append(deadline)
        if self._timer is None:
            self._timer = loop.call_at(deadline.end, self._tick)
        return deadline

    def _drop_over(self) -> None:
        while self._running and self._running[0].over:
            self._running.popleft()

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        while self._running and (self._running[0].over or self._running[0].end <= loop.time()):
            self._running.popleft().run_out()
        if self._running:
            self._timer = loop.call_at(self._running[0].end, self._tick)

    def close(self) -> None:
        """Forget them all."""
        self._running.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


async def within(deadlines: Deadlines, work: Coroutine[Any, Any, T]) -> T:
    """Await ``work`` in this task; raise `TimeoutError` if it takes longer, as `asyncio.timeout` does."""
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("a time limit needs a task to cancel")
    deadline = deadlines.start(task.cancel)
    try:
        return await work
    except asyncio.CancelledError:
        if deadline.late and task.uncancel() == 0:
            raise TimeoutError from None
        raise
    finally:
        deadline.met()
