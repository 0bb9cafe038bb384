"""Real commands in processes of their own, against a gateway that `lockgate up` started; what the command line's tests stand on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

LOCKGATE = [sys.executable, "-m", "lockgate_cli"]
BOUND = 120


class Shell:
    """Runs commands in one home folder."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = {**os.environ, "LOCKGATE_HOME": str(home), "COLUMNS": "160", "NO_COLOR": "1"}

    def __call__(self, *arguments: str, code: int = 0, text: str = "") -> str:
        """Run one command, expect its exit code, and return what it printed (both streams)."""
        done = subprocess.run(
            [*LOCKGATE, *arguments],
            env=self.environment,
            cwd=self.home.parent,
            input=text,
            capture_output=True,
            text=True,
            timeout=BOUND,
            check=False,
        )
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def json(self, *arguments: str, code: int = 0) -> object:
        """Run one command and parse its standard output, which must be JSON alone."""
        done = subprocess.run(
            [*LOCKGATE, *arguments, "--json"],
            env=self.environment,
            cwd=self.home.parent,
            capture_output=True,
            text=True,
            timeout=BOUND,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="session")
def shell(tmp_path_factory: pytest.TempPathFactory, compiled_home: Callable[[Path], Path]) -> Iterator[Shell]:
    home = compiled_home(tmp_path_factory.mktemp("cli") / "home")
    (home / "gateway.toml").write_text("port = 0\n")
    ready = Shell(home)
    up = subprocess.Popen([*LOCKGATE, "up"], env=ready.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    deadline = time.monotonic() + BOUND
    while not (home / "run.json").exists():
        assert up.poll() is None, up.stdout.read() if up.stdout else ""
        assert time.monotonic() < deadline
        signal.sigtimedwait((), 0.05)
    ready("client", "add", "alice", "--tenant", "acme")
    ready("client", "add", "bob", "--tenant", "acme")
    ready("agent", "add", "ops", "--action", "list", "--action", "read")
    ready("grant", "alice", "ops")
    agent = subprocess.Popen(
        [sys.executable, "-m", "lockgate.examples.ops", "--credentials", str(home / "agents" / "ops.json")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield ready
    finally:
        for process in (agent, up):
            process.terminate()
            process.wait(BOUND)
        assert up.stdout is not None
        up.stdout.close()
        assert not (home / "run.json").exists(), "a gateway that stopped still says that it runs"
