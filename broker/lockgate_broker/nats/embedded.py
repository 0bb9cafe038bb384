"""The embedded broker: a nats-server as a child process, on loopback, with a folder of its own.

Decides how the server is started, when it counts as ready, and that it never outlives its parent. Users and permissions are
the business of `accounts.py`; they reach the server through the included file. There is no monitoring port, no websocket, no
MQTT, no leafnode and no user without a key.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import IO, Final, Self
from urllib.parse import urlsplit

from lockgate_broker.limits import DEFAULT_LIMITS, MIB, Limits
from lockgate_broker.nats.folder import BrokerFolder
from lockgate_broker.nats.reload import POLL, READY, LogTail, reload_server, running_server
from lockgate_broker.private_files import PRIVATE_FILE, write_private
from lockgate_schemas.errors import BrokerError, ConfigurationError
from lockgate_schemas.names import Role

HOST: Final = "127.0.0.1"
PORT_ATTEMPTS: Final = 5

# The shell starts a watcher that waits for a line or the end of its input, and then becomes the server itself ($$ stays
# the same number). The input is a pipe whose other end only the parent holds: however the parent dies, the pipe ends and
# the watcher stops the server. There is no moment in which the server runs unwatched, and nothing that only Linux has.
GUARD: Final = """
exec 3<&0
(
  read -r word <&3
  [ "$word" = stopped ] && exit 0
  kill -TERM $$
  for second in 1 2 3 4 5; do kill -0 $$ || exit 0; sleep 1; done
  kill -KILL $$
) >/dev/null 2>&1 &
exec "$@" 3<&- </dev/null
"""


class EmbeddedServer:
    """One nats-server process. Start it, hand its folder to the provisioner, stop it."""

    def __init__(
        self,
        root: Path,
        *,
        port: int = 0,
        listen: str = HOST,
        advertise: str = "",
        limits: Limits = DEFAULT_LIMITS,
        bound: float = 15.0,
        stop_bound: float = 5.0,
    ) -> None:
        """``port`` 0 takes the port of the last run, or a free one the first time.

        ``listen`` and ``advertise`` are for a network of its own, such as that of containers: the interface, and the host that
        credentials name. Messages are not encrypted on the way; beyond loopback the network has to be a private one.

        ``bound`` is for starting and reloading. ``stop_bound`` is shorter: with a thousand parties the server takes long to close its
        files one by one, and a kill loses nothing that it had confirmed.
        """
        self.folder = BrokerFolder.at(root)
        self._limits = limits
        self._bound = bound
        self._stop_bound = stop_bound
        self._port = port
        self._listen = listen
        self._advertise = advertise or listen
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"nats://{self._advertise}:{self._port}"

    @property
    def pid(self) -> int:
        """The server's process id; raises `BrokerError` while it is not running."""
        if self._process is None or self._process.poll() is not None:
            raise BrokerError("the embedded broker is not running")
        return self._process.pid

    @property
    def died(self) -> bool:
        """Whether the server has ended without having been told to."""
        return self._process is not None and self._process.poll() is not None

    async def revive(self) -> None:
        """Start a server that died again, on the same folder and port: connections come back by themselves."""
        died = self._process
        if died is not None:
            await asyncio.to_thread(_end, died, 0.0)
        await self.start()

    async def start(self) -> None:
        """Start, and return when the server accepts connections.

        1. A server that still runs on this folder is waited for (its parent may just have been killed), and then an error.
        2. The port: given, or that of the last run (credentials that were handed out name it), or a free one.
        3. Keys and configuration are made where they are missing.
        4. The process; a fresh port that somebody else took in between is replaced by another one.
        """
        binary = server_binary()
        await self._wait_for_predecessor()
        fixed = self._port or _recorded_port(self.folder)
        for _ in range(PORT_ATTEMPTS):
            self._port = fixed or _free_port(self._listen)
            self._write_configuration()
            if await self._launch(binary):
                return
            if fixed:
                break
        raise BrokerError(f"the port {self._port} of the embedded broker is taken by another process")

    async def reload(self) -> None:
        """Read the configuration again."""
        await reload_server(self.folder, self._bound)

    async def stop(self) -> None:
        """Stop within the bound: politely, then not."""
        process, self._process = self._process, None
        if process is not None:
            await asyncio.to_thread(_end, process, self._stop_bound)

    def kill(self) -> None:
        """SIGKILL, as a crash would: for fault tests. `start` brings it back on the same folder and port."""
        process, self._process = self._process, None
        if process is not None:
            _end(process, 0.0)

    async def __aenter__(self) -> Self:
        """Start on entry."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop on exit."""
        await self.stop()

    async def _wait_for_predecessor(self) -> None:
        end = asyncio.get_running_loop().time() + self._bound
        while _is_running(self.folder):
            if asyncio.get_running_loop().time() > end:
                raise BrokerError("another gateway runs the broker of this folder")
            await asyncio.sleep(POLL)

    def _write_configuration(self) -> None:
        self.folder.prepare((self.url,))
        write_private(
            self.folder.server_conf, server_configuration(self.folder, self._listen, self._port, self._limits).encode()
        )
        self.folder.write_accounts(self.folder.entries(), self._limits)

    async def _launch(self, binary: Path) -> bool:
        """Start the process; False if its port was taken."""
        tail = LogTail.of(self.folder.log)
        process = await asyncio.to_thread(_spawn, binary, self.folder)
        try:
            async with asyncio.timeout(self._bound):
                while READY not in tail.text() and process.poll() is None:  # noqa: ASYNC110  # a file tells no event
                    await asyncio.sleep(POLL)
        except BaseException:
            await asyncio.to_thread(_end, process, 0.0)
            raise
        text = tail.text()
        if READY in text and process.poll() is None:
            self._process = process
            return True
        await asyncio.to_thread(_end, process, 0.0)
        if "address already in use" in text:
            return False
        raise ConfigurationError(f"the embedded broker did not start; {self.folder.log} says why")


