"""The whole pipeline in one process: the real acceptor, gates, sweeper, ledger and SDK agents, over the in-memory broker.

Nothing of ours is replaced; only the broker is its in-memory twin (the same contract suite holds for both) and every process is a task.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lockgate import Agent
from lockgate_broker.limits import Limits as BrokerLimits
from lockgate_broker.memory.connection import MemoryBroker
from lockgate_broker.memory.provisioner import MemoryProvisioner
from lockgate_broker.memory.server import MemoryServer
from lockgate_ingress.serve import Ingress
from lockgate_ledger.ledger import Ledger
from lockgate_ledger.records import AgentRecord, Binding, ClientRecord, KeyRecord, RequestRecord
from lockgate_schemas.envelope import EVENT_TYPE, Event, digest_of, sign_event, timestamp
from lockgate_schemas.limits import Limits
from lockgate_schemas.names import Role
from lockgate_schemas.passage import Door, read_facts
from lockgate_schemas.signing import NoteSigner
from lockgate_schemas.stamping import ChainVerifier
from lockgate_schemas.topics import agent as agent_party
from lockgate_schemas.trust import AUDIT, STAMPING_ROLES, Trust, TrustedKey
from lockgate_workers.authz.policy import default_policy, policy_digest
from lockgate_workers.authz.stage import AuthzStage
from lockgate_workers.dlp.source import DlpSource
from lockgate_workers.dlp.stage import DlpStage
from lockgate_workers.inspection.source import InspectionSource
from lockgate_workers.inspection.stage import InspectionStage
from lockgate_workers.outcome.announce import Announcer
from lockgate_workers.outcome.stage import OutcomeStage
from lockgate_workers.outcome.sweeper import Sweeper
from lockgate_workers.runner import StageRunner
from lockgate_workers.scanning.engine import Scanner
from lockgate_workers.scanning.loading import ScannerKind, load_scanner
from lockgate_workers.scanning.reloading import Reloading, ScannerSource
from lockgate_workers.stage import Stage

GATEWAY = "pipeline.test"
SALT = b"the salt of the pipeline's tests"
LIMITS = Limits(sweep_every=20, park=20, resend_after=60_000)


@cache
def shipped(kind: ScannerKind) -> Scanner:
    return load_scanner(kind, evidence_key=SALT)


def loaded(kind: ScannerKind, *_: Any, **__: Any) -> Scanner:
    """Compile only what is not the same for every test."""
    return shipped(kind)


SHIPPED = {kind: shipped(kind) for kind in ("injection", "dlp")}
"""Compiled before the first test, so that none of them waits for it."""


class Clock:
    """The wall clock, and how far it was stepped (milliseconds)."""

    def __init__(self) -> None:
        self.ahead = 0

    def __call__(self) -> int:
        return time.time_ns() // 1_000_000 + self.ahead


class Pipeline:
    """One gateway. Entities are added through the ledger's admin port, as the operator's door does."""

    def __init__(self, server: MemoryServer, ledger: Ledger, clock: Clock, tasks: asyncio.TaskGroup, limits: Limits) -> None:
        self.server, self.ledger, self.clock, self.tasks, self.limits = server, ledger, clock, tasks, limits
        self.signers = {role: NoteSigner(f"{GATEWAY}/{role}", os.urandom(32)) for role in STAMPING_ROLES}
        self.trust = Trust(GATEWAY, tuple(TrustedKey(str(r), str(s.verifier)) for r, s in self.signers.items()))
        self.verifier = ChainVerifier(self.trust, clock_skew=limits.clock_skew)
        self.stop = asyncio.Event()
        self.clients: dict[str, tuple[NoteSigner, str]] = {}
        self.provisioner = MemoryProvisioner(server)
        self.brokers = {role: MemoryBroker(server, role) for role in Role}
        self.ingress = Ingress(
            broker=self.brokers[Role.INGRESS],
            ledger=ledger,
            signer=self.signers[Role.INGRESS],
            trust=self.trust,
            gateway=GATEWAY,
            limits=limits,
            clock=clock,
            randomness=os.urandom,
        )

    def start(self, *roles: Role) -> None:
        """Start the runners of these roles, as tasks that end with the pipeline."""
        for role in roles:
            self.tasks.create_task(self.runner(role).run(self.stop))
            if role is Role.OUTCOME:
                self.tasks.create_task(self.sweeper().run(self.stop))

    def stage(self, role: Role) -> Stage:
        if role is Role.AUTHZ:
            return AuthzStage(self.ledger, self.clock)
        if role is Role.INSPECTION:
            return InspectionStage(self.ledger, self.content(InspectionSource, "injection"), self.clock)
        if role is Role.DLP:
            return DlpStage(self.ledger, self.content(DlpSource, "dlp"), self.clock, most=self.limits.max_response_bytes)
        return OutcomeStage(self.ledger, self.announcer(), self.signers[Role.OUTCOME], self.clock)

    def content(self, source: Callable[..., Any], kind: ScannerKind) -> Reloading[Any]:
        """Each stage builds what its content policy says, from the shipped rules that all of them share."""
        return Reloading(source(ScannerSource(kind, salt=SALT, load=loaded), salt=SALT), timer=time.monotonic)

    def announcer(self) -> Announcer:
        return Announcer(self.brokers[Role.OUTCOME], self.ledger, self.limits)

    def runner(self, role: Role, stage: Stage | None = None) -> StageRunner:
        return StageRunner(
            stage or self.stage(role),
            self.brokers[role],
            signer=self.signers[role],
            verifier=ChainVerifier(self.trust, clock_skew=self.limits.clock_skew),
            limits=self.limits,
            clock=self.clock,
            timer=time.perf_counter,
        )

    def sweeper(self, holder: str = "one") -> Sweeper:
        return Sweeper(
            self.brokers[Role.OUTCOME],
            self.ledger,
            self.announcer(),
            signer=self.signers[Role.OUTCOME],
            limits=self.limits,
            clock=self.clock,
            holder=holder,
        )

    async def add_client(self, name: str, *, tenant: str = "acme") -> None:
        signer = NoteSigner(name, os.urandom(32))
        kid = digest_of(signer.verifier.public_key)[:16]
        self.clients[name] = (signer, kid)
        key = KeyRecord(kid=kid, client=name, public_key=signer.verifier.public_key)
        await self.ledger.add_client(ClientRecord(name=name, tenant=tenant, user=name), key, self.clock())

    async def add_agent(self, agent: Agent | str, *actions: str, serve: bool = True) -> None:
        name = agent if isinstance(agent, str) else agent.name
        declared = actions or agent.actions  # type: ignore[union-attr]
        await self.ledger.add_agent(AgentRecord(name=name, tenant="acme", actions=tuple(declared)), self.clock())
        await self.provisioner.grant(agent_party(name))
        if serve and isinstance(agent, Agent):
            broker = MemoryBroker(self.server, agent_party(name))
            self.tasks.create_task(agent.serve(broker, self.trust, stop=self.stop))

    async def grant(self, client: str, agent: str, *actions: str, tenant: str = "acme") -> None:
        await self.ledger.grant(Binding(tenant=tenant, user=client, agent=agent, actions=actions), self.clock())

    async def revoke(self, client: str, agent: str, tenant: str = "acme") -> None:
        await self.ledger.revoke(Binding(tenant=tenant, user=client, agent=agent), self.clock())

    def envelope(self, client: str, agent: str, action: str, data: Any = None, **changes: Any) -> bytes:
        signer, kid = self.clients[client]
        now = self.clock()
        members: dict[str, Any] = {
            "specversion": "1.0",
            "id": os.urandom(8).hex(),
            "source": client,
            "type": EVENT_TYPE,
            "time": timestamp(now),
            "expirytime": timestamp(now + changes.pop("lifetime", 30_000)),
            "audience": GATEWAY,
            "agent": agent,
            "action": action,
            "data": msgspec.Raw(msgspec.json.encode(data)),
            **changes,
        }
        return sign_event(signer, kid, Event(**members)).encode()

    async def submit(self, client: str, agent: str, action: str, data: Any = None, **changes: Any) -> str:
        """Submit through the acceptor; return the request id."""
        return await self.send(self.envelope(client, agent, action, data, **changes))

    async def send(self, compact: bytes) -> str:
        accepted = await self.ingress.acceptor.submit(compact, Door.HTTP, None)
        return read_facts(accepted.acceptance.facts).request_id

    async def ended(self, request_id: str, seconds: float = 10.0) -> RequestRecord:
        """The record of a request once it has an outcome, its receipt verified."""
        record = await self.until(lambda r: r.outcome is not None, request_id, seconds)
        self.verifier.verify_end(record.acceptance.facts, record.stamps, record.response, now=self.clock())
        return record

    async def until(self, holds: Callable[[RequestRecord], bool], request_id: str, seconds: float = 10.0) -> RequestRecord:
        async with asyncio.timeout(seconds):
            while True:
                record = await self.ledger.request(request_id)
                if record is not None and holds(record):
                    return record
                await self.server.change(0.01)

    async def entries(self, **members: str) -> list[Any]:
        return [logged.entry for logged in await self.ledger.search(limit=1000, **members)]

    async def audited(self, count: int, **members: str) -> list[Any]:
        """The matching audit entries once there are ``count`` of them."""
        async with asyncio.timeout(10):
            while len(found := await self.entries(**members)) < count:
                await self.server.change(0.01)
        return found


async def opened(tmp_path: Path, limits: Limits, stack: AsyncExitStack, clock: Clock | None = None) -> Pipeline:
    """A pipeline with the default policy and no workers yet."""
    clock = clock or Clock()
    server = MemoryServer(limits=BrokerLimits(ack_wait=0.3))
    tasks = await stack.enter_async_context(asyncio.TaskGroup())
    signer = NoteSigner(f"{GATEWAY}/{AUDIT}", os.urandom(32))
    trust = Trust(GATEWAY, (TrustedKey(AUDIT, str(signer.verifier)),))
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    ledger = await Ledger.open(url, audit_signer=signer, audit_trust=trust, clock=clock, limits=limits, create=True)
    stack.push_async_callback(ledger.close)
    pipeline = Pipeline(server, ledger, clock, tasks, limits)
    await pipeline.provisioner.assert_topology([])
    await ledger.apply_policy(default_policy(), policy_digest(default_policy()), clock())
    await stack.enter_async_context(pipeline.ingress.running())
    stack.callback(server.tick)
    stack.callback(pipeline.stop.set)
    return pipeline


@pytest.fixture
async def pipeline(tmp_path: Path) -> AsyncIterator[Pipeline]:
    async with AsyncExitStack() as stack:
        yield await opened(tmp_path, LIMITS, stack)


@pytest.fixture
async def running(pipeline: Pipeline) -> Pipeline:
    """With every gate at work, a client that has a grant, and an agent that echoes."""
    await pipeline.add_client("alice")
    await pipeline.add_client("bob")
    await pipeline.add_agent(echo_agent())
    await pipeline.grant("alice", "echo")
    # Last, because a gate that is at work looks for queues of new agents once a second only.
    pipeline.start(Role.AUTHZ, Role.INSPECTION, Role.DLP, Role.OUTCOME)
    return pipeline


def echo_agent(name: str = "echo") -> Agent:
    agent = Agent(name)

    @agent.action("say")
    async def say(request) -> Any:
        return request.data if isinstance(request.data, str) else str(request.data)

    @agent.action("fail")
    async def fail(request) -> str:
        raise RuntimeError(f"secret detail {request.data}")

    @agent.action("hang")
    async def hang(request) -> str:
        await request.cancelled.wait()
        return "stopped"

    return agent
