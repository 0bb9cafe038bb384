"""Fixtures of the SDK's tests: a gateway of throw-away keys, settings without long waits, and an agent that records what it saw."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from lockgate import Agent, AgentSettings, Request
from lockgate.testing import ThrowawayGateway

QUICK = AgentSettings(
    pull_wait=0.02, extend_every=0.02, cancel_grace=0.05, drain=0.1, broker_pause=0.01, concurrency=3, publish_attempts=2
)


async def _until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Let others run until ``condition`` holds; fail after ``seconds``."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the conditions are of many kinds
            await asyncio.sleep(0.002)


@dataclass
class Recorder:
    """An agent with three actions, and what its handlers saw."""

    agent: Agent
    seen: list[Request[Any]] = field(default_factory=list)
    running: int = 0
    most: int = 0
    go: asyncio.Event = field(default_factory=asyncio.Event)
    ended: list[str] = field(default_factory=list)


def _recorder(settings: AgentSettings = QUICK, name: str = "recorder", **options: Any) -> Recorder:
    """``echo`` answers at once, ``hold`` waits for ``go``, ``polite`` ends when ``request.cancelled`` is set."""
    made = Recorder(Agent(name, settings=settings, **options))

    async def held(request: Request[Any], wait: Callable[[], Awaitable[Any]]) -> Any:
        made.seen.append(request)
        made.running += 1
        made.most = max(made.most, made.running)
        try:
            await wait()
            made.ended.append("finished")
        except asyncio.CancelledError:
            made.ended.append("cancelled")
            raise
        finally:
            made.running -= 1
        return request.data

    @made.agent.action("echo")
    async def echo(request: Request[Any]) -> Any:
        made.seen.append(request)
        return request.data

    @made.agent.action("hold")
    async def hold(request: Request[Any]) -> Any:
        return await held(request, made.go.wait)

    @made.agent.action("polite")
    async def polite(request: Request[Any]) -> Any:
        return await held(request, request.cancelled.wait)

    return made


Recording = Callable[..., Recorder]
Until = Callable[..., Awaitable[None]]


@pytest.fixture
def until() -> Until:
    return _until


@pytest.fixture
def recorder() -> Recording:
    return _recorder


@pytest.fixture
def quick() -> AgentSettings:
    return QUICK


@pytest.fixture
def gateway() -> ThrowawayGateway:
    return ThrowawayGateway()
