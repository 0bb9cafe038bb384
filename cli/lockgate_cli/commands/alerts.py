"""``lockgate alerts``: what people were, or should have been, told; and saying that somebody has seen it."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from typing import Annotated, Any, Final

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from lockgate_cli.exits import Exit, guarded
from lockgate_cli.home import Home
from lockgate_cli.operator import Operator
from lockgate_cli.options import HomeOption, JsonOption, home_at
from lockgate_cli.process import open_ledger
from lockgate_cli.render import console, moment, print_json, table
from lockgate_ledger.alert_records import AlertRecord, DeliveryRecord, DeliveryState
from lockgate_schemas.errors import NotFoundError
from lockgate_workers.alerts.message import facts, summary

alerts = typer.Typer(no_args_is_help=True, help="Look at alerts, acknowledge them, and test where they go.")

NumberArgument = Annotated[int, typer.Argument(help="The alert's number.", min=1, max=2**63 - 1)]

_STYLES: Final = {DeliveryState.SENT: "green", DeliveryState.PENDING: "yellow", DeliveryState.FAILED: "bold red"}
_LOOK_EVERY: Final = 0.2


async def _newest(home: Home, limit: int, *, open_only: bool) -> list[AlertRecord]:
    async with AsyncExitStack() as stack:
        ledger = await open_ledger(home, stack, appends=False)
        return await ledger.alerts.newest(limit, open_only=open_only)


async def _one(home: Home, number: int) -> AlertRecord:
    async with AsyncExitStack() as stack:
        ledger = await open_ledger(home, stack, appends=False)
        found = await ledger.alerts.alert(number)
    if found is None:
        raise NotFoundError("no alert has this number")
    return found


@alerts.command("list")
@guarded
def list_alerts(
    open_only: Annotated[bool, typer.Option("--open", help="Only those that nobody has acknowledged.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, newest first.")] = 20,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Show the newest alerts, whether they arrived, and whether somebody has seen them."""
    found = asyncio.run(_newest(home_at(home), limit, open_only=open_only))
    if as_json:
        print_json([_plain(alert) for alert in found])
        return
    rows: list[list[str | Text]] = [
        [str(a.number), moment(a.raised), a.name, a.subject, _count(a), f"{a.window} s", _told(a.deliveries), _seen(a)]
        for a in found
    ]
    table("alerts", ["id", "raised", "alert", "about", "count", "window", "told", "seen"], rows)


@alerts.command("show")
@guarded
def show(number: NumberArgument, as_json: JsonOption = False, home: HomeOption = None) -> None:
    """Show one alert: what it rests on, to whom it went, who acknowledged it."""
    found = asyncio.run(_one(home_at(home), number))
    if as_json:
        print_json(_plain(found))
        return
    drawn = Table(box=None, show_header=False, pad_edge=False)
    for name, value in _lines(found):
        drawn.add_row(Text(name, style="dim"), value)
    console.print(Text(summary(found), style="bold"))
    console.print(drawn)


@alerts.command("ack")
@guarded
def ack(
    number: NumberArgument,
    note: Annotated[str, typer.Option(help="A few words on what was done; kept with the alert.")] = "",
    home: HomeOption = None,
) -> None:
    """Say that somebody has seen an alert. The first who says so is kept; it is audited."""
    Operator(home_at(home)).call("POST", f"/admin/alerts/{number}/acknowledgement", {"note": note})
    console.print(f"[green]✓[/] alert {number} is acknowledged")


@alerts.command("test")
@guarded
def try_destination(
    destination: Annotated[str, typer.Argument(help="A destination in gateway.toml.")],
    wait: Annotated[float, typer.Option(min=0, max=600, help="Seconds to wait for the first attempt.")] = 30.0,
    home: HomeOption = None,
) -> None:
    """Send an alert about nothing to one destination, the way real ones go, and say what became of it."""
    place = home_at(home)
    number = Operator(place).call("POST", "/admin/alerts", {"destination": destination})["number"]
    delivery = asyncio.run(_first_attempt(place, number, time.monotonic() + wait))
    if delivery is not None and delivery.state is DeliveryState.SENT:
        console.print(f"[green]✓[/] alert {number} reached {destination}")
        return
    why = "nothing was tried yet" if delivery is None else f"{delivery.state}: {delivery.code}"
    console.print(Text.assemble(("✗ ", "bold red"), f"alert {number} did not reach {destination} ({why})"))
    raise typer.Exit(Exit.UNAVAILABLE if delivery is None or delivery.state is DeliveryState.PENDING else Exit.REFUSED)


async def _first_attempt(home: Home, number: int, latest: float) -> DeliveryRecord | None:
    """The delivery once something became of it: it arrived, was given up, or failed for a first time."""
    async with AsyncExitStack() as stack:
        ledger = await open_ledger(home, stack, appends=False)
        while True:
            found = await ledger.alerts.alert(number)
            for delivery in found.deliveries if found else ():
                if delivery.state is not DeliveryState.PENDING or delivery.code:
                    return delivery
            if time.monotonic() > latest:
                return None
            await asyncio.sleep(_LOOK_EVERY)


def _count(alert: AlertRecord) -> str:
    return f"{alert.count}+{alert.repeats}" if alert.repeats else str(alert.count)


def _told(deliveries: tuple[DeliveryRecord, ...]) -> Text:
    if not deliveries:
        return Text("nobody", style="dim")
    return Text(", ").join(Text(_told_one(one), style=_STYLES[one.state]) for one in deliveries)


def _told_one(delivery: DeliveryRecord) -> str:
    return f"{delivery.destination} {delivery.state}" + (f" ({delivery.code})" if delivery.code else "")


def _seen(alert: AlertRecord) -> Text:
    return Text(
        f"{alert.acknowledged_by} {moment(alert.acknowledged)}" if alert.acknowledged else "open",
        style="dim" if alert.acknowledged else "red",
    )


def _lines(alert: AlertRecord) -> list[tuple[str, Text | str]]:
    evidence = alert.evidence
    lines: list[tuple[str, Text | str]] = [
        ("raised", moment(alert.raised)),
        ("between", f"{moment(alert.since)} and {moment(alert.at)}"),
        ("further", f"{alert.repeats} within the window"),
        ("rules", ", ".join(f"{rule} ({count})" for rule, count in evidence.rules.items()) or "-"),
        ("requests", "\n".join(evidence.requests) or "-"),
        ("detail", evidence.detail or "-"),
        ("seen", _seen(alert)),
        ("note", alert.note or "-"),
    ]
    tries = [
        f"{_told_one(one)}, {one.attempts} tries" + (f", next {moment(one.due)}" if one.due else "") for one in alert.deliveries
    ]
    return [*lines, ("told", "\n".join(tries) or "nobody: gateway.toml names no destination")]


def _plain(alert: AlertRecord) -> dict[str, Any]:
    return {
        **facts(alert),
        "raised": alert.raised,
        "repeats": alert.repeats,
        "acknowledged": alert.acknowledged or None,
        "acknowledged_by": alert.acknowledged_by,
        "note": alert.note,
        "deliveries": [msgspec.to_builtins(delivery) for delivery in alert.deliveries],
    }
