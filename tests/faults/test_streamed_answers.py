"""Answers shown while they are written, over a real gateway: its processes, its broker, the SDK on both sides, and a gate that is killed meanwhile."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from faults_site import Site, site, until

from lockgate.client import Client
from lockgate.credentials import ClientCredentials
from lockgate.results import Submission
from lockgate.streaming import Streamed
from lockgate_cli.commands.content import APPLYING
from lockgate_cli.commands.parties import register_agent, register_client
from lockgate_cli.operator import Operator
from lockgate_schemas.errors import AnswerWithdrawnError, LockgateError, NotFoundError
from lockgate_schemas.passage import Outcome

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]

KEY = "AKIA" + "Q7XWZ2M4PLKJ3RTY"
PROSE = "The build went through and the report is in the usual place, nothing else has changed since yesterday.\n"
STREAMS = "streams: [{agent: writer, action: write}]\n"
AGENT = """
import asyncio
import sys
from collections.abc import AsyncIterator

from lockgate import Agent, Request

told = asyncio.Semaphore(0)
agent = Agent("writer")


async def listen():
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async for _ in lines:
        told.release()


async def written(request: Request) -> AsyncIterator[str]:
    task = asyncio.create_task(listen()) if not hasattr(agent, "task") else agent.task
    agent.task = task
    for piece in request.data:
        await told.acquire()
        yield piece


