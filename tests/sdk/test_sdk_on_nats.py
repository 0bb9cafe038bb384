"""The agent on the real broker, with nothing but what its own credentials allow; and an example as the program that users start."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lockgate import AgentCredentials
from lockgate.testing import Stamped, ThrowawayGateway
from lockgate_broker.connect import connect
from lockgate_broker.nats.embedded import EmbeddedServer
from lockgate_broker.nats.provisioner import NatsProvisioner
from lockgate_broker.port import Broker, Outbound, Provisioner
from lockgate_schemas.errors import BrokerError
from lockgate_schemas.names import Role
from lockgate_schemas.passage import Response, read_reply, read_response
from lockgate_schemas.stamping import ChainVerifier
from lockgate_schemas.topics import agent as agent_party

Recording = Callable[..., Any]
Until = Callable[..., Awaitable[None]]


@dataclass
class Site:
    gateway: ThrowawayGateway
    provisioner: Provisioner
    roles: dict[Role, Broker]

    async def credentials(self, name: str) -> AgentCredentials:
        return self.gateway.agent_credentials(name, await self.provisioner.grant(agent_party(name)))

    async def send(self, name: str, body: bytes) -> None:
        await self.roles[Role.INSPECTION].publish((Outbound(agent_party(name).inbound.topic, body),))

    async def answer(self, stamped: Stamped) -> Response:
        queue = agent_party(stamped.facts.agent).outbound
        intake = await self.roles[Role.DLP].subscribe((queue,))
        async with asyncio.timeout(60):
            while not (found := await intake.pull(1, 1.0)):
                pass
        await intake.ack(found)
        await intake.close()
        reply = read_reply(found[0].body)
        assert found[0].topic == f"{queue.topic}.{stamped.facts.dispatch_id}"
        verifier = ChainVerifier(self.gateway.trust, clock_skew=60_000)
        verifier.verify(reply.passage, through=Role.INSPECTION, now=self.gateway.clock())
        return read_response(reply.passage.response)

    async def is_empty(self, name: str) -> None:
        async with asyncio.timeout(10):
            while await self.provisioner.depth(agent_party(name).inbound):  # noqa: ASYNC110 - a server's state
                await asyncio.sleep(0.02)


@pytest.fixture
async def site(tmp_path: Path, gateway: ThrowawayGateway) -> AsyncIterator[Site]:
    async with AsyncExitStack() as stack:
        root = tmp_path / "broker"
        server = await stack.enter_async_context(EmbeddedServer(root))
        provisioner = await stack.enter_async_context(await NatsProvisioner.open(root))
        await provisioner.assert_topology(())
        roles = {
            role: await stack.enter_async_context(await connect(server.folder.role_credential(role), name=str(role)))
            for role in (Role.INSPECTION, Role.DLP, Role.OUTCOME)
        }
        yield Site(gateway, provisioner, roles)


async def test_an_agent_works_with_its_own_credentials(site: Site, recorder: Recording, until: Until) -> None:
    made = recorder()
    stop = asyncio.Event()
    work = asyncio.create_task(made.agent.run(await site.credentials("recorder"), stop=stop))
    forged = ThrowawayGateway().request("recorder", "echo", "forged")
    genuine = site.gateway.request("recorder", "echo", "genuine")
    await site.send("recorder", forged.dispatch)
    await site.send("recorder", genuine.dispatch)
    assert (await site.answer(genuine)).body == "genuine"
    await site.is_empty("recorder")
    assert [request.data for request in made.seen] == ["genuine"]
    assert made.agent.refused == 1

    held = site.gateway.request("recorder", "hold", "unwanted")
    await site.send("recorder", held.dispatch)
    await until(lambda: made.running == 1)
    await site.roles[Role.OUTCOME].notify(agent_party("recorder").cancel_topic, site.gateway.cancel(held))
    await site.is_empty("recorder")
    assert made.ended == ["cancelled"]

    stop.set()
    await asyncio.wait_for(work, 10)


async def test_what_a_drain_gives_back_goes_to_another_copy_at_once(site: Site, recorder: Recording, until: Until) -> None:
    made, copy = recorder(), recorder()
    credentials = await site.credentials("recorder")
    stop = asyncio.Event()
    work = asyncio.create_task(made.agent.run(credentials, stop=stop))
    held = site.gateway.request("recorder", "hold", "long")
    await site.send("recorder", held.dispatch)
    await until(lambda: made.running == 1)
    stop.set()
    await asyncio.wait_for(work, 10)
    assert made.ended == ["cancelled"]

    copy.go.set()
    stop = asyncio.Event()
    work = asyncio.create_task(copy.agent.run(credentials, stop=stop))
    assert (await site.answer(held)).body == "long"
    await site.is_empty("recorder")
    stop.set()
    await asyncio.wait_for(work, 10)


async def test_credentials_that_were_revoked_open_nothing(site: Site, recorder: Recording) -> None:
    credentials = await site.credentials("recorder")
    await site.provisioner.revoke(agent_party("recorder"))
    with pytest.raises(BrokerError):
        await recorder().agent.run(credentials)


async def test_an_example_runs_as_a_program_and_drains_on_a_signal(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "reporting.json"
    (await site.credentials("reporting")).save(path)
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "lockgate.examples.reporting",
        env={**os.environ, "LOCKGATE_CREDENTIALS": str(path)},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        asked = site.gateway.request("reporting", "report", {"name": "plans"})
        await site.send("reporting", asked.dispatch)
        assert '"columns":["plan","customers"]' in (await site.answer(asked)).body
        program.send_signal(signal.SIGTERM)
        _, errors = await asyncio.wait_for(program.communicate(), 15)
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()
    assert program.returncode == 0
    assert b"has stopped" in errors
    assert b"Traceback" not in errors


@pytest.mark.parametrize("module", ["code_review", "reporting", "ops"])
async def test_a_program_without_usable_credentials_says_so_and_leaves_with_2(module: str, tmp_path: Path) -> None:
    path = tmp_path / "shared.json"
    path.write_text("{}")
    path.chmod(0o644)
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"lockgate.examples.{module}", "--credentials", str(path), stderr=asyncio.subprocess.PIPE
    )
    _, errors = await asyncio.wait_for(program.communicate(), 30)
    assert program.returncode == 2
    assert b"chmod 600" in errors
    assert b"Traceback" not in errors
