"""The port: everything a stage, the ingress, an agent or a client may ask of a broker.

A `Broker` is one connection with one identity. What that identity may do is decided by the `Provisioner` (another identity)
and enforced by the server. Effects are batched because the cost of a hop is in the round trips: publish takes a sequence and
returns when every message in it is confirmed stored.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

from lockgate_schemas.errors import BrokerRefusedError, PublishFailedError
from lockgate_schemas.names import Role
from lockgate_schemas.topics import Party, Queue


class PublishRefusedError(PublishFailedError, BrokerRefusedError):
    """Some messages of a publish were refused for good: no right, over a limit, too large.

    ``refused`` holds their positions; ``unconfirmed`` holds those and any others that are not confirmed. Both kinds of
    error handler see it: one that publishes the unconfirmed again, and one that gives up on what is refused.
    """

    code = BrokerRefusedError.code
    title = BrokerRefusedError.title
    advice = BrokerRefusedError.advice

    def __init__(self, refused: tuple[int, ...], unconfirmed: tuple[int, ...], reason: str) -> None:
        self.refused = refused
        super().__init__(unconfirmed, reason)


@dataclass(frozen=True, slots=True)
class Outbound:
    """A message to publish. ``dedupe`` is an id within which the broker stores one message only (a convenience, never the guard)."""

    topic: str
    body: bytes
    dedupe: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as it came in. ``attempt`` counts deliveries of this message from 1; ``token`` belongs to the adapter."""

    queue: Queue
    topic: str
    body: bytes
    attempt: int
    token: object = field(repr=False, compare=False)


class Intake(Protocol):
    """An open pull on one or more queues."""

    async def pull(self, most: int, wait: float) -> Sequence[Delivery]:
        """Return 1 to ``most`` deliveries as soon as there is any, or none after ``wait`` seconds.

        It never waits to fill a batch: under load batches grow by themselves, and a lone message is not held up.
        """
        ...

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        """Tell the broker that these are done with. A lost acknowledgement means redelivery, never loss."""
        ...

    async def retry(self, delivery: Delivery, delay: float) -> None:
        """Give it back, to come again no sooner than ``delay`` seconds from now."""
        ...

    async def extend(self, delivery: Delivery) -> None:
        """Still at work on it: restart the redelivery timer."""
        ...

    async def follow(self, queues: Sequence[Queue]) -> None:
        """Read exactly these queues from now on; deliveries that are already here stay valid."""
        ...

    async def close(self) -> None:
        """Stop asking for more and give back what was received and never pulled."""
        ...


class Broker(Protocol):
    """One authenticated connection."""

    async def publish(self, messages: Sequence[Outbound]) -> None:
        """Store all of ``messages``; return when the broker has confirmed each.

        Raises `PublishFailedError`, which says which of them are unconfirmed; those may or may not be stored. If the broker
        refused some of them for good it is a `PublishRefusedError`, which is also a `BrokerRefusedError`.
        """
        ...

    async def subscribe(self, queues: Sequence[Queue], *, prefetch: int = 256) -> Intake:
        """Start to pull from ``queues``, holding at most about ``prefetch`` unprocessed messages here.

        Never blocks on a queue that is not there yet; `Intake.pull` raises `BrokerRefusedError` once *every* queue is refused.
        """
        ...

    async def notify(self, topic: str, body: bytes) -> None:
        """Send a notice to whoever listens now; nothing is stored and nothing confirmed."""
        ...

    async def listen(self, topic: str, handler: Callable[[bytes], Awaitable[None]]) -> None:
        """Call ``handler`` for every notice on ``topic`` until the connection closes."""
        ...

    async def probe(self, role: Role) -> None:
        """Prove that this connection can store: one confirmed publish to the role's health topic. Raises `BrokerError`."""
        ...

    async def close(self) -> None:
        """Flush and disconnect within a bound."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Credential:
    """What a workload needs to connect: the servers, a private seed (never shown), and the prefix of its own inbox."""

    servers: tuple[str, ...]
    user: str
    seed: str = field(repr=False)
    inbox: str = ""


class Provisioner(Protocol):
    """The only identity that may create, grant and remove."""

    async def assert_topology(self, parties: Sequence[Party]) -> None:
        """Create what is missing; raise `TopologyError` on anything that exists and differs; change nothing that exists."""
        ...

    async def grant(self, party: Party) -> Credential:
        """Create the party's two queues and its credential, and prove with a pull as that party that it works."""
        ...

    async def revoke(self, party: Party) -> None:
        """Remove the party's credential, drop its connection, and delete its queues."""
        ...

    async def depth(self, queue: Queue) -> int:
        """How many messages are waiting or unacknowledged in ``queue``."""
        ...
