"""``lockgate up``: the embedded broker, every process of the gateway, and the operator's door, under one parent.

The order of a start is the order of dependence: folder, ledger, broker, topology, workers, ingress; it is ready when each
process has said so. A process that dies is started again after a pause that grows. The end runs the other way: the door
first, so that nothing new is accepted, then the workers, which finish their batch, then the broker.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from lockgate_broker.connect import connect
from lockgate_broker.limits import Limits as BrokerLimits
from lockgate_broker.nats.embedded import EmbeddedServer
from lockgate_broker.nats.folder import BrokerFolder
from lockgate_broker.nats.provisioner import NatsProvisioner
from lockgate_cli.home import Home, Running, prepare_home
from lockgate_cli.process import ReadyLine, clock, open_ledger
from lockgate_ledger.ledger import Ledger
from lockgate_schemas.errors import ConfigurationError, LockgateError
from lockgate_schemas.names import Role
from lockgate_schemas.topics import Party, agent, client
from lockgate_workers.authz.policy import check_policy, default_policy, policy_digest

_log = logging.getLogger(__name__)

WORKERS: Final = (Role.AUTHZ, Role.INSPECTION, Role.DLP, Role.OUTCOME)
START_BOUND: Final = 90.0
"""Seconds a process may take to say that it is ready."""
STOP_BOUND: Final = 15.0
_LOOK: Final = 0.2
"""Seconds between two looks whether the broker still runs."""
_PAUSES: Final = (0.1, 0.5, 1.0, 2.0, 5.0)
"""Seconds between the death of a process and its next start, by how often it died without having been ready in between."""


@dataclass(slots=True)
class Child:
    """One supervised process."""

    role: Role
    number: int
    process: asyncio.subprocess.Process | None = None
    url: str = ""
    starts: int = 0
    error: str = ""
    told: asyncio.Event = field(default_factory=asyncio.Event)
    """It has said, at its first start, that it works or why it cannot."""
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def pid(self) -> int:
        """The process id, 0 while it is down."""
        return self.process.pid if self.process is not None and self.process.returncode is None else 0


class Supervisor:
    """Keeps the processes of one gateway running, the embedded broker's included."""

    def __init__(
        self,
        home: Home,
        server: EmbeddedServer,
        copies: Mapping[str, int],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """``server`` has been started; ``copies`` says how many of a role run (one, unless it says otherwise)."""
        self._home = home
        self._server = server
        self._environment = {**os.environ, **(environment or {})}
        self._stopping = False
        self._keepers: list[asyncio.Task[None]] = []
        self.children = [Child(role, n) for role in (*WORKERS, Role.INGRESS) for n in range(max(1, copies.get(str(role), 1)))]

    async def start(self) -> None:
        """Start every process; return when all are ready. Raises `ConfigurationError` when one cannot, or is not in time."""
        self._keepers = [asyncio.create_task(self._keep(child), name=f"keep-{child.role}") for child in self.children]
        self._keepers.append(asyncio.create_task(self._keep_server(), name="keep-broker"))
        try:
            async with asyncio.timeout(START_BOUND):
                await asyncio.gather(*(child.told.wait() for child in self.children))
        except TimeoutError:
            missing = sorted({str(c.role) for c in self.children if not c.ready.is_set()})
            raise ConfigurationError(f"not ready in time: {', '.join(missing)}; see {self.log_file}") from None
        for child in self.children:
            if child.error:
                raise ConfigurationError(f"the {child.role} does not start: {child.error}")

    @property
    def log_file(self) -> Path:
        """Where the processes' logs go."""
        return self._home.folder / "gateway.log"

    def url(self) -> str:
        """Where the door is."""
        return next(child.url for child in self.children if child.role is Role.INGRESS)

    async def stop(self) -> None:
        """Stop the door, then the workers, each politely within a bound."""
        self._stopping = True
        for roles in ((Role.INGRESS,), WORKERS):
            await asyncio.gather(*(self._end(child) for child in self.children if child.role in roles))
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)

    async def _keep_server(self) -> None:
        while not self._stopping:
            await asyncio.sleep(_LOOK)
            if self._server.died:
                _log.warning("the broker ended; starting it again")
                try:
                    await self._server.revive()
                except LockgateError as error:
                    _log.error("the broker did not start: %s", error.code)

    async def _keep(self, child: Child) -> None:
        failures = 0
        while not self._stopping:
            child.ready.clear()
            await self._run(child)
            failures = 0 if child.ready.is_set() else failures + 1
            if not self._stopping:
                _log.warning("%s ended; starting it again", child.role)
                await asyncio.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])

    async def _run(self, child: Child) -> None:
        arguments = [sys.executable, "-m", "lockgate_cli.process", str(child.role), "--home", str(self._home.folder)]
        if child.url:
            arguments += ["--port", str(urlsplit(child.url).port)]  # clients know the address of before
        with self.log_file.open("ab") as log:
            child.process = await asyncio.create_subprocess_exec(
                *arguments,
                stdin=asyncio.subprocess.PIPE,  # held open: when this process dies, however it does, the child sees the end
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=self._environment,
                start_new_session=True,  # Ctrl-C reaches this process alone, which then stops them in order
            )
        child.starts += 1
        output = child.process.stdout
        if output is not None:
            with contextlib.suppress(msgspec.DecodeError):  # an empty line means that it died before it was ready
                line = msgspec.json.decode(await output.readline(), type=ReadyLine)
                child.url, child.error = line.url or child.url, line.error
                child.told.set()
                if not line.error:
                    child.ready.set()
        await child.process.wait()

    async def _end(self, child: Child) -> None:
        process = child.process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(STOP_BOUND):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running gateway, as its parent sees it."""

    home: Home
    server: EmbeddedServer
    supervisor: Supervisor
    ledger: Ledger
    url: str
    admin_url: str


Progress = Callable[[str], None]


@asynccontextmanager
async def gateway(
    folder: Path,
    *,
    copies: Mapping[str, int] | None = None,
    environment: Mapping[str, str] | None = None,
    progress: Progress = lambda _: None,
) -> AsyncIterator[Gateway]:
    """Run a whole gateway in ``folder`` for as long as the block lasts."""
    home = prepare_home(folder)
    async with AsyncExitStack() as stack:
        progress("ledger")
        ledger = await open_ledger(home, stack, appends=True, create=True)
        directory = await ledger.directory()
        if directory.policy is None:
            text = default_policy()
            await ledger.apply_policy(text, policy_digest(text), clock())
        progress("broker")
        limits = BrokerLimits(ack_wait=home.config.ack_wait)
        server = await stack.enter_async_context(EmbeddedServer(home.broker, limits=limits))
        provisioner = await stack.enter_async_context(await NatsProvisioner.open(home.broker, limits=limits))
        parties: list[Party] = [agent(a.name) for a in directory.agents.values() if a.active]
        parties += [client(c.name) for c in directory.clients.values() if c.active and c.broker]
        await provisioner.assert_topology(parties)
        progress("workers")
        supervisor = Supervisor(home, server, {**home.config.copies, **(copies or {})}, environment)
        stack.push_async_callback(supervisor.stop)
        await supervisor.start()
        progress("operator's door")
        admin_url = await _serve_admin(home, ledger, provisioner, supervisor.url(), stack)
        home.record_running(Running(supervisor.url(), admin_url, os.getpid()))
        stack.callback(home.record_running, None)
        yield Gateway(home, server, supervisor, ledger, supervisor.url(), admin_url)


async def _serve_admin(home: Home, ledger: Ledger, provisioner: NatsProvisioner, url: str, stack: AsyncExitStack) -> str:
    """The operator's door, in this process: the public one holds no provisioner's credential."""
    from lockgate_cli.rulebook import Rulebook  # noqa: PLC0415
    from lockgate_ingress.admin.control import Control  # noqa: PLC0415 - the web server is loaded while the workers start
    from lockgate_ingress.serve import serve_admin  # noqa: PLC0415

    credential = BrokerFolder.at(home.broker).role_credential(Role.PROVISIONER)
    broker = await stack.enter_async_context(await connect(credential, name="lockgate-admin"))
    control = Control(
        ledger=ledger,
        provisioner=provisioner,
        broker=broker,
        gateway=home.config.gateway,
        trust=home.trust,
        url=url,
        check_policy=check_policy,
        check_content=Rulebook.of(home).check,
        policy_digest=policy_digest,
        clock=clock,
    )
    stop, address = asyncio.Event(), asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(
        serve_admin(
            control=control,
            token=home.admin_token(),
            host="127.0.0.1",
            port=home.config.admin_port,
            ready=address.set_result,
            stop=stop,
        )
    )

    async def end() -> None:
        stop.set()
        await serving

    stack.push_async_callback(end)
    return str(await address)
