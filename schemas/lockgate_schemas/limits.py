"""Every bound of the gateway in one frozen object, each with its unit and its reason.

A number that decides what is refused, dropped or retried stands here and nowhere else, so that an operator can see all
of them and a test can shrink them. All times are milliseconds unless the name says otherwise.
"""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The defaults suit a gateway whose agents answer within minutes; each can be set in ``gateway.toml``."""

    max_envelope_bytes: int = 256 * 1024
    """A compact envelope; more is 413 before it is read. Agents fetch bulk data themselves."""
    max_response_bytes: int = 256 * 1024
    """An agent's answer: the SDK does not send more, and the dlp gate blocks it from an agent that does."""
    clock_skew: int = 60_000
    """How far a client's clock may be off, in either direction."""
    max_lifetime: int = 24 * 3600_000
    """From an envelope's time to its expirytime; it bounds how long a replay must be remembered."""
    max_attempts: int = 5
    """Deliveries of one message before it counts as poison and ends as quarantined."""
    batch: int = 256
    """The most a stage takes at once: one signature, one policy epoch, one commit."""
    convoy_bytes: int = 256 * 1024
    """The most that passages which travel together may weigh: far below the broker's own limit for one message."""
    sweep_every: int = 1_000
    """The sweeper's rhythm: an outcome is at most this late after its deadline."""
    resend_after: int = 30_000
    """A request that no stage has reported on for so long is published again."""
    resend_dispatched_after: int = 300_000
    """The same once it was handed to its agent, who may be at work on it."""
    park: int = 2_000
    """How long a passage waits when something that must be asked does not answer."""
    publish_timeout: int = 5_000
    """Within this the broker confirms, or the publish counts as failed."""
    ledger_timeout: int = 5_000
    """How long a locked ledger is waited for before the door answers 503."""
    migration_timeout: int = 60_000
    """The same while the ledger's tables are made or migrated at a start: another process may be at it, and that takes as long as the disk does."""
    wait: int = 60_000
    """The longest a client may hold a connection open for an outcome (Prefer: wait, long poll)."""
    open_requests: int = 20_000
    """Accepted and not yet ended, of one client; more is 429."""
