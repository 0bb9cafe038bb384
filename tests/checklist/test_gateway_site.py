"""Lines of the checklist that need a whole running gateway to be shown."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "faults"))

from faults_site import Site, site, until

from lockgate.client import Client
from lockgate.credentials import AgentCredentials
from lockgate_broker.connect import connect
from lockgate_broker.nats.keys import new_seed
from lockgate_broker.port import Credential, Outbound
from lockgate_cli.commands.parties import register_client
from lockgate_schemas.errors import BrokerError
from lockgate_schemas.passage import Outcome


@pytest.fixture
async def running(tmp_path: Path, compiled_home):
    async with site(tmp_path, compiled_home) as gateway_site:
        yield gateway_site


async def answer(gateway_site: Site, agent: str) -> httpx.Response:
    """What the door answers to a request that waits for its outcome."""
    signed = Client(gateway_site.credentials).sign(agent, "say", "x")
    async with httpx.AsyncClient(base_url=gateway_site.gateway.url, trust_env=False, timeout=40) as http:
        headers = {"Content-Type": "application/jose", "Prefer": "wait=30"}
        return await http.post("/v1/requests", content=signed.compact.encode(), headers=headers)


@pytest.mark.timeout(120)
@pytest.mark.requirement("C12")
async def test_an_agent_that_is_not_registered_receives_nothing(running: Site, tmp_path: Path) -> None:
    """A name nobody registered answers like a forbidden one; a credential nobody issued opens no connection."""
    assert (await answer(running, "echo")).status_code == 200
    unknown = await answer(running, "nobody-there")
    assert (unknown.status_code, unknown.json()["code"]) == (403, "forbidden")
    known = AgentCredentials.load(tmp_path / "echo.json").broker
    with pytest.raises(BrokerError):
        await connect(Credential(known.servers, known.user, new_seed(), known.inbox), name="stranger")


@pytest.mark.timeout(120)
@pytest.mark.requirement("C13")
async def test_an_agent_reaches_neither_the_operators_door_nor_the_policy_store(running: Site, tmp_path: Path) -> None:
    credentials = AgentCredentials.load(tmp_path / "echo.json")
    held = (tmp_path / "echo.json").read_text()
    assert running.gateway.home.admin_token() not in held
    async with httpx.AsyncClient(base_url=running.gateway.admin_url, trust_env=False) as http:
        for path in ("/admin/policy", "/admin/agents", "/admin/grants", "/admin/status"):
            for headers in ({}, {"Authorization": f"Bearer {credentials.broker.seed}"}):
                assert (await http.get(path, headers=headers)).status_code == 401
        text = {"text": "permit (principal, action, resource);"}
        assert (await http.put("/admin/policy", json=text)).status_code == 401
    async with await connect(credentials.broker, name="prober") as broker:
        for topic in ("gw.notice.epoch", "$JS.API.INFO", "gw.outcomes"):
            with pytest.raises(BrokerError):
                await broker.publish([Outbound(topic, b"{}")])
    ledger = running.gateway.home.folder / "ledger.db"
    assert ledger.stat().st_mode & 0o077 == 0


@pytest.mark.timeout(120)
@pytest.mark.requirement("C14")
async def test_no_credential_appears_in_any_log(running: Site, tmp_path: Path) -> None:
    """After requests, refusals, a hostile publish and a killed worker, no log holds a seed, a token, or a payload."""
    payload = "payload-" + os.urandom(8).hex()
    async with Client(running.credentials) as session:
        assert (await session.call("echo", "say", payload)).outcome is Outcome.DELIVERED
    agent = AgentCredentials.load(tmp_path / "echo.json")
    async with await connect(agent.broker, name="hostile") as broker:
        with pytest.raises(BrokerError):
            await broker.publish([Outbound("gw.inspection", payload.encode())])
        await broker.publish([Outbound("gw.reply.echo.nothing", payload.encode())])
    running.kill("dlp")
    await until(lambda: running.starts("dlp") > 1)
    await until(lambda: running.gateway.ledger.search(limit=1, kind="incident"))
    home = running.gateway.home.folder
    secrets = [agent.broker.seed, running.gateway.home.admin_token(), payload]
    secrets += [path.read_text() for path in (home / "keys").iterdir()]
    logs = [path for path in home.rglob("*.log") if path.is_file()]
    assert logs
    for path in logs:
        text = path.read_text(errors="replace")
        assert not [s for s in secrets if s in text], f"{path.name} holds a secret"


@pytest.mark.timeout(120)
@pytest.mark.requirement("C04")
async def test_a_user_without_a_binding_gets_403(running: Site) -> None:
    home = running.gateway.home
    bob = await asyncio.to_thread(register_client, home, "bob", tenant="acme", user="bob", broker=False)
    stranger = Site(running.gateway, bob, running.seen, running.agent)
    denied = await answer(stranger, "echo")
    assert (denied.status_code, denied.json()["code"]) == (403, "forbidden")
    assert running.seen.read_text() == ""
