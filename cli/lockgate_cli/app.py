"""The command tree. Each command is a thin reader of options in `lockgate_cli.commands`; the work is elsewhere.

A command line names one command, so only that one's module is imported: granting something does not load a database driver and a
web server. Whatever is not a command's name (``--help``, a slip) gets the whole tree.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Final

import typer

COMMANDS: Final[dict[str, str]] = {
    "up": "serve:up",
    "ingress": "serve:ingress",
    "worker": "serve:worker",
    "client": "parties:clients",
    "agent": "parties:agents",
    "grant": "policy:grant",
    "revoke": "policy:revoke",
    "policy": "policy:policy",
    "content": "content:content",
    "rules": "rules:rules",
    "alerts": "alerts:alerts",
    "submit": "submit:submit",
    "requests": "requests:requests",
    "audit": "audit:audit",
    "demo": "demo:demo",
    "bench": "bench:bench",
    "version": "version:version",
}
"""Each command, and where it is defined: a function, or a tree of its own."""


def tree(names: tuple[str, ...] = tuple(COMMANDS)) -> typer.Typer:
    """The application with these commands; all of them, unless fewer will do."""
    app = typer.Typer(
        name="lockgate",
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_show_locals=False,  # locals hold payloads and keys
        help="[bold]Lockgate[/]: a message-broker mediated gateway for AI agents. Deny by default, fail closed, lose nothing.",
        epilog="Exit codes: 0 done, 1 refused, 2 usage or configuration, 3 unavailable, 4 does not verify.",
    )
    app.callback()(lambda: None)  # with it, a tree of a single command still expects that command's name
    for name in names:
        module, _, attribute = COMMANDS[name].partition(":")
        command = getattr(import_module(f"lockgate_cli.commands.{module}"), attribute)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def main() -> None:
    """The entry of the ``lockgate`` script."""
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    tree((wanted,) if wanted in COMMANDS else tuple(COMMANDS))()
