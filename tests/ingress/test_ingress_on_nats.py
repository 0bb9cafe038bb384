"""Both doors and the operator's control over a real JetStream server, with the credentials that each party really gets."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from tests.ingress.conftest import GATEWAY, NOW, TRUST, Party, World, until, verifier

from lockgate_broker.nats.connection import connect
from lockgate_broker.nats.embedded import EmbeddedServer
from lockgate_broker.nats.folder import BrokerFolder
from lockgate_broker.nats.provisioner import NatsProvisioner
from lockgate_broker.port import Outbound
from lockgate_ingress.admin.control import Control
from lockgate_ingress.serve import Ingress
from lockgate_schemas.mailbox import Accepted, Refusals, read_mail
from lockgate_schemas.names import Role
from lockgate_schemas.passage import Door, Passage, read_facts
from lockgate_schemas.topics import AUTHZ, client

Runner = Callable[[Ingress], AbstractAsyncContextManager[Ingress]]


async def test_client_added_by_the_operator_submits_over_its_own_queue(world: World, running: Runner, tmp_path: Path) -> None:
    folder = tmp_path / "broker"
    late = Party("late", "acme", "carol", broker=True)
    async with (
        EmbeddedServer(folder),
        await NatsProvisioner.open(folder) as provisioner,
        await connect(BrokerFolder.at(folder).role_credential(Role.INGRESS), name="ingress") as broker,
        await connect(BrokerFolder.at(folder).role_credential(Role.PROVISIONER), name="admin") as notifier,
    ):
        await provisioner.assert_topology([client("wired")])
        async with running(world.ingress(broker=broker)) as ingress:
            assert (await ingress.acceptor.submit(world.shop.envelope(), Door.HTTP)).new
            control = Control(
                ledger=world.ledger,
                provisioner=provisioner,
                broker=notifier,
                gateway=GATEWAY,
                trust=TRUST,
                url="http://127.0.0.1:1",
                check_content=str,
                check_policy=str,
                clock=world.clock,
            )
            added = await control.add_client("late", tenant="acme", user="carol", public_key=late.public_key, broker=True)
            assert added.credential is not None
            async with await connect(added.credential, name="late") as own:
                mailbox = await own.subscribe([client("late").inbound])
                compact = late.envelope()
                topic = client("late").outbound.topic
                await own.publish([Outbound(f"{topic}.1", compact), Outbound(f"{topic}.2", b"poison")])
                mail: list[Accepted | Refusals] = []

                async def arrived() -> bool:
                    deliveries = await mailbox.pull(10, 0.5)
                    letters = [read_mail(delivery.body) for delivery in deliveries]
                    mail.extend(letter for letter in letters if isinstance(letter, Accepted | Refusals))
                    await mailbox.ack(deliveries)
                    return len(mail) == 2

                await until(arrived, 20)
                await mailbox.close()

            async def drained() -> bool:
                return await provisioner.depth(client("late").outbound) == 0

            await until(drained, 10)
            assert await provisioner.depth(AUTHZ) >= 2
    (acceptance,) = next(letter.items for letter in mail if isinstance(letter, Accepted))
    passage = Passage(facts=acceptance.facts, stamps=(acceptance.stamp,), envelope=compact.decode())
    assert verifier().verify(passage, through=Role.INGRESS, now=NOW).facts.door is Door.BROKER
    assert read_facts(acceptance.facts).principal.user == "carol"