agent.action("write")(written)
agent.action("quiet")(written)
agent.main()
"""
"""Writes one more piece for each line on its standard input, so that nothing depends on time."""


@dataclass
class Desk:
    """The gateway, the agent that writes when it is told to, and two clients of whom one may ask it."""

    site: Site
    writer: asyncio.subprocess.Process
    other: ClientCredentials

    def write(self, pieces: int) -> None:
        assert self.writer.stdin is not None
        self.writer.stdin.write(b"\n" * pieces)

    async def policy(self, text: str) -> None:
        operator = Operator(self.site.gateway.home, patience=APPLYING)
        await asyncio.to_thread(operator.call, "PUT", "/admin/content", {"text": text})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(tmp_path_factory: pytest.TempPathFactory, compiled_home: Callable[[Path], Path]) -> AsyncIterator[Desk]:
    folder = tmp_path_factory.mktemp("streamed")
    async with site(folder, compiled_home) as ready:
        home = ready.gateway.home
        operator = Operator(home)
        actions = ["write", "quiet"]
        agent = await asyncio.to_thread(register_agent, home, "writer", tenant="acme", actions=actions, operator=operator)
        agent.save(folder / "writer.json")
        (folder / "writer.py").write_text(AGENT)
        grant = {"tenant": "acme", "user": "loader", "agent": "writer", "role": "caller", "actions": []}
        await asyncio.to_thread(operator.call, "POST", "/admin/grants", grant)
        other = await asyncio.to_thread(
            register_client, home, "other", tenant="acme", user="other", broker=False, operator=operator
        )
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(folder / "writer.py"), "--credentials", str(folder / "writer.json"),
            stderr=asyncio.subprocess.DEVNULL, stdin=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            yield Desk(ready, process, other)
        finally:
            process.terminate()
            await process.wait()


@dataclass
class Reading:
    """One answer as its reader gets it."""

    submission: Submission
    answer: Streamed
    pieces: list[str] = field(default_factory=list)
    error: LockgateError | None = None
    done: bool = False

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    async def read(self) -> None:
        try:
            async for piece in self.answer:
                self.pieces.append(piece)
        except LockgateError as error:
            self.error = error
        self.done = True


@asynccontextmanager
async def reading(desk: Desk, pieces: list[str], action: str = "write") -> AsyncIterator[Reading]:
    credentials = replace(desk.site.credentials, url=desk.site.gateway.url)
    async with Client(credentials) as client:
        submission = await client.submit("writer", action, pieces, lifetime=60)
        one = Reading(submission, client.stream(submission))
        task = asyncio.create_task(one.read())
        try:
            yield one
        finally:
            task.cancel()
            await asyncio.wait({task})


async def ended(desk: Desk, one: Reading) -> bool:
    record = await desk.site.gateway.ledger.request(one.submission.request_id)
    return record is not None and record.outcome is not None


async def logged(desk: Desk, one: Reading, **members: Any) -> list[Any]:
    found = await desk.site.gateway.ledger.search(limit=1000, request_id=one.submission.request_id, **members)
    return [each.entry for each in found]


async def test_a_secret_across_two_pieces_is_never_seen_and_the_pieces_are_the_answer(desk: Desk) -> None:
    await desk.policy(STREAMS)
    pieces = [PROSE * 8, f"{PROSE}the key is {KEY[:9]}", f"{KEY[9:]}, mind it\n{PROSE * 3}", *[PROSE * 4] * 12]
    async with reading(desk, pieces) as one:
        desk.write(len(pieces) - 1)
        await until(lambda: "[REDACTED" in one.text)
        assert not await ended(desk, one), "shown before the answer was there"
        desk.write(1)
        await until(lambda: one.done)
        assert one.error is None
        assert one.answer.result is not None
        assert one.text == one.answer.result.expect().text
        assert KEY[:9] not in one.text
        assert len(one.pieces) > 1
        entries = await logged(desk, one, kind="draft")
        assert {(entry.stage, entry.decision) for entry in entries} == {("dlp", "show")}
        assert [entry.decision for entry in await logged(desk, one, kind="outcome")] == ["delivered"]
        assert (await desk.site.gateway.ledger.verify()).intact


async def test_what_is_blocked_in_the_middle_ends_with_an_error(desk: Desk) -> None:
    await desk.policy(STREAMS + "rules: [{rule: aws-access-key, action: block}]\n")
    pieces = [PROSE * 8] * 3 + [f"the key is {KEY}, mind it\n"] + [PROSE * 8] * 6
    async with reading(desk, pieces) as one:
        desk.write(3)
        await until(lambda: one.text)
        shown = one.text
        desk.write(len(pieces) - 3)
        await until(lambda: one.done)
        assert isinstance(one.error, AnswerWithdrawnError)
        assert one.answer.result is not None
        assert one.answer.result.outcome is Outcome.BLOCKED
        assert one.text.startswith(shown)
        assert "".join(pieces).startswith(one.text)
        assert KEY not in one.text
        assert {entry.rule for entry in await logged(desk, one, kind="draft", decision="withhold")} <= {"aws-access-key"}


async def test_the_last_gate_is_killed_while_an_answer_is_written_and_nothing_is_lost(desk: Desk) -> None:
    await desk.policy(STREAMS)
    pieces = [PROSE * 5] * 24
    async with reading(desk, pieces) as one:
        desk.write(4)
        await until(lambda: one.text)
        for _ in range(2):
            before, seen = desk.site.starts("dlp"), len(one.text)
            desk.site.kill("dlp")
            desk.write(6)
            await until(lambda: desk.site.starts("dlp") > before)  # noqa: B023 - awaited at once
            desk.write(2)
            await until(lambda: len(one.text) > seen, 60)  # noqa: B023 - awaited at once
            assert not await ended(desk, one)
        desk.write(len(pieces) - 20)
        await until(lambda: one.done, 60)
        assert one.error is None
        assert one.text == "".join(pieces)
        assert one.answer.result is not None
        assert one.answer.result.text == one.text
        assert [entry.decision for entry in await logged(desk, one, kind="outcome")] == ["delivered"]


async def test_without_the_right_the_answer_comes_as_one_piece_at_its_end(desk: Desk) -> None:
    await desk.policy(STREAMS)
    async with reading(desk, [PROSE * 8] * 6, "quiet") as one:
        desk.write(6)
        await until(lambda: one.done)
        assert one.pieces == [PROSE * 48]
        assert not await logged(desk, one, kind="draft")


async def test_another_client_cannot_read_along(desk: Desk) -> None:
    await desk.policy(STREAMS)
    async with reading(desk, [PROSE * 8] * 6) as one, Client(replace(desk.other, url=desk.site.gateway.url)) as other:
        desk.write(4)
        await until(lambda: one.text)
        with pytest.raises(NotFoundError):
            [piece async for piece in other.stream(one.submission.request_id)]
        desk.write(2)
        await until(lambda: one.done)
        assert one.text == PROSE * 48
