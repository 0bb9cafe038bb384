"""``lockgate rules``: which rules there are, whether they do what they say, what they say of a text, and what they cost."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from lockgate_cli.allowing import added, entries_for, written
from lockgate_cli.commands.content import APPLYING
from lockgate_cli.commands.redact import redact
from lockgate_cli.commands.rule_packs import bench, try_examples
from lockgate_cli.commands.rule_scores import calibrate
from lockgate_cli.exits import guarded
from lockgate_cli.explaining import Explained, Said, Scored, explained, scored
from lockgate_cli.operator import Operator
from lockgate_cli.options import HomeOption, JsonOption, home_at, home_if_any
from lockgate_cli.render import console, decision_text, print_json, table
from lockgate_cli.rulebook import KINDS, Rulebook, chosen_kinds, content_in_force
from lockgate_cli.texts import STANDARD_INPUT, standard_input, text_of, typed_secret
from lockgate_schemas.errors import ConfigurationError
from lockgate_workers.scanning.content import TunedScanners, day
from lockgate_workers.scanning.findings import Category
from lockgate_workers.scanning.overrides import OFF, actions_for
from lockgate_workers.scanning.packs import Pack, Rule
from lockgate_workers.scanning.reloading import read_content

rules = typer.Typer(no_args_is_help=True, help="List, test, explain and measure the rules of the content gates.")
rules.command("test")(try_examples)
rules.command("bench")(bench)
rules.command("calibrate")(calibrate)
rules.command("redact")(redact)

ScannerOption = Annotated[str, typer.Option("--scanner", help="Only this scanner: injection or dlp.", show_default=False)]
TenantOption = Annotated[str, typer.Option(help="As it is for this tenant.", show_default=False)]
AgentOption = Annotated[str, typer.Option(help="As it is for this agent.", show_default=False)]
RuleOption = Annotated[str, typer.Option("--rule", help="The rule whose finding is to pass.")]


@dataclass(frozen=True, slots=True)
class Listed:
    """One rule as it is shown. ``action`` is what holds, ``pack_action`` what its pack asks for."""

    rule: str
    scanner: str
    pack: str
    version: str
    category: str
    severity: str
    confidence: float
    pack_action: str
    action: str
    title: str
    description: str


@rules.command("list")
@guarded
def list_rules(
    scanner: ScannerOption = "",
    category: Annotated[Category | None, typer.Option(help="Only rules of this kind.", show_default=False)] = None,
    tenant: TenantOption = "",
    agent: AgentOption = "",
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Show the rules in force: the shipped ones, the installation's own, and what its content policy makes of them."""
    found = home_if_any(home)
    book, policy = Rulebook.of(found), read_content(asyncio.run(content_in_force(found)))
    actions = actions_for(policy.rules, tenant, agent, _today())
    listed = [
        _listed(kind, pack, rule, actions)
        for kind in chosen_kinds(scanner)
        for pack in book.packs(kind, policy)
        for rule in pack.rules
        if category in {None, rule.category}
    ]
    if as_json:
        print_json(listed)
        return
    rows = [(one.rule, one.pack, one.category, one.severity, _action(one), one.title) for one in listed]
    table(f"{len(rows)} rules", ("rule", "pack", "category", "severity", "action", "finds"), rows, empty="none of this kind")


