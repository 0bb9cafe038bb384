"""``lockgate bench``: the benchmark on a terminal. What is measured, and how, stands in `lockgate_cli.bench`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.text import Text

from lockgate_cli.bench.figures import Rate, Spread
from lockgate_cli.bench.gates import DOORS
from lockgate_cli.bench.plans import PAYLOAD, WINDOW
from lockgate_cli.bench.report import Report
from lockgate_cli.bench.run import Options, run_bench, steps
from lockgate_cli.exits import guarded
from lockgate_cli.options import JsonOption
from lockgate_cli.render import console, print_json, table


class DoorChoice(StrEnum):
    """Which doors to measure."""

    HTTP = "http"
    BROKER = "broker"
    BOTH = "both"


@guarded
def bench(
    requests: Annotated[int, typer.Option(min=20, max=200_000, help="Requests that count, in each measurement.")] = 5000,
    payload: Annotated[int, typer.Option(min=16, max=100_000, help="Bytes of data in one request.")] = PAYLOAD,
    window: Annotated[int, typer.Option(min=1, max=4096, help="Requests in flight at saturation.")] = WINDOW,
    door: Annotated[DoorChoice, typer.Option(help="Through which door.")] = DoorChoice.BOTH,
    skip_peers: Annotated[bool, typer.Option("--skip-peers", help="Leave out the five hops without gates.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Measure the whole gateway beside five bare hops on the same broker, in one run on this machine."""
    options = Options(
        requests=requests,
        alone=min(500, requests),
        payload=payload,
        window=window,
        doors=tuple(DOORS) if door is DoorChoice.BOTH else (str(door),),
        peers=not skip_peers,
    )
    report = _run(options, quiet=as_json)
    if as_json:
        print_json(report)
    else:
        _show(report)


def _run(options: Options, *, quiet: bool) -> Report:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True, disable=quiet) as bar:
        task = bar.add_task("starting", total=steps(options))
        begun = 0

        def progress(step: str) -> None:
            nonlocal begun
            bar.update(task, description=step, completed=begun)
            begun += 1

        return uvloop.run(run_bench(options, progress))


def _show(report: Report) -> None:
    machine = report.machine
    console.print(f"[dim]{machine.cores} cores, {machine.processor}; {machine.system}[/]", highlight=False)
    console.print(f"[dim]{', '.join(f'{name} {found}' for name, found in machine.versions.items())}[/]", highlight=False)
    console.print(
        f"[dim]{report.requests} requests of {report.payload} bytes, {report.window} in flight; "
        f"others kept {machine.busy:.1f} cores busy before the start[/]",
        highlight=False,
    )
    for line in report.skipped:
        console.print(f"[yellow]left out:[/] {line}", highlight=False)
    _show_rates(report)
    _show_latencies(report)
    for door in report.doors:
        _show_use(door.name, door.rate)
    table("targets", ["what", "value", "target", "met"], [_target(t.what, t.value, t.goal, met=t.met) for t in report.targets])
    checked = sum(door.verified for door in report.doors)
    console.print(
        f"[dim]every request ended delivered; {checked} receipts were verified with the public keys[/]", highlight=False
    )


def _show_rates(report: Report) -> None:
    rows = [(peer.name, peer.rate) for peer in report.peers]
    rows += [(f"Lockgate, {door.name} door", door.rate) for door in report.doors]
    table(
        "at saturation",
        ["what", "requests/s", "µs of CPU a request"],
        [[name, f"{rate.per_second:,.0f}", f"{rate.cpu:,.0f}"] for name, rate in rows],
    )


def _show_latencies(report: Report) -> None:
    rows = [[f"one broker {name}", *_spread(trip)] for name, trip in report.round_trips.items()]
    for door in report.doors:
        rows.append([f"{door.name} door, one at a time", *_spread(door.alone)])
        rows.append([f"{door.name} door, at saturation", *_spread(door.loaded)])
    rows += [[f"{gate}: deciding", *_spread(took)] for gate, took in report.deciding.items()]
    table("latency, ms", ["what", "p50", "p95", "p99"], rows)


def _spread(found: Spread) -> tuple[str, str, str]:
    return f"{found.p50:.2f}", f"{found.p95:.2f}", f"{found.p99:.2f}"


def _show_use(door: str, rate: Rate) -> None:
    rows = [[part.process, f"{part.cpu:,.0f}", f"{part.memory:.0f}"] for part in rate.used]
    table(f"where it goes, {door} door", ["process", "µs of CPU a request", "MiB"], rows)


def _target(what: str, value: float, goal: str, *, met: bool) -> list[str | Text]:
    return [what, f"{value:.2f}", goal, Text("yes", style="green") if met else Text("no", style="bold red")]
