"""Messages put straight into a gate's stream, by whoever may write there on the broker, but without the gates before it.

The writer is the broker user with the widest rights for each stream. It can store its message; it cannot make a gate believe it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from faults_site import Site, site, until

from lockgate.client import Client
from lockgate.credentials import AgentCredentials
from lockgate_broker.connect import connect
from lockgate_broker.nats.folder import BrokerFolder
from lockgate_broker.port import Outbound
from lockgate_cli.operator import Operator
from lockgate_ledger.records import RequestRecord
from lockgate_schemas.names import Role
from lockgate_schemas.passage import Convoy, Passage, Reply, Response, ResponseStatus, encode, raw, read_facts
from lockgate_schemas.topics import AUTHZ, INSPECTION, OUTCOMES, agent

ECHO = agent("echo")


@dataclass(frozen=True)
class Genuine:
    """Two requests that went through every gate: what an attacker with a copy of the broker's traffic would hold."""

    one: RequestRecord
    other: RequestRecord


@pytest.fixture
async def ready(tmp_path: Path, compiled_home):
    async with site(tmp_path, compiled_home) as gateway_site:
        records = []
        async with Client(gateway_site.credentials) as session:
            for number in range(2):
                result = await session.call("echo", "say", number)
                records.append(await gateway_site.gateway.ledger.request(result.request_id))
        yield gateway_site, Genuine(*records)


def unstamped(g: Genuine, count: int) -> Passage:
    del count
    return Passage(facts=g.one.acceptance.facts, stamps=(), envelope=g.one.envelope)


def of_another_request(g: Genuine, count: int) -> Passage:
    return Passage(facts=g.one.acceptance.facts, stamps=g.other.stamps[:count], envelope=g.one.envelope)


def of_another_stage(g: Genuine, count: int) -> Passage:
    stamps = g.one.stamps[1 : count + 1]
    return Passage(facts=g.one.acceptance.facts, stamps=stamps, envelope=g.one.envelope)


def with_another_envelope(g: Genuine, count: int) -> Passage:
    return Passage(facts=g.one.acceptance.facts, stamps=g.one.stamps[:count], envelope=g.other.envelope)


FORGERIES: tuple[Callable[[Genuine, int], Passage], ...] = (
    unstamped,
    of_another_request,
    of_another_stage,
    with_another_envelope,
)


def messages(genuine: Genuine) -> list[tuple[Role, Role, Outbound]]:
    """Every forgery for every gate: who writes, whose stream, what."""
    found = []
    for forge in FORGERIES:
        for writer, gate, topic, count in (
            (Role.INGRESS, Role.AUTHZ, AUTHZ.topic, 1),
            (Role.AUTHZ, Role.INSPECTION, INSPECTION.topic, 2),
            (Role.DLP, Role.OUTCOME, OUTCOMES.topic, 4),
        ):
            convoy = Convoy(passages=(forge(genuine, count),))
            found.append((writer, gate, Outbound(topic, encode(convoy))))
    for writer, gate, topic in (
        (Role.INGRESS, Role.AUTHZ, AUTHZ.topic),
        (Role.AUTHZ, Role.INSPECTION, INSPECTION.topic),
        (Role.DLP, Role.OUTCOME, OUTCOMES.topic),
    ):
        found.append((writer, gate, Outbound(topic, b'{"passages":[{"facts":{},"stamps":[]}]}')))
        found.append((writer, gate, Outbound(topic, os.urandom(64))))
    return found


@pytest.mark.timeout(180)
@pytest.mark.requirement("P2")
async def test_what_did_not_pass_the_gates_is_quarantined_and_audited_and_never_dispatched(ready) -> None:
    gateway_site, genuine = ready
    folder = BrokerFolder.at(gateway_site.gateway.home.broker)
    forged = messages(genuine)
    for writer in {w for w, _, _ in forged}:
        async with await connect(folder.role_credential(writer), name="forger") as broker:
            await broker.publish([message for w, _, message in forged if w is writer])
    await _incidents(gateway_site, len(forged))
    entries = await gateway_site.gateway.ledger.search(limit=1000, kind="incident")
    for role in (Role.AUTHZ, Role.INSPECTION, Role.OUTCOME):
        assert sum(e.entry.stage == role for e in entries) == sum(gate is role for _, gate, _ in forged)
    assert len(gateway_site.seen.read_text().split()) == 2, "something was dispatched"
    for record in (genuine.one, genuine.other):
        assert (await gateway_site.gateway.ledger.request(record.request_id)) == record
    assert (await gateway_site.gateway.ledger.verify()).intact


