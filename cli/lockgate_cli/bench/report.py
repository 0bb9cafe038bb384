"""The result of one run: what was measured, on what, and how it stands to the targets. Pure.

Every ratio compares figures of the same run on the same machine; a figure of another day or machine says nothing.
"""

from __future__ import annotations

from typing import Final

import msgspec

from lockgate_cli.bench.figures import Rate, Spread

BESIDE_FRAMEWORK: Final = 2.0
"""The gateway's rate over that of five hops on FastStream: at least this."""
BESIDE_LIMIT: Final = 0.5
"""The gateway's rate over that of five hops by hand: at least this."""
ROUND_TRIPS: Final = 10.0
"""A request at low load, in broker round trips: less than this."""

FRAMEWORK: Final = "framework"
LIMIT: Final = "limit"


class Machine(msgspec.Struct, frozen=True):
    """What it ran on. ``busy`` is how many cores others kept busy just before: above a few tenths the figures are too low."""

    cores: int
    processor: str
    system: str
    busy: float
    versions: dict[str, str]


class Peer(msgspec.Struct, frozen=True):
    """Five hops without any gate. ``kind`` says which target is about it."""

    name: str
    kind: str
    rate: Rate


class Door(msgspec.Struct, frozen=True):
    """The gateway through one door: its rate and its latency at saturation, its latency with one request at a time."""

    name: str
    rate: Rate
    loaded: Spread
    alone: Spread
    verified: int


class Target(msgspec.Struct, frozen=True):
    """One target: what was compared, what came out, and what was asked for."""

    what: str
    value: float
    goal: str
    met: bool


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run. ``skipped`` says what was left out, and why."""

    machine: Machine
    requests: int
    payload: int
    window: int
    peers: tuple[Peer, ...] = ()
    round_trips: dict[str, Spread] = {}
    doors: tuple[Door, ...] = ()
    deciding: dict[str, Spread] = {}
    targets: tuple[Target, ...] = ()
    skipped: tuple[str, ...] = ()


def targets(peers: tuple[Peer, ...], doors: tuple[Door, ...], round_trips: dict[str, Spread]) -> tuple[Target, ...]:
    """Every target for every door, against every peer of the same run."""
    found: list[Target] = []
    for door in doors:
        for peer in peers:
            goal = BESIDE_FRAMEWORK if peer.kind == FRAMEWORK else BESIDE_LIMIT
            value = door.rate.per_second / peer.rate.per_second if peer.rate.per_second else 0.0
            found.append(Target(f"{door.name} door / {peer.name}", value, f"≥ {goal:g}", value >= goal))
        for name, trip in round_trips.items():
            value = door.alone.p50 / trip.p50 if trip.p50 else 0.0
            met = 0.0 < value < ROUND_TRIPS
            found.append(Target(f"{door.name} door, p50 alone / one {name}", value, f"< {ROUND_TRIPS:g}", met))
    return tuple(found)
