"""The gateway under measurement: one whole gateway in a folder of its own, its trivial agent, and one client a door.

Signing is left out of the figures (clients do it, on their own machines): the envelopes are made beforehand. Everything else is in:
every gate, every stamp, the ledger, the audit log, and the answer back to the client.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lockgate.credentials import ClientCredentials
from lockgate.envelopes import sign_request
from lockgate.receipts import verify_receipt
from lockgate_cli.bench.children import ChildProcess, child, weigh
from lockgate_cli.bench.clocked import SEPARATOR
from lockgate_cli.bench.echo_agent import ACTION, NAME
from lockgate_cli.bench.figures import Rate, Spread, spread, used_between
from lockgate_cli.bench.plans import DONE, READY, WARM, AgentPlan, ClientPlan
from lockgate_cli.commands.parties import register_agent, register_client
from lockgate_cli.config import FILE_NAME
from lockgate_cli.operator import Operator
from lockgate_cli.supervisor import Gateway, gateway
from lockgate_ledger.records import RequestRecord
from lockgate_schemas.errors import ChainRefusedError, UnavailableError
from lockgate_schemas.limits import Limits
from lockgate_schemas.names import Role
from lockgate_schemas.passage import Outcome, read_receipt, read_statement
from lockgate_schemas.stamping import ORDER

CLIENT: Final = "bench-client"
TENANT: Final = "bench"
DOORS: Final[Mapping[str, str]] = {"http": "http_client", "broker": "broker_client"}
START_BOUND: Final = 30.0
_LIFETIME: Final = 3600.0
_STATEMENTS: Final = 2000
"""Newest requests whose statements say how long the gates took."""


@dataclass(frozen=True, slots=True)
class Gates:
    """A running gateway with its agent, ready to be measured."""

    running: Gateway
    agent: ChildProcess
    credentials: ClientCredentials
    file: Path
    folder: Path

    @property
    def processes(self) -> dict[str, int]:
        """Every process that a request passes through, by its name."""
        gates = {str(c.role): c.pid for c in self.running.supervisor.children if c.number == 0}
        more = {f"{c.role} {c.number + 1}": c.pid for c in self.running.supervisor.children if c.number > 0}
        return {"broker": self.running.server.pid, **gates, **more, "agent": self.agent.pid}


@asynccontextmanager
async def gates(folder: Path) -> AsyncIterator[Gates]:
    """Run it for as long as the block lasts."""
    home = folder / "home"
    home.mkdir(mode=0o700)
    (home / FILE_NAME).write_text("port = 0\n", encoding="utf-8")
    async with gateway(home) as running:
        credentials = await asyncio.to_thread(_register, running)
        file = running.home.client_file(CLIENT)
        plan = AgentPlan(credentials=str(running.home.agent_file(NAME)))
        async with child("agent", "echo_agent", plan, folder) as agent:
            await agent.hear(READY, START_BOUND)
            yield Gates(running, agent, credentials, file, folder)


def _register(running: Gateway) -> ClientCredentials:
    home = running.home
    operator = Operator(home)
    for path in (home.agent_file(NAME), home.client_file(CLIENT)):
        path.parent.mkdir(mode=0o700, exist_ok=True)
    register_agent(home, NAME, tenant=TENANT, actions=[ACTION], operator=operator).save(home.agent_file(NAME))
    credentials = register_client(home, CLIENT, tenant=TENANT, user=CLIENT, broker=True, operator=operator)
    credentials.save(home.client_file(CLIENT))
    binding = {"tenant": TENANT, "user": CLIENT, "agent": NAME, "role": "caller", "actions": []}
    operator.call("POST", "/admin/grants", binding)
    return credentials


def signed_envelopes(credentials: ClientCredentials, count: int, payload: int) -> list[str]:
    """``count`` envelopes whose data weighs ``payload`` bytes of ordinary text."""
    now, limits = time.time_ns() // 1_000_000, Limits()
    text = ("The quick brown fox jumps over the lazy dog. " * (payload // 45 + 1))[:payload]
    return [
        sign_request(credentials, NAME, ACTION, text, now=now, lifetime=_LIFETIME, limits=limits).compact for _ in range(count)
    ]


@dataclass(frozen=True, slots=True)
class DoorRun:
    """What one run through a door came to. ``verified`` receipts were checked with the public keys alone."""

    rate: Rate
    latency: Spread
    verified: int


async def run_door(
    measured: Gates, door: str, *, requests: int, warmup: int, window: int, payload: int, bound: float
) -> DoorRun:
    """Send ``warmup`` and then ``requests`` envelopes through ``door``, ``window`` at a time. Raises unless every one is delivered."""
    name = f"{door}-{window}"
    envelopes = await asyncio.to_thread(signed_envelopes, measured.credentials, warmup + requests, payload)
    path, receipts = measured.folder / f"{name}.envelopes", measured.folder / f"{name}.receipts"
    path.write_text("\n".join(envelopes), encoding="ascii")
    plan = ClientPlan(
        credentials=str(measured.file),
        envelopes=str(path),
        receipts=str(receipts),
        warmup=warmup,
        window=window,
        sample=max(1, (warmup + requests) // 50),
    )
    async with child(f"client-{name}", DOORS[door], plan, measured.folder) as client:
        await client.hear(READY, START_BOUND)
        processes = {"client": client.pid, **measured.processes}
        warm = await client.hear(WARM, bound)
        before = {one: weigh(pid) for one, pid in processes.items()}
        done = await client.hear(DONE, bound)
        after = {one: weigh(pid) for one, pid in processes.items()}
    if done.failed:
        raise UnavailableError(f"{done.failed} of {done.count} requests through the {door} door did not end as delivered")
    count = done.count - warm.count
    return DoorRun(
        Rate(requests=count, seconds=done.at - warm.at, used=used_between(before, after, count)),
        spread(done.times["request"]),
        _verified(measured.credentials, envelopes, receipts),
    )


def _verified(credentials: ClientCredentials, envelopes: Sequence[str], receipts: Path) -> int:
    lines = receipts.read_bytes().splitlines()
    for line in lines:
        number, _, raw = line.partition(SEPARATOR)
        result = verify_receipt(read_receipt(raw), credentials.trust, envelope=envelopes[int(number)])
        if result.outcome is not Outcome.DELIVERED:
            raise ChainRefusedError("a receipt that verifies says another outcome")
    if not lines:
        raise ChainRefusedError("no receipt was kept to be verified")
    return len(lines)


async def deciding_times(measured: Gates) -> dict[str, Spread]:
    """How long each gate took to decide, by its own statements, in milliseconds."""
    records = await measured.running.ledger.requests(limit=_STATEMENTS)
    return {str(role): spread(_took(records, role)) for role in ORDER}


def _took(records: Sequence[RequestRecord], role: Role) -> list[float]:
    statements = (read_statement(stamp.statement) for record in records for stamp in record.stamps)
    return [statement.took / 1e6 for statement in statements if statement.stage == role]
