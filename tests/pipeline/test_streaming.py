"""Answers shown while they are written, over the whole pipeline: what a follower sees, what it never sees, and that drafts end nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from pipeline_site import GATEWAY, Pipeline

from lockgate import ActionFailed, Agent
from lockgate.sse import read_events
from lockgate_broker.memory.connection import MemoryBroker
from lockgate_broker.port import Outbound
from lockgate_schemas.content import content_digest
from lockgate_schemas.envelope import Access, sign_access
from lockgate_schemas.names import Role
from lockgate_schemas.passage import (
    Decision,
    Outcome,
    Passage,
    Release,
    Reply,
    Response,
    ResponseStatus,
    encode,
    raw,
    read_convoy,
    read_response,
    read_statement,
)
from lockgate_schemas.topics import NOTICE_RELEASES
from lockgate_schemas.topics import agent as agent_party
from lockgate_workers.dlp.drafts import of_draft
from lockgate_workers.dlp.stage import DlpStage
from lockgate_workers.ruling import Opened, Verdict
from lockgate_workers.runner import POISON

KEY = "AKIA" + "Q7XWZ2M4PLKJ3RTY"
PROSE = "The build went through and the report is in the usual place, nothing else has changed since yesterday.\n"
STREAMS = "streams: [{agent: writer}]\n"
BLOCKS = STREAMS + "rules: [{rule: aws-access-key, action: block}]\n"
STEP = 400


class Writer:
    """An agent that goes on writing when it is told to, so that nothing depends on time."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.told = asyncio.Semaphore(0)
        self.failure = ""
        self.agent = Agent("writer")

        @self.agent.action("say")
        async def say(_) -> AsyncIterator[str]:
            for start in range(0, len(self.text), STEP):
                await self.told.acquire()
                yield self.text[start : start + STEP]
            if self.failure:
                raise ActionFailed(self.failure)

    def write(self, steps: int = 1_000) -> None:
        """Let it write so many pieces more."""
        for _ in range(steps):
            self.told.release()


@dataclass
class Seen:
    """What a follower was told, in order."""

    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def text(self) -> str:
        return "".join(data["text"] for name, data in self.events if name == "delta")

    def all(self, name: str) -> list[dict[str, Any]]:
        return [data for kind, data in self.events if kind == name]

    async def until(self, holds: Callable[[Seen], object]) -> None:
        async with asyncio.timeout(10):
            while not holds(self):
                self.changed.clear()
                await self.changed.wait()


def bearer(pipeline: Pipeline, client: str) -> dict[str, str]:
    signer, kid = pipeline.clients[client]
    now = pipeline.clock() // 1000
    return {"Authorization": "Bearer " + sign_access(signer, kid, Access(iss=client, aud=GATEWAY, iat=now, exp=now + 60))}


async def _split(scope: dict[str, Any], app: Any, seen: Seen) -> None:
    """Run the application for one request, and read its events as they are written (httpx's own transport waits for the end)."""
    chunks: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.body":
            chunks.put_nowait(message.get("body", b""))
            if not message.get("more_body"):
                chunks.put_nowait(None)

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    async def lines() -> AsyncIterator[str]:
        while (chunk := await chunks.get()) is not None:
            for line in chunk.decode().split("\n"):
                yield line

    running = asyncio.create_task(app(scope, receive, send))
    try:
        async for event in read_events(lines()):
            seen.events.append((event.name, json.loads(event.data)))
            seen.changed.set()
    finally:
        running.cancel()


@asynccontextmanager
async def following(pipeline: Pipeline, request_id: str, query: str = "deltas=1", client: str = "alice") -> AsyncIterator[Seen]:
    seen = Seen()
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": f"/v1/requests/{request_id}/events",
        "raw_path": b"",
        "query_string": query.encode(),
        "headers": [(k.lower().encode(), v.encode()) for k, v in bearer(pipeline, client).items()],
        "client": ("127.0.0.1", 1),
        "server": ("gateway", 80),
    }
    task = asyncio.create_task(_split(scope, pipeline.ingress.app, seen))
    try:
        await seen.until(lambda s: s.events)  # it is followed from here on
        yield seen
    finally:
        task.cancel()
        await asyncio.wait({task})


