"""An agent as a program: arguments, logging, signals, exit status. Everything else is `lockgate.agent`'s."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from lockgate.credentials import AgentCredentials
from lockgate_schemas.errors import LockgateError

if TYPE_CHECKING:
    from lockgate.agent import Agent

_UNUSABLE: Final = 2
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


def run_program(agent: Agent, arguments: Sequence[str] | None) -> None:
    """Parse ``arguments`` and run ``agent`` until a signal; leave with status 2 on an error that a person has to look at."""
    path = _arguments(agent, arguments).credentials
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        asyncio.run(_run(agent, AgentCredentials.load(path)))
    except LockgateError as error:
        sys.stderr.write(f"{agent.name}: {error.code}: {error.diagnostics()}\n")
        raise SystemExit(_UNUSABLE) from None


def _arguments(agent: Agent, arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=f"Run the agent {agent.name} (actions: {', '.join(agent.actions)}).")
    default = os.environ.get("LOCKGATE_CREDENTIALS")
    parser.add_argument(
        "--credentials",
        default=default,
        required=default is None,
        metavar="FILE",
        help="the file that the gateway's operator made for this agent (default: $LOCKGATE_CREDENTIALS)",
    )
    return parser.parse_args(arguments)


async def _run(agent: Agent, credentials: AgentCredentials) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, stop.set)
    try:
        await agent.run(credentials, stop=stop)
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
