"""Pulling: one inbox subscription, own pull requests for each queue, batches that grow by themselves.

`Intake` keeps credit (messages asked for and not yet received) on every queue it follows and asks again at half, so that a busy
queue never runs dry; quiet queues cost one short-lived request each. What is asked for is bounded by ``prefetch`` over all queues
(plus at least one for each queue, so that a flooding neighbour cannot keep a quiet one from being read), and pulls take
from the queues in turn.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, cast

from nats.aio.subscription import Subscription

from lockgate_broker.nats.accounts import next_subject
from lockgate_broker.nats.topology import NANOSECOND, consumer_name
from lockgate_broker.nats.wire import Kind, Wire, pending_of, status_of
from lockgate_broker.port import Delivery
from lockgate_schemas.errors import BrokerError, BrokerRefusedError
from lockgate_schemas.topics import Queue

ACK: Final = b"+ACK"
NAK: Final = b"-NAK"
EXTEND: Final = b"+WPI"
SHORT_ACK_TOKENS: Final = 9
"""``$JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>``; the longer form of ADR-15 puts
a domain and an account in front of the stream."""
TICK: Final = 1.0
"""Seconds between two looks at timers."""


@dataclass(slots=True)
class Source:
    """One followed queue: what was asked for, and what came and was not pulled yet."""

    queue: Queue
    subject: str
    inbox: str
    size: int
    credit: int = 0
    ends: float = 0.0
    not_before: float = 0.0
    refused: bool = False
    followed: bool = True
    held: deque[Delivery] = field(default_factory=deque)
    held_since: deque[float] = field(default_factory=deque)


class NatsIntake:
    """See `lockgate_broker.port.Intake`."""

    def __init__(self, wire: Wire, prefetch: int, token: str) -> None:
        self._wire = wire
        self._prefetch = max(1, prefetch)
        self._prefix = f"{wire.inbox}.{token}"
        self._loop = asyncio.get_running_loop()
        self._sources: dict[tuple[str, str], Source] = {}
        self._by_ack: dict[tuple[bytes, bytes], Source] = {}
        self._by_inbox: dict[str, Source] = {}
        self._by_subject: dict[str, Source] = {}
        self._made = 0
        self._floor = 1
        self._credit = 0
        self._held = 0
        self._ready: deque[Source] = deque()
        self._hungry: dict[str, Source] = {}
        self._waiters: list[asyncio.Future[None]] = []
        self._work = asyncio.Event()
        self._pulled_at = self._loop.time()
        self._closing = False
        self._subscription: Subscription | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def start(self, queues: Sequence[Queue]) -> None:
        """Subscribe to the inbox and ask on every queue."""
        self._wire.on_refused.append(self._on_refused)
        self._wire.on_lost.append(self._on_lost)
        self._wire.on_back.append(self._on_back)
        self._subscription = await self._wire.take(f"{self._prefix}.*", self._on_message)
        await self.follow(queues)
        self._keeper = asyncio.create_task(self._keep(), name="broker-intake")

    async def pull(self, most: int, wait: float) -> Sequence[Delivery]:
        """See the port."""
        self._pulled_at = self._loop.time()
        if not self._ready:
            self._check()
            await self._arrival(wait)
            if not self._ready:
                self._check()
                return ()
        return self._take(most)

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        """See the port."""
        await self._wire.write([_told(delivery, ACK) for delivery in deliveries])

    async def retry(self, delivery: Delivery, delay: float) -> None:
        """See the port."""
        body = b'-NAK {"delay": %d}' % int(delay * NANOSECOND) if delay > 0 else NAK
        await self._wire.write((_told(delivery, body),))

    async def extend(self, delivery: Delivery) -> None:
        """See the port."""
        await self._wire.write((_told(delivery, EXTEND),))

    async def follow(self, queues: Sequence[Queue]) -> None:
        """See the port."""
        wanted = {(queue.stream, consumer_name(queue)): queue for queue in queues}
        self._floor = max(1, self._prefetch // max(1, len(wanted)))
        for key, source in list(self._sources.items()):
            if key not in wanted and source.followed:
                source.followed = False  # what it still owes us is given back as it comes
                self._hungry.pop(source.inbox, None)
        for key, queue in wanted.items():
            self._add(key, queue)
        self._work.set()

    async def close(self) -> None:
        """See the port."""
        if self._closing:
            return
        self._closing = True
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        self._wake()
        if not self._wire.is_closed:
            # What cannot be given back comes again when its redelivery timer ends: late, and not lost.
            with contextlib.suppress(BrokerError):
                await self._drain()
        self._wire.on_refused.remove(self._on_refused)
        self._wire.on_lost.remove(self._on_lost)
        self._wire.on_back.remove(self._on_back)

    # --- what comes in ---

    async def _on_message(self, subject: bytes, reply: bytes, body: bytes, headers: bytes | None) -> None:
        if not reply:
            self._on_status(subject, headers)
            return
        at = 2 if reply.count(b".") < SHORT_ACK_TOKENS else 4
        tokens = reply.split(b".", at + 3)
        source = self._by_ack.get((tokens[at], tokens[at + 1]))
        if source is None or self._closing or not source.followed:
            await self._wire.write((_command(reply, NAK),))
            return
        source.credit -= 1
        self._credit -= 1
        self._hold(source, Delivery(source.queue, subject.decode(), body, int(tokens[at + 2]), reply))
        if source.credit <= source.size >> 1:
            if source.credit >= 0:
                source.size = min(source.size * 2, self._prefetch)
            self._starve(source)

    def _hold(self, source: Source, delivery: Delivery) -> None:
        if not source.held:
            self._ready.append(source)
        source.held.append(delivery)
        source.held_since.append(self._loop.time())
        self._held += 1
        if self._waiters:
            self._wake()

    def _on_status(self, inbox: bytes, headers: bytes | None) -> None:
        """A pull request ended without (all of) its messages: 404, 408, 409 or 503."""
        source = self._by_inbox.get(inbox.decode())
        if source is None:
            return
        left = pending_of(headers)
        self._spend(source, source.credit if left is None else left)
        if status_of(headers) in {"404", "408"}:
            source.size = max(self._floor, source.size >> 1)
        else:  # no such consumer (yet, or any more), or too many requests on it
            source.not_before = self._loop.time() + self._wire.timing.pull_again
        self._starve(source)

    def _on_refused(self, kind: Kind, subject: str) -> None:
        source = self._by_subject.get(subject.lower())
        if kind == "publish" and source is not None:
            source.refused = True
            self._spend(source, source.credit)
            source.not_before = self._loop.time() + self._wire.timing.pull_again
            self._starve(source)
            self._wake()

    def _on_lost(self) -> None:
        self._wake()

    def _on_back(self) -> None:
        """Requests of the old connection are orphans: ask again everywhere."""
        for source in self._sources.values():
            self._spend(source, source.credit)
            source.not_before = 0.0
            self._starve(source)

    # --- what is asked for ---

    async def _keep(self) -> None:
        """Ask where credit is low, whenever something changed, and look after timers once a tick."""
        tick = min(TICK, self._wire.timing.hold / 2)
        next_tick = self._loop.time() + tick
        while True:
            timer = self._loop.call_later(max(0.0, next_tick - self._loop.time()), self._work.set)
            await self._work.wait()
            timer.cancel()
            self._work.clear()
            if not self._wire.is_up or self._wire.is_closed:
                next_tick = self._loop.time() + tick
                continue
            # A send that fails means the connection is going; everything is asked for again when it is back.
            with contextlib.suppress(BrokerError):
                if self._loop.time() >= next_tick:
                    next_tick = self._loop.time() + tick
                    self._expire()
                    await self._hold_on()
                await self._ask_all()

    async def _ask_all(self) -> None:
        now = self._loop.time()
        for source in list(self._hungry.values()):
            if source.not_before <= now:
                await self._ask(source, now)

    async def _ask(self, source: Source, now: float) -> None:
        room = self._prefetch - self._held - self._credit
        least = 0 if source.held else self._floor - source.credit
        want = max(least, min(source.size - source.credit, room))
        if want <= 0:
            return  # it stays hungry until a pull has made room
        timing = self._wire.timing
        body = b'{"batch":%d,"expires":%d}' % (want, int(timing.pull_expiry * NANOSECOND))
        await self._wire.send(source.subject, body, source.inbox)
        source.credit += want
        self._credit += want
        source.ends = now + timing.pull_expiry + timing.pull_slack
        source.refused = False
        self._hungry.pop(source.inbox, None)

    def _expire(self) -> None:
        """Requests whose end was never reported are lost: count them as gone. Forget queues nobody follows."""
        now = self._loop.time()
        for key, source in list(self._sources.items()):
            if source.ends > now:
                continue
            if source.credit:
                self._spend(source, source.credit)
                self._starve(source)
            if not source.followed and not source.held:
                self._forget(key, source)

    async def _hold_on(self) -> None:
        """Restart the redelivery timers of what waits here, as long as somebody pulls at all."""
        now, timing = self._loop.time(), self._wire.timing
        if now - self._pulled_at > timing.idle_hold:
            return
        for source in tuple(self._ready):
            for at, since in enumerate(source.held_since):
                if now - since >= timing.hold:
                    source.held_since[at] = now
                    await self._wire.write((_told(source.held[at], EXTEND),))

    def _spend(self, source: Source, credit: int) -> None:
        gone = min(credit, source.credit) if source.credit > 0 else source.credit
        source.credit -= gone
        self._credit -= gone

    def _starve(self, source: Source) -> None:
        if source.followed and not self._closing:
            self._hungry[source.inbox] = source
            self._work.set()

    # --- what goes out ---

    def _take(self, most: int) -> list[Delivery]:
        """Take up to ``most``, from the queues in turn."""
        taken: list[Delivery] = []
        while self._ready and len(taken) < most:
            share = max(1, (most - len(taken)) // len(self._ready))
            source = self._ready.popleft()
            for _ in range(min(share, len(source.held))):
                taken.append(source.held.popleft())
                source.held_since.popleft()
            if source.held:
                self._ready.append(source)
        self._held -= len(taken)
        if self._hungry:
            self._work.set()
        return taken

    async def _arrival(self, wait: float) -> None:
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._waiters.append(waiter)
        timer = self._loop.call_later(wait, _finish, waiter)
        try:
            await waiter
        finally:
            timer.cancel()
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def _wake(self) -> None:
        for waiter in self._waiters:
            _finish(waiter)
        self._waiters.clear()

    def _check(self) -> None:
        if self._closing:
            raise BrokerError("this intake is closed")
        self._wire.check()
        if self._keeper is not None and self._keeper.done():
            raise BrokerError("this intake has stopped asking")  # nothing more would come, and silence would look like peace
        followed = [source for source in self._sources.values() if source.followed]
        if followed and all(source.refused for source in followed):
            raise BrokerRefusedError("these credentials may read none of the queues")

    async def _drain(self) -> None:
        """Take back the subscription, then give back what came until then."""
        for source in self._sources.values():
            while source.held:
                await self._wire.write((_told(source.held.popleft(), NAK),))
        self._held = 0
        self._ready.clear()
        if self._subscription is not None and self._wire.is_up:
            await self._wire.patiently(_drained(self._subscription), self._wire.timing.close)

    # --- which queues ---

    def _add(self, key: tuple[str, str], queue: Queue) -> None:
        source = self._sources.get(key)
        if source is None:
            self._made += 1
            source = Source(queue, next_subject(queue), f"{self._prefix}.{self._made}", self._floor)
            self._sources[key] = self._by_inbox[source.inbox] = self._by_ack[_ack_key(key)] = source
            self._by_subject[source.subject.lower()] = source
        source.followed = True
        source.size = max(source.size, self._floor)
        if source.credit <= source.size >> 1:
            self._starve(source)

    def _forget(self, key: tuple[str, str], source: Source) -> None:
        del self._sources[key]
        del self._by_ack[_ack_key(key)]
        del self._by_inbox[source.inbox]
        del self._by_subject[source.subject.lower()]


def _told(delivery: Delivery, what: bytes) -> bytes:
    """The command that tells the broker ``what`` about a delivery. Its token is where the broker listens for that, as it was said there."""
    return _command(cast("bytes", delivery.token), what)


def _command(reply: bytes, what: bytes) -> bytes:
    return b"PUB %b  %d\r\n%b\r\n" % (reply, len(what), what)


def _ack_key(key: tuple[str, str]) -> tuple[bytes, bytes]:
    """Stream and consumer as an acknowledgement's subject names them."""
    return key[0].encode(), key[1].encode()


async def _drained(subscription: Subscription) -> None:
    await subscription.drain()  # type: ignore[no-untyped-call]


def _finish(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
