"""``lockgate alerts``: what an operator sees of alerts, and does about them, on a running gateway."""

from __future__ import annotations

from typing import Any

from cli_shell import Shell


def _listed(shell: Shell, *options: str) -> list[dict[str, Any]]:
    found: Any = shell.json("alerts", "list", *options)
    return found  # type: ignore[no-any-return]


def test_a_test_that_cannot_arrive_is_an_alert_to_see_and_to_acknowledge(shell: Shell) -> None:
    assert "unknown-destination" in shell("alerts", "test", "pager", code=1)
    newest = _listed(shell, "--open")[0]
    assert (newest["name"], newest["kind"]) == ("test", "test")
    [delivery] = newest["deliveries"]
    assert (delivery["destination"], delivery["state"], delivery["code"]) == ("pager", "failed", "unknown-destination")
    number = str(newest["alert"])
    shell("alerts", "ack", number, "--note", "only a test")
    assert number not in {str(alert["alert"]) for alert in _listed(shell, "--open")}
    assert "pager failed (unknown-destination)" in shell("alerts", "list")
    shown = shell("alerts", "show", number)
    for part in ("operator", "only a test", "test: 1 test"):
        assert part in shown
    logged: Any = shell.json("audit", "search", "--kind", "alert", "--rule", "test")
    assert {"raise", "acknowledge"} <= {entry["decision"] for entry in logged}


def test_what_is_not_there_is_refused(shell: Shell) -> None:
    assert "no alert has this number" in shell("alerts", "show", "999999", code=1)
    assert "no alert has this number" in shell("alerts", "ack", "999999", code=1)
    shell("alerts", "test", "https://example.com/", code=1)
