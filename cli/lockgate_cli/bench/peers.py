"""The five hops without gates: running them, and the broker's own round trip, on one bare server."""

from __future__ import annotations

from contextlib import AsyncExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import msgspec

from lockgate_cli.bench.bare_server import BareServer, reset_hops
from lockgate_cli.bench.children import ChildProcess, child, weigh
from lockgate_cli.bench.figures import Rate, Spread, Used, spread, used_between
from lockgate_cli.bench.plans import DONE, HOPS, READY, WARM, Plan

START_BOUND: Final = 30.0
FASTSTREAM: Final = "on_faststream"
BY_HAND: Final = "by_hand"


def faststream_missing() -> bool:
    """Whether FastStream is not installed; it is needed for its own measurement only."""
    return find_spec("faststream") is None or find_spec("faststream.nats") is None


async def run_peer(module: str, server: BareServer, plan: Plan, folder: Path, bound: float) -> Rate:
    """Send ``plan.total`` messages through the five hops of ``module`` and measure the rate after the warm-up.

    Each hop has a process of its own, as each gate has: on two cores two processes for all five were tried, and are slower for both kinds.
    """
    await reset_hops(server, consumers=module == BY_HAND)
    async with AsyncExitStack() as stack:
        processes: list[ChildProcess] = []
        for hop in range(1, HOPS + 1):
            part = _with(plan, server, (hop,))
            processes.append(await stack.enter_async_context(child(f"hop {hop}", module, part, folder)))
        for process in processes:
            await process.hear(READY, START_BOUND)
        loader = await stack.enter_async_context(child(f"{module}-loader", "loader", _with(plan, server, ()), folder))
        await loader.hear(READY, START_BOUND)
        pids = {"broker": server.pid, "client": loader.pid} | {p.name: p.pid for p in processes}
        warm = await processes[-1].hear(WARM, bound)
        before = {name: weigh(pid) for name, pid in pids.items()}
        done = await processes[-1].hear(DONE, bound)
        after = {name: weigh(pid) for name, pid in pids.items()}
        count = done.count - warm.count
        used: tuple[Used, ...] = used_between(before, after, count)
        return Rate(requests=count, seconds=done.at - warm.at, used=used)


async def run_round_trips(server: BareServer, plan: Plan, folder: Path, bound: float) -> dict[str, Spread]:
    """Measure the broker's own round trips, one at a time."""
    await reset_hops(server, consumers=True)
    async with child("round-trip", "round_trip", _with(plan, server, ()), folder) as process:
        await process.hear(READY, START_BOUND)
        done = await process.hear(DONE, bound)
        return {name: spread(values) for name, values in done.times.items()}


def _with(plan: Plan, server: BareServer, hops: tuple[int, ...]) -> Plan:
    return msgspec.structs.replace(plan, server=server.url, hops=hops)
