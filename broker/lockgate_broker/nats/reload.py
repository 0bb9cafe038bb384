"""Make a running nats-server read its configuration again, and know when it has.

The signal goes to the process of this very folder or to nobody: a process id in a file outlives its process, so name and
command line are compared first. The server says in its log when it is done; that is the only answer SIGHUP has.
"""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

from lockgate_schemas.errors import BrokerError, ConfigurationError

if TYPE_CHECKING:
    from lockgate_broker.nats.folder import BrokerFolder

READY: Final = "Server is ready"
RELOADED: Final = "Reloaded server configuration"
REFUSED: Final = "Failed to reload server configuration"
POLL: Final = 0.01


@dataclass(slots=True)
class LogTail:
    """What a log file says from now on."""

    path: Path
    offset: int = 0

    @classmethod
    def of(cls, path: Path) -> LogTail:
        """Start at the end of ``path``."""
        return cls(path, path.stat().st_size if path.exists() else 0)

    def text(self) -> str:
        """Everything written since the start; from the top again if the server rotated the file."""
        if not self.path.exists():
            return ""
        with self.path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(self.offset if size >= self.offset else 0)
            return file.read().decode(errors="replace")


async def reload_server(folder: BrokerFolder, bound: float = 15.0) -> None:
    """Reload once; raise `ConfigurationError` if the server refused the file, `BrokerError` if it is not there or silent."""
    process = running_server(folder)
    tail = LogTail.of(folder.log)
    process.send_signal(signal.SIGHUP)
    try:
        async with asyncio.timeout(bound):
            while RELOADED not in (text := tail.text()):
                if REFUSED in text:
                    raise ConfigurationError("the broker refused its new configuration and goes on with the old one")
                await asyncio.sleep(POLL)
    except TimeoutError as error:
        raise BrokerError("the broker did not reload in time") from error


def running_server(folder: BrokerFolder) -> psutil.Process:
    """Find the server that runs on ``folder``; raise `BrokerError` if there is none."""
    try:
        process = psutil.Process(int(folder.pid.read_text().strip()))
        if str(folder.server_conf) in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
            return process
    except (OSError, ValueError, psutil.Error) as error:
        raise BrokerError("the broker's process is not running") from error
    raise BrokerError("the broker's process is not running")
