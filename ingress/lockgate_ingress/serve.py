"""Running the ingress: the public process with both doors, and, apart from it, the operator's listener.

Here everything is put together and taken apart again in order; nothing is decided. The public process is handed no provisioner: what can create
and remove parties lives in the other one.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from typing import Any

from lockgate_broker.port import Broker
from lockgate_ingress.acceptor import Acceptor, AcceptorLedger
from lockgate_ingress.admin.app import admin_app
from lockgate_ingress.admin.control import Control
from lockgate_ingress.bounds import DEFAULT_BOUNDS, Bounds
from lockgate_ingress.breaker import Breaker
from lockgate_ingress.broker_door import BrokerDoor
from lockgate_ingress.deadlines import Deadlines
from lockgate_ingress.http.app import public_app
from lockgate_ingress.http.requests import Doorway
from lockgate_ingress.http.server import listening_socket, serve
from lockgate_ingress.http.shell import App
from lockgate_ingress.readiness import Readiness
from lockgate_ingress.refusals import RefusalLog
from lockgate_ingress.releases import Releases
from lockgate_ingress.waiters import Waiters
from lockgate_schemas.limits import Limits
from lockgate_schemas.signing import NoteSigner
from lockgate_schemas.stamping import ChainVerifier
from lockgate_schemas.topics import NOTICE_EPOCH, NOTICE_OUTCOMES, NOTICE_RELEASES
from lockgate_schemas.trust import Trust


class Ingress:
    """Everything of the public process except its socket. `running` starts and stops it."""

    def __init__(
        self,
        *,
        broker: Broker,
        ledger: AcceptorLedger,
        signer: NoteSigner,
        trust: Trust,
        gateway: str,
        limits: Limits,
        clock: Callable[[], int],
        randomness: Callable[[int], bytes],
        bounds: Bounds = DEFAULT_BOUNDS,
    ) -> None:
        self._broker = broker
        self.refusals = RefusalLog(ledger, clock=clock, single=bounds.refusals_single, every=bounds.refusals_every)
        self.breaker = Breaker(broker, every=bounds.probe_every, within=limits.publish_timeout / 1000)
        self.acceptor = Acceptor(
            ledger=ledger,
            broker=broker,
            signer=signer,
            gateway=gateway,
            limits=limits,
            bounds=bounds,
            breaker=self.breaker,
            refusals=self.refusals,
            clock=clock,
            randomness=randomness,
        )
        self.waiters = Waiters(
            ledger, most=bounds.waiters, poll_every=bounds.poll_every, polls_per_second=bounds.polls_per_second
        )
        self.releases = Releases(ChainVerifier(trust, clock_skew=limits.clock_skew), clock, most=bounds.followers)
        self.broker_door = BrokerDoor(broker=broker, directory=ledger, acceptor=self.acceptor, limits=limits, bounds=bounds)
        doorway = Doorway(
            acceptor=self.acceptor,
            ledger=ledger,
            broker=broker,
            waiters=self.waiters,
            releases=self.releases,
            refusals=self.refusals,
            signer=signer,
            gateway=gateway,
            limits=limits,
            bounds=bounds,
            clock=clock,
            body_deadlines=Deadlines(bounds.body_seconds),
        )
        self.app: App = public_app(doorway, readiness=Readiness(ledger, broker, bounds), trust=trust)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        """Both doors work inside this. Stopping: waiting connections are answered, the acceptor stops, refusals are written."""
        await self._broker.listen(NOTICE_OUTCOMES, self.waiters.heard)
        await self._broker.listen(NOTICE_EPOCH, self.broker_door.heard)
        await self._broker.listen(NOTICE_RELEASES, self.releases.heard)
        # Stopped from the last to the first: what submits before what records.
        async with (
            background(self.refusals.run),
            background(self.breaker.run),
            background(self.acceptor.run),
            background(self.broker_door.run),
        ):
            yield


@contextlib.asynccontextmanager
async def background(run: Callable[[], Coroutine[Any, Any, None]]) -> AsyncGenerator[None, None]:
    """Run ``run`` beside the body. If it fails the body is cancelled and the failure raised: a door without its acceptor must not stand open."""
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(run())
        try:
            yield
        finally:
            task.cancel()


@contextlib.contextmanager
def stopping(given: asyncio.Event | None) -> Generator[asyncio.Event, None, None]:
    """The event that stops a listener: the caller's own, or one that SIGTERM and SIGINT set where they can be handled (the main thread)."""
    if given is not None:
        yield given
        return
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    handled = (signal.SIGTERM, signal.SIGINT) if threading.current_thread() is threading.main_thread() else ()
    for one in handled:
        loop.add_signal_handler(one, stop.set)
    try:
        yield stop
    finally:
        for one in handled:
            loop.remove_signal_handler(one)


async def serve_ingress(
    *,
    broker: Broker,
    ledger: AcceptorLedger,
    signer: NoteSigner,
    trust: Trust,
    gateway: str,
    limits: Limits,
    host: str,
    port: int,
    clock: Callable[[], int],
    randomness: Callable[[int], bytes],
    ready: Callable[[str], None],
    stop: asyncio.Event | None = None,
    bounds: Bounds = DEFAULT_BOUNDS,
) -> None:
    """Serve both doors until ``stop`` is set or this is cancelled; without ``stop``, until a signal.

    ``port`` 0 takes a free one; ``ready`` is told the URL once it is served.
    """
    sock = listening_socket(host, port)
    with contextlib.closing(sock), stopping(stop) as end:
        ingress = Ingress(
            broker=broker,
            ledger=ledger,
            signer=signer,
            trust=trust,
            gateway=gateway,
            limits=limits,
            clock=clock,
            randomness=randomness,
            bounds=bounds,
        )
        async with ingress.running():
            await serve(ingress.app, sock, bounds, ready=ready, stop=end, stopping=ingress.waiters.close)


async def serve_admin(
    *,
    control: Control,
    token: str,
    port: int,
    ready: Callable[[str], None],
    host: str = "127.0.0.1",
    stop: asyncio.Event | None = None,
    bounds: Bounds = DEFAULT_BOUNDS,
) -> None:
    """Serve the operator's listener, stopped as `serve_ingress` is. It belongs on a loopback address."""
    sock = listening_socket(host, port)
    with contextlib.closing(sock), stopping(stop) as end:
        await serve(admin_app(control, token=token, bounds=bounds), sock, bounds, ready=ready, stop=end)