def server_configuration(folder: BrokerFolder, host: str, port: int, limits: Limits) -> str:
    """The server's own part of the configuration. Pure."""
    return "\n".join(
        (
            "server_name: lockgate",
            f'listen: "{host}:{port}"',
            f"pid_file: {_path(folder.pid)}",
            f"log_file: {_path(folder.log)}",
            "logfile_size_limit: 16MB",
            "logfile_max_num: 3",
            f"max_payload: {limits.message_bytes + MIB}",
            f"max_pending: {max(64 * MIB, 8 * limits.message_bytes)}",
            'ping_interval: "20s"',
            "ping_max: 3",
            'write_deadline: "10s"',
            "jetstream: {",
            f"  store_dir: {_path(folder.store)}",
            "  max_memory_store: 64MB",
            # Every stream has a bound of its own, and the server reserves the sum; a thousand parties are more than one
            # disk, of which they use next to nothing. A full disk shows as refused publishes either way.
            f"  max_file_store: {1 << 50}",
            "}",
            f'include "{folder.accounts_conf.name}"',
            "",
        )
    )


def server_binary() -> Path:
    """Find nats-server beside the interpreter, where its package puts it, or on the path."""
    beside = Path(sys.executable).parent / "nats-server"
    found = beside if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise ConfigurationError("nats-server is not installed; it comes with the extra lockgate[gateway]")
    return Path(found)


def _spawn(binary: Path, folder: BrokerFolder) -> subprocess.Popen[bytes]:
    folder.pid.unlink(missing_ok=True)
    with _private_append(folder.log) as log:
        return subprocess.Popen(
            ["/bin/sh", "-c", GUARD, "lockgate-broker", str(binary), "-c", str(folder.server_conf)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,  # a configuration that does not parse is reported before the log file is opened
            start_new_session=True,  # Ctrl-C at the terminal reaches the gateway first, which stops the server last
            env={"PATH": os.defpath},
        )


def _end(process: subprocess.Popen[bytes], bound: float) -> None:
    """End the process and then its watcher, which must not signal a process id that is no longer the server's."""
    if process.poll() is None and bound:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(bound)
    if process.poll() is None:
        process.kill()
        process.wait()
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(b"stopped\n")
            process.stdin.flush()
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()


def _private_append(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE_FILE), "ab")


def _is_running(folder: BrokerFolder) -> bool:
    try:
        running_server(folder)
    except BrokerError:
        return False
    return True


def _recorded_port(folder: BrokerFolder) -> int:
    if not folder.role_file(Role.PROVISIONER).exists():
        return 0
    return urlsplit(folder.role_credential(Role.PROVISIONER).servers[0]).port or 0


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def _path(path: Path) -> str:
    return json.dumps(str(path))
