"""The trivial agent of the benchmark: it answers with what it was asked, through the SDK, in a process of its own."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from lockgate.agent import Agent
from lockgate.credentials import AgentCredentials
from lockgate.request import Request
from lockgate.settings import AgentSettings
from lockgate_broker.connect import connect
from lockgate_cli.bench.child import run_child, say
from lockgate_cli.bench.plans import READY, AgentPlan

NAME: Final = "bench-echo"
ACTION: Final = "echo"


async def answer(plan: AgentPlan, stop: asyncio.Event) -> None:
    """Work until told to stop. The concurrency is raised from the SDK's careful default: an echo waits for nothing but the broker."""
    credentials = AgentCredentials.load(plan.credentials)
    agent = Agent(NAME, settings=AgentSettings(concurrency=plan.concurrency, prefetch=plan.concurrency))

    @agent.action(ACTION)
    async def echo(request: Request[Any]) -> str:
        return str(request.data)

    async with await connect(credentials.broker, name=f"agent {NAME}") as broker:
        say(READY)
        await agent.serve(broker, credentials.trust, stop=stop)


if __name__ == "__main__":
    run_child(AgentPlan, answer)
