"""A desk for the documentation's programs: a real gateway, and what the pages tell the reader to register and start, done to the letter."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from docs_reading import Block, all_blocks, blocks

COMMAND = Path(sys.executable).parent / "lockgate"
BOUND = 60.0
"""Seconds for any one program of the documentation."""


@dataclass(frozen=True)
class Desk:
    """A folder in which the documentation's programs run, beside a gateway."""

    folder: Path
    home: Path
    stack: ExitStack

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "LOCKGATE_HOME": str(self.home), "COLUMNS": "200", "PYTHONUNBUFFERED": "1"}

    def write(self, block: Block) -> Path:
        path = self.folder / block.name
        path.write_text(block.text, encoding="utf-8")
        return path

    def run(self, *arguments: str | Path) -> str:
        """Run a program to its end, which must be a good one; return what it printed."""
        done = subprocess.run(
            arguments, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=BOUND, check=False
        )
        assert done.returncode == 0, f"{arguments} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def follow(self, block: Block) -> None:
        """Do what a shell block says: ``lockgate`` commands in order, and ``python`` programs in the background until the end."""
        for line in block.text.splitlines():
            word, *rest = shlex.split(line)
            if word == "lockgate":
                self.run(COMMAND, *rest)
            elif word == "python":
                self.start("is ready", sys.executable, *rest)
            else:
                raise AssertionError(f"nobody said how to do: {line}")

    def start(self, ready: str, *arguments: str | Path) -> None:
        """Start a program, and return when it has said ``ready``. It is stopped with the desk."""
        process = self.stack.enter_context(
            subprocess.Popen(
                arguments, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
        )
        self.stack.callback(_stop, process)
        said = _said(process.stdout, ready)
        assert ready in said, f"{arguments} did not get ready:\n{said}"


def _said(output: IO[str] | None, ready: str) -> str:
    """What a program says up to and with ``ready``, or to its end."""
    said = ""
    for line in output or ():
        said += line
        if ready in line:
            break
    return said


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.communicate(timeout=BOUND)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory, compiled_home: Callable[[Path], Path]) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("desk")
    home = compiled_home(folder / "home")
    (home / "gateway.toml").write_text("port = 0\n")
    with ExitStack() as stack:
        desk = Desk(folder, home, stack)
        desk.start("Lockgate is up", COMMAND, "up")
        for block in all_blocks("python"):
            desk.write(block)
        for page, number in (("README.md", 3), ("docs/agents.md", 0), ("docs/clients.md", 0)):
            desk.follow(blocks(page, "sh")[number])
        desk.run(COMMAND, "grant", "billing", "reports")
        yield desk
