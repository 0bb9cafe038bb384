"""A real gateway under load: every stage a process of its own, a real broker, a real agent, and a record of all that was promised.

After each fault four records are compared: what the client was told, the ledger, the audit log, and what the agent saw.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lockgate.client import Client
from lockgate.credentials import ClientCredentials
from lockgate.settings import ClientSettings
from lockgate_cli.commands.parties import register_agent, register_client
from lockgate_cli.config import FILE_NAME
from lockgate_cli.operator import Operator
from lockgate_cli.supervisor import Gateway, gateway
from lockgate_schemas.errors import LockgateError
from lockgate_schemas.passage import Outcome
from lockgate_schemas.stamping import ChainVerifier

CONFIG = """
port = 0
ack_wait = 2.0
[limits]
sweep_every = 200
resend_after = 4000
resend_dispatched_after = 8000
park = 200
"""
"""Short times, so that a fault is over soon; the mechanism is the same as with the defaults."""

AGENT = """
import sys
from lockgate import Agent, AgentSettings, Request

seen = open(sys.argv.pop(1), "a", buffering=1)
agent = Agent("echo", settings=AgentSettings(concurrency=64))

@agent.action("say")
async def say(request: Request) -> str:
    seen.write(request.dispatch_id + "\\n")
    return "said " + str(request.data)

agent.main()
"""


@dataclass(slots=True)
class Load:
    """What the client was told: the request id of each 202 by the number it sent, and the refusals by code."""

    accepted: dict[int, str] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Site:
    """The gateway, one client with a grant, and the agent's own record of what it was handed."""

    gateway: Gateway
    credentials: ClientCredentials
    seen: Path
    agent: asyncio.subprocess.Process

    def kill(self, role: str) -> None:
        """SIGKILL one process of a role."""
        child = next(c for c in self.gateway.supervisor.children if str(c.role) == role)
        with suppress(ProcessLookupError):  # it may have fallen already, and nobody has looked yet
            if child.pid:
                os.kill(child.pid, signal.SIGKILL)

    def starts(self, role: str) -> int:
        return sum(c.starts for c in self.gateway.supervisor.children if str(c.role) == role)

    async def load(self, count: int, *, at_once: int = 32, load: Load | None = None) -> Load:
        """Send ``count`` requests, each until it is answered 202 (the identical bytes again after a failure) or refused for good."""
        told = load or Load()
        settings = ClientSettings()
        room = asyncio.Semaphore(at_once)

        async def one(number: int) -> None:
            async with room:
                signed = None
                for _ in range(200):
                    async with asyncio.timeout(60):
                        try:
                            signed = signed or sessions[0].sign("echo", "say", number, lifetime=90)
                            told.accepted[number] = (await sessions[0].send(signed)).request_id
                        except LockgateError as error:
                            told.refused[error.code] += 1
                            await self.reachable()
                            continue
                        return

        # The address may change when the ingress is started again, so each retry looks it up.
        sessions: list[Client] = []
        async with Client(self.credentials, settings=settings) as session:
            sessions.append(session)
            await asyncio.gather(*(one(number) for number in range(count)))
        return told

    async def reachable(self) -> None:
        """Wait until the ingress is up again."""
        child = next(c for c in self.gateway.supervisor.children if str(c.role) == "ingress")
        async with asyncio.timeout(30):
            await child.ready.wait()

    async def settled(self, told: Load, seconds: float = 90.0) -> None:
        """Wait until every accepted request has an outcome."""
        left = set(told.accepted.values())
        async with asyncio.timeout(seconds):
            while left:
                for request_id in list(left):
                    record = await self.gateway.ledger.request(request_id)
                    if record is None or record.outcome is None:
                        break
                    left.discard(request_id)
                else:
                    continue
                await asyncio.sleep(0.1)

    async def check(self, told: Load, count: int) -> None:
        """Compare the four records: nothing lost, doubled, unstamped, or missing from the audit log."""
        assert len(told.accepted) == count
        assert len(set(told.accepted.values())) == count, "two requests were given one id"
        verifier = ChainVerifier(self.gateway.home.trust, clock_skew=60_000)
        for request_id in told.accepted.values():
            record = await self.gateway.ledger.request(request_id)
            assert record is not None, "answered 202 without a row in the ledger"
            assert record.outcome is Outcome.DELIVERED, (record.outcome, record.code)
            now = record.ended + 1
            verifier.verify_end(record.acceptance.facts, record.stamps, record.response, now=now)
        outcomes = Counter()
        stages = Counter()
        async for logged in self.gateway.ledger.entries():
            if logged.entry.kind == "outcome":
                outcomes[logged.entry.request_id] += 1
            if logged.entry.kind == "decision":
                stages[logged.entry.request_id, logged.entry.stage] += 1
        assert set(outcomes) == set(told.accepted.values())
        assert set(outcomes.values()) == {1}, "more than one outcome in the log"
        assert all(stages[r, s] for r in outcomes for s in ("ingress", "authz", "inspection", "dlp")), "a gate is missing"
        log = await self.gateway.ledger.verify()
        assert log.intact, log.reason
        handed = Counter(self.seen.read_text().split())
        assert len(handed) == count, "the agent saw a dispatch that nobody sent, or missed one"
        assert set(handed.values()) == {1}, "a handler ran twice for one dispatch"


@asynccontextmanager
async def site(tmp_path: Path, make_home: Callable[[Path], Path], config: str = CONFIG) -> AsyncIterator[Site]:
    """A gateway in ``tmp_path``. ``make_home`` is the fixture ``compiled_home``."""
    home = make_home(tmp_path / "home")
    (home / FILE_NAME).write_text(config)
    program, seen = tmp_path / "agent.py", tmp_path / "seen"
    program.write_text(AGENT)
    seen.touch()
    async with gateway(home) as running:
        operator = Operator(running.home)
        credentials = await asyncio.to_thread(
            register_client, running.home, "loader", tenant="acme", user="loader", broker=False, operator=operator
        )
        agent = await asyncio.to_thread(register_agent, running.home, "echo", tenant="acme", actions=["say"], operator=operator)
        agent.save(tmp_path / "echo.json")
        grant = {"tenant": "acme", "user": "loader", "agent": "echo", "role": "caller", "actions": []}
        await asyncio.to_thread(operator.call, "POST", "/admin/grants", grant)
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(program), str(seen), "--credentials", str(tmp_path / "echo.json"),
            stderr=asyncio.subprocess.DEVNULL, stdin=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            yield Site(running, credentials, seen, process)
        finally:
            process.terminate()
            await process.wait()


@pytest.fixture
async def gateway_site(tmp_path: Path, compiled_home: Callable[[Path], Path]) -> AsyncIterator[Site]:
    async with site(tmp_path, compiled_home) as ready:
        yield ready


async def until(condition: Callable[[], Awaitable[object] | object], seconds: float = 30.0) -> None:
    """Wait until a condition, or what it is awaited to be, holds; with a bound."""
    async with asyncio.timeout(seconds):
        while True:
            held = condition()
            if await held if isinstance(held, Awaitable) else held:
                return
            await asyncio.sleep(0.02)
