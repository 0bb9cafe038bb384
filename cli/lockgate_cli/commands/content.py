"""``lockgate content``: what this installation tells its content gates, beyond the rule packs that are shipped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer
from rich.syntax import Syntax

from lockgate_cli.exits import guarded
from lockgate_cli.operator import Operator
from lockgate_cli.options import HomeOption, JsonOption, home_at, home_if_any
from lockgate_cli.render import console, print_json
from lockgate_cli.texts import text_of
from lockgate_schemas.content import EMPTY, ContentPolicy

content = typer.Typer(no_args_is_help=True, help="Show, check and change the content policy in force.")

FileArgument = Annotated[Path, typer.Argument(help="A content policy, in YAML.", exists=True, dir_okay=False)]


@content.command("show")
@guarded
def show(as_json: JsonOption = False, home: HomeOption = None) -> None:
    """Show the content policy in force, with its version and digest."""
    found = Operator(home_at(home)).call("GET", "/admin/content")
    if as_json:
        print_json(found)
        return
    if not found["version"]:
        console.print("[dim]no content policy is in force: the shipped rule packs hold as they are[/]")
        return
    console.print(f"[dim]version {found['version']}, epoch {found['epoch']}, sha256 {found['digest'][:16]}…[/]")
    console.print(Syntax(found["text"], "yaml", background_color="default"))


@content.command("check")
@guarded
def check(file: FileArgument, as_json: JsonOption = False, home: HomeOption = None) -> None:
    """Build what a content policy asks for, as the gates would, without putting it in force."""
    from lockgate_cli.rulebook import Rulebook  # noqa: PLC0415 - the engines are loaded when they are needed

    with console.status("building the scanners"):
        policy = Rulebook.of(home_if_any(home)).check(text_of(file))
    if as_json:
        print_json(_counts(policy))
    else:
        console.print(f"[green]✓[/] {file.name} can be used: {_told(policy)}")


@content.command("apply")
@guarded
def apply(file: FileArgument, home: HomeOption = None) -> None:
    """Put a content policy in force, if every gate can build it. It replaces the one before, for the next message on."""
    version = Operator(home_at(home), patience=APPLYING).call("PUT", "/admin/content", {"text": text_of(file)})["version"]
    console.print(f"[green]✓[/] content policy version {version} is in force")


APPLYING = 300.0
"""Seconds that the operator's door is given: it builds both scanners before it answers, which takes longer the more packs there are."""


_PARTS: Final = frozenset({"injection", "names"})
"""Parts of the document that are there or not."""


def _counts(policy: ContentPolicy) -> dict[str, int]:
    return {
        "rules": len(policy.rules),
        "allowed": len(policy.allowed),
        "packs": len(policy.packs),
        "injection": int(policy.injection != EMPTY.injection),
        "names": int(policy.names.mode != EMPTY.names.mode),
        "operators": len(policy.operators),
        "links": len(policy.links or ()),
        "shapes": len(policy.shapes),
        "alerts": len(policy.alerts),
    }


def _told(policy: ContentPolicy) -> str:
    said = [name if name in _PARTS else f"{count} {name}" for name, count in _counts(policy).items() if count]
    if policy.links is not None and not policy.links:
        said.append("no links")
    return ", ".join(said) or "it changes nothing"
