"""Every command line in the documentation is one that exists: sub-command, arguments and options parse, and make targets are there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from docs_reading import PAGES, ROOT, command_lines, spans, table

from lockgate_cli.app import tree
from lockgate_cli.exits import Exit

COMMAND: Any = typer.main.get_command(tree())  # typer brings its parser along under a private name


def _parsed(words: list[str]) -> Any:
    """Parse as the command line would, without running anything; return the command. Raises the parser's usage error."""
    command, context, arguments = COMMAND, None, words
    while True:
        # A copy: parsing takes the words away.
        context = command.make_context(command.name or "lockgate", list(arguments), parent=context)
        if not hasattr(command, "commands"):
            return command
        _, command, arguments = command.resolve_command(context, [*context._protected_args, *context.args])


def _resolved(words: list[str]) -> bool:
    """Whether the leading words name a command; what follows may be described rather than written out."""
    command = COMMAND
    for word in words:
        if not hasattr(command, "commands"):
            return True
        command = command.commands.get(word)
        if command is None:
            return False
    return True


def _make_targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES)
def test_commands_in_shell_blocks_parse(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for words in command_lines(page):
        name, *arguments = words
        if Path(name).name == "lockgate":
            for file in (Path(word) for word in arguments if re.fullmatch(r"[\w./-]+\.(cedar|json|yaml)", word)):
                file.parent.mkdir(parents=True, exist_ok=True)
                file.touch()
            assert _parsed(arguments).name, words
        elif name == "make":
            assert set(arguments) <= _make_targets(), words


@pytest.mark.parametrize("page", PAGES)
def test_commands_in_running_text_exist(page: str) -> None:
    for words in spans(page):
        assert _resolved(words[1:]), f"{page}: {' '.join(words)}"


def test_these_checks_can_fail() -> None:
    with pytest.raises(Exception, match="Missing parameter: agent"):
        _parsed(["grant", "alice"])
    with pytest.raises(Exception, match="No such option"):
        _parsed(["up", "--nowhere"])
    with pytest.raises(Exception, match="No such command"):
        _parsed(["frobnicate"])
    assert not _resolved(["client", "frobnicate"])


def test_the_exit_codes_are_the_documented_ones() -> None:
    assert [int(row[0]) for row in table("docs/operations.md", "Exit code")] == [int(code) for code in Exit]


def test_hooks_run_what_is_in_the_repository_and_fetch_nothing() -> None:
    repositories = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [one["repo"] for one in repositories] == ["local"]
    for hook in repositories[0]["hooks"]:
        words = hook["entry"].split()
        assert words[0].startswith(".venv/bin/") or (words[0] == "make" and set(words[1:]) <= _make_targets()), hook["id"]


def test_ci_runs_what_a_contributor_runs() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]
    ran = {name: [step["run"] for step in job["steps"] if "run" in step] for name, job in jobs.items()}
    assert ran == {"linux": ["bash .ci/run"], "macos": ["make test"]}
    assert not any(job.get("continue-on-error") for job in jobs.values())
    assert (ROOT / ".ci/run").is_file()
