"""What the benchmark tells its child processes and hears from them, as data.

A child reads one plan, as one line of JSON on its standard input, and says on its standard output what happens: ``ready`` when it
is connected, ``warm`` when the warm-up is over, ``done`` with the times. Times are `time.perf_counter` seconds, which on one machine
mean the same in every process.
"""

from __future__ import annotations

from typing import Final

import msgspec

HOPS: Final = 5
"""As many as a request's queues inside the gateway: authz, inspection, the agent's two, outcomes."""

PAYLOAD: Final = 2048
"""Bytes of one request's data, unless told otherwise."""

WINDOW: Final = 512
"""Requests in flight at saturation."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One process of a run without gates.

    ``hops`` are the hops this process serves; ``warmup`` messages come before the ``requests`` that count. ``batch`` is the most that is fetched at
    once. ``lean`` leaves out what only the convenience of a library costs: FastStream's logging and validation, nats-py's future a message.
    """

    server: str = ""
    hops: tuple[int, ...] = ()
    requests: int = 0
    warmup: int = 0
    payload: int = PAYLOAD
    window: int = WINDOW
    batch: int = 256
    lean: bool = True

    @property
    def total(self) -> int:
        """Messages to send altogether."""
        return self.warmup + self.requests


class ClientPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A client of the gateway: it sends the signed envelopes of a file, one a line, and keeps ``window`` in flight.

    Every ``sample``-th receipt is written to ``receipts``, as lines of the envelope's number and the receipt.
    """

    credentials: str
    envelopes: str
    receipts: str
    warmup: int
    window: int
    sample: int = 50


class AgentPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The agent that answers: where its credentials are."""

    credentials: str
    concurrency: int = 256


class Said(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of a child: what happened, when, and the figures that go with it. ``failed`` counts what did not end as it should."""

    event: str
    at: float = 0.0
    count: int = 0
    failed: int = 0
    times: dict[str, tuple[float, ...]] = {}


READY: Final = "ready"
WARM: Final = "warm"
DONE: Final = "done"
