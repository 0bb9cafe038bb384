"""``lockgate up``, ``ingress`` and ``worker``: the processes."""

from __future__ import annotations

import asyncio
import logging
import signal
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.markup import escape

from lockgate_cli.config import default_home
from lockgate_cli.exits import guarded
from lockgate_cli.options import HomeOption, home_at
from lockgate_cli.process import run_role
from lockgate_cli.render import console
from lockgate_cli.supervisor import WORKERS, gateway
from lockgate_schemas.errors import ConfigurationError
from lockgate_schemas.names import Role

CopiesOption = Annotated[
    list[str] | None, typer.Option("--copies", help="How many of a role to run, as in --copies dlp=3; may be repeated.")
]


def _copies(given: list[str]) -> dict[str, int]:
    chosen: dict[str, int] = {}
    for item in given:
        role, _, number = item.partition("=")
        if role not in {str(r) for r in WORKERS} or not number.isdecimal() or not 1 <= int(number) <= 64:  # noqa: PLR2004
            raise ConfigurationError("--copies takes ROLE=NUMBER with a worker's role and 1 to 64")
        chosen[role] = int(number)
    return chosen


async def _up(folder: Path, copies: dict[str, int]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with console.status("starting") as status:
        context = gateway(folder, copies=copies, progress=lambda step: status.update(f"starting: {step}"))
        running = await context.__aenter__()
    try:
        console.print(
            f"[green]✓[/] Lockgate is up: requests at [bold]{escape(running.url)}[/], operators at {escape(running.admin_url)}"
        )
        console.print(f"[dim]home {folder}, log {running.supervisor.log_file}; Ctrl-C stops it in order[/]", highlight=False)
        await stop.wait()
        console.print("[dim]stopping: the door, the workers, the broker[/]")
    finally:
        await context.__aexit__(None, None, None)


@guarded
def up(copies: CopiesOption = None, home: HomeOption = None) -> None:
    """Start the whole gateway here: broker, ledger, every worker in a process of its own, the doors."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    uvloop.run(_up(home or default_home(), _copies(copies or [])))


def _run(role: Role, home: Path | None) -> None:
    logging.basicConfig(level=logging.INFO, format=f"%(asctime)s {role} %(levelname)s %(name)s %(message)s")

    def ready(url: str) -> None:
        console.print(f"[green]✓[/] {role} is at work {url}")

    uvloop.run(run_role(home_at(home), role, ready, supervised=False))


@guarded
def ingress(home: HomeOption = None) -> None:
    """Run the doors alone, against a broker and a ledger that run already."""
    _run(Role.INGRESS, home)


@guarded
def worker(stage: Annotated[Role, typer.Argument(help="authz, inspection, dlp or outcome.")], home: HomeOption = None) -> None:
    """Run one more worker of a stage; as many as you like share its queue."""
    if stage not in WORKERS:
        raise ConfigurationError(f"{stage} is not a worker: choose one of {', '.join(WORKERS)}")
    _run(stage, home)