async def apply(pipeline: Pipeline, text: str) -> None:
    await pipeline.ledger.apply_content(text, content_digest(text), pipeline.clock())


async def ready(pipeline: Pipeline, writer: Writer, policy: str = STREAMS) -> Pipeline:
    await apply(pipeline, policy)
    await pipeline.add_client("alice")
    await pipeline.add_client("bob")
    await pipeline.add_agent(writer.agent)
    await pipeline.grant("alice", "writer")
    pipeline.start(Role.AUTHZ, Role.INSPECTION, Role.DLP, Role.OUTCOME)
    return pipeline


async def test_an_answer_is_shown_while_it_is_written_and_its_pieces_are_the_answer(pipeline: Pipeline) -> None:
    writer = Writer(PROSE * 60)
    await ready(pipeline, writer)
    request_id = await pipeline.submit("alice", "writer", "say")
    async with following(pipeline, request_id) as seen:
        writer.write(8)
        await seen.until(lambda s: s.text)
        assert (await pipeline.ledger.request(request_id)).outcome is None, "shown before the answer was there"
        assert writer.text.startswith(seen.text)
        writer.write()
        await seen.until(lambda s: s.events[-1][1].get("receipt"))
    record = await pipeline.ended(request_id)
    assert seen.text == read_response(record.response).body == writer.text
    assert not seen.all("withdrawn")
    assert [name for name, _ in seen.events][-1] == "status"
    offsets = [0]
    for delta in seen.all("delta"):
        assert delta["offset"] == offsets[-1]
        offsets.append(delta["offset"] + len(delta["text"]))
    shown = await pipeline.entries(kind="draft", request_id=request_id)
    assert {(one.stage, one.decision, one.client, one.agent) for one in shown} == {("dlp", "show", "alice", "writer")}
    assert (await pipeline.ledger.verify()).intact


