"""One process of the gateway: the ingress or one worker, put together from the home folder and run until told to stop.

Each process is handed what its role needs and no more: its own broker credential, its own signing key, and a ledger port. It
stops on SIGTERM and SIGINT; a supervised one also when its standard input closes, which happens however its parent dies.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import logging
import os
import random
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec
import uvloop

from lockgate_broker.connect import connect
from lockgate_broker.nats.folder import BrokerFolder
from lockgate_broker.port import Broker
from lockgate_cli.home import ROLE_NAMES, Home, open_home
from lockgate_ledger.ledger import Ledger
from lockgate_schemas.errors import LockgateError
from lockgate_schemas.names import Role
from lockgate_schemas.stamping import ChainVerifier
from lockgate_schemas.trust import AUDIT
from lockgate_workers.alerts.sender import AlertSender
from lockgate_workers.outcome.sweeper import Sweeper
from lockgate_workers.runner import StageRunner
from lockgate_workers.stage import Stage

if TYPE_CHECKING:
    from lockgate_ledger.records import ContentRecord
    from lockgate_workers.scanning.reloading import InForce

T = TypeVar("T")

_APPENDING: Final = frozenset({Role.INGRESS, Role.OUTCOME})
"""The roles that append to the audit log, and so hold its key."""

Ready = Callable[[str], None]


def clock() -> int:
    """The wall clock in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


async def open_ledger(home: Home, stack: AsyncExitStack, *, appends: bool, create: bool = False) -> Ledger:
    """The ledger, closed when ``stack`` is."""
    ledger = await Ledger.open(
        home.ledger_url,
        audit_signer=home.signer(AUDIT) if appends else None,
        audit_trust=home.trust,
        clock=clock,
        limits=home.config.limits,
        create=create,
    )
    stack.push_async_callback(ledger.close)
    return ledger


async def connect_role(home: Home, role: Role, stack: AsyncExitStack) -> Broker:
    """The broker connection of ``role``, closed when ``stack`` is."""
    credential = BrokerFolder.at(home.broker).role_credential(role)
    return await stack.enter_async_context(await connect(credential, name=f"lockgate-{role}"))


async def run_worker(home: Home, role: Role, stop: asyncio.Event, ready: Ready) -> None:
    """Run one worker until ``stop`` is set."""
    async with AsyncExitStack() as stack:
        ledger = await open_ledger(home, stack, appends=role in _APPENDING)
        broker = await connect_role(home, role, stack)
        signer = home.signer(role)
        limits = home.config.limits
        sweeper: Sweeper | None = None
        sender: AlertSender | None = None
        stage: Stage
        if role is Role.OUTCOME:
            from lockgate_workers.outcome.announce import Announcer  # noqa: PLC0415 - each process loads its own stage only
            from lockgate_workers.outcome.stage import OutcomeStage  # noqa: PLC0415

            announcer = Announcer(broker, ledger, limits)
            stage = OutcomeStage(ledger, announcer, signer, clock)
            holder = f"{socket.gethostname()}:{os.getpid()}"
            sweeper = Sweeper(broker, ledger, announcer, signer=signer, limits=limits, clock=clock, holder=holder)
            sender = _alert_sender(home, ledger, holder)
        else:
            stage = await _gate(home, role, ledger)
        runner = StageRunner(
            stage,
            broker,
            signer=signer,
            verifier=ChainVerifier(home.trust, clock_skew=limits.clock_skew),
            limits=limits,
            clock=clock,
            timer=time.perf_counter,
        )
        ready("")
        async with asyncio.TaskGroup() as group:
            group.create_task(runner.run(stop), name=str(role))
            if sweeper is not None:
                group.create_task(sweeper.run(stop), name="sweeper")
            if sender is not None:
                group.create_task(sender.run(stop), name="alerts")


def _alert_sender(home: Home, ledger: Ledger, holder: str) -> AlertSender:
    """Refuses to start, like everything here, on settings that could never work."""
    from lockgate_workers.alerts.channels import Surroundings, channel  # noqa: PLC0415 - the outcome role alone sends
    from lockgate_workers.alerts.posting import system_resolver  # noqa: PLC0415

    around = Surroundings(home.config.gateway, home.folder, system_resolver, clock)
    channels = {destination.name: channel(destination, around) for destination in home.config.alerts.destinations}
    for one in channels.values():
        one.check()
    every = home.config.limits.sweep_every
    return AlertSender(
        ledger.alerts,
        channels,
        clock=clock,
        random=random.random,
        holder=holder,
        every=every,
        retention=home.config.alerts.retention,
    )


