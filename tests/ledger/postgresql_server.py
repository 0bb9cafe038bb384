"""A real PostgreSQL server for tests: in a folder of its own, on a socket in it, with a password, fsync on, and one database for each who asks."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import pytest

PASSWORD = "hunter2-of-the-ledger"
_USER = "lockgate"
_NEEDED = ("initdb", "postgres", "pg_ctl", "psql")
_MISSING = "PostgreSQL's server programs are missing: install the Debian package postgresql"


def find_programs() -> Path | None:
    """The folder with the server's programs."""
    folders = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda f: int(f.parent.name.partition(".")[0]), reverse=True
    )
    if config := shutil.which("pg_config"):
        told = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=False)
        folders.insert(0, Path(told.stdout.strip()))
    if found := shutil.which("initdb"):
        folders.append(Path(found).parent)
    return next((folder for folder in folders if all((folder / name).is_file() for name in _NEEDED)), None)


def _other_user() -> dict[str, Any]:
    """As whom to run it: PostgreSQL refuses to be root."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = names.get("postgres") or names["nobody"]
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


class PostgresqlServer:
    """Started by `running_server`; can be killed, stopped in its tracks, and started again."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._as = _other_user()
        self._names = (f"test_{number}" for number in count())

    def initialise(self) -> None:
        secret = self._folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o600)
        if self._as:
            for path in (self._folder, secret):
                os.chown(path, self._as["user"], self._as["group"])
        self._run(
            "initdb",
            "--no-sync",
            "-D",
            self._data,
            "-U",
            _USER,
            "--auth=scram-sha-256",
            f"--pwfile={secret}",
            "-E",
            "UTF8",
            "--locale=C",
        )

    def start(self) -> None:
        options = f"-k {self._folder} -c listen_addresses= -c max_connections=60"
        self._run("pg_ctl", "-D", self._data, "-l", self._folder / "log", "-w", "-t", "60", "-o", options, "start")

    def stop(self, mode: str = "fast") -> None:
        self._run("pg_ctl", "-D", self._data, "-m", mode, "-w", "-t", "60", "stop")

    @property
    def running(self) -> bool:
        return (self._data / "postmaster.pid").exists()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Every process of it stopped in its tracks: connections stay, answers do not come."""
        processes = self._processes()
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            for process in processes:
                os.kill(process, signal.SIGCONT)

    @contextmanager
    def as_standby(self) -> Iterator[None]:
        """What is started within only follows, and there is nobody to follow."""
        mark = self._data / "standby.signal"
        mark.touch()
        if self._as:
            os.chown(mark, self._as["user"], self._as["group"])
        try:
            yield
        finally:
            mark.unlink()

    def new_database(self, options: str = "") -> str:
        """Create a database; return its url, with the password in it."""
        name = next(self._names)
        self.psql("postgres", f"CREATE DATABASE {name} {options}")
        return self.url(name)

    def url(self, database: str, password: str = PASSWORD) -> str:
        return f"postgresql://{_USER}:{password}@/{database}?host={self._folder}"

    def psql(self, database: str, statement: str) -> str:
        """Run one statement as the superuser; return what it printed."""
        where = ("-h", self._folder, "-U", _USER, "-d", database)
        return self._run("psql", *where, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement)

    def log(self) -> str:
        return (self._folder / "log").read_text(errors="replace")

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _processes(self) -> list[int]:
        head = psutil.Process(int((self._data / "postmaster.pid").read_text().split()[0]))
        return [head.pid, *(child.pid for child in head.children(recursive=True))]

    def _run(self, program: str, *arguments: object) -> str:
        command = [str(self._programs / program), *map(str, arguments)]
        surroundings = {"PATH": os.defpath, "LC_ALL": "C", "PGPASSWORD": PASSWORD}
        # pg_ctl leaves the server behind it, which would keep a pipe open for ever.
        with tempfile.TemporaryFile("w+") as printed:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                env=surroundings,
                cwd="/",
                check=False,
                timeout=90,
                **self._as,
            )
            printed.seek(0)
            text = printed.read()
        assert done.returncode == 0, f"{program}: {text}"
        return text


@contextmanager
def running_server() -> Iterator[PostgresqlServer]:
    """A server until the end of the block. Skips the test when there is nothing to run."""
    programs = find_programs()
    if programs is None:
        pytest.skip(_MISSING)
    # Not in pytest's own folder: another user could not reach it, and a socket's path has to be short.
    with tempfile.TemporaryDirectory(prefix="lockgate-pg-") as folder:
        server = PostgresqlServer(programs, Path(folder))
        server.initialise()
        server.start()
        try:
            yield server
        finally:
            if server.running:
                server.stop("immediate")
