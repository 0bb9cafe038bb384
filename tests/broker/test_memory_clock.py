"""The in-memory broker under a clock of the test's own: redelivery and dedupe go by it, not by the wall."""

from __future__ import annotations

import asyncio

import pytest

from lockgate_broker.limits import Limits
from lockgate_broker.memory.connection import MemoryBroker
from lockgate_broker.memory.provisioner import MemoryProvisioner
from lockgate_broker.memory.server import MemoryServer
from lockgate_broker.port import Outbound
from lockgate_schemas.errors import PublishFailedError
from lockgate_schemas.names import Role
from lockgate_schemas.topics import AUTHZ


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def made() -> tuple[MemoryServer, Clock]:
    clock = Clock()
    server = MemoryServer(limits=Limits(ack_wait=30.0, dedupe_window=120.0), clock=clock)
    await MemoryProvisioner(server).assert_topology(())
    return server, clock


async def test_a_delivery_comes_again_when_the_clock_says_so(made: tuple[MemoryServer, Clock]) -> None:
    server, clock = made
    await MemoryBroker(server, Role.INGRESS).publish([Outbound(AUTHZ.topic, b"x")])
    intake = await MemoryBroker(server, Role.AUTHZ).subscribe([AUTHZ])
    assert [delivery.attempt for delivery in await intake.pull(5, 0)] == [1]
    clock.now += 29.9
    assert await intake.pull(5, 0) == []
    clock.now += 0.2
    assert [delivery.attempt for delivery in await intake.pull(5, 0)] == [2]


async def test_a_waiting_pull_notices_the_clock_on_a_tick(made: tuple[MemoryServer, Clock]) -> None:
    server, clock = made
    await MemoryBroker(server, Role.INGRESS).publish([Outbound(AUTHZ.topic, b"x")])
    intake = await MemoryBroker(server, Role.AUTHZ).subscribe([AUTHZ])
    await intake.retry((await intake.pull(1, 0))[0], 10.0)
    waiting = asyncio.create_task(intake.pull(1, 60.0))
    await asyncio.sleep(0)
    clock.now += 10.0
    server.tick()
    assert [delivery.attempt for delivery in await asyncio.wait_for(waiting, 5)] == [2]


async def test_an_id_is_forgotten_after_its_window(made: tuple[MemoryServer, Clock]) -> None:
    server, clock = made
    broker, provisioner = MemoryBroker(server, Role.INGRESS), MemoryProvisioner(server)
    for expected, step in ((1, 0.0), (1, 119.0), (2, 2.0)):
        clock.now += step
        await broker.publish([Outbound(AUTHZ.topic, b"x", "id")])
        assert await provisioner.depth(AUTHZ) == expected


async def test_a_broker_that_is_down_confirms_nothing_and_delivers_nothing(made: tuple[MemoryServer, Clock]) -> None:
    server, _ = made
    ingress, authz = MemoryBroker(server, Role.INGRESS), MemoryBroker(server, Role.AUTHZ)
    intake = await authz.subscribe([AUTHZ])
    await ingress.publish([Outbound(AUTHZ.topic, b"x")])
    delivery = (await intake.pull(1, 0))[0]
    server.down = True
    with pytest.raises(PublishFailedError) as failure:
        await ingress.publish([Outbound(AUTHZ.topic, b"y"), Outbound(AUTHZ.topic, b"z")])
    assert failure.value.unconfirmed == (0, 1)
    with pytest.raises(PublishFailedError):
        await authz.probe(Role.AUTHZ)
    await intake.ack([delivery])
    server.down = False
    assert await MemoryProvisioner(server).depth(AUTHZ) == 1, "the acknowledgement was lost"
