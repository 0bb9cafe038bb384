"""Every bound of the broker room in one place: sizes, counts and times, each with the reason for its default.

Data only. The adapters apply them; none of them is a guard on its own (the ledger is), they keep one flooding neighbour from
hurting the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB
GIB: Final = 1024 * MIB


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of queues, messages and parties, as the provisioner writes them into the broker."""

    ack_wait: float = 30.0
    """Seconds after which an unacknowledged delivery comes again: well above a batch's work, well below a deadline."""

    dedupe_window: float = 120.0
    """Seconds in which a publish with a known ``dedupe`` id is stored once. It covers a publisher's own retries, not replays."""

    message_bytes: int = 4 * MIB
    """The largest message inside the gateway; a passage carries an envelope and its stamps, a convoy several passages."""

    queue_bytes: int = 2 * GIB
    """One gateway queue. Over it publishing is refused (and the door answers 503); nothing old is ever dropped."""

    queue_pending: int = 20_000
    """Unacknowledged deliveries of one gateway queue over all of its workers."""

    party_message_bytes: int = 1 * MIB
    """The largest message a party may send."""

    party_queue_bytes: int = 64 * MIB
    """One queue of one party, each way: what a flooding party can fill before it is refused."""

    party_queue_messages: int = 10_000
    """The same bound for small messages."""

    party_pending: int = 1_000
    """Unacknowledged deliveries of one party queue."""

    party_waiting: int = 64
    """Open pull requests on one party queue: every copy has one, and a dead connection leaves one behind for its expiry."""

    party_connections: int = 16
    """Simultaneous connections with one party's credential."""

    party_subscriptions: int = 20
    """Subscriptions over one connection of a party; the adapter needs three."""

    quarantine_bytes: int = 256 * MIB
    """The record of refused messages; the oldest go first, the audit log keeps the decision."""

    quarantine_age: float = 30 * 86_400.0
    """Seconds a refused message is kept for an operator."""


DEFAULT_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class Timing:
    """How long one connection waits for what. All in seconds."""

    connect: float = 5.0
    """For the first connection; later ones are tried for ever."""

    publish: float = 5.0
    """For the confirmations of one `publish`. After it the unconfirmed messages may or may not be stored."""

    close: float = 2.0
    """For a flush on `close`; then the socket is dropped."""

    pull_expiry: float = 5.0
    """Life of one pull request at the server. Short, because an orphan of a lost connection stalls for as long."""

    pull_slack: float = 1.0
    """How much later than its expiry a pull request counts as lost and is sent again."""

    pull_again: float = 1.0
    """Pause before asking again on a queue that was refused or is not there (yet, or any more)."""

    hold: float = 10.0
    """Deliveries that wait here unpulled restart their redelivery timer this often; keep it well under ``ack_wait``."""

    idle_hold: float = 60.0
    """A consumer that has not pulled for this long stops holding: its deliveries lapse and go to another worker."""

    reconnect: float = 0.2
    """Pause between two attempts to reconnect."""


DEFAULT_TIMING: Final = Timing()
