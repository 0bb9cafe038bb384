"""Every bound of the SDK, in two frozen objects: what an agent and a client wait for, retry and remember.

Data only. Times are seconds. What the gateway itself enforces stands in `lockgate_schemas.limits`; it is repeated in neither.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """How an agent works. The defaults suit handlers that take from milliseconds to minutes."""

    concurrency: int = 8
    """Handlers that run at the same time; nothing more is pulled while they do."""

    prefetch: int = 1
    """Messages held ready in this process. One: a copy that is busy must not sit on work that an idle copy could do. Where handlers take
    milliseconds, as many as ``concurrency`` save a round trip each (measured: 371 against 547 replies a second at 8, 769 at 32)."""

    extend_every: float = 10.0
    """How often the broker is told that work goes on; keep it well under the broker's redelivery time of 30 s."""

    cancel_grace: float = 2.0
    """From ``request.cancelled`` being set until the handler is cancelled, and from there until it is given up on."""

    drain: float = 20.0
    """After SIGTERM, what runs may take so long to finish; then it is given back for another copy."""

    pull_wait: float = 1.0
    """How long one pull waits, and how soon a stop is noticed while every place is taken."""

    broker_pause: float = 1.0
    """Pause after the broker failed, before it is asked again."""

    publish_attempts: int = 4
    """Tries to store a reply before the delivery is given back; the answer is remembered, the handler does not run again."""

    remembered: int = 1024
    """Finished dispatches whose answers are kept, to answer a redelivery without doing the work twice."""

    remembered_bytes: int = 64 * 1024 * 1024
    """The same bound in bytes of answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """How a client waits and retries."""

    lifetime: float = 300.0
    """From signing an envelope to its deadline, unless the call says otherwise."""

    connect: float = 5.0
    """For the connection to the gateway, and for each write."""

    answer: float = 15.0
    """For an answer that is not a long poll; longer than the gateway itself takes to say that it cannot."""

    poll: float = 25.0
    """One long poll; below the idle time-outs of common proxies."""

    pause: float = 0.5
    """The first pause before a repeat when the gateway named none; it doubles."""

    longest_pause: float = 30.0
    """No pause is longer, whatever Retry-After says."""

    repeats: int = 8
    """How often `submit_many` sends one envelope again after 429, 503 or a lost connection."""

    token_age: float = 240.0
    """An access token is replaced at this age; the gateway accepts none older than 300 s."""

    remembered: int = 10_000
    """Requests and outcomes a broker client keeps, to match its mail."""