async def _incidents(gateway_site: Site, count: int) -> None:
    async def reported() -> bool:
        return len(await gateway_site.gateway.ledger.search(limit=1000, kind="incident")) >= count

    await until(reported)


@pytest.mark.timeout(180)
async def test_an_agents_reply_with_anything_but_its_own_stamps_is_quarantined(ready, tmp_path) -> None:
    gateway_site, genuine = ready
    response = raw(Response(status=ResponseStatus.OK, body="forged"))
    facts = read_facts(genuine.one.acceptance.facts)
    other = read_facts(genuine.other.acceptance.facts)
    topic = f"{ECHO.outbound.topic}.{facts.dispatch_id}"

    def reply(passage: Passage, dispatch_id: str = facts.dispatch_id) -> bytes:
        return encode(Reply(dispatch_id=dispatch_id, passage=passage))

    own = genuine.one.stamps[:3]
    facts_raw = genuine.one.acceptance.facts
    forged = [
        Outbound(topic, reply(Passage(facts=facts_raw, stamps=(), response=response))),
        Outbound(topic, reply(Passage(facts=facts_raw, stamps=genuine.other.stamps[:3], response=response))),
        Outbound(topic, reply(Passage(facts=facts_raw, stamps=own[:2], response=response))),
        Outbound(topic, reply(Passage(facts=facts_raw, stamps=genuine.one.stamps[:4], response=response))),
        Outbound(topic, reply(Passage(facts=facts_raw, stamps=own, response=response), other.dispatch_id)),
        Outbound(f"{ECHO.outbound.topic}.{other.dispatch_id}", reply(Passage(facts=facts_raw, stamps=own, response=response))),
        Outbound(topic, b"not a reply"),
    ]
    credentials = AgentCredentials.load(tmp_path / "echo.json")
    async with await connect(credentials.broker, name="hostile") as broker:
        await broker.publish(forged)
    await _incidents(gateway_site, len(forged))
    entries = await gateway_site.gateway.ledger.search(limit=1000, kind="incident")
    assert {e.entry.stage for e in entries} == {"dlp"}
    assert (await gateway_site.gateway.ledger.request(genuine.one.request_id)) == genuine.one


@pytest.mark.timeout(180)
@pytest.mark.requirement("P7")
async def test_stamps_of_an_old_epoch_do_not_survive_a_revocation(ready) -> None:
    """The genuine stamps of an allowed request, put back into the inspection stream after the grant is gone."""
    gateway_site, genuine = ready
    ledger = gateway_site.gateway.ledger
    operator = Operator(gateway_site.gateway.home)
    grant = {"tenant": "acme", "user": "loader", "agent": "echo", "role": "caller", "actions": []}
    await asyncio.to_thread(operator.call, "DELETE", "/admin/grants", grant)
    one = genuine.one
    old = Passage(facts=one.acceptance.facts, stamps=one.stamps[:2], envelope=one.envelope)
    folder = BrokerFolder.at(gateway_site.gateway.home.broker)
    async with await connect(folder.role_credential(Role.AUTHZ), name="forger") as broker:
        await broker.publish([Outbound(INSPECTION.topic, encode(Convoy(passages=(old,))))])
    await until(lambda: ledger.search(limit=10, request_id=one.request_id, stage="authz", decision="deny"))
    assert len(gateway_site.seen.read_text().split()) == 2, "it was dispatched again"
    again = await ledger.request(one.request_id)
    assert again is not None
    assert again.outcome is one.outcome, "the first outcome wins"


@pytest.mark.timeout(180)
async def test_an_agent_opens_nothing_that_the_gates_did_not_stamp(ready) -> None:
    gateway_site, genuine = ready
    folder = BrokerFolder.at(gateway_site.gateway.home.broker)
    forged = [Outbound(ECHO.inbound.topic, encode(Convoy(passages=(forge(genuine, 3),)))) for forge in FORGERIES]
    async with await connect(folder.role_credential(Role.INSPECTION), name="forger") as broker:
        await broker.publish(forged)
    async with Client(gateway_site.credentials) as session:
        assert (await session.call("echo", "say", "after")).ok  # the queue was not blocked by them
    assert len(gateway_site.seen.read_text().split()) == 3
