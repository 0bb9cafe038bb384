"""The options that many commands share, and how the home folder is found."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lockgate_cli.config import default_home
from lockgate_cli.home import Home, open_home
from lockgate_schemas.errors import ConfigurationError

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="The gateway's folder; $LOCKGATE_HOME, or .lockgate here, when not given.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of tables.")]


def home_at(folder: Path | None) -> Home:
    """The home that was named, or the default one; the demo's, when there is no other."""
    chosen = folder or default_home()
    demo = chosen / "demo"
    if folder is None and not (chosen / "trust.json").exists() and (demo / "trust.json").exists():
        chosen = demo
    return open_home(chosen)


def home_if_any(folder: Path | None) -> Home | None:
    """As `home_at`, and nothing when no folder was named and there is no home here: for what the shipped rules can answer too."""
    try:
        return home_at(folder)
    except ConfigurationError:
        if folder is not None or default_home().exists():
            raise
        return None
