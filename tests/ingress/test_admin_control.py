"""The operator's side: the order of effects in `Control`, and the listener in front of it."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from tests.ingress.conftest import GATEWAY, NOW, TRUST, Party, World, until

from lockgate_broker.memory.connection import MemoryBroker
from lockgate_broker.memory.provisioner import MemoryProvisioner
from lockgate_ingress.admin.app import admin_app
from lockgate_ingress.admin.control import Control, kid_of
from lockgate_ingress.serve import serve_admin
from lockgate_ledger.records import Binding
from lockgate_schemas.content import content_digest, parse_content
from lockgate_schemas.envelope import digest_of
from lockgate_schemas.errors import (
    AlreadyExistsError,
    BrokerError,
    ConfigurationError,
    InvalidRequestError,
    LockgateError,
    NotFoundError,
)
from lockgate_schemas.names import Role
from lockgate_schemas.notices import read_epoch_notice
from lockgate_schemas.topics import NOTICE_EPOCH, agent, client
from lockgate_schemas.trust import Trust

TOKEN = "t" * 43
KEY = Party("x1", "acme", "u").public_key
SMALL_ORDER = bytes([1]) + bytes(31)


def check_policy(text: str) -> None:
    if "permit" not in text:
        raise InvalidRequestError("the policy set does not parse")


class Failing(MemoryProvisioner):
    """A provisioner whose grants get half way."""

    async def grant(self, party: Any) -> Any:
        await super().grant(party)
        raise BrokerError("no proof that it works")


def made(world: World, provisioner: MemoryProvisioner | None = None) -> Control:
    return Control(
        ledger=world.ledger,
        provisioner=provisioner or MemoryProvisioner(world.server),
        broker=MemoryBroker(world.server, Role.PROVISIONER),
        gateway=GATEWAY,
        trust=TRUST,
        url="http://127.0.0.1:1",
        check_policy=check_policy,
        check_content=parse_content,
        clock=world.clock,
    )


@pytest.fixture
def control(world: World) -> Control:
    return made(world)


async def test_added_agent_is_registered_and_reachable_and_removed_it_is_neither(world: World, control: Control) -> None:
    added = await control.add_agent("fresh", tenant="acme", actions=("ask",))
    assert added.credential.seed
    assert (await world.ledger.directory()).agents["fresh"].active
    assert agent("fresh") in world.server.parties
    await control.remove_agent("fresh")
    assert not (await world.ledger.directory()).agents["fresh"].active
    assert agent("fresh") not in world.server.parties


async def test_failed_grant_leaves_nothing_registered_and_nothing_reachable(world: World) -> None:
    control = made(world, Failing(world.server))
    with pytest.raises(BrokerError):
        await control.add_agent("fresh", tenant="acme", actions=("ask",))
    with pytest.raises(BrokerError):
        await control.add_client("fresh", tenant="acme", user="u", public_key=KEY, broker=True)
    directory = await world.ledger.directory()
    assert not directory.agents["fresh"].active
    assert not directory.clients["fresh"].active
    assert not world.server.parties.keys() & {agent("fresh"), client("fresh")}
    assert (await made(world).add_agent("fresh", tenant="acme", actions=("ask",))).agent.active


async def test_crash_in_between_leaves_nothing_reachable_that_is_not_registered(world: World) -> None:
    granted: list[bool] = []

    class Watching(MemoryProvisioner):
        async def grant(self, party: Any) -> Any:
            granted.append((await world.ledger.directory()).agents["fresh"].active)
            return await super().grant(party)

        async def revoke(self, party: Any) -> None:
            granted.append((await world.ledger.directory()).agents["fresh"].active)
            await super().revoke(party)

    control = made(world, Watching(world.server))
    await control.add_agent("fresh", tenant="acme", actions=("ask",))
    await control.remove_agent("fresh")
    assert granted == [True, False]  # registered before it is reachable; unregistered before it is cut off


async def test_taken_name_is_not_granted_again(world: World, control: Control) -> None:
    await control.add_agent("fresh", tenant="acme", actions=("ask",))
    before = world.server.parties[agent("fresh")]
    with pytest.raises(AlreadyExistsError):
        await control.add_agent("fresh", tenant="globex", actions=("ask",))
    assert world.server.parties[agent("fresh")] == before


async def test_client_without_a_broker_gets_no_way_in(world: World, control: Control) -> None:
    added = await control.add_client("plain", tenant="acme", user="dave@example.com", public_key=KEY, broker=False)
    assert added.credential is None
    assert added.kid == kid_of(KEY)
    assert client("plain") not in world.server.parties


@pytest.mark.parametrize("key", [b"", bytes(31), bytes(32), SMALL_ORDER, b"\xff" * 32])
async def test_key_that_is_no_key_is_not_enrolled(world: World, control: Control, key: bytes) -> None:
    with pytest.raises(InvalidRequestError):
        await control.add_client("plain", tenant="acme", user="u", public_key=key, broker=False)
    with pytest.raises(InvalidRequestError):
        await control.add_key("shop", key)
    assert "plain" not in (await world.ledger.directory()).clients


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "10.0.0.1"},
        {"name": "a.b"},
        {"tenant": "*"},
        {"user": ""},
        {"user": "a b"},
        {"user": "a/b"},
        {"user": "x" * 129},
    ],
)
async def test_names_are_checked_before_anything_is_done(control: Control, changes: dict[str, str]) -> None:
    members = {"name": "plain", "tenant": "acme", "user": "u", **changes}
    with pytest.raises(InvalidRequestError):
        await control.add_client(members["name"], tenant=members["tenant"], user=members["user"], public_key=KEY, broker=False)


async def test_second_key_and_revocation(world: World, control: Control) -> None:
    kid = await control.add_key("shop", KEY, ends=NOW + 1)
    assert (await world.ledger.directory()).keys[kid].ends == NOW + 1
    await control.revoke_key(kid)
    assert (await world.ledger.directory()).keys[kid].revoked
    with pytest.raises(NotFoundError):
        await control.revoke_key("0" * 16)
    with pytest.raises(NotFoundError):
        await control.add_key("nobody", Party("y1", "t", "u").public_key)


async def test_every_change_is_announced_with_the_new_epoch(world: World, control: Control) -> None:
    heard: list[int] = []

    async def hear(body: bytes) -> None:
        heard.append(read_epoch_notice(body))

    await world.broker.listen(NOTICE_EPOCH, hear)
    await control.grant(Binding("acme", "alice", "echo"))
    version = await control.apply_policy("permit(principal, action, resource);")
    await control.revoke(Binding("acme", "alice", "echo"))
    await until(lambda: len(heard) == 3)
    assert version == 1
    assert heard == sorted(set(heard))
    assert heard[-1] == await world.ledger.epoch()


async def test_policy_that_does_not_pass_the_check_is_not_applied(world: World, control: Control) -> None:
    with pytest.raises(InvalidRequestError):
        await control.apply_policy("nonsense")
    assert (await world.ledger.directory()).policy is None


async def test_content_policy_is_checked_applied_and_announced(world: World, control: Control) -> None:
    heard: list[int] = []

    async def hear(body: bytes) -> None:
        heard.append(read_epoch_notice(body))

    await world.broker.listen(NOTICE_EPOCH, hear)
    before = await world.ledger.epoch()
    with pytest.raises(ConfigurationError):
        await control.apply_content("links: example.org")
    assert (await world.ledger.directory()).content is None
    assert await world.ledger.epoch() == before
    assert await control.apply_content("links: [example.org]") == 1
    await until(lambda: heard == [before + 1])
    content = (await world.ledger.directory()).content
    assert content is not None
    assert (content.text, content.digest) == ("links: [example.org]", content_digest("links: [example.org]"))


async def test_change_holds_although_the_notice_fails(world: World) -> None:
    control = made(world)

    class Mute:
        async def notify(self, topic: str, body: bytes) -> None:
            raise BrokerError(topic + str(len(body)))

    control._broker = Mute()
    await control.grant(Binding("acme", "alice", "echo"))
    assert (await world.ledger.directory()).bindings


# --- the listener --------------------------------------------------------------------------------------------------


@pytest.fixture
async def admin(world: World, control: Control) -> AsyncIterator[httpx.AsyncClient]:
    app = admin_app(control, token=TOKEN, bounds=world.bounds)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8081", headers=headers) as http:
        yield http


@pytest.mark.parametrize(
    "token", ["", "Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[1:]}"]
)
async def test_operator_without_the_token_is_refused_before_anything_else(admin: httpx.AsyncClient, token: str) -> None:
    for path in ("/admin/status", "/admin/metrics", "/admin/nothing"):
        answer = await admin.get(path, headers={"Authorization": token})
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
        assert TOKEN not in answer.text


@pytest.mark.parametrize(
    "host", ["attacker.example", "attacker.example:8081", "127.0.0.1.nip.io", "", "127.0.0.1, x", "localhost:80a"]
)
async def test_other_host_names_are_refused(admin: httpx.AsyncClient, host: str) -> None:
    answer = await admin.get("/admin/status", headers={"Host": host})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize("host", ["127.0.0.1:1", "localhost", "LOCALHOST:9", "[::1]:8081"])
async def test_loopback_names_are_served(admin: httpx.AsyncClient, host: str) -> None:
    assert (await admin.get("/admin/status", headers={"Host": host})).status_code == 200


def test_token_that_can_be_guessed_is_no_start(world: World) -> None:
    with pytest.raises(ConfigurationError):
        admin_app(made(world), token="short", bounds=world.bounds)


async def test_clients_over_the_listener(world: World, admin: httpx.AsyncClient) -> None:
    body = {"name": "fresh", "tenant": "acme", "user": "erin", "public_key": b64encode(KEY).decode(), "broker": True}
    answer = await admin.post("/admin/clients", json=body)
    assert answer.status_code == 201
    added = answer.json()
    assert (added["kid"], added["gateway"], added["url"]) == (kid_of(KEY), GATEWAY, "http://127.0.0.1:1")
    assert added["broker"].keys() == {"servers", "user", "seed", "inbox"}
    assert Trust.parse(json.dumps(added["trust"]).encode()) == TRUST
    assert (await admin.post("/admin/clients", json={**body, "broker": False})).json()["code"] == "already-exists"
    (found,) = [one for one in (await admin.get("/admin/clients")).json()["clients"] if one["name"] == "fresh"]
    assert (found["tenant"], found["user"], found["broker"], found["active"]) == ("acme", "erin", True, True)
    assert found["keys"] == [{"kid": kid_of(KEY), "ends": 0, "revoked": False}]
    assert "seed" not in (await admin.get("/admin/clients")).text
    assert (await admin.delete("/admin/clients/fresh")).status_code == 200
    assert (await admin.delete("/admin/clients/fresh")).json()["code"] == "not-found"
    assert client("fresh") not in world.server.parties


async def test_keys_over_the_listener(world: World, admin: httpx.AsyncClient) -> None:
    answer = await admin.post("/admin/keys", json={"client": "shop", "public_key": b64encode(KEY).decode()})
    assert answer.json() == {"kid": kid_of(KEY)}
    assert (await admin.delete(f"/admin/keys/{kid_of(KEY)}")).status_code == 200
    assert (await world.ledger.directory()).keys[kid_of(KEY)].revoked


async def test_agents_grants_policy_and_status_over_the_listener(admin: httpx.AsyncClient) -> None:
    answer = await admin.post("/admin/agents", json={"name": "fresh", "tenant": "acme", "actions": ["ask"]})
    assert (answer.status_code, answer.json()["name"]) == (201, "fresh")
    assert answer.json()["broker"]["seed"]
    names = [one["name"] for one in (await admin.get("/admin/agents")).json()["agents"]]
    assert names == ["echo", "fresh"]
    binding = {"tenant": "acme", "user": "alice", "agent": "fresh", "role": "caller", "actions": []}
    assert (await admin.post("/admin/grants", json=binding)).status_code == 201
    assert (await admin.get("/admin/grants")).json() == {"grants": [binding]}
    assert (await admin.request("DELETE", "/admin/grants", json=binding)).status_code == 200
    assert (await admin.request("DELETE", "/admin/grants", json=binding)).status_code == 404
    text = "permit(principal, action, resource);"
    assert (await admin.get("/admin/policy")).json()["version"] == 0
    assert (await admin.put("/admin/policy", json={"text": text})).json() == {"version": 1}
    policy = (await admin.get("/admin/policy")).json()
    assert (policy["text"], policy["digest"]) == (text, digest_of(text.encode()))
    assert (await admin.put("/admin/policy", json={"text": "nonsense"})).status_code == 422
    assert (await admin.get("/admin/content")).json()["version"] == 0
    assert (await admin.put("/admin/content", json={"text": "links: [a.example]"})).json() == {"version": 1}
    content = (await admin.get("/admin/content")).json()
    assert (content["text"], content["version"]) == ("links: [a.example]", 1)
    refused = await admin.put("/admin/content", json={"text": "lynx: [a.example]"})
    assert refused.json()["code"] == "configuration"
    assert (await admin.get("/admin/content")).json() == content
    status = (await admin.get("/admin/status")).json()
    assert (status["policy"], status["content"]) == (1, 1)
    assert status["queues"].keys() >= {"AUTHZ", "D_fresh", "R_fresh"}
    metrics = (await admin.get("/admin/metrics")).text
    assert 'lockgate_queue_messages{stream="AUTHZ"} 0' in metrics
    assert metrics.endswith("\n")
    assert 'lockgate_alerts_open{kind="test",severity="low"} 0' in metrics
    assert (await admin.post("/admin/alerts", json={"destination": "pager"})).status_code == 201
    metrics = (await admin.get("/admin/metrics")).text
    assert 'lockgate_alerts_open{kind="test",severity="low"} 1' in metrics
    assert "pager" not in metrics
    assert (await admin.post("/admin/alerts/1/acknowledgement", json={})).status_code == 201
    assert 'lockgate_alerts_open{kind="test",severity="low"} 0' in (await admin.get("/admin/metrics")).text
    assert (await admin.delete("/admin/agents/fresh")).status_code == 200
    assert (await admin.delete("/admin/agents/fresh")).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"name":"a1","name":"b1","actions":[]}',
        b'{"name":"a1","actions":[],"address":"10.0.0.1"}',
        b'{"name":1,"actions":[]}',
        b'{"name":"a1"}',
        b'{"name":"https://x","actions":[]}',
        b'{"name":"a1","actions":["*"]}',
        b"[" * 10_000,
    ],
)
async def test_bodies_are_read_strictly(admin: httpx.AsyncClient, body: bytes) -> None:
    answer = await admin.post("/admin/agents", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert len((await admin.get("/admin/agents")).json()["agents"]) == 1


async def test_other_bodies_are_not_read_at_all(world: World, admin: httpx.AsyncClient) -> None:
    form = await admin.post("/admin/agents", content=b"name=a1", headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert form.status_code == 415
    large = b'"' + b"a" * world.bounds.admin_body_bytes + b'"'
    answer = await admin.post("/admin/agents", content=large, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413


async def test_a_content_policy_may_be_larger_than_other_bodies_and_no_larger_than_it_may_be(
    world: World, admin: httpx.AsyncClient
) -> None:
    text = "# a line of a comment\n" * (world.bounds.admin_body_bytes // 16)
    assert (await admin.put("/admin/policy", json={"text": text})).status_code == 413
    assert (await admin.put("/admin/content", json={"text": text})).status_code == 200
    large = b'{"text":"' + b"a" * world.bounds.admin_content_bytes + b'"}'
    answer = await admin.put("/admin/content", content=large, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413


async def test_unexpected_failures_of_the_ledger_are_problems(
    world: World, admin: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken() -> Any:
        raise RuntimeError("secret-in-the-text")

    monkeypatch.setattr(world.ledger, "directory", broken)
    answer = await admin.get("/admin/status")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "secret" not in answer.text


async def test_listener_is_served_on_loopback(control: Control) -> None:
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    task = asyncio.create_task(serve_admin(control=control, token=TOKEN, port=0, ready=address.set_result, stop=stop))
    url = await address
    assert url.startswith("http://127.0.0.1:")
    async with httpx.AsyncClient(base_url=url) as http:
        assert (await http.get("/admin/status", headers={"Authorization": f"Bearer {TOKEN}"})).status_code == 200
        assert (await http.get("/v1/keys")).status_code == 401
    stop.set()
    await task


async def test_revoking_twice_is_an_error_of_ours(control: Control) -> None:
    with pytest.raises(LockgateError):
        await control.remove_agent("nobody")


async def test_alerts_over_the_listener(world: World, admin: httpx.AsyncClient) -> None:
    raised = await admin.post("/admin/alerts", json={"destination": "pager"})
    assert (raised.status_code, raised.json()) == (201, {"number": 1})
    assert (await admin.post("/admin/alerts/1/acknowledgement", json={"note": "seen"})).status_code == 201
    found = await world.ledger.alerts.alert(1)
    assert (found.acknowledged_by, found.note, found.destinations) == ("operator", "seen", ("pager",))
    assert (await admin.post("/admin/alerts/2/acknowledgement", json={})).status_code == 404
    assert (await admin.post(f"/admin/alerts/{10**30}/acknowledgement", json={})).status_code == 422
    assert (await admin.post("/admin/alerts/1/acknowledgement", json={"note": "x" * 501})).status_code == 422
    assert (await admin.post("/admin/alerts", json={"destination": "http://10.0.0.1/"})).status_code == 422
    assert len(await world.ledger.alerts.newest(10)) == 1
