"""``lockgate requests``: what became of requests, and the way of one of them, gate by gate."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Annotated, Any

import msgspec
import typer
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from lockgate_cli.exits import guarded
from lockgate_cli.home import Home
from lockgate_cli.options import HomeOption, JsonOption, home_at
from lockgate_cli.process import clock, open_ledger
from lockgate_cli.render import console, decision_text, moment, outcome_text, print_json, table
from lockgate_ledger.records import RequestRecord
from lockgate_schemas.errors import ChainRefusedError, NotFoundError
from lockgate_schemas.passage import Facts, Outcome, Passage, Statement, read_facts, read_statement
from lockgate_schemas.stamping import ORDER, ChainVerifier

requests = typer.Typer(no_args_is_help=True, help="Look at requests.")


async def _read(home: Home, limit: int, client: str, agent: str, outcome: Outcome | None) -> list[RequestRecord]:
    async with AsyncExitStack() as stack:
        ledger = await open_ledger(home, stack, appends=False)
        return await ledger.requests(limit=limit, client=client, agent=agent, outcome=outcome)


async def _read_one(home: Home, request_id: str) -> RequestRecord:
    async with AsyncExitStack() as stack:
        ledger = await open_ledger(home, stack, appends=False)
        record = await ledger.request(request_id)
    if record is None:
        raise NotFoundError("the ledger has no request of this id")
    return record


@requests.command("list")
@guarded
def list_requests(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, newest first.")] = 20,
    client: Annotated[str, typer.Option(help="Only this client's.")] = "",
    agent: Annotated[str, typer.Option(help="Only those to this agent.")] = "",
    outcome: Annotated[Outcome | None, typer.Option(help="Only those that ended so.")] = None,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Show the newest requests and how they ended."""
    found = asyncio.run(_read(home_at(home), limit, client, agent, outcome))
    if as_json:
        print_json([_summary(record) for record in found])
        return
    rows: list[list[str | Text]] = [
        [r.request_id, moment(r.accepted), r.client, f"{r.agent}:{r.action}", outcome_text(r.outcome), _lasted(r)]
        for r in found
    ]
    table("requests", ["id", "accepted", "client", "agent:action", "outcome", "ms"], rows)


def _lasted(record: RequestRecord) -> str:
    return str(record.ended - record.accepted) if record.ended else ""


def _summary(record: RequestRecord) -> dict[str, Any]:
    return {
        "request_id": record.request_id,
        "client": record.client,
        "tenant": record.tenant,
        "agent": record.agent,
        "action": record.action,
        "accepted": record.accepted,
        "deadline": record.deadline,
        "ended": record.ended or None,
        "outcome": record.outcome,
        "code": record.code,
        "sends": record.sends,
    }


@requests.command("show")
@guarded
def show(
    request_id: Annotated[str, typer.Argument(help="The request's id.")], as_json: JsonOption = False, home: HomeOption = None
) -> None:
    """Draw the way of one request: each gate, its decision and rule, the time it took, and whether its stamp verifies."""
    place = home_at(home)
    record = asyncio.run(_read_one(place, request_id))
    facts = read_facts(record.acceptance.facts)
    statements = [read_statement(stamp.statement) for stamp in record.stamps]
    proved = _proved(place, record)
    if as_json:
        gates = [msgspec.to_builtins(statement) for statement in statements]
        print_json({**_summary(record), "gates": gates, "verified": not proved, "why": proved})
    else:
        console.print(way(record, facts, statements, proved))
    if proved:
        raise ChainRefusedError(proved)


def _proved(home: Home, record: RequestRecord) -> str:
    """Why the chain of a request does not verify, or nothing when it does."""
    verifier = ChainVerifier(home.trust, clock_skew=home.config.limits.clock_skew)
    try:
        if record.outcome is not None:
            verifier.verify_end(record.acceptance.facts, record.stamps, record.response, now=clock())
        else:
            passage = Passage(facts=record.acceptance.facts, stamps=record.stamps)
            verifier.verify(passage, through=ORDER[len(record.stamps) - 1], now=clock())
    except (ChainRefusedError, IndexError) as error:
        return str(error) or "the chain is not complete"
    return ""


def way(record: RequestRecord, facts: Facts, statements: list[Statement], why_not: str) -> Panel:
    """The picture of one request's way through the gates. ``why_not`` is empty when every stamp verified."""
    drawn = Table(box=None, header_style="dim", pad_edge=False)
    for column in ("gate", "decision", "rule", "after", "deciding", "epoch", "stamp"):
        drawn.add_column(column, justify="right" if column in {"after", "deciding", "epoch"} else "left", overflow="fold")
    for statement in statements:
        findings = "".join(f"\n{f.rule} x{f.count}" for f in statement.findings)
        drawn.add_row(
            f"[bold]{statement.stage}[/]",
            outcome_text(statement.outcome) if statement.outcome else decision_text(statement.decision),
            Text.assemble(statement.rule or statement.code or "-", (findings, "dim")),
            f"{max(0, statement.at - facts.accepted)} ms",
            f"{statement.took} µs" if statement.took else "-",
            str(statement.epoch or "-"),
            Text("✗", style="bold red") if why_not else Text("✓", style="green"),
        )
    title = f"{record.request_id}  {facts.principal.subject} → {facts.agent}:{facts.action}"
    sealed = why_not or f"all {len(statements)} stamps verified, deadline {moment(facts.deadline)}, sent {record.sends}x"
    return Panel(drawn, title=title, subtitle=sealed, title_align="left", subtitle_align="left", expand=False)