async def _gate(home: Home, role: Role, ledger: Ledger) -> Stage:
    if role is Role.AUTHZ:
        from lockgate_workers.authz.stage import AuthzStage  # noqa: PLC0415 - each process loads its own stage only

        return AuthzStage(ledger, clock)
    from lockgate_cli.rulebook import Rulebook  # noqa: PLC0415

    if role is Role.INSPECTION:
        from lockgate_workers.inspection.stage import InspectionStage  # noqa: PLC0415

        return InspectionStage(ledger, await _in_force(Rulebook.of(home).inspection(), ledger, role), clock)
    from lockgate_workers.dlp.stage import DlpStage  # noqa: PLC0415

    return DlpStage(
        ledger, await _in_force(Rulebook.of(home).dlp(), ledger, role), clock, most=home.config.limits.max_response_bytes
    )


async def _in_force(build: Callable[[ContentRecord | None], T], ledger: Ledger, role: Role) -> InForce[T]:
    """What a gate decides with, built before its first message under the content policy in force, and anew when that changes."""
    from lockgate_workers.scanning.reloading import Reloading  # noqa: PLC0415

    reloading = Reloading(build, timer=time.monotonic, report=partial(ledger.alerts.report_event, "broken-pack", str(role)))
    await reloading.prime((await ledger.directory()).content)
    return reloading


async def run_ingress(home: Home, stop: asyncio.Event, ready: Ready, port: int | None = None) -> None:
    """Run the doors until ``stop`` is set; ``ready`` is told the address. ``port`` goes before the configured one."""
    from lockgate_ingress.serve import serve_ingress  # noqa: PLC0415 - workers do not load the web server

    async with AsyncExitStack() as stack:
        ledger = await open_ledger(home, stack, appends=True)
        broker = await connect_role(home, Role.INGRESS, stack)
        await serve_ingress(
            broker=broker,
            ledger=ledger,
            signer=home.signer(Role.INGRESS),
            trust=home.trust,
            gateway=home.config.gateway,
            limits=home.config.limits,
            host=home.config.host,
            port=home.config.port if port is None else port,
            clock=clock,
            randomness=os.urandom,
            ready=ready,
            stop=stop,
        )


async def run_role(home: Home, role: Role, ready: Ready, *, supervised: bool, port: int | None = None) -> None:
    """Run ``role`` until a signal (or, when supervised, the end of standard input) stops it."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if supervised:
        loop.add_reader(sys.stdin.fileno(), _at_end_of_input, stop)
    if role is Role.INGRESS:
        await run_ingress(home, stop, ready, port)
    else:
        await run_worker(home, role, stop, ready)


def _at_end_of_input(stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 1024):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        stop.set()


class ReadyLine(msgspec.Struct, frozen=True):
    """What a supervised process writes to its standard output, once: that it works, and where; or why it cannot."""

    role: str
    url: str = ""
    error: str = ""


def main(arguments: list[str] | None = None) -> int:
    """The entry of a supervised process. Its log goes to standard error, without payloads and credentials."""
    parser = argparse.ArgumentParser(prog="lockgate-process")
    parser.add_argument("role", choices=ROLE_NAMES)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--port", type=int, help="the ingress's, when it is started again and must be found where it was")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format=f"%(asctime)s {chosen.role} %(levelname)s %(name)s %(message)s")

    def tell(line: ReadyLine) -> None:
        sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
        sys.stdout.flush()

    def ready(url: str) -> None:
        tell(ReadyLine(chosen.role, url))

    # What was imported stays for ever; the collector need not look at it again and again (measured: 40 µs a request at the door).
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)
    failed = False
    try:
        uvloop.run(run_role(open_home(chosen.home), Role(chosen.role), ready, supervised=True, port=chosen.port))
    except* LockgateError as group:  # also a bare one: it is wrapped for us
        for error in _leaves(group):
            sys.stderr.write(f"{chosen.role}: {error.diagnostics()}\n")
        tell(ReadyLine(chosen.role, error=_leaves(group)[0].detail))
        failed = True
    return 3 if failed else 0


def _leaves(group: BaseExceptionGroup[LockgateError]) -> list[LockgateError]:
    found: list[LockgateError] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
