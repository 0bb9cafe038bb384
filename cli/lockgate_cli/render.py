"""How things look on a terminal: one console, one way to print a table or JSON, one palette for outcomes."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.json import JSON
from rich.table import Table
from rich.text import Text

from lockgate_schemas.passage import Outcome

console: Final = Console()

COLOURS: Final = {
    Outcome.DELIVERED: "green",
    Outcome.DENIED: "red",
    Outcome.BLOCKED: "magenta",
    Outcome.FAILED: "yellow",
    Outcome.EXPIRED: "yellow",
    Outcome.CANCELLED: "cyan",
    Outcome.QUARANTINED: "bold red",
}
_CONTROLS: Final = {code: "\ufffd" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\a\b\t\n\v\f\r"}
"""What a terminal may take for an order, ESC above all; five more are taken out by the console itself."""
_DECISIONS: Final = {
    **{str(k): v for k, v in COLOURS.items()},
    "allow": "green",
    "show": "green",
    "flag": "yellow",
    "redact": "cyan",
    "record": "dim",
}


def print_json(value: Any) -> None:
    """One JSON document on standard output, for machines."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value)).decode() + "\n")


def foreign(text: str, *, as_json: bool = False) -> Text:
    """Somebody else's text. It could colour, move the cursor, or write another outcome over ours, so that no control character of it reaches the terminal."""
    shown = JSON(text).text if as_json else Text(text)
    shown.plain = shown.plain.translate(_CONTROLS)
    return shown


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str | Text]], *, empty: str = "nothing yet") -> None:
    """A table, or one dim line that says that there is nothing."""
    drawn = Table(title=title, title_justify="left", title_style="bold", header_style="dim", box=None, pad_edge=False)
    for column in columns:
        drawn.add_column(column, overflow="fold")
    count = 0
    for row in rows:
        drawn.add_row(*row)
        count += 1
    console.print(drawn if count else f"[dim]{title}: {empty}[/]")


def outcome_text(outcome: Outcome | None) -> Text:
    """An outcome in its colour; a request without one is still open."""
    return Text(str(outcome), style=COLOURS[outcome]) if outcome else Text("open", style="dim")


def decision_text(decision: str) -> Text:
    """A gate's decision in its colour; anything but going on is red."""
    return Text(decision, style=_DECISIONS.get(decision, "red"))


def moment(milliseconds: int) -> str:
    """A time of day for people, in their own zone."""
    return datetime.fromtimestamp(milliseconds / 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S")
