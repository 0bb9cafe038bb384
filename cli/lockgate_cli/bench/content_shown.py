"""A report on the content gates on a terminal."""

from __future__ import annotations

from rich.text import Text

from lockgate_cli.bench.content_report import ContentReport, Part, shown
from lockgate_cli.bench.report import Target
from lockgate_cli.render import console, table


def show(report: ContentReport) -> None:
    """Print all tables, then how it stands to the targets."""
    machine = report.machine
    console.print(
        f"[dim]{report.date}; {machine.cores} cores, {machine.processor}; {machine.system}; "
        f"others kept {machine.busy:.1f} cores busy before the start[/]",
        highlight=False,
    )
    for part in report.parts:
        _show_part(part)
    targets = [one for part in report.parts for one in part.targets]
    table("targets", ("what", "found", "asked for", "met"), [_target(one) for one in targets], empty="none was measured")


def _show_part(part: Part) -> None:
    for one in part.tables:
        table(one.title, one.columns, one.rows)
        if one.note:
            console.print(f"[dim]{one.note}[/]", highlight=False)
    for line in part.skipped:
        console.print(f"[yellow]left out:[/] {line}", highlight=False)


def _target(target: Target) -> tuple[str | Text, ...]:
    met = Text("yes", style="green") if target.met else Text("no", style="bold red")
    return target.what, shown(target), target.goal, met
