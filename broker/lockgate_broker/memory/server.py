"""The broker that the in-memory connections share: streams, listeners, registered parties, and who may do what.

Everything runs in one event loop and one process; nothing survives it. The clock is passed in: by default it is the time of the
running loop, and whoever steps a clock of his own calls `MemoryServer.tick` afterwards.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from lockgate_broker.limits import DEFAULT_LIMITS, Limits
from lockgate_broker.memory.store import Bounds, Store
from lockgate_broker.rights import Allowed, Identity, allowed, matches
from lockgate_schemas.errors import BrokerRefusedError
from lockgate_schemas.names import Role
from lockgate_schemas.topics import HEALTH_STREAM, HEALTH_TOPIC, QUARANTINE_STREAM, QUARANTINE_TOPIC, QUEUES, Party

LOG: Final = logging.getLogger(__name__)
UNBOUNDED: Final = 1 << 62

Clock = Callable[[], float]
Handler = Callable[[bytes], Awaitable[None]]


class MemoryServer:
    """See the module. `connect` in `lockgate_broker.memory.connection` opens a connection to it."""

    def __init__(self, *, limits: Limits = DEFAULT_LIMITS, clock: Clock | None = None) -> None:
        self.limits = limits
        self.down = False
        """Set it to act as a broker that does not answer: publishes are unconfirmed, pulls empty, acknowledgements lost."""
        self.parties: dict[Party, str] = {}
        self.stores: dict[str, Store] = {}
        self._topics: dict[str, str] = {}
        self._listeners: list[tuple[Identity, str, Handler]] = []
        self._waiters: set[asyncio.Future[None]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._rights: dict[Identity, Allowed] = {}
        self._clock = clock

    def now(self) -> float:
        """The time that redelivery and dedupe go by."""
        return self._clock() if self._clock is not None else asyncio.get_running_loop().time()

    def tick(self) -> None:
        """Let everybody who waits look at the clock and the queues again."""
        waiters, self._waiters = self._waiters, set()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def change(self, seconds: float) -> None:
        """Wait for a `tick`, or ``seconds`` of the loop's time."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        await asyncio.wait({waiter}, timeout=seconds)
        self._waiters.discard(waiter)

    def rights(self, identity: Identity) -> Allowed:
        """What ``identity`` may do now."""
        known = self._rights.get(identity)
        if known is None:
            known = self._rights[identity] = allowed(identity, tuple(self.parties))
        return known

    def store_of(self, topic: str) -> Store | None:
        """The stream that stores ``topic``."""
        for pattern, name in self._topics.items():
            if matches(pattern, topic):
                return self.stores[name]
        return None

    def create_gateway(self) -> None:
        """The gateway's own queues and records."""
        limits = self.limits
        for queue in QUEUES:
            self._create(
                queue.stream, queue.filter, Bounds(limits.message_bytes, limits.queue_bytes, None, pending=limits.queue_pending)
            )
        quarantine = Bounds(limits.message_bytes, limits.quarantine_bytes, discard_old=True)
        self._create(QUARANTINE_STREAM, f"{QUARANTINE_TOPIC}.*", quarantine)
        for role in Role:
            # On JetStream one stream keeps the last message of each subject; here each role has a stream of one.
            self._create(f"{HEALTH_STREAM}.{role}", f"{HEALTH_TOPIC}.{role}", Bounds(1024, UNBOUNDED, 1, discard_old=True))

    def create_party(self, party: Party) -> None:
        """The two queues of one party."""
        limits = self.limits
        size, count, pending = limits.party_queue_bytes, limits.party_queue_messages, limits.party_pending
        inbound = Bounds(limits.message_bytes, size, count, pending=pending)
        outbound = Bounds(limits.party_message_bytes, size, count, pending=pending)
        self._create(party.inbound.stream, party.inbound.filter, inbound)
        self._create(party.outbound.stream, party.outbound.filter, outbound)

    def register(self, party: Party, seed: str) -> None:
        """Let ``party`` in with ``seed`` alone."""
        self.parties[party] = seed
        self._rights.clear()
        self.tick()

    def remove(self, party: Party) -> None:
        """Forget ``party`` and its queues."""
        self.parties.pop(party, None)
        self._rights.clear()
        for queue in (party.inbound, party.outbound):
            self.stores.pop(queue.stream, None)
            self._topics.pop(queue.filter, None)
        self.tick()

    def listen(self, identity: Identity, topic: str, handler: Handler) -> None:
        """Call ``handler`` for notices on ``topic``."""
        if topic not in self.rights(identity).hear:
            raise BrokerRefusedError("these credentials do not reach that subject")
        self._listeners.append((identity, topic, handler))

    def unlisten(self, handlers: list[Handler]) -> None:
        """Stop calling ``handlers``."""
        self._listeners = [entry for entry in self._listeners if entry[2] not in handlers]

    def notify(self, identity: Identity, topic: str, body: bytes) -> None:
        """Hand a notice to its listeners; one that may not be sent goes nowhere, as on the wire."""
        if self.down or topic not in self.rights(identity).notify:
            return
        for listener, wanted, handler in self._listeners:
            if wanted == topic and topic in self.rights(listener).hear:
                task = asyncio.ensure_future(_call(handler, body))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    def _create(self, name: str, pattern: str, bounds: Bounds) -> None:
        if name not in self.stores:
            self.stores[name] = Store(bounds, self.limits.ack_wait, self.limits.dedupe_window)
            self._topics[pattern] = name


async def _call(handler: Handler, body: bytes) -> None:
    try:
        await handler(body)
    # A notice is only a hint: whatever its handler raised must not end the listening.
    except Exception as error:  # noqa: BLE001
        LOG.warning("a notice handler failed: %s", type(error).__name__)
