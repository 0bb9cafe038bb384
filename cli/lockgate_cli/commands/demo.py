"""``lockgate demo``: the main job, shown and checked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
import uvloop

from lockgate_cli.config import default_home
from lockgate_cli.demo.show import demo as show_demo
from lockgate_cli.exits import Exit, guarded


@guarded
def demo(
    home: Annotated[
        Path | None, typer.Option("--home", help="A folder of the demo's own; it is made anew.", show_default=False)
    ] = None,
    svg: Annotated[Path | None, typer.Option("--svg", help="Also save what is shown as a picture.")] = None,
) -> None:
    """Start a gateway with three agents, send it real requests of every kind, and check each answer."""
    if not uvloop.run(show_demo(home or default_home() / "demo", svg)):
        raise typer.Exit(Exit.REFUSED)
