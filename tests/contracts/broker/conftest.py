"""The benches of the broker contract: one small adapter each, so that the body of every test is written once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest

from lockgate_broker.connect import connect as connect_nats
from lockgate_broker.limits import Limits, Timing
from lockgate_broker.memory.connection import MemoryBroker
from lockgate_broker.memory.connection import connect as connect_memory
from lockgate_broker.memory.provisioner import MemoryProvisioner
from lockgate_broker.memory.server import MemoryServer
from lockgate_broker.nats.embedded import EmbeddedServer
from lockgate_broker.nats.provisioner import NatsProvisioner
from lockgate_broker.port import Broker, Credential, Provisioner
from lockgate_schemas.names import Role

LIMITS = Limits(ack_wait=0.5, dedupe_window=1.0, party_queue_messages=20, party_message_bytes=64 * 1024)
PATIENT = replace(LIMITS, ack_wait=120.0)
"""For what must come again before the redelivery timer: no pull of a test waits as long."""
TIMING = Timing(publish=3.0, hold=0.2)


class Bench(Protocol):
    """A broker to test, fresh for each test."""

    provisioner: Provisioner

    async def role(self, role: Role) -> Broker: ...

    async def party(self, credential: Credential) -> Broker: ...


class MemoryBench:
    def __init__(self, stack: AsyncExitStack, limits: Limits) -> None:
        self._stack = stack
        self.server = MemoryServer(limits=limits)
        self.provisioner = MemoryProvisioner(self.server)

    async def role(self, role: Role) -> Broker:
        return await self._stack.enter_async_context(MemoryBroker(self.server, role))

    async def party(self, credential: Credential) -> Broker:
        return await self._stack.enter_async_context(await connect_memory(self.server, credential))


class NatsBench:
    def __init__(self, stack: AsyncExitStack, server: EmbeddedServer, provisioner: NatsProvisioner) -> None:
        self._stack = stack
        self.server = server
        self.provisioner = provisioner

    async def role(self, role: Role) -> Broker:
        credential = self.server.folder.role_credential(role)
        return await self._stack.enter_async_context(await connect_nats(credential, name=str(role), timing=TIMING))

    async def party(self, credential: Credential) -> Broker:
        return await self._stack.enter_async_context(await connect_nats(credential, name="party", timing=TIMING))


@asynccontextmanager
async def open_nats(root: Path, limits: Limits = LIMITS) -> AsyncIterator[NatsBench]:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(EmbeddedServer(root, limits=limits))
        provisioner = await stack.enter_async_context(await NatsProvisioner.open(root, limits=limits, timing=TIMING))
        await provisioner.assert_topology(())
        yield NatsBench(stack, server, provisioner)


@asynccontextmanager
async def open_memory(limits: Limits = LIMITS) -> AsyncIterator[MemoryBench]:
    async with AsyncExitStack() as stack:
        bench = MemoryBench(stack, limits)
        await bench.provisioner.assert_topology(())
        yield bench


@pytest.fixture(params=["memory", "nats"])
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    opened = open_memory() if request.param == "memory" else open_nats(tmp_path / "broker")
    async with opened as ready:
        yield ready


@pytest.fixture(params=["memory", "nats"])
async def patient_bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    """A broker which for two minutes does not take an unacknowledged delivery back by itself."""
    opened = open_memory(PATIENT) if request.param == "memory" else open_nats(tmp_path / "broker", PATIENT)
    async with opened as ready:
        yield ready


@pytest.fixture
async def nats_bench(tmp_path: Path) -> AsyncIterator[NatsBench]:
    async with open_nats(tmp_path / "broker") as ready:
        yield ready


Eventually = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]


@pytest.fixture
def eventually() -> Eventually:
    """Wait, within a bound, until an awaited condition holds."""

    async def wait(condition: Callable[[], Awaitable[bool]]) -> None:
        end = time.monotonic() + 10
        while not await condition():
            assert time.monotonic() < end, "the condition did not come true in time"
            await asyncio.sleep(0.01)

    return wait
