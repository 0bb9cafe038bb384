"""Every bound that only the ingress needs, each with its unit and its reason. Data only; what all rooms share is `lockgate_schemas.limits`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lockgate_schemas.content import MAX_CONTENT_BYTES


@dataclass(frozen=True, slots=True)
class Bounds:
    """The defaults suit one public listener; tests shrink them. Times are seconds."""

    waiting_items: int = 4096
    """Envelopes that wait for a batch, over all clients; more is 429. Some two seconds of work."""
    waiting_bytes: int = 64 * 1024 * 1024
    """The same, by weight."""
    batches: int = 3
    """Batches under way at once: one being verified, one being committed, one being published."""
    verify_chunk: int = 16
    """Signatures checked before the event loop gets a turn: about 3 ms."""
    refusals_single: int = 256
    """Refusals a flush writes one by one; beyond it they are counted, by code and client."""
    refusals_every: float = 1.0
    """Between two flushes of refusals, so that a flood costs one small commit a second."""
    probe_every: float = 0.5
    """Between two probes of a broker that failed."""
    ready_within: float = 2.0
    """For one readiness check; slower counts as failed."""
    ready_for: float = 1.0
    """How long a readiness answer is repeated, so that asking costs nothing."""
    waiters: int = 10_000
    """Connections that wait for an outcome; one more is answered at once with what is known."""
    poll_every: float = 1.0
    """How often a waiter looks into the ledger when no notice woke it."""
    polls_per_second: float = 200.0
    """Looks into the ledger of all waiters together; with more waiters each looks less often."""
    followers: int = 1_000
    """Connections that are shown answers while they are being written, each holding at most one that it was not yet shown; one more sees only the end."""
    keep_alive: float = 15.0
    """Between two comments on a quiet event stream."""
    head_bytes: int = 32 * 1024
    """The request line and all headers; more is 431."""
    head_count: int = 100
    """Headers of one request."""
    head_seconds: float = 10.0
    """From the first byte, or from connecting, to the end of the headers."""
    body_seconds: float = 10.0
    """From the headers to the end of the body; slower is 408."""
    linger_bytes: int = 512 * 1024
    """Read and thrown away after an early refusal, so that a client in the middle of sending still sees the answer."""
    linger_seconds: float = 0.5
    """The same, in time."""
    connections: int = 8192
    """Open connections; one more is turned away."""
    drain_seconds: int = 10
    """On stopping, for requests under way."""
    admin_body_bytes: int = 1024 * 1024
    """A body on the admin listener: a policy set is the largest, but for a content policy."""
    admin_content_bytes: int = 2 * MAX_CONTENT_BYTES + 64 * 1024
    """A content policy on the admin listener: as JSON, where a line's end takes two bytes and a sign of any other script no more."""
    pull_seconds: float = 1.0
    """One pull of the broker door."""
    letter_items: int = 100
    """Items in one letter to a broker client, which keeps it well under the broker's size limit for a party."""


DEFAULT_BOUNDS: Final = Bounds()
