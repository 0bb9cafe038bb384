"""Answers that are shown while they are written, on both sides of the SDK: which drafts an agent sends, and what a client believes of what it is shown."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import pytest

from lockgate import ActionFailed, Agent, Request
from lockgate.drafts import LEAST_STEP, Drafts, is_due
from lockgate.results import Progress, Result, Verification
from lockgate.sse import ServerEvent, lines_of, read_events
from lockgate.streaming import Piece, Streamed, Withdrawal, read_step
from lockgate.testing import Stamped, ThrowawayGateway, ask, on_bench
from lockgate_schemas.envelope import digest_of
from lockgate_schemas.errors import AnswerWithdrawnError, ChainRefusedError, ConfigurationError
from lockgate_schemas.limits import Limits
from lockgate_schemas.names import Role
from lockgate_schemas.passage import MOST_DRAFTS, Decision, Outcome, Release, Response, ResponseStatus
from lockgate_schemas.stamping import ChainVerifier

Until = Callable[..., Awaitable[None]]
LINE = "All work and no play makes a very long sentence.\n"


# --- which drafts are sent --------------------------------------------------------------------------------------------


def test_the_drafts_of_the_longest_answer_are_few_and_weigh_a_fixed_multiple_of_it() -> None:
    longest, sent, weights = Limits().max_response_bytes, 0, list[int]()
    for length in range(longest + 1):
        if is_due(length, sent, len(weights)):
            sent = length
            weights.append(length)
    assert len(weights) < MOST_DRAFTS
    assert sum(weights) < 18 * longest
    assert longest - weights[-1] < longest / 16, "also the end of it was worth a draft"


def test_a_step_that_is_too_small_and_a_draft_too_many_are_not_sent() -> None:
    assert not is_due(LEAST_STEP - 1, 0, 0)
    assert is_due(LEAST_STEP, 0, 0)
    assert not is_due(10_000 + 10_000 // 16 - 1, 10_000, 5)
    assert is_due(10_700, 10_000, 5)
    assert not is_due(10_700, 0, MOST_DRAFTS)


async def test_one_draft_at_a_time_and_the_next_has_all_that_was_written_meanwhile(until: Until) -> None:
    sent: list[tuple[int, int]] = []
    go = asyncio.Semaphore(0)

    async def send(number: int, text: str) -> None:
        sent.append((number, len(text)))
        await go.acquire()

    drafts, pieces = Drafts(send), list[str]()
    for _ in range(40):
        pieces.append("x" * 100)
        drafts.grown(pieces, 100 * len(pieces))
        await asyncio.sleep(0)
    assert len(sent) == 1
    go.release()
    await until(lambda: len(sent) > 1)
    assert sent[1] == (2, 4_000)
    go.release()
    await drafts.close()
    assert len(sent) == 2, "nothing was due any more"


async def test_a_draft_that_cannot_be_sent_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def send(_: int, text: str) -> None:
        raise RuntimeError(text)

    drafts = Drafts(send)
    drafts.grown(["secret" * 100], 600)
    await asyncio.sleep(0)
    await drafts.close()
    assert "RuntimeError" in caplog.text
    assert "secret" not in caplog.text


# --- handlers that yield ----------------------------------------------------------------------------------------------


def writer(**settings: Any) -> Agent:
    agent = Agent("writer", **settings)

    @agent.action("say")
    async def say(request: Request[int]) -> AsyncIterator[str]:
        for _ in range(request.data):
            yield LINE
            await asyncio.sleep(0)

    @agent.action("mark", content_type="text/markdown")
    async def mark(request: Request[int]) -> AsyncIterator[str]:
        yield f"# {request.data}"

    @agent.action("fail")
    async def fail(request: Request[int]) -> AsyncIterator[str]:
        yield LINE * request.data
        raise ActionFailed("no more paper")

    @agent.action("odd")
    async def odd(request: Request[int]) -> AsyncIterator[Any]:
        yield request.data

    return agent


async def test_the_same_handler_works_with_and_without_drafts() -> None:
    plain = await ask(writer(), "say", 60)
    streamed = await ask(writer(), "say", 60, streamed=True)
    assert plain.body == streamed.body == LINE * 60
    assert plain.drafts == ()
    assert streamed.drafts
    for before, after in zip(streamed.drafts, (*streamed.drafts[1:], streamed.body), strict=True):
        assert after.startswith(before)
        assert len(before) >= LEAST_STEP


async def test_what_is_yielded_is_text_of_the_type_that_was_declared() -> None:
    answer = await ask(writer(), "mark", 1)
    assert (answer.body, answer.response.content_type) == ("# 1", "text/markdown")
    assert not (await ask(writer(), "odd", 1)).ok


async def test_a_failure_in_the_middle_is_the_answer() -> None:
    answer = await ask(writer(), "fail", 30, streamed=True)
    assert (answer.ok, answer.body) == (False, "no more paper")


async def test_an_answer_without_an_end_ends_at_the_limit() -> None:
    closed = asyncio.Event()
    agent = Agent("writer", limits=Limits(max_response_bytes=2_000))

    @agent.action("say")
    async def say(_: Request) -> AsyncIterator[str]:
        try:
            while True:
                yield LINE
        finally:
            closed.set()

    answer = await ask(agent, "say")
    assert not answer.ok
    assert "2000 bytes" in answer.body
    assert closed.is_set()


async def test_a_cancelled_answer_stops_being_written(until: Until) -> None:
    began, ended = asyncio.Event(), asyncio.Event()
    agent = Agent("writer")

    @agent.action("say")
    async def say(_: Request) -> AsyncIterator[str]:
        try:
            yield LINE
            began.set()
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with on_bench(agent) as bench:
        stamped = bench.gateway.request("writer", "say", streamed=True, lifetime=2)
        await bench.send(stamped.dispatch)
        await began.wait()
        await until(ended.is_set)
        await until(lambda: bench.waiting() == 0)


@pytest.mark.parametrize("content_type", ["application/json", "text/html", "image/png"])
def test_only_text_is_written_in_pieces(content_type: str) -> None:
    agent = Agent("writer")

    async def say(_: Request) -> AsyncIterator[str]:
        yield ""

    with pytest.raises(ConfigurationError):
        agent.action("say", content_type=content_type)(say)


def test_who_returns_an_answer_gives_it_its_type_himself() -> None:
    agent = Agent("writer")

    async def say(_: Request) -> str:
        return ""

    with pytest.raises(ConfigurationError):
        agent.action("say", content_type="text/markdown")(say)


# --- what a client believes -------------------------------------------------------------------------------------------


def result(body: str = "", outcome: Outcome = Outcome.DELIVERED) -> Result:
    gateway = ThrowawayGateway()
    response = Response(status=ResponseStatus.OK, body=body) if outcome is Outcome.DELIVERED else None
    receipt = gateway.receipt(gateway.request("writer", "say"), response, outcome=outcome, code="" if response else "why")
    verifier = ChainVerifier(gateway.trust, clock_skew=1_000)
    return Result.of(receipt, verifier.verify_end(receipt.facts, receipt.stamps, receipt.response, now=gateway.clock()))


GATEWAY = ThrowawayGateway()
STAMPED = GATEWAY.request("writer", "say")


def proof(text: str, decision: Decision = Decision.SHOW, stamped: Stamped = STAMPED) -> Release:
    statement = GATEWAY.statement(Role.DLP, decision, stamped, digest_of(text.encode()))
    return Release(facts=stamped.facts_raw, stamp=GATEWAY.stamp(Role.DLP, statement))


def piece(before: str, text: str) -> Piece:
    return Piece(len(before), text, proof(before + text))


def check(release: Release) -> None:
    verification = Verification(GATEWAY.client_credentials(), limits=Limits(), clock=GATEWAY.clock)
    verification.beginning(release, digest=STAMPED.signed.digest, request_id=STAMPED.facts.request_id)


async def taken(*steps: Piece | Withdrawal | Result) -> tuple[list[str], Streamed, Exception | None]:
    async def each() -> AsyncIterator[Piece | Withdrawal | Progress]:
        yield Progress("r", "dispatched")
        for step in steps:
            yield Progress("r", step.outcome, step.code, step) if isinstance(step, Result) else step

    answer, pieces = Streamed(each(), check), list[str]()
    try:
        async for shown in answer:
            pieces.append(shown)
    except (AnswerWithdrawnError, ChainRefusedError) as error:
        return pieces, answer, error
    return pieces, answer, None


async def test_pieces_and_then_the_result_that_proves_them() -> None:
    pieces, answer, error = await taken(piece("", "one "), piece("one ", "two"), result("one two"))
    assert (pieces, answer.text, error) == (["one ", "two"], "one two", None)
    assert answer.result is not None
    assert answer.result.ok


async def test_what_the_pieces_leave_out_comes_from_the_proved_answer() -> None:
    assert (await taken(piece("", "one "), result("one two")))[0] == ["one ", "two"]
    assert (await taken(piece("", "one "), Piece(4, "TWO"), result("one two")))[0] == ["one ", "two"], (
        "unproved, and not believed"
    )
    assert (await taken(result("whole")))[0] == ["whole"]
    assert (await taken(Withdrawal("response-blocked"), result("whole")))[::2] == (["whole"], None)


@pytest.mark.parametrize(
    "step",
    [
        piece("one ", "two"),
        piece("on", "two"),
        Piece(3, "", proof("one")),
        Piece(3, " two", proof("one TWO")),
        Piece(3, " two", proof("one")),
        Piece(3, " two", proof("one two", Decision.ALLOW)),
        Piece(3, " two", proof("one two", Decision.WITHHOLD)),
        Piece(3, " two", proof("one two", stamped=GATEWAY.request("writer", "say"))),
    ],
)
async def test_pieces_that_do_not_fit_together_are_refused(step: Piece) -> None:
    pieces, answer, error = await taken(piece("", "one"), step, result("one two"))
    assert (pieces, answer.result) == (["one"], None)
    assert isinstance(error, ChainRefusedError)


@pytest.mark.parametrize(
    "steps",
    [
        (result("something else"),),
        (result("on"),),
        (result(outcome=Outcome.EXPIRED),),
        (result(outcome=Outcome.DENIED),),
        (Withdrawal("response-blocked"), result("one two")),
        (Withdrawal("contradicted"), result("one")),
    ],
)
async def test_what_does_not_hold_is_an_error_once_something_was_shown(steps: tuple[Any, ...]) -> None:
    pieces, answer, error = await taken(piece("", "one"), *steps)
    assert pieces == ["one"]
    assert isinstance(error, AnswerWithdrawnError)
    assert answer.result is steps[-1]


async def test_a_refusal_before_anything_was_shown_is_an_outcome_and_no_error() -> None:
    pieces, answer, error = await taken(result(outcome=Outcome.DENIED))
    assert (pieces, error) == ([], None)
    assert answer.result is not None
    assert answer.result.outcome is Outcome.DENIED


def test_events_are_read_by_their_names() -> None:
    assert read_step(ServerEvent("delta", '{"request_id":"r","offset":3,"text":"x"}')) == Piece(3, "x")
    assert read_step(ServerEvent("withdrawn", '{"code":"answer-withdrawn","reason":"deadline"}')) == Withdrawal("deadline")
    assert read_step(ServerEvent("status", "{}")) is None
    for broken in ("", "[]", '{"offset":"3","text":"x"}', '{"text":"x"}', "[" * 10_000):
        with pytest.raises(ChainRefusedError):
            read_step(ServerEvent("delta", broken))


async def test_a_separator_of_unicode_in_a_text_ends_no_line() -> None:
    text = "a\u2028b\u2029c\x85d\x0be\u00e9"
    data = msgspec.json.encode({"text": text})
    whole = b"event: delta\r\ndata: " + data + b"\n\n"

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(len(whole)):
            yield whole[start : start + 1]

    (event,) = [event async for event in read_events(lines_of(chunks()))]
    assert msgspec.json.decode(event.data) == {"text": text}


def test_the_right_stands_on_the_inspection_gates_stamp_alone() -> None:
    gateway = ThrowawayGateway()
    stamped = gateway.request("writer", "say", streamed=True)
    chain = ChainVerifier(gateway.trust, clock_skew=1_000).verify(stamped.passage, through=Role.INSPECTION, now=gateway.clock())
    assert [statement.obligations for statement in chain.statements] == [(), (), ("streamed",)]
