"""The provisioner interrupted: each half-done state leaves less access, not more, and the next assert_topology repairs it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lockgate_broker.connect import connect
from lockgate_broker.nats.embedded import EmbeddedServer
from lockgate_broker.nats.folder import BrokerFolder, State
from lockgate_broker.nats.provisioner import NatsProvisioner
from lockgate_broker.nats.reload import reload_server
from lockgate_broker.port import Outbound
from lockgate_schemas.errors import BrokerError, BrokerRefusedError, ConfigurationError
from lockgate_schemas.names import Role
from lockgate_schemas.topics import Party, agent, client

ALPHA, BETA = agent("alpha"), agent("beta")


class Stopped(Exception):  # noqa: N818  # stands in for the end of the process
    pass


async def die(_: BrokerFolder) -> None:
    raise Stopped


@asynccontextmanager
async def running(root: Path) -> AsyncIterator[tuple[EmbeddedServer, NatsProvisioner]]:
    async with EmbeddedServer(root) as server, await NatsProvisioner.open(root) as provisioner:
        await provisioner.assert_topology(())
        yield server, provisioner


async def test_a_grant_that_died_before_the_reload_is_finished_by_granting_again(tmp_path: Path) -> None:
    async with running(tmp_path / "broker") as (server, provisioner):
        async with await NatsProvisioner.open(server.folder.root, reload=die) as dying:
            with pytest.raises(Stopped):
                await dying.grant(ALPHA)
        assert server.folder.entries()[ALPHA].state is State.ACTIVE
        await provisioner.assert_topology([ALPHA])
        credential = await provisioner.grant(ALPHA)
        async with await connect(credential, name="alpha") as broker:
            await broker.publish([Outbound("gw.reply.alpha.x", b"works")])


@pytest.mark.parametrize("listed", [(BETA,), (ALPHA, BETA)], ids=["and-the-ledger-forgot-it", "and-the-ledger-still-lists-it"])
async def test_a_revocation_that_died_is_finished_at_the_next_start(tmp_path: Path, listed: tuple[Party, ...]) -> None:
    async with running(tmp_path / "broker") as (server, provisioner):
        credential = await provisioner.grant(ALPHA)
        async with await NatsProvisioner.open(server.folder.root, reload=die) as dying:
            with pytest.raises(Stopped):
                await dying.revoke(ALPHA)
        assert server.folder.entries()[ALPHA].state is State.LEAVING
        await reload_server(server.folder)
        with pytest.raises(BrokerRefusedError):
            await connect(credential, name="alpha")
        await provisioner.assert_topology(listed)
        with pytest.raises(BrokerRefusedError):
            await connect(credential, name="alpha")
        if ALPHA in listed:
            assert server.folder.entries()[ALPHA].nkey == "", "it has to be granted again"
        else:
            assert ALPHA not in server.folder.entries()
            with pytest.raises(BrokerError):
                await provisioner.depth(ALPHA.inbound)


async def test_a_party_that_is_not_named_loses_access_and_keeps_its_queues_until_it_is_named_again(tmp_path: Path) -> None:
    async with running(tmp_path / "broker") as (server, provisioner):
        credential = await provisioner.grant(ALPHA)
        async with await connect(server.folder.role_credential(Role.INSPECTION), name="inspection") as inspection:
            await inspection.publish([Outbound(ALPHA.inbound.topic, b"kept")])
        await provisioner.assert_topology([BETA])
        with pytest.raises(BrokerRefusedError):
            await connect(credential, name="alpha")
        await provisioner.assert_topology([ALPHA, BETA])
        async with await connect(credential, name="alpha") as broker:
            intake = await broker.subscribe([ALPHA.inbound])
            assert [delivery.body for delivery in await intake.pull(5, 5.0)] == [b"kept"]


async def test_registrations_survive_a_restart_of_everything(tmp_path: Path) -> None:
    async with running(tmp_path / "broker") as (_, provisioner):
        credential = await provisioner.grant(ALPHA)
    async with EmbeddedServer(tmp_path / "broker"), await connect(credential, name="alpha") as broker:
        await broker.publish([Outbound("gw.reply.alpha.x", b"works")])


async def test_grants_at_the_same_time_all_hold(tmp_path: Path) -> None:
    async with running(tmp_path / "broker") as (server, provisioner), await NatsProvisioner.open(server.folder.root) as second:
        parties = [agent(f"agent-{number}") for number in range(6)] + [client("shop"), client("mart")]
        granting = [(provisioner if at % 2 else second).grant(party) for at, party in enumerate(parties)]
        for party, credential in zip(parties, await asyncio.gather(*granting), strict=True):
            async with await connect(credential, name=party.name) as broker:
                await broker.publish([Outbound(f"{party.outbound.topic}.x", b"works")])
        assert set(server.folder.entries()) == set(parties)


async def test_the_lock_is_given_up_on_after_its_bound(tmp_path: Path) -> None:
    async with running(tmp_path / "broker") as (server, _), server.folder.locked():
        with pytest.raises(BrokerError):
            async with server.folder.locked(bound=0.1):
                pytest.fail("two held the lock")


async def test_granting_to_a_party_with_waiting_work_proves_itself_without_losing_any(tmp_path: Path) -> None:
    async with running(tmp_path / "broker") as (server, provisioner):
        await provisioner.grant(ALPHA)
        async with await connect(server.folder.role_credential(Role.INSPECTION), name="inspection") as inspection:
            await inspection.publish([Outbound(ALPHA.inbound.topic, b"only one")])
        async with await connect(await provisioner.grant(ALPHA), name="alpha") as broker:
            intake = await broker.subscribe([ALPHA.inbound])
            assert [delivery.body for delivery in await intake.pull(5, 5.0)] == [b"only one"]


async def test_a_record_of_parties_that_was_tampered_with_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path / "broker") as (server, provisioner):
        await provisioner.grant(ALPHA)
        path = server.folder.parties_json
        path.write_text(path.read_text().replace("alpha", "alpha.>"))
        with pytest.raises(Exception, match="not a logical name"):
            await provisioner.assert_topology([ALPHA])
        path.write_text("[]]")
        with pytest.raises(ConfigurationError):
            await provisioner.assert_topology([ALPHA])
