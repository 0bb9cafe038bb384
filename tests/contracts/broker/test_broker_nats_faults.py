"""What only a real server can suffer: killed, frozen, restarted, changed by somebody else, and still nothing hangs or is lost."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import Any

import msgspec
import pytest

from lockgate_broker.nats.accounts import next_subject
from lockgate_broker.port import Intake, Outbound
from lockgate_schemas.errors import BrokerError, BrokerRefusedError, PublishFailedError, TopologyError
from lockgate_schemas.names import Role
from lockgate_schemas.topics import AUTHZ, OUTCOMES, QUARANTINE_STREAM, agent


async def pull_all(intake: Intake, count: int, bound: float = 15.0) -> list[str]:
    found: list[str] = []
    end = time.monotonic() + bound
    while len(found) < count and time.monotonic() < end:
        batch = await intake.pull(64, 0.2)
        await intake.ack(batch)
        found += [delivery.body.decode() for delivery in batch]
    return found


async def publish_until_confirmed(broker: Any, message: Outbound, bound: float = 15.0) -> None:
    end = time.monotonic() + bound
    while True:
        try:
            return await broker.publish([message])
        except BrokerError:
            assert time.monotonic() < end, "the broker did not come back"


async def test_after_a_kill_and_restart_everyone_goes_on_and_nothing_confirmed_is_lost(nats_bench: Any) -> None:
    ingress, authz = await nats_bench.role(Role.INGRESS), await nats_bench.role(Role.AUTHZ)
    intake = await authz.subscribe([AUTHZ])
    alpha = agent("alpha")
    party = await nats_bench.party(await nats_bench.provisioner.grant(alpha))
    theirs = await party.subscribe([alpha.inbound])
    await ingress.publish([Outbound(AUTHZ.topic, b"%d" % number) for number in range(200)])
    waiting = asyncio.create_task(pull_all(intake, 201))
    nats_bench.server.kill()
    with pytest.raises(PublishFailedError):
        await ingress.publish([Outbound(AUTHZ.topic, b"unconfirmed")])
    await nats_bench.server.start()
    await publish_until_confirmed(ingress, Outbound(AUTHZ.topic, b"after"))
    assert {*map(str, range(200)), "after"} <= set(await waiting) | set(await pull_all(intake, 201, 3.0))
    inspection = await nats_bench.role(Role.INSPECTION)
    await publish_until_confirmed(inspection, Outbound(alpha.inbound.topic, b"dispatch"))
    assert await pull_all(theirs, 1) == ["dispatch"]
    await publish_until_confirmed(party, Outbound("gw.reply.alpha.x", b"reply"))


async def test_after_a_graceful_restart_a_waiting_pull_goes_on(nats_bench: Any) -> None:
    ingress, authz = await nats_bench.role(Role.INGRESS), await nats_bench.role(Role.AUTHZ)
    intake = await authz.subscribe([AUTHZ])
    waiting = asyncio.create_task(pull_all(intake, 1))
    await nats_bench.server.stop()
    await nats_bench.server.start()
    await publish_until_confirmed(ingress, Outbound(AUTHZ.topic, b"after"))
    assert await waiting == ["after"]


async def test_a_frozen_broker_fails_the_publish_in_time_and_recovers(nats_bench: Any) -> None:
    ingress, authz = await nats_bench.role(Role.INGRESS), await nats_bench.role(Role.AUTHZ)
    intake = await authz.subscribe([AUTHZ])
    os.kill(nats_bench.server.pid, signal.SIGSTOP)
    try:
        before = time.monotonic()
        with pytest.raises(PublishFailedError) as failure:
            await ingress.publish([Outbound(AUTHZ.topic, b"frozen", "f1"), Outbound(AUTHZ.topic, b"frozen", "f2")])
        assert failure.value.unconfirmed == (0, 1)
        assert 2.5 < time.monotonic() - before < 30.0
        with pytest.raises(BrokerError):
            await authz.probe(Role.AUTHZ)
    finally:
        os.kill(nats_bench.server.pid, signal.SIGCONT)
    await publish_until_confirmed(ingress, Outbound(AUTHZ.topic, b"thawed"))
    assert "thawed" in await pull_all(intake, 3, 5.0)
    await authz.probe(Role.AUTHZ)


async def test_closing_on_a_frozen_broker_ends_within_its_bound(nats_bench: Any) -> None:
    authz = await nats_bench.role(Role.AUTHZ)
    await authz.subscribe([AUTHZ])
    os.kill(nats_bench.server.pid, signal.SIGSTOP)
    try:
        before = time.monotonic()
        await authz.close()
        assert time.monotonic() - before < 30.0
    finally:
        os.kill(nats_bench.server.pid, signal.SIGCONT)


async def test_a_publish_while_the_broker_is_gone_ends_in_time(nats_bench: Any) -> None:
    ingress = await nats_bench.role(Role.INGRESS)
    await nats_bench.server.stop()
    before = time.monotonic()
    with pytest.raises(BrokerError):
        await ingress.publish([Outbound(AUTHZ.topic, b"x")])
    with pytest.raises(BrokerError):
        await ingress.publish([Outbound(AUTHZ.topic, b"x")])
    assert time.monotonic() - before < 30.0
    with pytest.raises(BrokerError):
        await nats_bench.role(Role.AUTHZ)


async def test_a_credential_that_opens_nothing_is_refused_at_once(nats_bench: Any) -> None:
    credential = await nats_bench.provisioner.grant(agent("alpha"))
    await nats_bench.provisioner.revoke(agent("alpha"))
    async with asyncio.timeout(30):  # and not tried again for ever
        with pytest.raises(BrokerRefusedError):
            await nats_bench.party(credential)


async def test_existing_connections_survive_reloads_and_get_the_new_rights(nats_bench: Any) -> None:
    dlp = await nats_bench.role(Role.DLP)
    intake = await dlp.subscribe([])
    agents = [agent(f"agent-{number}") for number in range(12)]
    for party in agents:
        await nats_bench.party(await nats_bench.provisioner.grant(party))
    await intake.follow([party.outbound for party in agents])
    for party in agents:
        broker = await nats_bench.party(await nats_bench.provisioner.grant(party))
        await broker.publish([Outbound(f"{party.outbound.topic}.x", party.name.encode())])
    assert set(await pull_all(intake, 12)) == {party.name for party in agents}
    assert dlp._wire.client.stats["reconnects"] == 0


async def test_one_intake_follows_hundreds_of_queues(nats_bench: Any) -> None:
    agents = [agent(f"agent-{number}") for number in range(300)]
    await nats_bench.provisioner.assert_topology(agents)
    chosen = agents[::37]
    dlp = await nats_bench.role(Role.DLP)
    intake = await dlp.subscribe([party.outbound for party in agents])
    for party in chosen:
        broker = await nats_bench.party(await nats_bench.provisioner.grant(party))
        await broker.publish([Outbound(f"{party.outbound.topic}.x", b"%d" % number) for number in range(10)])
    assert len(await pull_all(intake, 10 * len(chosen))) == 10 * len(chosen)


async def raw_api(bench: Any, call: str, request: object = None) -> dict:
    body = b"" if request is None else msgspec.json.encode(request)
    reply = await bench.provisioner._wire.client.request(f"$JS.API.{call}", body, timeout=30)
    return msgspec.json.decode(reply.data)


@pytest.mark.parametrize(
    ("field", "value"),
    [("max_bytes", 12345678), ("allow_rollup_hdrs", True), ("allow_direct", True), ("duplicate_window", 5_000_000_000)],
)
async def test_a_stream_that_somebody_changed_stops_the_start_and_is_left_alone(
    nats_bench: Any, field: Any, value: Any
) -> None:
    config = (await raw_api(nats_bench, "STREAM.INFO.AUTHZ"))["config"]
    changed = await raw_api(nats_bench, "STREAM.UPDATE.AUTHZ", config | {field: value})
    assert changed["config"][field] == value
    with pytest.raises(TopologyError, match=f"AUTHZ differs in {field}"):
        await nats_bench.provisioner.assert_topology(())
    assert (await raw_api(nats_bench, "STREAM.INFO.AUTHZ"))["config"][field] == value


async def test_a_consumer_that_somebody_changed_stops_the_start(nats_bench: Any) -> None:
    config = (await raw_api(nats_bench, "CONSUMER.INFO.OUTCOMES.outcome"))["config"]
    request = {"stream_name": "OUTCOMES", "config": config | {"max_deliver": 7}}
    assert "error" not in await raw_api(nats_bench, "CONSUMER.DURABLE.CREATE.OUTCOMES.outcome", request)
    with pytest.raises(TopologyError, match="outcome of OUTCOMES differs in max_deliver"):
        await nats_bench.provisioner.assert_topology(())


async def test_missing_pieces_are_created_again(nats_bench: Any) -> None:
    await raw_api(nats_bench, "CONSUMER.DELETE.OUTCOMES.outcome")
    await raw_api(nats_bench, f"STREAM.DELETE.{QUARANTINE_STREAM}")
    await nats_bench.provisioner.assert_topology(())
    assert "error" not in await raw_api(nats_bench, f"STREAM.INFO.{QUARANTINE_STREAM}")
    assert await nats_bench.provisioner.depth(OUTCOMES) == 0


async def test_a_puller_survives_that_its_consumer_is_deleted_and_made_again(nats_bench: Any) -> None:
    ingress, authz = await nats_bench.role(Role.INGRESS), await nats_bench.role(Role.AUTHZ)
    intake = await authz.subscribe([AUTHZ])
    assert not await intake.pull(1, 0.1)
    await raw_api(nats_bench, "CONSUMER.DELETE.AUTHZ.authz")
    await nats_bench.provisioner.assert_topology(())
    await ingress.publish([Outbound(AUTHZ.topic, b"after")])
    assert await pull_all(intake, 1) == ["after"]


async def test_a_topic_without_a_stream_is_unconfirmed_not_refused(nats_bench: Any) -> None:
    await raw_api(nats_bench, "STREAM.DELETE.AUTHZ")
    ingress = await nats_bench.role(Role.INGRESS)
    with pytest.raises(PublishFailedError) as failure:
        await ingress.publish([Outbound(AUTHZ.topic, b"x")])
    assert not isinstance(failure.value, BrokerRefusedError)


async def test_pull_requests_are_few_when_nothing_happens(nats_bench: Any) -> None:
    authz = await nats_bench.role(Role.AUTHZ)
    intake = await authz.subscribe([AUTHZ])
    before = authz._wire.client.stats["out_msgs"]
    assert not await intake.pull(1, 2.0)
    assert authz._wire.client.stats["out_msgs"] - before <= 2
    assert next_subject(AUTHZ) == "$JS.API.CONSUMER.MSG.NEXT.AUTHZ.authz"


async def test_one_credential_serves_several_copies_of_an_agent(nats_bench: Any) -> None:
    alpha = agent("alpha")
    credential = await nats_bench.provisioner.grant(alpha)
    copies = [await (await nats_bench.party(credential)).subscribe([alpha.inbound], prefetch=1) for _ in range(4)]
    inspection = await nats_bench.role(Role.INSPECTION)
    await inspection.publish([Outbound(alpha.inbound.topic, b"%d" % number) for number in range(20)])
    found = await asyncio.gather(*(pull_all(copy, 20, 2.0) for copy in copies))
    assert sorted(body for each in found for body in each) == sorted(map(str, range(20)))
