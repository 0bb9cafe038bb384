"""``lockgate rules calibrate``: thresholds for the injection score, set on what this gateway has seen.

The scores are read from the inspection gate's statements in the audit log. Nothing is put in force: the thresholds are printed as the
lines of a content policy.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from contextlib import AsyncExitStack
from typing import Annotated, Final

import typer
from rich.markup import escape

from lockgate_cli.exits import guarded
from lockgate_cli.home import Home
from lockgate_cli.options import HomeOption, JsonOption, home_at
from lockgate_cli.render import console, print_json, table
from lockgate_ledger.records import LoggedEntry
from lockgate_schemas.audit import EntryKind
from lockgate_schemas.names import Role
from lockgate_schemas.passage import Decision, read_statement
from lockgate_workers.inspection.calibrate import Calibration
from lockgate_workers.inspection.calibrate import calibrate as calibrated

_DAY: Final = 86_400_000
_DECIDED: Final = frozenset({str(Decision.ALLOW), str(Decision.FLAG), str(Decision.BLOCK)})
"""What the gate decides after it looked; a request that was quarantined has no score."""


@guarded
def calibrate(
    flag_rate: Annotated[float, typer.Option(help="Which share of ordinary requests may be flagged.")] = 0.01,
    block_rate: Annotated[float, typer.Option(help="Which share of ordinary requests may be blocked.")] = 0.001,
    days: Annotated[int, typer.Option(min=1, help="How far to look back.")] = 30,
    limit: Annotated[int, typer.Option(min=1, help="The most requests to look at, newest first.")] = 50_000,
    agent: Annotated[str, typer.Option(help="Only requests to this agent.", show_default=False)] = "",
    tenant: Annotated[str, typer.Option(help="Only requests of this tenant.", show_default=False)] = "",
    attack: Annotated[
        list[str] | None, typer.Option("--attack", help="The id of a request that was an attack; may be repeated.")
    ] = None,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Set thresholds on recorded scores, for the share of ordinary requests that may be flagged or blocked."""
    since = time.time_ns() // 1_000_000 - days * _DAY
    members = {"kind": str(EntryKind.DECISION), "stage": str(Role.INSPECTION), "agent": agent, "tenant": tenant}
    entries = asyncio.run(_entries(home_at(home), limit, since, members))
    attacks = frozenset(attack or ())
    ordinary, hostile = scores(entries, attacks)
    found = calibrated(ordinary, flag_rate, block_rate, attacks=hostile)
    if as_json:
        print_json(found)
        return
    _show(found)


async def _entries(home: Home, limit: int, since: int, members: dict[str, str]) -> list[LoggedEntry]:
    from lockgate_cli.process import open_ledger  # noqa: PLC0415 - the other commands about rules need no database

    async with AsyncExitStack() as stack:
        ledger = await open_ledger(home, stack, appends=False)
        return await ledger.search(limit=limit, since=since, until=0, **members)


def scores(entries: Iterable[LoggedEntry], attacks: frozenset[str]) -> tuple[list[float], list[float]]:
    """The scores of ordinary requests, and of those that people found to be attacks. A request counts once, however often it was decided."""
    newest: dict[str, float] = {}
    for logged in entries:
        if logged.entry.decision in _DECIDED:
            newest.setdefault(logged.entry.request_id, read_statement(logged.entry.statement).score / 1000)
    ordinary = [score for request, score in newest.items() if request not in attacks]
    return ordinary, [score for request, score in newest.items() if request in attacks]


def _show(found: Calibration) -> None:
    rows = [
        ("flag", f"{found.flag:.3f}", f"{found.flagged} of {found.scores}", f"{found.attacks_flagged} of {found.attacks}"),
        ("block", f"{found.block:.3f}", f"{found.blocked} of {found.scores}", f"{found.attacks_blocked} of {found.attacks}"),
    ]
    table("thresholds", ("", "from", "ordinary requests", "known attacks"), rows)
    for warning in found.warnings:
        console.print(f"[yellow]![/] {escape(warning)}", highlight=False)
    console.print(f"\ninjection: {{flag: {found.flag:g}, block: {found.block:g}}}", highlight=False)
