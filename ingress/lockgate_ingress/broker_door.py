"""The broker door: clients with broker credentials put envelopes into their own queue; here they are taken in, and answered by mail.

The order is pull, submit, mail, acknowledge: whatever fails in between, the envelope comes again, the ledger recognises it, and the same
acceptance is mailed. Whose queue an envelope lay in is the broker's word and must agree with the signature; it never replaces it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from lockgate_broker.port import Broker, Delivery, Intake, Outbound
from lockgate_ingress.acceptor import Acceptor
from lockgate_ingress.bounds import Bounds
from lockgate_ingress.faults import described
from lockgate_ledger.port import DirectoryPort
from lockgate_ledger.records import Directory
from lockgate_schemas.envelope import digest_of, event_of
from lockgate_schemas.errors import (
    BrokerError,
    BrokerRefusedError,
    LockgateError,
    MalformedError,
    PublishFailedError,
    RateLimitedError,
    UnavailableError,
)
from lockgate_schemas.limits import Limits
from lockgate_schemas.mailbox import Accepted, Refusals, Refused
from lockgate_schemas.passage import Acceptance, Door, encode
from lockgate_schemas.topics import Queue, client

_log = logging.getLogger(__name__)

_PREFIX: Final = "gw.ingress."
_LATER: Final = (UnavailableError, RateLimitedError)  # of the moment, not of the envelope: it stays in its queue


@dataclass(frozen=True, slots=True)
class Taken:
    """One delivery and what became of it: accepted, refused, or to come again."""

    delivery: Delivery
    client: str
    result: Acceptance | Refused | None


class BrokerDoor:
    """One intake over the outbound queues of all clients that may use the broker."""

    def __init__(self, *, broker: Broker, directory: DirectoryPort, acceptor: Acceptor, limits: Limits, bounds: Bounds) -> None:
        self._broker = broker
        self._directory = directory
        self._acceptor = acceptor
        self._limits = limits
        self._bounds = bounds
        self._moved = asyncio.Event()
        self._moved.set()

    async def heard(self, body: bytes) -> None:
        """Handle a notice that parties changed. It is not read: whoever is woken asks the ledger."""
        _ = body
        self._moved.set()

    async def run(self) -> None:
        """Take in, for ever. A broker or ledger that does not answer is waited for."""
        intake = await self._broker.subscribe((), prefetch=self._limits.batch)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._follow(intake))
                tasks.create_task(self._take(intake))
        finally:
            await intake.close()

    async def _follow(self, intake: Intake) -> None:
        """Keep the intake on the queues of those clients that the directory knows; look at it once in a while without a notice."""
        followed: tuple[Queue, ...] = ()
        while True:
            try:
                queues = client_queues(await self._directory.directory())
                if queues != followed:
                    await intake.follow(queues)
                    followed = queues
            except LockgateError as error:
                _log.warning("the clients' queues could not be followed: %s", error.code)
            self._moved.clear()
            try:
                async with asyncio.timeout(self._limits.park / 1000):
                    await self._moved.wait()
            except TimeoutError:
                continue

    async def _take(self, intake: Intake) -> None:
        while True:
            try:
                deliveries = await intake.pull(self._limits.batch, self._bounds.pull_seconds)
                if deliveries:
                    await self._handle(intake, deliveries)
            except BrokerError as error:
                # Refused, when no client has a queue; else down. Either way there is nothing to take for now.
                level = logging.DEBUG if isinstance(error, BrokerRefusedError) else logging.WARNING
                _log.log(level, "nothing can be taken from the clients' queues: %s", error.code)
                await asyncio.sleep(self._bounds.pull_seconds)

    async def _handle(self, intake: Intake, deliveries: Sequence[Delivery]) -> None:
        taken = await asyncio.gather(*(self._submitted(delivery) for delivery in deliveries))
        answered = [one for one in taken if one.result is not None]
        told = await self._mailed(answered)
        await intake.ack([one.delivery for one in answered if one.client in told])
        for one in taken:
            if one.result is None or one.client not in told:
                await intake.retry(one.delivery, self._limits.park / 1000)

    async def _submitted(self, delivery: Delivery) -> Taken:
        name = client_of(delivery.topic)
        try:
            accepted = await self._acceptor.submit(delivery.body, Door.BROKER, name)
            return Taken(delivery, name, accepted.acceptance)
        except _LATER:
            return Taken(delivery, name, None)
        except LockgateError as error:
            if type(error) is LockgateError and delivery.attempt <= self._limits.max_attempts:
                return Taken(
                    delivery, name, None
                )  # a defect of ours, perhaps of the moment; after some attempts it is this envelope
            return Taken(delivery, name, refused(delivery.body, error))

    async def _mailed(self, answered: Iterable[Taken]) -> set[str]:
        """Send each client its letters; return those clients whose letters were all confirmed."""
        by_client: defaultdict[str, list[Taken]] = defaultdict(list)
        for one in answered:
            by_client[one.client].append(one)
        letters = [(name, letter) for name, own in by_client.items() for letter in self._letters(name, own)]
        told = set(by_client)
        if not letters:
            return told
        try:
            async with asyncio.timeout(self._limits.publish_timeout / 1000):
                await self._broker.publish([letter for _, letter in letters])
        except PublishFailedError as error:
            told -= {letters[position][0] for position in error.unconfirmed}
        except (BrokerError, TimeoutError) as error:
            _log.warning("the clients could not be answered: %s", described(error))
            told.clear()
        return told

    def _letters(self, name: str, own: Sequence[Taken]) -> Iterable[Outbound]:
        topic, size = client(name).inbound.topic, self._bounds.letter_items
        accepted = [one.result for one in own if isinstance(one.result, Acceptance)]
        refusals = [one.result for one in own if isinstance(one.result, Refused)]
        for start in range(0, len(accepted), size):
            yield Outbound(topic, encode(Accepted(items=tuple(accepted[start : start + size]))))
        for start in range(0, len(refusals), size):
            yield Outbound(topic, encode(Refusals(items=tuple(refusals[start : start + size]))))


def client_queues(directory: Directory) -> tuple[Queue, ...]:
    """The queues that clients with broker credentials fill, in a stable order."""
    names = sorted(record.name for record in directory.clients.values() if record.active and record.broker)
    return tuple(client(name).outbound for name in names)


def client_of(topic: str) -> str:
    """The client whose queue a topic (``gw.ingress.<client>.<token>``) belongs to. Raises `MalformedError`."""
    name, dot, _ = topic.removeprefix(_PREFIX).partition(".")
    if not topic.startswith(_PREFIX) or not dot:
        raise MalformedError("not a topic of a client's queue")
    return name


def refused(body: bytes, error: LockgateError) -> Refused:
    """The letter's item about one envelope. The event id is the sender's own word, given back to the sender alone."""
    try:
        event_id = event_of(body.decode("ascii")).id[:64]
    except (LockgateError, UnicodeDecodeError):
        event_id = ""
    return Refused(envelope=digest_of(body), code=error.code, detail=error.detail, event_id=event_id)
