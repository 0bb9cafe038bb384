"""One agent's way to another: through the door and every gate, like anybody's."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "pipeline"))

from contextlib import AsyncExitStack

from pipeline_site import LIMITS, Pipeline, echo_agent, opened

from lockgate import Agent
from lockgate_schemas.names import Role
from lockgate_schemas.passage import Outcome, read_response


@pytest.fixture
async def pipeline(tmp_path: Path):
    async with AsyncExitStack() as stack:
        ready = await opened(tmp_path, LIMITS, stack)
        ready.start(Role.AUTHZ, Role.INSPECTION, Role.DLP, Role.OUTCOME)
        yield ready


@pytest.mark.requirement("C11")
async def test_an_agent_reaches_another_only_through_authz_and_dlp(pipeline: Pipeline) -> None:
    key = "AKIA" + "Q7XWZ2M4PLKJ3RTY"
    first = Agent("first")
    answers = []

    @first.action("delegate")
    async def delegate(_request) -> str:
        record = await pipeline.ended(await pipeline.submit("first-as-client", "echo", "say", f"pass on {key}"))
        answers.append(record)
        return str(record.outcome)

    await pipeline.add_client("alice")
    await pipeline.add_client("first-as-client")
    await pipeline.add_agent(echo_agent())
    await pipeline.add_agent(first)
    await pipeline.grant("alice", "first")

    # Without a grant of its own the agent gets no further than authz.
    await pipeline.ended(await pipeline.submit("alice", "first", "delegate"))
    assert answers[0].outcome is Outcome.DENIED
    assert not answers[0].dispatched

    # With one, what comes back has been through DLP.
    await pipeline.grant("first-as-client", "echo")
    await pipeline.ended(await pipeline.submit("alice", "first", "delegate"))
    assert answers[1].outcome is Outcome.DELIVERED
    assert key not in read_response(answers[1].response).body
