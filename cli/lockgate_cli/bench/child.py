"""The child's side of a benchmark process: read the plan, speak, and stop when the parent closes the input, however it dies."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

import msgspec

from lockgate_cli.bench.plans import Said

P = TypeVar("P")

_VOICE: Final = os.dup(1)
"""The parent's end. Whatever a library prints goes to the log instead: see `run_child`."""


def say(event: str, *, at: float = 0.0, count: int = 0, failed: int = 0, **times: tuple[float, ...]) -> None:
    """Tell the parent. ``at`` is now, unless it happened before."""
    line = msgspec.json.encode(Said(event=event, at=at or time.perf_counter(), count=count, failed=failed, times=times))
    os.write(_VOICE, line + b"\n")


def run_child(plan_type: type[P], work: Callable[[P, asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """Read a plan and do ``work`` on it until that returns or its stop event was obeyed."""
    import uvloop  # noqa: PLC0415 - part of the gateway's extra; only a benchmark process needs it here

    os.dup2(2, 1)
    plan = msgspec.json.decode(sys.stdin.buffer.readline(), type=plan_type)
    uvloop.run(_watched(plan, work))


async def _watched(plan: P, work: Callable[[P, asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), _at_end_of_input, stop)
    await work(plan, stop)


def _at_end_of_input(stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 1024):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        stop.set()