async def test_a_secret_that_two_pieces_share_is_redacted_in_what_is_shown(pipeline: Pipeline) -> None:
    lead = PROSE * 12
    cut = STEP - (len(lead) + 8) % STEP + len(lead) + 8  # the key lies across the edge of a piece
    text = (lead + "x " * STEP)[: cut - 10] + f" {KEY} " + PROSE * 40
    assert text[: (cut // STEP) * STEP].count(KEY) == 0
    writer = Writer(text)
    await ready(pipeline, writer)
    request_id = await pipeline.submit("alice", "writer", "say")
    async with following(pipeline, request_id) as seen:
        writer.write(len(text) // STEP - 2)
        await seen.until(lambda s: "[REDACTED" in s.text)
        assert (await pipeline.ledger.request(request_id)).outcome is None
        writer.write()
        await seen.until(lambda s: s.events[-1][1].get("receipt"))
    assert KEY not in json.dumps(seen.events)
    assert seen.text == read_response((await pipeline.ended(request_id)).response).body
    assert "redact" in {f.action for one in await pipeline.entries(kind="draft") for f in one.findings}


async def test_what_is_blocked_in_the_middle_ends_with_an_error_and_is_never_shown(pipeline: Pipeline) -> None:
    writer = Writer(PROSE * 20 + f"the key is {KEY}, mind it\n" + PROSE * 40)
    await ready(pipeline, writer, BLOCKS)
    request_id = await pipeline.submit("alice", "writer", "say")
    async with following(pipeline, request_id) as seen:
        writer.write(4)
        await seen.until(lambda s: s.text)
        writer.write(6)
        await seen.until(lambda s: s.all("withdrawn"))
        assert (await pipeline.ledger.request(request_id)).outcome is None, "in the middle of it"
        writer.write()
        await seen.until(lambda s: s.events[-1][1].get("receipt"))
    (withdrawn,) = seen.all("withdrawn")
    assert (withdrawn["code"], withdrawn["reason"], withdrawn["shown"]) == (
        "answer-withdrawn",
        "response-blocked",
        len(seen.text),
    )
    assert [name for name, _ in seen.events][-2:] == ["withdrawn", "status"]
    assert seen.events[-1][1]["status"] == "blocked"
    assert KEY not in json.dumps(seen.events)
    refused = await pipeline.entries(kind="draft", decision="withhold")
    assert {one.rule for one in refused} == {"aws-access-key"}
    assert len(await pipeline.entries(kind="outcome")) == 1


async def test_an_answer_that_fails_or_is_blocked_in_the_end_takes_back_what_was_shown(pipeline: Pipeline) -> None:
    writer = Writer(PROSE * 20)
    await ready(pipeline, writer)
    for failure, policy, reason in (("no more paper", STREAMS, "agent-failed"), ("", "rules: []\n" + STREAMS, "deadline")):
        writer.failure = failure
        await apply(pipeline, policy)
        request_id = await pipeline.submit("alice", "writer", "say", lifetime=600_000)
        async with following(pipeline, request_id) as seen:
            writer.write(5)
            await seen.until(lambda s: s.text)
            if failure:
                writer.write(1)
            else:
                pipeline.clock.ahead += 601_000
            await seen.until(lambda s: s.events[-1][1].get("receipt"))
        assert [name for name, _ in seen.events][-2:] == ["withdrawn", "status"]
        assert seen.all("withdrawn")[0]["reason"] == reason


async def test_without_the_right_the_sdk_sends_no_drafts_and_a_follower_gets_the_answer_at_the_end(pipeline: Pipeline) -> None:
    writer = Writer(PROSE * 30)
    await ready(pipeline, writer, "streams: [{agent: other}, {agent: writer, action: sing}, {agent: writer, tenant: globex}]")
    request_id = await pipeline.submit("alice", "writer", "say")
    async with following(pipeline, request_id) as seen:
        writer.write()
        await seen.until(lambda s: s.events[-1][1].get("receipt"))
    (delta,) = seen.all("delta")
    assert (delta["offset"], delta["text"]) == (0, writer.text)
    assert not await pipeline.entries(kind="draft")


async def test_who_does_not_ask_for_deltas_sees_no_difference(pipeline: Pipeline) -> None:
    writer = Writer(PROSE * 30)
    await ready(pipeline, writer)
    request_id = await pipeline.submit("alice", "writer", "say")
    async with following(pipeline, request_id) as asking, following(pipeline, request_id, "") as plain:
        writer.write(6)
        await asking.until(lambda s: s.text)
        writer.write()
        await plain.until(lambda s: s.events[-1][1].get("receipt"))
    assert {name for name, _ in plain.events} == {"status"}


async def test_nobody_else_can_follow_an_answer(pipeline: Pipeline) -> None:
    writer = Writer(PROSE * 30)
    await ready(pipeline, writer)
    request_id = await pipeline.submit("alice", "writer", "say")
    transport = httpx.ASGITransport(app=pipeline.ingress.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
        where = f"/v1/requests/{request_id}/events?deltas=1"
        assert (await http.get(where, headers=bearer(pipeline, "bob"))).status_code == 404
        assert (await http.get(where)).status_code == 401
        assert (await http.get(where.replace("=1", "=yes"), headers=bearer(pipeline, "alice"))).status_code == 422
    writer.write()
    await pipeline.ended(request_id)


# --- drafts by hand ---------------------------------------------------------------------------------------------------


@dataclass
class ByHand:
    """An agent without the SDK: it sends whatever it likes about the one dispatch that it was given."""

    pipeline: Pipeline
    broker: MemoryBroker
    request_id: str
    dispatch_id: str
    passage: Passage

    async def send(self, text: str, draft: int, content_type: str = "text/plain", **changes: Any) -> None:
        response = raw(Response(status=changes.pop("status", ResponseStatus.OK), body=text, content_type=content_type))
        passage = Passage(facts=self.passage.facts, stamps=changes.pop("stamps", self.passage.stamps), response=response)
        reply = Reply(dispatch_id=self.dispatch_id, passage=passage, draft=draft)
        await self.broker.publish([Outbound(f"gw.reply.writer.{self.dispatch_id}", encode(reply))])

    async def drained(self) -> None:
        """Until every message to the last gate and from there is done with."""
        async with asyncio.timeout(10):
            while any(self.pipeline.server.stores[name].messages for name in ("R_writer", "OUTCOMES")):
                await self.pipeline.server.change(0.01)


async def by_hand(pipeline: Pipeline, policy: str = STREAMS) -> ByHand:
    await apply(pipeline, policy)
    await pipeline.add_client("alice")
    await pipeline.add_agent("writer", "say", serve=False)
    await pipeline.grant("alice", "writer")
    pipeline.start(Role.AUTHZ, Role.INSPECTION, Role.OUTCOME)
    request_id = await pipeline.submit("alice", "writer", "say")
    broker = MemoryBroker(pipeline.server, agent_party("writer"))
    intake = await broker.subscribe((agent_party("writer").inbound,))
    (delivery,) = await intake.pull(1, 10.0)
    await intake.ack([delivery])
    (passage,) = read_convoy(delivery.body).passages
    record = await pipeline.until(lambda r: r.dispatched, request_id)
    return ByHand(pipeline, broker, request_id, json.loads(bytes(record.acceptance.facts))["dispatch_id"], passage)


async def test_drafts_without_the_right_are_refused_and_audited_and_nothing_is_shown(pipeline: Pipeline) -> None:
    hand = await by_hand(pipeline, "")
    pipeline.start(Role.DLP)
    async with following(pipeline, hand.request_id) as seen:
        await hand.send(PROSE * 40, 1)
        (entry,) = await pipeline.audited(1, kind="draft")
        assert (entry.decision, entry.rule, entry.agent) == ("withhold", "draft-without-right", "writer")
        await hand.send("short", 0)
        await seen.until(lambda s: s.events[-1][1].get("receipt"))
    assert seen.text == "short"
    assert not seen.all("withdrawn")


async def test_any_order_doubles_and_losses_show_only_beginnings(pipeline: Pipeline) -> None:
    hand = await by_hand(pipeline)
    text = PROSE * 15 + f"the key is {KEY}, mind it\n" + PROSE * 30
    pipeline.start(Role.DLP)
    async with following(pipeline, hand.request_id) as seen:
        for number, length in ((2, 2_000), (1, 1_500), (2, 2_000), (5, 4_000), (4, 3_000), (5, 4_000)):
            await hand.send(text[:length], number)
            await hand.drained()
        shown = seen.text
        assert shown
        await hand.send(text, 0)
        await seen.until(lambda s: s.events[-1][1].get("receipt"))
    body = read_response((await pipeline.ended(hand.request_id)).response).body
    assert seen.text == body
    assert body.startswith(shown)
    assert KEY not in json.dumps(seen.events)


async def test_of_drafts_that_come_at_once_only_the_newest_is_looked_at(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []

    def counted(response: Any, *given: Any, **options: Any) -> Any:
        looked.append(len(read_response(response).body))
        return of_draft(response, *given, **options)

    monkeypatch.setattr("lockgate_workers.dlp.stage.of_draft", counted)
    hand = await by_hand(pipeline)
    for number in range(1, 9):
        await hand.send(PROSE * (10 + number), number)
    pipeline.start(Role.DLP)
    await hand.drained()
    assert looked == [len(PROSE) * 18]
    await hand.send("done", 0)
    assert (await pipeline.ended(hand.request_id)).outcome is Outcome.DELIVERED


async def test_an_answer_that_differs_from_its_drafts_takes_back_what_was_shown(pipeline: Pipeline) -> None:
    hand = await by_hand(pipeline)
    pipeline.start(Role.DLP)
    async with following(pipeline, hand.request_id) as seen:
        await hand.send(PROSE * 30, 1)
        await seen.until(lambda s: s.text)
        await hand.send("something else altogether", 0)
        await seen.until(lambda s: s.events[-1][1].get("receipt"))
    assert seen.all("withdrawn")[0]["reason"] == "contradicted"
    assert (await pipeline.ended(hand.request_id)).outcome is Outcome.DELIVERED, "the answer is the authority"


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"content_type": "application/json"}, "unknown-media-type"),
        ({"content_type": "text/html"}, "unknown-media-type"),
        ({"status": ResponseStatus.ERROR}, "unknown-media-type"),
        ({"text": "x" * 300_000}, "response-too-large"),
    ],
)
async def test_what_cannot_be_a_draft_is_refused_and_ends_nothing(
    pipeline: Pipeline, changes: dict[str, Any], rule: str
) -> None:
    hand = await by_hand(pipeline)
    pipeline.start(Role.DLP)
    await hand.send(changes.pop("text", '{"a": 1}'), 1, **changes)
    (entry,) = await pipeline.audited(1, kind="draft")
    assert (entry.decision, entry.rule) == ("withhold", rule)
    await hand.drained()
    assert (await pipeline.ledger.request(hand.request_id)).outcome is None
    await hand.send("done", 0)
    assert (await pipeline.ended(hand.request_id)).outcome is Outcome.DELIVERED


async def test_a_draft_is_verified_like_an_answer(pipeline: Pipeline) -> None:
    hand = await by_hand(pipeline)
    pipeline.start(Role.DLP)
    await hand.send(PROSE * 30, 1, stamps=hand.passage.stamps[:2])
    (entry,) = await pipeline.audited(1, kind="incident")
    assert entry.stage == "dlp"
    assert not await pipeline.entries(kind="draft")
    assert (await pipeline.ledger.request(hand.request_id)).outcome is None


async def test_after_a_grant_is_gone_nothing_more_is_shown(pipeline: Pipeline) -> None:
    hand = await by_hand(pipeline)
    pipeline.start(Role.DLP)
    async with following(pipeline, hand.request_id) as seen:
        await hand.send(PROSE * 20, 1)
        await seen.until(lambda s: s.text)
        shown = seen.text
        await pipeline.revoke("alice", "writer")
        await hand.send(PROSE * 40, 2)
        await seen.until(lambda s: s.all("withdrawn"))
        assert seen.text == shown
    assert [one.rule for one in await pipeline.audited(1, kind="draft", decision="withhold")] == ["default-deny"]


class Brittle(DlpStage):
    """A gate that falls over drafts."""

    async def rule(self, batch: list[Opened]) -> list[Verdict]:
        if any(opened.draft for opened in batch):
            raise RuntimeError("a bug")
        return list(await super().rule(batch))


async def test_a_draft_that_its_gate_fails_on_ends_nothing(pipeline: Pipeline) -> None:
    hand = await by_hand(pipeline)
    made = pipeline.stage(Role.DLP)
    stage = Brittle(pipeline.ledger, made._content, pipeline.clock, most=pipeline.limits.max_response_bytes)
    pipeline.tasks.create_task(pipeline.runner(Role.DLP, stage).run(pipeline.stop))
    await hand.send(PROSE * 30, 1)
    (entry,) = await pipeline.audited(1, kind="draft")
    assert (entry.decision, entry.rule) == ("withhold", POISON)
    await hand.drained()
    assert (await pipeline.ledger.request(hand.request_id)).outcome is None
    await hand.send("done", 0)
    assert (await pipeline.ended(hand.request_id)).outcome is Outcome.DELIVERED


async def test_what_another_than_the_last_gate_lets_be_shown_reaches_nobody(pipeline: Pipeline) -> None:
    """Whoever gets hold of the notice's topic still has no key of the last gate; nor does a stamp of its own on an answer let anything be shown."""
    hand = await by_hand(pipeline)
    pipeline.start(Role.DLP)
    async with following(pipeline, hand.request_id) as seen:
        await hand.send(PROSE * 20, 1)
        await seen.until(lambda s: s.text)
        shown, heard = seen.text, pipeline.ingress.releases.heard
        (entry,) = await pipeline.audited(1, kind="draft")
        genuine = read_statement(entry.statement)
        assert genuine.decision is Decision.SHOW
        forged = Release(facts=hand.passage.facts, stamp=hand.passage.stamps[-1], text=shown + "forged")
        await heard(encode(forged))
        await MemoryBroker(pipeline.server, Role.INGRESS).notify(NOTICE_RELEASES, encode(forged))
        await heard(b"{")
        await hand.send(PROSE * 21, 0)
        await seen.until(lambda s: s.events[-1][1].get("receipt"))
    assert "forged" not in seen.text
    assert seen.text == PROSE * 21
