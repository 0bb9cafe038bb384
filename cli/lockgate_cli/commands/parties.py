"""``lockgate client`` and ``lockgate agent``: who may sign, and who may answer."""

from __future__ import annotations

import secrets
from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from lockgate.credentials import AgentCredentials, ClientCredentials
from lockgate_broker.port import Credential
from lockgate_cli.exits import guarded
from lockgate_cli.home import Home
from lockgate_cli.operator import Operator
from lockgate_cli.options import HomeOption, JsonOption, home_at
from lockgate_cli.render import console, print_json, table
from lockgate_schemas.signing import public_key_of

clients = typer.Typer(no_args_is_help=True, help="Register the services and people who send requests.")
agents = typer.Typer(no_args_is_help=True, help="Register the agents that answer them.")

NameArgument = Annotated[str, typer.Argument(help="A logical name: lower-case letters, digits, single hyphens.")]
FileOption = Annotated[Path | None, typer.Option("--out", help="Where to write the credential file.", show_default=False)]


def register_client(
    home: Home, name: str, *, tenant: str, user: str, broker: bool, operator: Operator | None = None
) -> ClientCredentials:
    """Make a key pair here, enrol its public half, and return the credentials. The private seed never leaves this machine."""
    seed = secrets.token_bytes(32)
    answer = (operator or Operator(home)).call(
        "POST",
        "/admin/clients",
        {
            "name": name,
            "tenant": tenant,
            "user": user,
            "public_key": b64encode(public_key_of(seed)).decode(),
            "broker": broker,
        },
    )
    return ClientCredentials(
        name=name,
        tenant=tenant,
        gateway=home.config.gateway,
        url=home.running().url,
        kid=answer["kid"],
        seed=seed,
        trust=home.trust,
        broker=_credential(answer.get("broker")),
    )


def register_agent(
    home: Home, name: str, *, tenant: str, actions: list[str], operator: Operator | None = None
) -> AgentCredentials:
    """Register an agent and return its credentials; its queues exist and were proved to work when this returns."""
    body = {"name": name, "tenant": tenant, "actions": actions}
    answer = (operator or Operator(home)).call("POST", "/admin/agents", body)
    credential = _credential(answer["broker"])
    if credential is None:
        raise typer.Exit(1)
    return AgentCredentials(name=name, gateway=home.config.gateway, broker=credential, trust=home.trust)


def _credential(found: Any) -> Credential | None:
    if found is None:
        return None
    return Credential(tuple(found["servers"]), found["user"], found["seed"], found["inbox"])


@clients.command("add")
@guarded
def add_client(
    name: NameArgument,
    tenant: Annotated[str, typer.Option(help="The tenant it belongs to.")] = "default",
    user: Annotated[str, typer.Option(help="The user its signature speaks for; its own name when not given.")] = "",
    broker: Annotated[bool, typer.Option("--broker", help="Also give it its own topics on the broker.")] = False,
    out: FileOption = None,
    home: HomeOption = None,
) -> None:
    """Enrol a client: make its key here, register the public half, write its credential file."""
    place = home_at(home)
    path = out or place.client_file(name)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    register_client(place, name, tenant=tenant, user=user or name, broker=broker).save(path)
    console.print(f"[green]✓[/] client [bold]{name}[/] is enrolled; its credentials are in {path}")
    console.print(f"[dim]It may do nothing yet: lockgate grant {name} AGENT[/]")


@clients.command("list")
@guarded
def list_clients(as_json: JsonOption = False, home: HomeOption = None) -> None:
    """Show the registered clients."""
    found = Operator(home_at(home)).call("GET", "/admin/clients")["clients"]
    if as_json:
        print_json(found)
        return
    rows = [[c["name"], c["tenant"], c["user"], "yes" if c["broker"] else "", "" if c["active"] else "removed"] for c in found]
    table("clients", ["name", "tenant", "user", "broker", "state"], rows)


@clients.command("remove")
@guarded
def remove_client(name: NameArgument, home: HomeOption = None) -> None:
    """Remove a client: its keys stop verifying with the next message, queued ones included."""
    Operator(home_at(home)).call("DELETE", f"/admin/clients/{name}")
    console.print(f"[green]✓[/] client [bold]{name}[/] is removed")


@clients.command("add-key")
@guarded
def add_key(
    name: NameArgument,
    out: FileOption = None,
    home: HomeOption = None,
) -> None:
    """Enrol another key of a client and write new credentials; the keys before stay good until they are revoked."""
    place = home_at(home)
    path = out or place.client_file(name)
    before = ClientCredentials.load(place.client_file(name))
    seed = secrets.token_bytes(32)
    body = {"client": name, "public_key": b64encode(public_key_of(seed)).decode(), "ends": 0}
    kid = Operator(place).call("POST", "/admin/keys", body)["kid"]
    replace(before, kid=kid, seed=seed).save(path)
    console.print(f"[green]✓[/] client [bold]{name}[/] has a new key; its credentials are in {path}")
    console.print(f"[dim]When nobody uses the old one any more: lockgate client revoke-key {before.kid}[/]")


@clients.command("revoke-key")
@guarded
def revoke_key(kid: Annotated[str, typer.Argument(help="The key's id.")], home: HomeOption = None) -> None:
    """Revoke one key of a client."""
    Operator(home_at(home)).call("DELETE", f"/admin/keys/{kid}")
    console.print(f"[green]✓[/] key [bold]{kid}[/] is revoked")


@agents.command("add")
@guarded
def add_agent(
    name: NameArgument,
    actions: Annotated[list[str], typer.Option("--action", help="An action it declares; may be repeated.")],
    tenant: Annotated[str, typer.Option(help="The tenant that owns it.")] = "default",
    out: FileOption = None,
    home: HomeOption = None,
) -> None:
    """Register an agent: its own account and queues on the broker, and its credential file."""
    place = home_at(home)
    path = out or place.agent_file(name)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    register_agent(place, name, tenant=tenant, actions=actions).save(path)
    console.print(f"[green]✓[/] agent [bold]{name}[/] is registered; its credentials are in {path}")


@agents.command("list")
@guarded
def list_agents(as_json: JsonOption = False, home: HomeOption = None) -> None:
    """Show the registered agents."""
    found = Operator(home_at(home)).call("GET", "/admin/agents")["agents"]
    if as_json:
        print_json(found)
        return
    rows = [[a["name"], a["tenant"], ", ".join(a["actions"]), "" if a["active"] else "removed"] for a in found]
    table("agents", ["name", "tenant", "actions", "state"], rows)


@agents.command("remove")
@guarded
def remove_agent(name: NameArgument, home: HomeOption = None) -> None:
    """Remove an agent: its credentials open nothing from now on, and its queues are gone."""
    Operator(home_at(home)).call("DELETE", f"/admin/agents/{name}")
    console.print(f"[green]✓[/] agent [bold]{name}[/] is removed")
