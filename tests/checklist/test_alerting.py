"""The checklist's line on alerts, end to end: a whole gateway, blocked answers, and people who are told by a signed webhook and by mail."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from email import message_from_bytes
from email.message import Message
from email.policy import default
from pathlib import Path

import httpx
import pytest
from aiosmtpd.smtp import SMTP
from standardwebhooks import Webhook as Verifier

sys.path.insert(0, str(Path(__file__).parent.parent / "faults"))
sys.path.insert(0, str(Path(__file__).parent.parent / "alerts"))

from alert_receivers import SECRET, Receiver, authority, receiver
from faults_site import CONFIG, Site, site, until

from lockgate.client import Client
from lockgate.credentials import ClientCredentials
from lockgate_broker.private_files import write_private
from lockgate_cli.commands.content import APPLYING
from lockgate_cli.commands.parties import register_client
from lockgate_cli.operator import Operator

__all__ = ["authority", "receiver"]

SETTINGS = """
[[alerts.destinations]]
name = "pager"
kind = "webhook"
url = "https://localhost:{receiver}/alerts"
secret = "pager.secret"
ca = "roots.pem"
allow_private = true

[[alerts.destinations]]
name = "mail"
kind = "email"
host = "localhost"
port = {mail}
security = "none"
from = "lockgate@gw.test"
to = ["ops@example.test"]
allow_private = true
"""

CONTENT = r"""
packs:
- name: tripwires
  scanner: dlp
  text: |
    version: 1.0.0
    rules:
    - id: tripwire
      description: 'Something that must never leave'
      severity: critical
      action: block
      pattern: 'tripwire-[0-9]{4}'
      examples:
        match: ['the tripwire-4711 of the day']
        skip: ['a tripwire']
alerts:
- {name: leaks, on: dlp-block, count: 3, window: 300}
"""


class Inbox:
    """A mail server's handler that keeps what came."""

    def __init__(self) -> None:
        self.letters: list[Message] = []

    async def handle_DATA(self, _server, _session, envelope) -> str:  # noqa: N802 - aiosmtpd's name
        self.letters.append(message_from_bytes(envelope.content, policy=default))
        return "250 taken"


@pytest.fixture
async def inbox() -> AsyncIterator[tuple[Inbox, int]]:
    handler, loop = Inbox(), asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(handler, hostname="localhost", loop=loop), "127.0.0.1", 0)
    async with server:
        yield handler, server.sockets[0].getsockname()[1]


async def blocked(gateway_site: Site, credentials: ClientCredentials, number: int) -> str:
    """Ask the agent for what must not leave; return the request's id once its answer was blocked."""
    signed = Client(credentials).sign("echo", "say", f"the tripwire-{number:04}")
    async with httpx.AsyncClient(base_url=gateway_site.gateway.url, trust_env=False, timeout=40) as http:
        headers = {"Content-Type": "application/jose", "Prefer": "wait=30"}
        answer = await http.post("/v1/requests", content=signed.compact.encode(), headers=headers)
    found = answer.json()
    assert found["code"] == "blocked", answer.text
    return str(found["request_id"])


@pytest.mark.timeout(240)
@pytest.mark.requirement("C18")
async def test_an_alert_fires_when_one_user_has_too_many_answers_blocked(
    tmp_path: Path, compiled_home, authority, receiver: Receiver, inbox: tuple[Inbox, int]
) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    write_private(home / "pager.secret", SECRET.encode())
    (home / "roots.pem").write_bytes(authority.roots.read_bytes())
    async with site(tmp_path, compiled_home, CONFIG + SETTINGS.format(receiver=receiver.port, mail=inbox[1])) as running:
        operator = Operator(running.gateway.home, patience=APPLYING)
        await asyncio.to_thread(operator.call, "PUT", "/admin/content", {"text": CONTENT})
        other = await asyncio.to_thread(
            register_client, running.gateway.home, "other", tenant="acme", user="other", broker=False, operator=operator
        )
        grant = {"tenant": "acme", "user": "other", "agent": "echo", "role": "caller", "actions": []}
        await asyncio.to_thread(operator.call, "POST", "/admin/grants", grant)
        alerts = running.gateway.ledger.alerts

        requests = [await blocked(running, running.credentials, n) for n in range(2)]
        for n in range(2):
            await blocked(running, other, n)
        assert await alerts.newest(10) == [], "four blocks, but of two users: nobody has too many"

        requests.append(await blocked(running, running.credentials, 2))
        await receiver.reached(1)
        await until(lambda: inbox[0].letters)
        [got] = receiver.received
        told = Verifier(SECRET).verify(got.body, got.headers)["data"]
        assert (told["name"], told["tenant"], told["user"], told["count"]) == ("leaks", "acme", "loader", 3)
        assert (set(told["requests"]), told["rules"]) == (set(requests), {"tripwire": 3})
        assert b"tripwire-" not in got.body, "what was found is nobody's to read in an alert"
        assert "user loader of acme" in inbox[0].letters[0]["Subject"]

        await blocked(running, running.credentials, 3)
        [alert] = await alerts.newest(10)
        assert (alert.count, alert.repeats) == (3, 1), "the window's alert was raised; more of the same adds to it"
        path = f"/admin/alerts/{alert.number}/acknowledgement"
        await asyncio.to_thread(operator.call, "POST", path, {"note": "asked the user"})
        assert await alerts.newest(10, open_only=True) == []
        logged = [e.entry for e in await running.gateway.ledger.search(limit=10, kind="alert")]
        assert [(e.decision, e.rule, e.user) for e in logged] == [
            ("acknowledge", "leaks", "loader"),
            ("raise", "leaks", "loader"),
        ]
        assert (len(receiver.received), len(inbox[0].letters)) == (1, 1)
