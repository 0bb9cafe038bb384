"""A gateway for as long as it is needed: the one that runs, or one started for this command alone.

After a demo its folder holds registered example agents and their credentials; a gateway that is started for one command starts those agents too, so that
there is somebody to answer.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from lockgate_cli.home import Home
from lockgate_schemas.errors import UnavailableError

EXAMPLES: Final = {
    "code-review": "lockgate.examples.code_review",
    "reporting": "lockgate.examples.reporting",
    "ops": "lockgate.examples.ops",
}
"""The example agents and the modules that run them."""
STOP_BOUND: Final = 15.0
"""Seconds an agent may take to finish what it is doing."""


@asynccontextmanager
async def running_gateway(home: Home) -> AsyncIterator[str]:
    """The address of the gateway in ``home``; started, with the example agents that are registered there, when none runs."""
    try:
        url = home.running().url
    except UnavailableError:
        url = ""
    if url:
        yield url
        return
    from lockgate_cli.supervisor import gateway  # noqa: PLC0415 - most requests go to a gateway that runs already

    async with gateway(home.folder) as started, example_agents(home.agent_file(name) for name in EXAMPLES):
        yield started.url


@asynccontextmanager
async def example_agents(files: Iterable[Path]) -> AsyncIterator[None]:
    """Run the example agents whose credential files exist, each as a process of its own."""
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            EXAMPLES[file.stem],
            "--credentials",
            str(file),
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        for file in files
        if file.exists()
    ]
    try:
        yield
    finally:
        for process in processes:
            with suppress(ProcessLookupError):
                process.terminate()
        for process in processes:
            try:
                async with asyncio.timeout(STOP_BOUND):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
