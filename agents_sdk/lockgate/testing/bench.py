"""A bench to run an agent on: the in-memory broker, a `ThrowawayGateway` in front, and the eyes of the dlp gate behind.

What comes back is verified as the gateway would verify it; an agent that answers something else than it was asked fails the test.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from lockgate.agent import Agent
from lockgate.testing.gateway import ANYBODY, Stamped, ThrowawayGateway
from lockgate_broker.memory.connection import MemoryBroker
from lockgate_broker.memory.provisioner import MemoryProvisioner
from lockgate_broker.memory.server import MemoryServer
from lockgate_broker.port import Delivery, Outbound
from lockgate_schemas.errors import ChainRefusedError, DeadlineError
from lockgate_schemas.names import Role
from lockgate_schemas.passage import Response, ResponseStatus, read_reply, read_response
from lockgate_schemas.principal import Principal
from lockgate_schemas.stamping import ChainVerifier
from lockgate_schemas.topics import agent as agent_party

_PATIENCE: Final = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the agent answered, before the dlp gate has looked at it. ``drafts`` are the texts it sent ahead, in order."""

    response: Response
    drafts: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the agent says that it did what was asked."""
        return self.response.status is ResponseStatus.OK

    @property
    def body(self) -> str:
        """The answer, or the sentence that says why not."""
        return self.response.body

    def json(self, type: Any = Any) -> Any:  # noqa: A002 - as msgspec calls it
        """The answer parsed as JSON."""
        return msgspec.json.decode(self.response.body, type=type)


class Bench:
    """One agent at work. Made by `on_bench`."""

    def __init__(self, name: str, gateway: ThrowawayGateway, server: MemoryServer) -> None:
        self.name = name
        self.gateway = gateway
        self.server = server
        self._party = agent_party(name)
        self._sender = MemoryBroker(server, Role.INSPECTION)
        self._canceller = MemoryBroker(server, Role.OUTCOME)
        self._reader = MemoryBroker(server, Role.DLP)
        self._verifier = ChainVerifier(gateway.trust, clock_skew=gateway.limits.clock_skew)

    async def ask(
        self,
        action: str,
        data: Any = None,
        *,
        principal: Principal = ANYBODY,
        flagged: bool = False,
        streamed: bool = False,
        lifetime: float = 30.0,
        patience: float = _PATIENCE,
    ) -> Answer:
        """Send one genuine request and return the verified answer. Raises `DeadlineError` when none comes within ``patience`` seconds.

        ``streamed`` lets the agent send drafts of it.
        """
        stamped = self.gateway.request(
            self.name, action, data, principal=principal, flagged=flagged, streamed=streamed, lifetime=lifetime
        )
        await self.send(stamped.dispatch)
        return await self.answer(stamped, patience)

    async def send(self, body: bytes) -> None:
        """Put any bytes on the agent's queue."""
        await self._sender.publish((Outbound(self._party.inbound.topic, body),))

    async def cancel(self, body: bytes) -> None:
        """Send any bytes as a cancel notice."""
        await self._canceller.notify(self._party.cancel_topic, body)

    async def answer(self, stamped: Stamped, patience: float = _PATIENCE) -> Answer:
        """The next reply to this very request; replies to others are left for those who wait for them."""
        replies = await self._reader.subscribe((self._party.outbound,))
        drafts: list[str] = []
        try:
            async with asyncio.timeout(patience):
                while True:
                    for delivery in await replies.pull(1, 1.0):
                        if delivery.topic.endswith(stamped.facts.dispatch_id):
                            await replies.ack((delivery,))
                            number, response = self._verified(delivery, stamped)
                            if not number:
                                return Answer(response, tuple(drafts))
                            drafts.append(response.body)
                            continue
                        await replies.retry(delivery, 0.01)
        except TimeoutError:
            raise DeadlineError("the agent has not answered") from None
        finally:
            await replies.close()

    def waiting(self) -> int:
        """How many messages are on the agent's queue, at work or not."""
        return len(self.server.stores[self._party.inbound.stream].messages)

    def replies(self) -> int:
        """How many replies nobody has fetched."""
        return len(self.server.stores[self._party.outbound.stream].messages)

    def _verified(self, delivery: Delivery, stamped: Stamped) -> tuple[int, Response]:
        reply = read_reply(delivery.body)
        if delivery.topic != f"{self._party.outbound.topic}.{reply.dispatch_id}" or reply.passage.envelope:
            raise ChainRefusedError("a reply on another topic, or with the envelope still in it")
        chain = self._verifier.verify(reply.passage, through=Role.INSPECTION, now=self.gateway.clock())
        if chain.facts != stamped.facts or reply.dispatch_id != chain.facts.dispatch_id:
            raise ChainRefusedError("a reply to another request")
        return reply.draft, read_response(reply.passage.response)


@asynccontextmanager
async def on_bench(agent: Agent, gateway: ThrowawayGateway | None = None) -> AsyncIterator[Bench]:
    """Run ``agent`` on an in-memory broker for as long as the block lasts; it drains at the end."""
    server = MemoryServer()
    party = agent_party(agent.name)
    await MemoryProvisioner(server).assert_topology([party])
    bench = Bench(agent.name, gateway or ThrowawayGateway(), server)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks, MemoryBroker(server, party) as broker:
        work = tasks.create_task(agent.serve(broker, bench.gateway.trust, stop=stop))
        try:
            yield bench
        finally:
            stop.set()
            server.tick()
            await asyncio.wait({work})


async def ask(
    agent: Agent,
    action: str,
    data: Any = None,
    *,
    principal: Principal = ANYBODY,
    flagged: bool = False,
    streamed: bool = False,
    patience: float = _PATIENCE,
) -> Answer:
    """Run ``agent`` for one request and return its answer."""
    async with on_bench(agent) as bench:
        return await bench.ask(action, data, principal=principal, flagged=flagged, streamed=streamed, patience=patience)
