"""The command tree. Each command is a thin reader of options in `lockgate_cli.commands`; the work is elsewhere."""

from __future__ import annotations

import typer

from lockgate_cli.commands import audit, demo, parties, policy, requests, serve, submit
from lockgate_schemas import __version__

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,  # locals hold payloads and keys
    help="[bold]Lockgate[/]: a message-broker mediated gateway for AI agents. Deny by default, fail closed, lose nothing.",
    epilog="Exit codes: 0 done, 1 refused, 2 usage or configuration, 3 unavailable, 4 does not verify.",
)
app.command("up")(serve.up)
app.command("ingress")(serve.ingress)
app.command("worker")(serve.worker)
app.add_typer(parties.clients, name="client")
app.add_typer(parties.agents, name="agent")
app.command("grant")(policy.grant)
app.command("revoke")(policy.revoke)
app.add_typer(policy.policy, name="policy")
app.command("submit")(submit.submit)
app.command("demo")(demo.demo)
app.add_typer(requests.requests, name="requests")
app.add_typer(audit.audit, name="audit")


@app.command("version")
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def main() -> None:
    """The entry of the ``lockgate`` script."""
    app()
