"""What an agent wrote, on a terminal: it is shown, and gives the terminal no orders."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from lockgate_cli.render import foreign

ORDERS = ["\x1b[2J", "\x1b]52;c;eA==\x07", "\x9b1A", "\x1bc", "\x00", "\x7f", "\x0e", "\x1b[31m"]


def shown(text: str, *, as_json: bool = False) -> str:
    out = io.StringIO()
    Console(file=out, force_terminal=True, color_system=None, width=200).print(foreign(text, as_json=as_json))
    return out.getvalue()


@pytest.mark.parametrize("order", ORDERS)
def test_no_order_reaches_the_terminal(order: str) -> None:
    for written in (shown(f"a{order}b\tc\nd"), shown(json.dumps({"x": f"a{order}b"}, ensure_ascii=False), as_json=True)):
        assert all(sign.isprintable() or sign == "\n" for sign in written)
        assert "a" in written
        assert "b" in written


def test_all_else_is_shown_as_it_is() -> None:
    assert shown("Grüße [bold]x[/]\n§1\n") == "Grüße [bold]x[/]\n§1\n\n"
    assert json.loads(shown('{"name":"Zoë"}', as_json=True)) == {"name": "Zoë"}
