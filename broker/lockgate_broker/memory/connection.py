"""One connection to the in-memory broker as a role or a party: `Broker` of the port."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Self

from lockgate_broker.memory.intake import MemoryIntake
from lockgate_broker.memory.server import Handler, MemoryServer
from lockgate_broker.port import Credential, Intake, Outbound, PublishRefusedError
from lockgate_broker.rights import Identity, may
from lockgate_schemas.errors import BrokerError, BrokerRefusedError, PublishFailedError
from lockgate_schemas.names import Role
from lockgate_schemas.topics import HEALTH_TOPIC, Party, Queue


class MemoryBroker:
    """See `lockgate_broker.port.Broker`. Make one with `connect` (a credential) or from an identity, in tests."""

    def __init__(self, server: MemoryServer, identity: Identity) -> None:
        self._server = server
        self._identity = identity
        self._seed = server.parties.get(identity, "") if isinstance(identity, Party) else ""
        self._closed = False
        self._handlers: list[Handler] = []
        self._intakes: list[MemoryIntake] = []

    async def publish(self, messages: Sequence[Outbound]) -> None:
        """See the port."""
        self._check()
        await asyncio.sleep(0)
        if self._server.down and messages:
            raise PublishFailedError(tuple(range(len(messages))), "no confirmation in time")
        refused: dict[int, str] = {}
        absent: dict[int, str] = {}
        for position, message in enumerate(messages):
            self._put(position, message, refused, absent)
        self._server.tick()
        if refused:
            failed = tuple(sorted(refused | absent))
            raise PublishRefusedError(tuple(sorted(refused)), failed, next(iter(refused.values())))
        if absent:
            raise PublishFailedError(tuple(sorted(absent)), next(iter(absent.values())))

    async def subscribe(self, queues: Sequence[Queue], *, prefetch: int = 256) -> Intake:
        """See the port; nothing is held here, so ``prefetch`` has nothing to bound."""
        del prefetch
        self._check()
        intake = MemoryIntake(self._server, self._identity, queues, self._check)
        self._intakes.append(intake)
        return intake

    async def notify(self, topic: str, body: bytes) -> None:
        """See the port."""
        self._check()
        self._server.notify(self._identity, topic, body)

    async def listen(self, topic: str, handler: Callable[[bytes], Awaitable[None]]) -> None:
        """See the port."""
        self._check()
        self._server.listen(self._identity, topic, handler)
        self._handlers.append(handler)

    async def probe(self, role: Role) -> None:
        """See the port."""
        await self.publish((Outbound(f"{HEALTH_TOPIC}.{role}", b""),))

    async def close(self) -> None:
        """See the port."""
        for intake in self._intakes:
            await intake.close()
        self._server.unlisten(self._handlers)
        self._closed = True

    async def __aenter__(self) -> Self:
        """Already connected."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self.close()

    def _put(self, position: int, message: Outbound, refused: dict[int, str], absent: dict[int, str]) -> None:
        store = self._server.store_of(message.topic)
        if not may(self._server.rights(self._identity).publish, message.topic):
            refused[position] = "no right to publish to this topic"
        elif store is None:
            absent[position] = "no queue stores this topic"
        else:
            try:
                store.put(message.topic, message.body, message.dedupe, self._server.now())
            except BrokerRefusedError as error:
                refused[position] = error.detail

    def _check(self) -> None:
        if self._closed:
            raise BrokerError("the connection to the broker is closed")
        if isinstance(self._identity, Party) and self._server.parties.get(self._identity) != self._seed:
            raise BrokerRefusedError("the broker does not accept this party any more")


async def connect(server: MemoryServer, credential: Credential) -> MemoryBroker:
    """Open a connection as the party that ``credential`` was granted to."""
    for party, seed in server.parties.items():
        if seed and seed == credential.seed:
            return MemoryBroker(server, party)
    raise BrokerRefusedError("the broker does not accept this credential")
