"""Figures and what follows from them: percentiles, rates, use of the processors, ratios and targets. Pure; no process, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec


class Spread(msgspec.Struct, frozen=True):
    """How a time is spread, in milliseconds."""

    p50: float
    p95: float
    p99: float
    count: int


class Used(msgspec.Struct, frozen=True):
    """What one process used: microseconds of processor time a request, and MiB of memory at the end."""

    process: str
    cpu: float
    memory: float


class Rate(msgspec.Struct, frozen=True):
    """Requests that came to their end, in how many seconds, and what that took."""

    requests: int
    seconds: float
    used: tuple[Used, ...] = ()

    @property
    def per_second(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds if self.seconds else 0.0

    @property
    def cpu(self) -> float:
        """Microseconds of processor time a request, over all processes."""
        return sum(part.cpu for part in self.used)


class Weighed(Protocol):
    """A look at a process."""

    @property
    def cpu(self) -> float:
        """Seconds of processor time so far."""
        ...

    @property
    def memory(self) -> float:
        """MiB of memory now."""
        ...


def used_between(before: Mapping[str, Weighed], after: Mapping[str, Weighed], requests: int) -> tuple[Used, ...]:
    """What each process used between two looks, a request."""
    return tuple(
        Used(name, (after[name].cpu - weight.cpu) * 1e6 / max(requests, 1), after[name].memory)
        for name, weight in before.items()
    )


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value that ``share`` of the sorted values do not exceed (nearest rank); 0 for none."""
    if not ordered:
        return 0.0
    rank = max(1, -int(-share * len(ordered) // 1))
    return ordered[min(rank, len(ordered)) - 1]


def spread(seconds: Sequence[float]) -> Spread:
    """The spread of some times given in seconds."""
    ordered = sorted(seconds)
    p50, p95, p99 = (percentile(ordered, share) * 1000 for share in (0.50, 0.95, 0.99))
    return Spread(p50, p95, p99, len(ordered))