@rules.command("explain")
@guarded
def explain(
    text: Annotated[
        str, typer.Argument(help="The text, or - for standard input (a secret does not belong into an argument).")
    ] = "",
    file: Annotated[Path | None, typer.Option(help="The text is in this file.", show_default=False)] = None,
    scanner: ScannerOption = "",
    tenant: TenantOption = "",
    agent: AgentOption = "",
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Show what each rule says of a text: where it fired, and what becomes of it. What was found is shown as dots."""
    given = _given(text, file)
    found = home_if_any(home)
    book, record = Rulebook.of(found), asyncio.run(content_in_force(found))
    policy = read_content(record)
    told: dict[str, Explained] = {}
    score: Scored | None = None
    for kind in chosen_kinds(scanner):
        source = book.source(kind)
        rules, tuned = source.scanner(policy), source(record).tuned(tenant, agent, _today())
        told[kind] = explained(given, rules, tuned)
        if kind == "injection":
            score = scored(given, tuned, policy.injection)
    if as_json:
        print_json({**told, "score": score})
        return
    for name, one in told.items():
        _show_explained(name, one)
    if score is not None:
        console.print(f"injection score {score.score:.3f}, flagged from {score.flag:.3f}, blocked from {score.block:.3f}")


def _given(text: str, file: Path | None) -> str:
    """The one text that is meant. Raises `ConfigurationError` when there is none, or more than one."""
    if bool(text) == (file is not None):
        raise ConfigurationError("give a text, - for standard input, or --file, and only one of them")
    if file is not None:
        return text_of(file)
    return standard_input() if text == STANDARD_INPUT else text


def _show_explained(name: str, one: Explained) -> None:
    if one.refused:
        console.print(f"[bold]{name}[/]: [red]the scan was refused ({one.refused}): the gate blocks[/]")
        return
    rows = [
        (said.rule, f"{said.line}:{said.column}" if said.line else "", _outcome(said), said.view, Text(said.excerpt))
        for said in one.said
    ]
    table(name, ("rule", "place", "outcome", "read", "in"), rows, empty="no rule says anything")


def _outcome(said: Said) -> Text:
    if said.dropped:
        return Text(f"dropped: {said.dropped}", style="dim")
    return decision_text(said.action) if said.action != OFF else Text(OFF, style="dim")


@rules.command("allow")
@guarded
def allow(
    rule: RuleOption,
    reason: Annotated[str, typer.Option(help="Why the value is harmless.")],
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The last day; without one, for good.", show_default=False)
    ] = None,
    tenant: TenantOption = "",
    agent: AgentOption = "",
    apply: Annotated[bool, typer.Option("--apply", help="Add it to the content policy in force.")] = False,
    home: HomeOption = None,
) -> None:
    """Make an entry that lets one known value pass. The value is read from standard input or asked for, and kept as a salted hash."""
    found = home_at(home)
    book = Rulebook.of(found)
    record = asyncio.run(content_in_force(found))
    scanners = next((one for kind in KINDS if _has(one := book.scanners(kind, record), rule)), None)
    if scanners is None:
        raise ConfigurationError(f"no rule is named {rule}: `lockgate rules list` shows them")
    last = until.date() if until else None
    value = typed_secret("value")
    entries = entries_for(
        value, scanners.scanner, found.content_salt(), rule=rule, reason=reason, tenant=tenant, agent=agent, until=last
    )
    if not apply:
        sys.stdout.write("allowed:\n" + written(entries))
        return
    operator = Operator(found, patience=APPLYING)
    text = added(operator.call("GET", "/admin/content")["text"], entries)
    version = operator.call("PUT", "/admin/content", {"text": text})["version"]
    console.print(f"[green]✓[/] allowed; content policy version {version} is in force")


def _has(scanners: TunedScanners, rule: str) -> bool:
    return any(one.id == rule for one in scanners.scanner.rules)


def _today() -> date:
    return day(int(datetime.now(UTC).timestamp() * 1000))


def _listed(kind: str, pack: Pack, rule: Rule, actions: Mapping[str, str]) -> Listed:
    return Listed(
        rule=rule.id,
        scanner=kind,
        pack=pack.name,
        version=pack.version,
        category=rule.category.value,
        severity=rule.severity.value,
        confidence=rule.confidence,
        pack_action=rule.action.value,
        action=actions.get(rule.id, rule.action.value),
        title=rule.title,
        description=rule.description,
    )


def _action(one: Listed) -> Text:
    """The action that holds, and a mark where it is not the pack's."""
    shown = Text(OFF, style="dim") if one.action == OFF else decision_text(one.action)
    return shown if one.action == one.pack_action else shown.append(f" (not {one.pack_action})", style="dim")
