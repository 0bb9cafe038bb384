"""The broker door: envelopes taken from clients' own queues, answered by mail, and acknowledged only after that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from hashlib import sha256
from typing import Any

import pytest
from tests.ingress.conftest import NOW, Party, World, until, verifier

from lockgate_broker.memory.connection import MemoryBroker
from lockgate_broker.memory.provisioner import MemoryProvisioner
from lockgate_broker.port import Outbound
from lockgate_ingress.broker_door import client_of, client_queues
from lockgate_ingress.serve import Ingress
from lockgate_ledger.records import ClientRecord, Directory
from lockgate_schemas.errors import LedgerError, LockgateError, MalformedError, PublishFailedError
from lockgate_schemas.mailbox import Accepted, Mail, Refusals, read_mail
from lockgate_schemas.names import Role
from lockgate_schemas.notices import epoch_notice
from lockgate_schemas.passage import Door, Passage, read_facts
from lockgate_schemas.topics import AUTHZ, client

Runner = Callable[[Ingress], AbstractAsyncContextManager[Ingress]]


class Post:
    """A client's hands on the broker: it fills its own queue and reads its own mail, and nothing else is allowed."""

    def __init__(self, world: World, party: Party) -> None:
        self._world = world
        self._party = client(party.name)
        self._broker = MemoryBroker(world.server, self._party)
        self._sent = 0

    async def send(self, *bodies: bytes) -> None:
        topic = self._party.outbound.topic
        self._sent += len(bodies)
        await self._broker.publish([Outbound(f"{topic}.{self._sent}-{n}", body) for n, body in enumerate(bodies)])

    async def mail(self) -> list[Mail]:
        return [read_mail(body) for body in await self._world.waiting(self._party.inbound.topic)]

    async def queued(self) -> int:
        return len(await self._world.waiting(f"{self._party.outbound.topic}.x"))


@pytest.fixture
async def post(world: World) -> Post:
    await MemoryProvisioner(world.server).grant(client("wired"))
    return Post(world, world.wired)


async def letters(post: Post, count: int) -> list[Mail]:
    """The mail, once it has so many items and the queue is empty."""

    async def there() -> bool:
        mail = await post.mail()
        return sum(len(letter.items) for letter in mail) >= count and await post.queued() == 0

    await until(there)
    return await post.mail()


async def test_envelopes_are_accepted_and_answered_together(world: World, post: Post, ingress: Ingress) -> None:
    assert ingress
    envelopes = [world.wired.envelope() for _ in range(20)]
    await post.send(*envelopes)
    mail = await letters(post, 20)
    accepted = [item for letter in mail if isinstance(letter, Accepted) for item in letter.items]
    assert len(mail) < 20
    by_digest = {sha256(compact).hexdigest(): compact for compact in envelopes}
    for item in accepted:
        facts = read_facts(item.facts)
        compact = by_digest.pop(facts.envelope)
        passage = Passage(facts=item.facts, stamps=(item.stamp,), envelope=compact.decode())
        assert verifier().verify(passage, through=Role.INGRESS, now=NOW).facts.door is Door.BROKER
    assert not by_digest


async def test_poison_oversize_and_foreign_envelopes_are_refused_by_mail(world: World, post: Post, ingress: Ingress) -> None:
    assert ingress
    bodies = [
        b"poison",
        b"\xff" * 10,
        b"a" * (world.limits.max_envelope_bytes + 1),
        world.shop.envelope(id="foreign"),
        world.wired.envelope(agent="10.0.0.1:22", id="address"),
    ]
    await post.send(*bodies)
    mail = await letters(post, len(bodies))
    refused = {item.envelope: item for letter in mail if isinstance(letter, Refusals) for item in letter.items}
    codes = [refused[sha256(body).hexdigest()].code for body in bodies]
    assert codes == ["envelope-refused", "envelope-refused", "too-large", "envelope-refused", "name-refused"]
    assert refused[sha256(bodies[4]).hexdigest()].event_id == "address"
    assert await world.ledger.requests(limit=1) == []


