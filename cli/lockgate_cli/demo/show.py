"""``lockgate demo``: start, cast, play, prove, and say what it cost. The exit code says whether all was as it should be."""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
from pathlib import Path
from typing import Final

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from lockgate.client import Client
from lockgate.receipts import verify_receipt
from lockgate_cli.config import FILE_NAME
from lockgate_cli.demo.cast import AGENTS, Cast, assemble
from lockgate_cli.demo.cost import GateCost, costs
from lockgate_cli.demo.scenes import SCENES, Play, Seen, play_scene
from lockgate_cli.supervisor import Gateway, gateway
from lockgate_cli.temporary import example_agents
from lockgate_ledger.records import Verification
from lockgate_schemas.errors import ChainRefusedError
from lockgate_schemas.passage import Outcome

LOAD: Final = 200
"""Requests behind the cost table: enough for a 95th percentile that means something."""
_AT_ONCE: Final = 8
_WIDTH: Final = 132


def fresh(folder: Path) -> None:
    """An empty home for the demo: what an earlier demo left is removed, anything else is not touched."""
    if (folder / "trust.json").exists():
        shutil.rmtree(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / FILE_NAME).write_text("port = 0\n", encoding="utf-8")


def scene_table(seen: list[tuple[Seen, float]]) -> Table:
    """The table as far as the play has come."""
    table = Table(
        box=box.SIMPLE_HEAD, header_style="dim", title="Lockgate: what goes through, and what does not", title_style="bold"
    )
    for column, style in (
        ("", ""),
        ("who", "bold"),
        ("", ""),
        ("expected", "dim"),
        ("came of it", ""),
        ("to notice", "dim"),
        ("ms", ""),
    ):
        table.add_column(column, style=style, justify="right" if column == "ms" else "left")
    for index, scene in enumerate(SCENES):
        if index >= len(seen):
            mark, answer, notice, took = Text("…" if index == len(seen) else " ", style="yellow"), "", "", ""
        else:
            result, milliseconds = seen[index]
            mark = Text("✓", style="green") if result.as_expected else Text("✗", style="bold red")
            answer, notice, took = result.answer, result.notice, f"{milliseconds:.0f}"
        table.add_row(mark, scene.who, scene.what, scene.expected, answer, notice, took)
    return table


def cost_table(found: list[GateCost], requests: int) -> Table:
    """What each gate cost."""
    title = f"What it cost: {requests} requests, {_AT_ONCE} at a time"
    table = Table(box=box.SIMPLE_HEAD, header_style="dim", title=title, title_style="bold", title_justify="left")
    table.add_column("gate", style="bold")
    for column in ("decisions", "deciding p50", "p95", "since the gate before p50", "p95"):
        table.add_column(column, justify="right")
    for cost in found:
        deciding = (f"{cost.deciding_p50:.0f} µs", f"{cost.deciding_p95:.0f} µs") if cost.deciding_p95 else ("-", "-")
        table.add_row(cost.gate, str(cost.count), *deciding, f"{cost.since_p50:.1f} ms", f"{cost.since_p95:.1f} ms")
    return table


async def _load(cast: Cast) -> int:
    """A steady load of small, permitted requests; returns how many were delivered."""
    async with Client(cast.clients["alice"]) as session:
        room = asyncio.Semaphore(_AT_ONCE)

        async def one() -> bool:
            async with room:
                return (await session.call("reporting", "report", {"name": "plans"})).outcome is Outcome.DELIVERED

        return sum(await asyncio.gather(*(one() for _ in range(LOAD))))


def _proved(play: Play) -> int:
    """Verify every receipt once more, from its bytes, with the public keys alone. Raises `ChainRefusedError`."""
    for credentials, result in play.results:
        verify_receipt(result.receipt, credentials.trust)
    return len(play.results)


async def _play(running: Gateway, console: Console) -> bool:
    cast = await assemble(running.home)
    play = Play(cast, running.url)
    seen: list[tuple[Seen, float]] = []
    async with example_agents(running.home.agent_file(name) for name in AGENTS):
        with Live(scene_table(seen), console=console, refresh_per_second=8) as live:
            for scene in SCENES:
                seen.append(await play_scene(scene, play))
                live.update(scene_table(seen))
        delivered = await _load(cast)
    records = await running.ledger.requests(limit=LOAD)
    log = await running.ledger.verify()
    try:
        receipts, why = _proved(play), ""
    except ChainRefusedError as error:
        receipts, why = 0, error.detail
    fine = all(result.as_expected for result, _ in seen) and delivered == LOAD and log.intact and not why
    console.print()
    console.print(cost_table(costs(records), LOAD))
    console.print(_closing(receipts, why, log, delivered, fine=fine))
    return fine


def _closing(receipts: int, why: str, log: Verification, delivered: int, *, fine: bool) -> Group:
    good, bad = "[green]✓[/]", "[bold red]✗[/]"
    lines = [
        f"{bad if why else good} {receipts} receipts verified with the public keys alone {why}",
        f"{good if log.intact else bad} audit log: {log.entries} entries under {log.checkpoints} signed checkpoints {log.reason}",
        f"{good if delivered == LOAD else bad} {delivered} of {LOAD} requests of the load were delivered",
        "" if fine else "[bold red]Something was not as it should be.[/]",
    ]
    return Group(*(Text.from_markup(line) for line in lines if line))


def save_picture(path: Path, svg: str) -> None:
    """Write the exported terminal, without the fonts that it would load from elsewhere: whoever looks at it asks nobody for anything."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL), encoding="utf-8")


async def demo(folder: Path, svg: Path | None) -> bool:
    """Run the whole of it; true when everything was as it should be."""
    logging.getLogger("lockgate_broker").setLevel(logging.ERROR)  # the refusals that are to be seen stand in the table
    console = Console(record=svg is not None, width=_WIDTH if svg is not None else None)
    fresh(folder)
    with console.status("starting a gateway: broker, ledger, four workers, the doors"):
        context = gateway(folder)
        running = await context.__aenter__()
    try:
        fine = await _play(running, console)
    finally:
        await context.__aexit__(None, None, None)
    if svg is not None:
        save_picture(svg, console.export_svg(title="lockgate demo", clear=False))
    console.print(
        "[dim]Try your own:[/] git diff > my.diff && lockgate submit code-review review --file my.diff --client alice"
    )
    return fine
