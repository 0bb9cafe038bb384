"""The parent's side of a benchmark process: start it, hear it, weigh it, and be sure that it ends.

Every wait has a bound. A child that says nothing in time, or dies, fails the run with its own last words.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import psutil

from lockgate_cli.bench.plans import Said
from lockgate_schemas.errors import UnavailableError

_STOP_BOUND: Final = 10.0
_LINE: Final = 64 * 1024 * 1024
"""A line carries every latency of a run."""
_MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Weight:
    """What a process has used so far: seconds of processor time, and MiB of memory now."""

    cpu: float
    memory: float


def weigh(pid: int) -> Weight:
    """Look at a process; one that is gone weighs nothing."""
    try:
        process = psutil.Process(pid)
        times = process.cpu_times()
        return Weight(times.user + times.system, process.memory_info().rss / _MIB)
    except psutil.NoSuchProcess:
        return Weight(0.0, 0.0)


class ChildProcess:
    """A running ``python -m lockgate_cli.bench.…``."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name = name
        self._process = process
        self._log = log

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    async def hear(self, event: str, bound: float) -> Said:
        """Wait for it to say ``event``. Raises `UnavailableError` when it does not in time, dies, or says something else."""
        output = self._process.stdout
        try:
            async with asyncio.timeout(bound):
                line = await output.readline() if output is not None else b""
        except TimeoutError:
            raise UnavailableError(f"{self.name} did not get to {event!r} within {bound:.0f} s{self._last_words()}") from None
        if not line:
            raise UnavailableError(f"{self.name} ended before it got to {event!r}{self._last_words()}")
        said = msgspec.json.decode(line, type=Said)
        if said.event != event:
            raise UnavailableError(f"{self.name} said {said.event!r} where {event!r} was due")
        return said

    async def stop(self) -> None:
        """Close its input, and end it if that is not enough."""
        process = self._process
        if process.stdin is not None:
            process.stdin.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_BOUND):
                await process.wait()
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def _last_words(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return f": {lines[-1]}" if lines else ""


@asynccontextmanager
async def child(
    name: str, module: str, plan: msgspec.Struct, folder: Path, environment: Mapping[str, str] | None = None
) -> AsyncIterator[ChildProcess]:
    """Run ``module`` of this package on ``plan`` for as long as the block lasts; its log goes to ``folder``."""
    log = folder / f"{name}.log"
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            f"lockgate_cli.bench.{module}",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            env=dict(environment) if environment is not None else None,
            start_new_session=True,  # Ctrl-C reaches the parent alone, which then stops them
            limit=_LINE,
        )
    running = ChildProcess(name, process, log)
    try:
        if process.stdin is not None:
            process.stdin.write(msgspec.json.encode(plan) + b"\n")
            await process.stdin.drain()
        yield running
    finally:
        await running.stop()
