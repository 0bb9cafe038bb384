"""One connection to JetStream as a role or a party: `Broker` of the port.

Confirmed, pipelined publishes over one reply inbox; intakes; notices. What the identity may do is decided by the server; this
module only learns of it and says so. It makes no JetStream API call, because only the provisioner may.

Atomic batch publish (server 2.12) is not used. Measured on 2.15.1 with 2 KB messages: 1,600 a second in batches of 32 against
19,700 confirmed one by one but pipelined, because each commit is synced; and one known message id refuses its whole batch.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from secrets import token_hex
from typing import Final, Self

from nats.aio.msg import Msg

from lockgate_broker.limits import DEFAULT_TIMING, Timing
from lockgate_broker.nats.confirmations import Batch
from lockgate_broker.nats.intake import NatsIntake
from lockgate_broker.nats.wire import Kind, Wire, status_of
from lockgate_broker.port import Credential, Intake, Outbound
from lockgate_schemas.errors import BrokerError, BrokerRefusedError
from lockgate_schemas.names import Role
from lockgate_schemas.topics import HEALTH_TOPIC, Queue

LOG: Final = logging.getLogger(__name__)
PIECE: Final = 256 * 1024
"""Bytes that are written at a time: enough for a batch of requests, and no second copy of a batch of large ones."""


class NatsBroker:
    """See `lockgate_broker.port.Broker`. Make one with `connect`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._token = token_hex(8)  # two connections with one credential share the inbox prefix, not the inbox
        self._confirms = f"{wire.inbox}.{self._token}"
        self._numbers = count(1)
        self._batches: dict[bytes, Batch] = {}
        self._intakes: list[NatsIntake] = []

    async def start(self) -> None:
        """Subscribe to the inbox of confirmations."""
        self._wire.on_refused.append(self._on_refused)
        self._wire.on_lost.append(self._on_lost)
        await self._wire.take(f"{self._confirms}.*.*", self._on_confirm)

    async def publish(self, messages: Sequence[Outbound]) -> None:
        """See the port."""
        if not messages:
            return
        batch = Batch(messages, asyncio.get_running_loop().create_future())
        number = str(next(self._numbers))
        key = number.encode()
        self._batches[key] = batch
        try:
            async with asyncio.timeout(self._wire.timing.publish):
                await self._wire.ready()
                await self._send(messages, batch, f"{self._confirms}.{number}.")
                await batch.done
        except TimeoutError:
            batch.give_up("no confirmation in time")
        finally:
            del self._batches[key]
        batch.verdict()

    async def subscribe(self, queues: Sequence[Queue], *, prefetch: int = 256) -> Intake:
        """See the port."""
        intake = NatsIntake(self._wire, prefetch, f"{self._token}i{next(self._numbers)}")
        await intake.start(queues)
        self._intakes.append(intake)
        return intake

    async def notify(self, topic: str, body: bytes) -> None:
        """See the port."""
        self._wire.check()
        await self._wire.send(topic, body)

    async def listen(self, topic: str, handler: Callable[[bytes], Awaitable[None]]) -> None:
        """See the port."""

        async def deliver(message: Msg) -> None:
            try:
                await handler(message.data)
            # A notice is only a hint: whatever its handler raised must not end the listening.
            except Exception as error:  # noqa: BLE001
                LOG.warning("a notice handler failed: %s", type(error).__name__)

        await self._wire.subscribe(topic, deliver)

    async def probe(self, role: Role) -> None:
        """See the port."""
        await self.publish((Outbound(f"{HEALTH_TOPIC}.{role}", b""),))

    async def close(self) -> None:
        """See the port."""
        for intake in self._intakes:
            await intake.close()
        self._intakes.clear()
        if self._wire.is_up and not self._wire.is_closed:
            with contextlib.suppress(BrokerError):  # it did not flush within the bound; the close below drops the socket
                await self._wire.patiently(self._wire.client.flush(timeout=3600), self._wire.timing.close)
        await self._wire.close()

    async def __aenter__(self) -> Self:
        """Already connected."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self.close()

    async def _send(self, messages: Sequence[Outbound], batch: Batch, reply: str) -> None:
        """Write all of ``messages``, many at a time. What no broker would take is refused here, and the others go on."""
        commands: list[bytes] = []
        weight = 0
        try:
            for position, message in enumerate(messages):
                command = await self._command(message, batch, position, reply)
                if command is None:
                    continue
                commands.append(command)
                weight += len(command)
                if weight >= PIECE:
                    await self._wire.write(commands)
                    commands, weight = [], 0
            await self._wire.write(commands)
        except BrokerError:
            batch.give_up("the connection to the broker was lost")

    async def _command(self, message: Outbound, batch: Batch, position: int, reply: str) -> bytes | None:
        """The command that publishes ``message``; none if that is done already, or refused."""
        inbox = f"{reply}{position}"
        try:
            command = self._wire.command(message.topic, message.body, inbox, message.dedupe)
            if command is None:
                await self._wire.send(message.topic, message.body, inbox, {"Nats-Msg-Id": message.dedupe})
        except BrokerRefusedError:
            batch.refused(position, "the broker takes no message like this")
            return None
        return command

    async def _on_confirm(self, subject: bytes, _: bytes, body: bytes, headers: bytes | None) -> None:
        _, number, position = subject.rsplit(b".", 2)
        batch = self._batches.get(number)
        if batch is not None:
            batch.answered(int(position), body, "" if body else status_of(headers))

    def _on_refused(self, kind: Kind, subject: str) -> None:
        if kind == "publish":
            for batch in self._batches.values():
                batch.topic_refused(subject)

    def _on_lost(self) -> None:
        for batch in self._batches.values():
            batch.give_up("the connection to the broker was lost")


async def connect(credential: Credential, *, name: str, timing: Timing = DEFAULT_TIMING) -> NatsBroker:
    """Open one connection; raise `BrokerRefusedError` for credentials that open nothing, `BrokerError` if nobody answers."""
    wire = Wire(credential, name, timing)
    await wire.open()
    broker = NatsBroker(wire)
    try:
        await broker.start()
    except BaseException:
        await broker.close()
        raise
    return broker