async def test_outage_leaves_envelopes_in_their_queue(world: World, post: Post, running: Runner) -> None:
    down, attempts = True, 0

    class Ledger:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.ledger, name)

        async def accept(self, *arguments: Any, **members: Any) -> Any:
            nonlocal attempts
            attempts += 1
            if down:
                raise LedgerError
            return await world.ledger.accept(*arguments, **members)

    async with running(world.ingress(ledger=Ledger())):
        await post.send(world.wired.envelope())
        await until(lambda: attempts >= 2)
        assert await post.mail() == []
        assert await post.queued() == 1
        down = False
        (letter,) = await letters(post, 1)
        assert isinstance(letter, Accepted)


async def test_mail_that_is_not_confirmed_brings_the_same_acceptance_later(world: World, post: Post, running: Runner) -> None:
    failures = 1

    class Broker:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.broker, name)

        async def publish(self, messages: Sequence[Outbound]) -> None:
            nonlocal failures
            if failures and messages[0].topic.startswith("gw.outcome."):
                failures -= 1
                raise PublishFailedError((0,), "no confirmation in time")
            await world.broker.publish(messages)

    async with running(world.ingress(broker=Broker())):
        await post.send(world.wired.envelope())
        (letter,) = await letters(post, 1)
    assert failures == 0
    (record,) = await world.ledger.requests(limit=5)
    assert isinstance(letter, Accepted)
    assert letter.items == (record.acceptance,)
    assert len(await world.waiting(AUTHZ.topic)) == 1


async def test_defect_ends_as_a_refusal_after_some_attempts(world: World, post: Post, running: Runner) -> None:
    ingress = world.ingress()
    async with running(ingress):

        async def submit(*_: Any) -> Any:
            raise LockgateError

        ingress.acceptor.submit = submit  # type: ignore[method-assign]
        await post.send(world.wired.envelope())
        (letter,) = await letters(post, 1)
    assert isinstance(letter, Refusals)
    assert letter.items[0].code == "internal"


async def test_new_client_is_followed_after_a_notice(world: World, ingress: Ingress) -> None:
    assert ingress
    late = Party("late", "acme", "carol", broker=True)
    await MemoryProvisioner(world.server).grant(client("late"))
    await world.ledger.add_client(late.record, late.key, NOW)
    await MemoryProvisioner(world.server).announce(epoch_notice(1))
    mine = Post(world, late)
    await mine.send(late.envelope())
    (letter,) = await letters(mine, 1)
    assert isinstance(letter, Accepted)


async def test_new_client_is_followed_without_a_notice_too(world: World, ingress: Ingress) -> None:
    assert ingress
    late = Party("late", "acme", "carol", broker=True)
    await MemoryProvisioner(world.server).grant(client("late"))
    await world.ledger.add_client(late.record, late.key, NOW)
    mine = Post(world, late)
    await mine.send(late.envelope())
    assert isinstance((await letters(mine, 1))[0], Accepted)


def test_only_active_broker_clients_are_followed() -> None:
    records = [
        ClientRecord("b-client", "t", "u", broker=True),
        ClientRecord("a-client", "t", "u", broker=True),
        ClientRecord("gone", "t", "u", active=False, broker=True),
        ClientRecord("http-only", "t", "u"),
    ]
    directory = Directory(1, {record.name: record for record in records}, {}, {}, {}, None)
    assert [queue.topic for queue in client_queues(directory)] == ["gw.ingress.a-client", "gw.ingress.b-client"]


@pytest.mark.parametrize("topic", ["gw.ingress.wired", "gw.reply.echo.1", "gw.authz", ""])
def test_topic_that_is_no_clients_is_refused(topic: str) -> None:
    with pytest.raises(MalformedError):
        client_of(topic)


def test_client_is_read_from_the_topic() -> None:
    assert client_of("gw.ingress.wired.abc") == "wired"
