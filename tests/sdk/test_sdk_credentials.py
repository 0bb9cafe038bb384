"""Credential files: written for one owner, refused when others could read them, and silent about what is in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lockgate import AgentCredentials, ClientCredentials
from lockgate.testing import ThrowawayGateway
from lockgate_broker.port import Credential
from lockgate_schemas.errors import ConfigurationError
from lockgate_schemas.trust import Trust

BROKER = Credential(("nats://127.0.0.1:4222",), "UABC", "SUSECRETSEED", "_INBOX_x")


@pytest.fixture
def agent(gateway: ThrowawayGateway) -> AgentCredentials:
    return gateway.agent_credentials("reporting", BROKER)


@pytest.fixture
def client(gateway: ThrowawayGateway) -> ClientCredentials:
    return gateway.client_credentials("billing", broker=BROKER)


def test_they_come_back_as_they_were_saved(tmp_path: Path, agent: AgentCredentials, client: ClientCredentials) -> None:
    agent.save(tmp_path / "agent.json")
    client.save(tmp_path / "client.json")
    assert AgentCredentials.load(tmp_path / "agent.json") == agent
    assert ClientCredentials.load(str(tmp_path / "client.json")) == client
    assert (tmp_path / "agent.json").stat().st_mode & 0o777 == 0o600


def test_the_file_is_what_the_format_says(tmp_path: Path, client: ClientCredentials, agent: AgentCredentials) -> None:
    client.save(tmp_path / "client.json")
    content = json.loads((tmp_path / "client.json").read_bytes())
    assert set(content) == {"kind", "name", "tenant", "gateway", "url", "kid", "seed", "broker", "trust"}
    assert (content["kind"], len(content["seed"])) == ("client", 43)
    agent.save(tmp_path / "agent.json")
    content = json.loads((tmp_path / "agent.json").read_bytes())
    assert set(content) == {"kind", "name", "gateway", "broker", "trust"}
    assert set(content["broker"]) == {"servers", "user", "seed", "inbox"}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_file_that_others_can_read_is_refused(mode: int, tmp_path: Path, agent: AgentCredentials) -> None:
    agent.save(tmp_path / "agent.json")
    (tmp_path / "agent.json").chmod(mode)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        AgentCredentials.load(tmp_path / "agent.json")


def test_no_repr_shows_a_seed(agent: AgentCredentials, client: ClientCredentials) -> None:
    shown = repr(agent) + repr(client) + str(client) + f"{client.signer!r}"
    assert "SUSECRETSEED" not in shown
    assert repr(client.seed)[2:-1] not in shown


def edited(path: Path, credentials: AgentCredentials | ClientCredentials, **members: Any) -> Path:
    credentials.save(path)
    content = json.loads(path.read_bytes())
    content.update(members)
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(
    "members",
    [
        {"kind": "client"},
        {"kind": "other"},
        {"name": "http://10.0.0.1"},
        {"more": 1},
        {"broker": None},
        {"gateway": "other-gateway"},
        {"trust": {"gateway": "test-gateway", "keys": []}},
        {"trust": {"gateway": "test-gateway", "keys": [{"role": "ingress", "key": "x+y+z"}]}},
    ],
)
def test_malformed_agent_credentials_are_refused(tmp_path: Path, agent: AgentCredentials, members: dict[str, Any]) -> None:
    path = edited(tmp_path / "agent.json", agent, **members)
    with pytest.raises(ConfigurationError) as refused:
        AgentCredentials.load(path)
    assert "SUSECRETSEED" not in str(refused.value) + repr(refused.value.__cause__)


@pytest.mark.parametrize("members", [{"seed": "c2hvcnQ"}, {"seed": "!!!"}, {"seed": 5}, {"kind": "agent"}, {"name": "X"}])
def test_malformed_client_credentials_are_refused(tmp_path: Path, client: ClientCredentials, members: dict[str, Any]) -> None:
    path = edited(tmp_path / "client.json", client, **members)
    with pytest.raises(ConfigurationError):
        ClientCredentials.load(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="absent"):
        AgentCredentials.load(tmp_path / "absent.json")


@pytest.mark.parametrize("role", ["ingress", "authz", "inspection", "dlp", "outcome"])
def test_trust_that_lacks_a_role_is_refused(role: str, client: ClientCredentials) -> None:
    """With no key of a role nothing of it could be verified: better said at the start than at the first answer."""
    trust = Trust(client.gateway, tuple(key for key in client.trust.keys if key.role != role))
    with pytest.raises(ConfigurationError, match=role):
        with_trust(client, trust)


def with_trust(client: ClientCredentials, trust: Trust) -> ClientCredentials:
    return ClientCredentials(
        client.name, client.tenant, client.gateway, client.url, client.kid, client.seed, trust, client.broker
    )


def test_a_key_under_another_roles_name_is_refused(gateway: ThrowawayGateway, agent: AgentCredentials) -> None:
    keys = tuple(msgspec.structs.replace(key, role="authz") if key.role == "dlp" else key for key in gateway.trust.keys)
    with pytest.raises(ConfigurationError, match="authz"):
        AgentCredentials("reporting", gateway.name, agent.broker, Trust(gateway.name, keys))
