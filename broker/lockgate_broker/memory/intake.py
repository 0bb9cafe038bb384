"""Pulling from the in-memory broker: straight from the streams, in turn, nothing held in between."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lockgate_broker.memory.server import MemoryServer
from lockgate_broker.memory.store import Store
from lockgate_broker.port import Delivery
from lockgate_broker.rights import Identity
from lockgate_schemas.errors import BrokerError, BrokerRefusedError
from lockgate_schemas.topics import Queue


@dataclass(frozen=True, slots=True)
class _Token:
    store: Store
    number: int


class MemoryIntake:
    """See `lockgate_broker.port.Intake`."""

    def __init__(self, server: MemoryServer, identity: Identity, queues: Sequence[Queue], check: Callable[[], None]) -> None:
        self._server = server
        self._identity = identity
        self._queues = list(queues)
        self._check_connection = check
        self._closed = False

    async def pull(self, most: int, wait: float) -> Sequence[Delivery]:
        """See the port."""
        await asyncio.sleep(0)  # others run between two pulls, as they do with a socket in between
        loop = asyncio.get_running_loop()
        until, real_until = self._server.now() + wait, loop.time() + wait
        while True:
            readable = self._readable()
            taken = [] if self._server.down else self._take(readable, most)
            left = min(until - self._server.now(), real_until - loop.time())
            if taken or left <= 0:
                return taken
            await self._server.change(self._patience(readable, left))

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        """See the port."""
        for delivery in deliveries:
            token = self._token(delivery)
            if token is not None:
                token.store.ack(token.number)

    async def retry(self, delivery: Delivery, delay: float) -> None:
        """See the port."""
        token = self._token(delivery)
        if token is not None:
            token.store.schedule(token.number, self._server.now() + delay)
            self._server.tick()

    async def extend(self, delivery: Delivery) -> None:
        """See the port."""
        token = self._token(delivery)
        if token is not None:
            token.store.extend(token.number, self._server.now())

    async def follow(self, queues: Sequence[Queue]) -> None:
        """See the port."""
        self._queues = list(queues)
        self._server.tick()

    async def close(self) -> None:
        """See the port."""
        self._closed = True
        self._server.tick()

    def _readable(self) -> list[Queue]:
        if self._closed:
            raise BrokerError("this intake is closed")
        self._check_connection()
        rights = self._server.rights(self._identity).read
        readable = [queue for queue in self._queues if queue in rights]
        if self._queues and not readable:
            raise BrokerRefusedError("these credentials may read none of the queues")
        return readable

    def _take(self, queues: Sequence[Queue], most: int) -> list[Delivery]:
        """Take up to ``most``, one from each queue in turn, and begin with another queue the next time."""
        self._queues = [*self._queues[1:], *self._queues[:1]]
        stores = self._server.stores
        busy = deque((queue, stores[queue.stream]) for queue in queues if queue.stream in stores)
        taken: list[Delivery] = []
        while busy and len(taken) < most:
            queue, store = busy.popleft()
            message = store.take(self._server.now())
            if message is not None:
                token = _Token(store, message.number)
                taken.append(Delivery(queue, message.topic, message.body, message.attempt, token))
                busy.append((queue, store))
        return taken

    def _patience(self, queues: Sequence[Queue], left: float) -> float:
        """How long to wait at most: until the next redelivery is due."""
        stores = (self._server.stores.get(queue.stream) for queue in queues)
        dues = (due for store in stores if store is not None and (due := store.next_due()) is not None)
        return max(0.001, min(left, min(dues, default=self._server.now() + left) - self._server.now()))

    def _token(self, delivery: Delivery) -> _Token | None:
        self._check_connection()
        return delivery.token if isinstance(delivery.token, _Token) and not self._server.down else None
