"""A client of the broker door that costs as little as possible: envelopes to its own topic, outcomes from its own mailbox.

It uses the broker port and reads the letters, and verifies nothing while it measures: a sample of the receipts is verified afterwards. A
request counts as delivered when its receipt's last statement says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from lockgate.credentials import ClientCredentials
from lockgate_broker.connect import connect
from lockgate_broker.port import Broker, Intake, Outbound
from lockgate_cli.bench.child import run_child, say
from lockgate_cli.bench.clocked import Clocked
from lockgate_cli.bench.plans import READY, ClientPlan
from lockgate_schemas.envelope import digest_of
from lockgate_schemas.errors import ConfigurationError
from lockgate_schemas.mailbox import Outcomes, Refusals, read_mail
from lockgate_schemas.passage import Outcome, Receipt, encode, read_facts, read_statement
from lockgate_schemas.topics import client

_CHUNK: Final = 64
"""Envelopes in one publish: large enough to share its cost, small enough to keep the requests spread."""
_PULL: Final = 256
_WAIT: Final = 1.0


class Mailbox:
    """What is under way, by the digest of its envelope, and the room that its end makes."""

    def __init__(self, clocked: Clocked, plan: ClientPlan) -> None:
        self.room = plan.window
        self.moved = asyncio.Event()
        self.finished = False
        self._clocked = clocked
        self._digests = [digest_of(envelope) for envelope in clocked.envelopes]
        self._open: dict[str, int] = {}

    def next_messages(self, topic: str) -> list[Outbound]:
        """As many envelopes as there is room for, up to a chunk."""
        messages: list[Outbound] = []
        while self.room > 0 and len(messages) < _CHUNK and (number := self._clocked.take()) is not None:
            digest = self._digests[number]
            self._open[digest] = number
            messages.append(Outbound(f"{topic}.{digest[:32]}", self._clocked.envelopes[number]))
            self.room -= 1
        return messages

    def read(self, body: bytes) -> None:
        """One letter. Acceptances are not waited for here."""
        mail = read_mail(body)
        if isinstance(mail, Outcomes):
            for receipt in mail.items:
                self._end(read_facts(receipt.facts).envelope, receipt)
        elif isinstance(mail, Refusals):
            for refused in mail.items:
                self._end(refused.envelope, None)

    def _end(self, digest: str, receipt: Receipt | None) -> None:
        number = self._open.pop(digest, None)
        if number is None:
            return  # a letter that came twice
        delivered = receipt is not None and read_statement(receipt.stamps[-1].statement).outcome is Outcome.DELIVERED
        self.finished |= self._clocked.end(number, encode(receipt) if receipt is not None and delivered else None)
        self.room += 1
        self.moved.set()


async def _read(intake: Intake, mailbox: Mailbox, stop: asyncio.Event) -> None:
    while not stop.is_set() and not mailbox.finished:
        deliveries = await intake.pull(_PULL, _WAIT)
        for delivery in deliveries:
            mailbox.read(delivery.body)
        await intake.ack(deliveries)


async def _send(broker: Broker, mailbox: Mailbox, topic: str, total: int) -> None:
    sent = 0
    while sent < total:
        messages: Sequence[Outbound] = mailbox.next_messages(topic)
        if messages:
            await broker.publish(messages)
            sent += len(messages)
        else:
            mailbox.moved.clear()
            await mailbox.moved.wait()


async def send_all(plan: ClientPlan, stop: asyncio.Event) -> None:
    """Send every envelope, ``plan.window`` at a time."""
    credentials = ClientCredentials.load(plan.credentials)
    if credentials.broker is None:
        raise ConfigurationError("the bench's client has no broker credentials")
    party = client(credentials.name)
    clocked = Clocked(plan)
    mailbox = Mailbox(clocked, plan)
    async with await connect(credentials.broker, name="bench-client") as broker:
        intake = await broker.subscribe((party.inbound,), prefetch=_PULL)
        say(READY)
        sending = asyncio.create_task(_send(broker, mailbox, party.outbound.topic, len(clocked.envelopes)))
        await _read(intake, mailbox, stop)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        await intake.close()
        await stop.wait()


if __name__ == "__main__":
    run_child(ClientPlan, send_all)
