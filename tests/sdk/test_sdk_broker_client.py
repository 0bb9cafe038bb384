"""The broker client on both brokers: a postmaster stands in for ingress and outcome, with their own rights on the broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lockgate import BrokerClient, ClientCredentials, ClientSettings, Order
from lockgate.envelopes import Signed
from lockgate.testing import Stamped, ThrowawayGateway
from lockgate_broker.connect import connect
from lockgate_broker.memory.connection import MemoryBroker
from lockgate_broker.memory.connection import connect as connect_memory
from lockgate_broker.memory.provisioner import MemoryProvisioner
from lockgate_broker.memory.server import MemoryServer
from lockgate_broker.nats.embedded import EmbeddedServer
from lockgate_broker.nats.provisioner import NatsProvisioner
from lockgate_broker.port import Broker, Credential, Outbound, Provisioner
from lockgate_schemas.envelope import UnverifiedEnvelope
from lockgate_schemas.errors import (
    BrokerRefusedError,
    ConfigurationError,
    DeadlineError,
    RateLimitedError,
    ReplayConflictError,
)
from lockgate_schemas.limits import Limits
from lockgate_schemas.mailbox import Accepted, Mail, Outcomes, Refusals, Refused, read_mail
from lockgate_schemas.names import Role
from lockgate_schemas.passage import Receipt, Response, ResponseStatus, encode
from lockgate_schemas.signing import public_key_of
from lockgate_schemas.topics import Party, Queue
from lockgate_schemas.topics import client as client_party

QUICK = ClientSettings(pause=0.01, poll=1.0, longest_pause=0.05, repeats=3)
NAME = "test-client"
Until = Callable[..., Awaitable[None]]


@dataclass
class Site:
    """A broker with one client on it, and a connection for each role that writes to the client."""

    gateway: ThrowawayGateway
    credentials: ClientCredentials
    ingress: Broker
    outcome: Broker
    provisioner: Provisioner
    broker: Broker | None
    party: Party = field(default_factory=lambda: client_party(NAME))
    topics: list[str] = field(default_factory=list)

    def client(self, **options: Any) -> BrokerClient:
        return BrokerClient(self.credentials, settings=QUICK, broker=self.broker, **options)

    async def mail(self, mail: Mail | bytes, *, by: Broker | None = None) -> None:
        body = mail if isinstance(mail, bytes) else encode(mail)
        await (by or self.ingress).publish((Outbound(self.party.inbound.topic, body),))

    async def end(self, stamped: Stamped, answer: str) -> Receipt:
        receipt = self.gateway.receipt(stamped, Response(status=ResponseStatus.OK, body=answer))
        await self.mail(Outcomes(items=(receipt,)), by=self.outcome)
        return receipt

    async def received(self, number: int = 1) -> list[Stamped]:
        """Read envelopes as the ingress does: verify them, and mint facts."""
        intake = await self.ingress.subscribe((self.party.outbound,))
        found: list[Stamped] = []
        async with asyncio.timeout(10):
            while len(found) < number:
                for delivery in await intake.pull(number, 1.0):
                    self.topics.append(delivery.topic)
                    found.append(self.verified(delivery.body.decode()))
                    await intake.ack((delivery,))
        await intake.close()
        return found

    def verified(self, compact: str) -> Stamped:
        limits = Limits()
        envelope = UnverifiedEnvelope.parse(compact, limits).verified(
            public_key_of(self.credentials.seed), now=self.gateway.clock(), gateway=self.gateway.name, limits=limits
        )
        event = envelope.event
        return self.gateway.stamped(Signed(compact, envelope.digest, event.id, event.agent, event.action))

    async def depth(self, queue: Queue) -> int:
        return await self.provisioner.depth(queue)


async def open_memory(stack: AsyncExitStack, gateway: ThrowawayGateway) -> Site:
    server = MemoryServer()
    provisioner = MemoryProvisioner(server)
    await provisioner.assert_topology(())
    credential = await provisioner.grant(client_party(NAME))
    party = await stack.enter_async_context(await connect_memory(server, credential))
    ingress, outcome = MemoryBroker(server, Role.INGRESS), MemoryBroker(server, Role.OUTCOME)
    return Site(gateway, gateway.client_credentials(NAME), ingress, outcome, provisioner, party)


async def open_nats(stack: AsyncExitStack, gateway: ThrowawayGateway, root: Path) -> Site:
    server = await stack.enter_async_context(EmbeddedServer(root))
    provisioner = await stack.enter_async_context(await NatsProvisioner.open(root))
    await provisioner.assert_topology(())
    granted: Credential = await provisioner.grant(client_party(NAME))
    roles = {
        role: await stack.enter_async_context(await connect(server.folder.role_credential(role), name=str(role)))
        for role in (Role.INGRESS, Role.OUTCOME)
    }
    credentials = gateway.client_credentials(NAME, broker=granted)
    return Site(gateway, credentials, roles[Role.INGRESS], roles[Role.OUTCOME], provisioner, None)


@pytest.fixture(params=["memory", "nats"])
async def site(request: pytest.FixtureRequest, gateway: ThrowawayGateway, tmp_path: Path) -> AsyncIterator[Site]:
    async with AsyncExitStack() as stack:
        if request.param == "memory":
            yield await open_memory(stack, gateway)
        else:
            yield await open_nats(stack, gateway, tmp_path / "broker")


@pytest.fixture
async def quiet(gateway: ThrowawayGateway) -> AsyncIterator[Site]:
    """In memory only, for what does not depend on the broker."""
    async with AsyncExitStack() as stack:
        yield await open_memory(stack, gateway)


async def test_a_request_goes_out_and_its_outcome_comes_in(site: Site) -> None:
    async with site.client() as client:
        calling = asyncio.create_task(client.call("reporting", "report", {"a": 1}, timeout=10))
        (stamped,) = await site.received()
        await site.mail(Accepted(items=(site.gateway.acceptance(stamped),)))
        await site.end(stamped, "done")
        result = await calling
        assert (result.text, result.request_id) == ("done", stamped.facts.request_id)
        assert site.topics == [f"gw.ingress.{NAME}.{stamped.signed.digest[:32]}"]
    assert await site.depth(site.party.inbound) == 0


async def test_an_outcome_that_overtakes_its_acceptance_is_one_too(site: Site) -> None:
    """Two roles write to the mailbox: their letters come in any order."""
    async with site.client() as client:
        submitting = asyncio.create_task(client.submit("reporting", "report"))
        (stamped,) = await site.received()
        await site.end(stamped, "quick")
        submission = await submitting
        assert submission.result is not None
        assert submission.result.text == "quick"
        await site.mail(Accepted(items=(site.gateway.acceptance(stamped),)))
        assert (await client.result(submission)).text == "quick"


async def test_submit_may_wait_for_the_outcome(quiet: Site) -> None:
    async with quiet.client() as client:
        waiting = asyncio.create_task(client.submit("reporting", "report", wait=10))
        (stamped,) = await quiet.received()
        await quiet.mail(Accepted(items=(quiet.gateway.acceptance(stamped),)))
        await quiet.end(stamped, "waited for")
        submission = await waiting
        assert submission.result is not None
        assert submission.result.text == "waited for"

        waiting = asyncio.create_task(client.submit("reporting", "report", wait=0.05))
        (stamped,) = await quiet.received()
        await quiet.mail(Accepted(items=(quiet.gateway.acceptance(stamped),)))
        assert (await waiting).result is None


async def test_a_refusal_is_its_error(quiet: Site) -> None:
    async with quiet.client() as client:
        submitting = asyncio.create_task(client.submit("reporting", "report"))
        (stamped,) = await quiet.received()
        refused = Refused(envelope=stamped.signed.digest, code="replay-conflict", detail="used before", event_id="x")
        await quiet.mail(Refusals(items=(Refused(envelope="0" * 64, code="forbidden", detail=""), refused)))
        with pytest.raises(ReplayConflictError, match="used before"):
            await submitting


async def test_silence_is_a_deadline(quiet: Site) -> None:
    client = BrokerClient(quiet.credentials, settings=ClientSettings(poll=0.05), broker=quiet.broker)
    async with client:
        with pytest.raises(DeadlineError):
            await client.submit("reporting", "report")
        with pytest.raises(DeadlineError):
            await client.result("0" * 32, timeout=0.01)


async def test_a_receipt_is_kept_for_whoever_asks_by_id(quiet: Site) -> None:
    """A client that was restarted still gets what was waiting in its mailbox."""
    stamped = quiet.gateway.request("reporting", "report")
    await quiet.end(stamped, "from before")
    async with quiet.client() as client:
        assert (await client.result(stamped.facts.request_id, timeout=30)).text == "from before"


async def test_many_are_submitted_and_the_identical_bytes_again_when_it_is_busy(quiet: Site) -> None:
    digests: list[str] = []

    async def ingress() -> None:
        while True:
            for stamped in await quiet.received():
                digests.append(stamped.signed.digest)
                if digests.count(stamped.signed.digest) == 1:
                    busy = Refused(envelope=stamped.signed.digest, code=RateLimitedError.code, detail="busy")
                    await quiet.mail(Refusals(items=(busy,)))
                else:
                    await quiet.mail(Accepted(items=(quiet.gateway.acceptance(stamped),)))

    postmaster = asyncio.create_task(ingress())
    async with quiet.client() as client:
        orders = [Order("reporting", "report", number) for number in range(5)]
        done = [submitted async for submitted in client.submit_many(orders, concurrency=2)]
    postmaster.cancel()
    assert all(submitted.submission is not None for submitted in done)
    assert len(digests) == 10
    assert len(set(digests)) == 5


def forged(site: Site, stamped: Stamped) -> dict[str, Mail | bytes]:
    gateway, stranger = site.gateway, ThrowawayGateway()
    yes = Response(status=ResponseStatus.OK, body="forged")
    genuine = gateway.receipt(stamped, yes)
    principal = msgspec.structs.replace(stamped.facts.principal, tenant="other")
    other = gateway.request("reporting", "report", "other")
    foreign_facts = msgspec.structs.replace(gateway.acceptance(other), facts=stamped.facts_raw)
    return {
        "no mail": b"\x00",
        "unknown kind": b'{"kind":"gift","items":[]}',
        "receipt by other keys": Outcomes(items=(stranger.receipt(stamped, yes),)),
        "receipt with another answer": Outcomes(
            items=(msgspec.structs.replace(genuine, response=msgspec.Raw(bytes(genuine.response)[:-1] + b" }")),)
        ),
        "another tenant's": Outcomes(items=(gateway.receipt(gateway.stamped(stamped.signed, principal), yes),)),
        "acceptance by other keys": Accepted(items=(stranger.acceptance(stranger.stamped(stamped.signed)),)),
        "acceptance with another stamp": Accepted(items=(foreign_facts,)),
    }


async def test_a_forged_letter_neither_answers_nor_ends_a_wait(quiet: Site, until: Until) -> None:
    async with quiet.client() as client:
        submitting = asyncio.create_task(client.submit("reporting", "report"))
        (stamped,) = await quiet.received()
        letters = forged(quiet, stamped)
        for number, letter in enumerate(letters.values(), 1):
            await quiet.mail(letter)
            await until(lambda number=number: client.refused == number)
        assert not submitting.done()
        await quiet.mail(Accepted(items=(quiet.gateway.acceptance(stamped),)))
        submission = await submitting
        await quiet.end(stamped, "genuine")
        assert (await client.result(submission)).text == "genuine"
    assert await quiet.depth(quiet.party.inbound) == 0


async def test_a_good_item_beside_a_bad_one_counts(quiet: Site) -> None:
    stamped = quiet.gateway.request("reporting", "report")
    yes = Response(status=ResponseStatus.OK, body="genuine")
    receipts = (ThrowawayGateway().receipt(stamped, yes), quiet.gateway.receipt(stamped, yes))
    await quiet.mail(Outcomes(items=receipts))
    async with quiet.client() as client:
        assert (await client.result(stamped.facts.request_id, timeout=30)).text == "genuine"
        assert client.refused == 1


async def test_a_client_that_is_removed_learns_of_it(quiet: Site, until: Until) -> None:
    async with quiet.client() as client:
        waiting = asyncio.create_task(client.result("0" * 32, timeout=10))
        await until(lambda: len(client._results) == 1)
        await quiet.provisioner.revoke(quiet.party)
        with pytest.raises(BrokerRefusedError):
            await waiting


async def test_what_nobody_fetches_is_forgotten(quiet: Site, until: Until) -> None:
    few = ClientSettings(remembered=3)
    async with BrokerClient(quiet.credentials, settings=few, broker=quiet.broker) as client:
        for number in range(5):
            await quiet.end(quiet.gateway.request("reporting", "report"), str(number))
        await until(lambda: len(client._results) == 3)


async def test_credentials_without_a_broker_are_for_http_only(gateway: ThrowawayGateway) -> None:
    with pytest.raises(ConfigurationError):
        async with BrokerClient(gateway.client_credentials()):
            pass


async def test_a_client_is_used_inside_its_block(quiet: Site) -> None:
    with pytest.raises(RuntimeError):
        await quiet.client().submit("reporting", "report")


def test_the_mail_is_what_its_documentation_says() -> None:
    refused = Refused(envelope="ab", code="forbidden", detail="no")
    assert encode(Refusals(items=(refused,))) == (
        b'{"kind":"refused","items":[{"envelope":"ab","code":"forbidden","detail":"no"}]}'
    )
    assert read_mail(b'{"kind":"accepted","items":[]}') == Accepted(items=())
    assert read_mail(b'{"kind":"outcomes","items":[]}') == Outcomes(items=())
