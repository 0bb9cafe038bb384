"""``lockgate grant``, ``revoke`` and ``policy``: who may, and under which rules."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.syntax import Syntax

from lockgate_cli.exits import guarded
from lockgate_cli.operator import Operator
from lockgate_cli.options import HomeOption, JsonOption, home_at
from lockgate_cli.render import console, print_json
from lockgate_schemas.errors import ConfigurationError, NotFoundError

policy = typer.Typer(no_args_is_help=True, help="Show and change the Cedar policies in force.")

ClientArgument = Annotated[str, typer.Argument(help="The client whose user gets the grant.")]
AgentArgument = Annotated[str, typer.Argument(help="The agent.")]
ActionOption = Annotated[list[str] | None, typer.Option("--action", help="Only this action; may be repeated.")]
RoleOption = Annotated[str, typer.Option(help="The role the policies ask for.")]


def _binding(operator: Operator, client: str, agent: str, role: str, actions: list[str]) -> dict[str, Any]:
    """A grant is of a tenant's user; the command line names the client that speaks for them."""
    found = next((c for c in operator.call("GET", "/admin/clients")["clients"] if c["name"] == client and c["active"]), None)
    if found is None:
        raise NotFoundError(f"no client {client} is registered")
    return {"tenant": found["tenant"], "user": found["user"], "agent": agent, "role": role, "actions": actions}


@guarded
def grant(
    client: ClientArgument,
    agent: AgentArgument,
    action: ActionOption = None,
    role: RoleOption = "caller",
    home: HomeOption = None,
) -> None:
    """Let a client's user ask an agent. Takes effect on the next message."""
    operator = Operator(home_at(home))
    operator.call("POST", "/admin/grants", _binding(operator, client, agent, role, action or []))
    console.print(f"[green]✓[/] {client} may ask [bold]{agent}[/]{' for ' + ', '.join(action) if action else ''}")


@guarded
def revoke(client: ClientArgument, agent: AgentArgument, role: RoleOption = "caller", home: HomeOption = None) -> None:
    """Take a grant away. Takes effect on the next message, also on messages that are already queued."""
    operator = Operator(home_at(home))
    operator.call("DELETE", "/admin/grants", _binding(operator, client, agent, role, []))
    console.print(f"[green]✓[/] {client} may no longer ask [bold]{agent}[/]")


@policy.command("show")
@guarded
def show(as_json: JsonOption = False, home: HomeOption = None) -> None:
    """Show the policy set in force, with its version and digest."""
    found = Operator(home_at(home)).call("GET", "/admin/policy")
    if as_json:
        print_json(found)
        return
    if not found.get("text"):
        console.print("[red]no policy is in force: everything is denied[/]")
        return
    console.print(f"[dim]version {found['version']}, epoch {found['epoch']}, sha256 {found['digest'][:16]}…[/]")
    console.print(Syntax(found["text"], "javascript", background_color="default"))


@policy.command("apply")
@guarded
def apply(
    file: Annotated[Path, typer.Argument(help="A file of Cedar policies.", exists=True, dir_okay=False)],
    home: HomeOption = None,
) -> None:
    """Put a policy set in force, if it parses. It replaces the one before, for the next message on."""
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ConfigurationError(f"{file} is not UTF-8 text") from None
    version = Operator(home_at(home)).call("PUT", "/admin/policy", {"text": text})["version"]
    console.print(f"[green]✓[/] policy version {version} is in force")
