"""The HTTP client against a real server: a small gateway that verifies what it is sent and stamps what it answers."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from lockgate import Client, ClientCredentials, ClientSettings, Order, Submission
from lockgate.testing import Stamped, ThrowawayGateway
from lockgate_schemas.envelope import ACCESS_TYPE, UnverifiedEnvelope, UnverifiedJws, verified_access
from lockgate_schemas.errors import (
    ERRORS,
    ChainRefusedError,
    DeadlineError,
    ForbiddenError,
    LockgateError,
    NotFoundError,
    RateLimitedError,
    ReplayConflictError,
    UnavailableError,
)
from lockgate_schemas.limits import Limits
from lockgate_schemas.passage import Outcome, Receipt, ResponseStatus, encode
from lockgate_schemas.passage import Response as AgentResponse
from lockgate_schemas.signing import public_key_of

QUICK = ClientSettings(pause=0.01, poll=0.3, connect=2.0, longest_pause=0.05)
ENDS = {
    "deny": (Outcome.DENIED, 403),
    "block": (Outcome.BLOCKED, 403),
    "quarantine": (Outcome.QUARANTINED, 502),
    "expire": (Outcome.EXPIRED, 504),
}
REFUSED = {"shut": UnavailableError, "forbidden": ForbiddenError}


@dataclass
class Scripted:
    """A gateway whose behaviour is the action's name. It runs in a thread of its own."""

    gateway: ThrowawayGateway
    credentials: ClientCredentials
    accepted: dict[str, Stamped] = field(default_factory=dict)
    ended: dict[str, Receipt] = field(default_factory=dict)
    posts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    ids: dict[str, str] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    polls: int = 0
    open: int = 0
    most_open: int = 0
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def key(self) -> bytes:
        return public_key_of(self.credentials.seed)

    def routes(self) -> list[Route]:
        return [
            Route("/v1/requests", self.post, methods=["POST"]),
            Route("/v1/requests/{id}", self.one, methods=["GET", "DELETE"]),
            Route("/v1/requests/{id}/events", self.events),
        ]

    async def post(self, request: Request) -> Response:
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            await asyncio.sleep(0.005)
            return await self.offered(request)
        finally:
            self.open -= 1

    async def offered(self, request: Request) -> Response:
        assert request.headers["content-type"] == "application/jose"
        now = self.gateway.clock()
        unverified = UnverifiedEnvelope.parse((await request.body()).decode(), Limits())
        envelope = unverified.verified(self.key, now=now, gateway=self.gateway.name, limits=Limits())
        self.posts[envelope.digest] += 1
        if self.ids.setdefault(envelope.event.id, envelope.digest) != envelope.digest:
            return problem(ReplayConflictError())
        action = envelope.event.action
        if action.startswith("busy-") and self.posts[envelope.digest] <= int(action[-1]):
            return problem(RateLimitedError(), {"retry-after": "0"})
        if action in REFUSED:
            return problem(REFUSED[action]())
        if action == "later" and self.posts[envelope.digest] == 1:
            return problem(RateLimitedError(), {"retry-after": "3600"})
        stamped = self.accepted.get(envelope.digest) or self.accept(envelope)
        receipt = self.ended.get(stamped.facts.request_id)
        if "prefer" in request.headers and receipt is not None:
            return self.waited(stamped, receipt)
        location = {"location": f"/v1/requests/{stamped.facts.request_id}"}
        return Response(encode(self.gateway.acceptance(stamped)), 202, location, "application/json")

    def accept(self, envelope: Any) -> Stamped:
        from lockgate.envelopes import Signed  # noqa: PLC0415

        event = envelope.event
        signed = Signed(envelope.compact, envelope.digest, event.id, event.agent, event.action)
        stamped = self.accepted[envelope.digest] = self.gateway.stamped(signed)
        if event.action in ENDS:
            self.end(stamped, None, ENDS[event.action][0])
        elif event.action != "hold":
            self.end(stamped, AgentResponse(status=ResponseStatus.OK, body=bytes(event.data).decode()))
        return stamped

    def end(self, stamped: Stamped, response: AgentResponse | None, outcome: Outcome = Outcome.DELIVERED) -> None:
        self.ended[stamped.facts.request_id] = self.gateway.receipt(stamped, response, outcome=outcome)

    def waited(self, stamped: Stamped, receipt: Receipt) -> Response:
        if stamped.facts.action not in ENDS:
            return Response(encode(receipt), 200, media_type="application/json")
        outcome, status = ENDS[stamped.facts.action]
        body = {"code": str(outcome), "status": status, "receipt": receipt, "request_id": stamped.facts.request_id}
        return Response(msgspec.json.encode(body), status, media_type="application/problem+json")

    async def one(self, request: Request) -> Response:
        stamped = self.own(request)
        if stamped is None:
            return problem(NotFoundError())
        if request.method == "DELETE":
            self.end(stamped, None, Outcome.CANCELLED)
            return Response(status_code=202)
        self.polls += 1
        until = time.monotonic() + float(request.query_params.get("wait", 0))
        while stamped.facts.request_id not in self.ended and time.monotonic() < until:  # noqa: ASYNC110 - set by another thread
            await asyncio.sleep(0.005)
        return Response(self.state(stamped), media_type="application/json")

    async def events(self, request: Request) -> Response:
        stamped = self.own(request)
        if stamped is None:
            return problem(NotFoundError())

        async def stream() -> AsyncIterator[bytes]:
            yield b": hello\n\nevent: accepted\ndata: " + self.state(stamped) + b"\n\n"
            while stamped.facts.request_id not in self.ended:
                if self.released.is_set():
                    return
                await asyncio.sleep(0.005)
            receipt = self.ended[stamped.facts.request_id]
            yield b"event: end\r\ndata:" + self.state(stamped, receipt) + b"\r\n\r\n"

        return StreamingResponse(stream(), media_type="text/event-stream")

    def state(self, stamped: Stamped, receipt: Receipt | None = None) -> bytes:
        receipt = receipt or self.ended.get(stamped.facts.request_id)
        status = "dispatched"
        if receipt is not None:
            status = json.loads(bytes(receipt.stamps[-1].statement))["outcome"]
        return msgspec.json.encode({"request_id": stamped.facts.request_id, "status": status, "code": "", "receipt": receipt})

    def own(self, request: Request) -> Stamped | None:
        token = request.headers["authorization"].removeprefix("Bearer ")
        jws = UnverifiedJws.parse(token, ACCESS_TYPE)
        access = verified_access(jws, self.key, now=self.gateway.clock(), gateway=self.gateway.name, limits=Limits())
        assert access.iss == self.credentials.name
        self.tokens.add(token)
        wanted = request.path_params["id"]
        return next((one for one in self.accepted.values() if one.facts.request_id == wanted), None)


def problem(error: LockgateError, headers: dict[str, str] | None = None) -> Response:
    body = {"code": error.code, "detail": error.detail, "title": error.title, "status": error.status}
    return JSONResponse(body, error.status, headers, "application/problem+json")


@pytest.fixture
def server(gateway: ThrowawayGateway) -> Iterator[tuple[Scripted, str]]:
    scripted = Scripted(gateway, gateway.client_credentials())
    app = Starlette(routes=scripted.routes())
    listener = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=listener.run, daemon=True)
    thread.start()
    until = time.monotonic() + 10
    while not listener.started and time.monotonic() < until:
        time.sleep(0.01)
    port = listener.servers[0].sockets[0].getsockname()[1]
    yield scripted, f"http://127.0.0.1:{port}"
    scripted.released.set()
    listener.should_exit = True
    thread.join(10)
    assert not thread.is_alive()


@pytest.fixture
async def client(server: tuple[Scripted, str]) -> AsyncIterator[Client]:
    scripted, url = server
    found = scripted.credentials
    credentials = ClientCredentials(found.name, found.tenant, found.gateway, url, found.kid, found.seed, found.trust)
    async with Client(credentials, settings=QUICK) as opened:
        yield opened


async def test_submit_returns_a_verified_acceptance(client: Client, server: tuple[Scripted, str]) -> None:
    submission = await client.submit("reporting", "hold", {"a": 1})
    (stamped,) = server[0].accepted.values()
    assert submission.request_id == stamped.facts.request_id
    assert submission.facts == stamped.facts
    assert submission.acceptance is not None
    assert submission.result is None


async def test_call_brings_the_answer(client: Client) -> None:
    result = await client.call("reporting", "report", {"a": 1})
    assert (result.outcome, result.text) == (Outcome.DELIVERED, '{"a":1}')


async def test_submit_can_wait_for_the_outcome(client: Client) -> None:
    submission = await client.submit("reporting", "report", "now", wait=5)
    assert submission.result is not None
    assert submission.result.text == '"now"'
    assert await client.result(submission) is submission.result


@pytest.mark.parametrize("action", ENDS)
async def test_an_outcome_that_is_no_delivery_is_a_result_all_the_same(client: Client, action: str) -> None:
    waited = await client.call("reporting", action)
    assert (waited.outcome, waited.ok) == (ENDS[action][0], False)
    polled = await client.result(await client.submit("reporting", action))
    assert polled.outcome == ENDS[action][0]


async def test_result_polls_until_there_is_one(client: Client, server: tuple[Scripted, str]) -> None:
    submission = await client.submit("reporting", "hold")
    waiting = asyncio.create_task(client.result(submission, timeout=10))
    while server[0].polls < 3:  # noqa: ASYNC110 - the other side of a socket
        await asyncio.sleep(0.005)
    (stamped,) = server[0].accepted.values()
    server[0].end(stamped, AgentResponse(status=ResponseStatus.OK, body="late"))
    assert (await waiting).text == "late"
    assert (await client.result(submission.request_id)).text == "late"


async def test_result_gives_up_in_time_and_does_not_poll_without_pause(client: Client, server: tuple[Scripted, str]) -> None:
    submission = await client.submit("reporting", "hold")
    with pytest.raises(DeadlineError):
        await client.result(submission, timeout=0.2)
    assert server[0].polls <= 0.2 / QUICK.pause + 1


async def test_status_tells_where_it_is(client: Client) -> None:
    submission = await client.submit("reporting", "hold")
    assert (await client.status(submission)).status == "dispatched"


async def test_events_end_with_the_result(client: Client, server: tuple[Scripted, str]) -> None:
    submission = await client.submit("reporting", "hold")
    seen = []
    async for progress in client.events(submission):
        seen.append(progress.status)
        if progress.result is None:
            (stamped,) = server[0].accepted.values()
            server[0].end(stamped, AgentResponse(status=ResponseStatus.OK, body="done"))
        else:
            assert progress.result.text == "done"
    assert seen == ["dispatched", "delivered"]


async def test_a_stream_that_ends_too_early_is_an_error(client: Client, server: tuple[Scripted, str]) -> None:
    submission = await client.submit("reporting", "hold")
    server[0].released.set()
    with pytest.raises(UnavailableError):
        [progress async for progress in client.events(submission)]


async def test_cancel(client: Client) -> None:
    submission = await client.submit("reporting", "hold")
    await client.cancel(submission)
    assert (await client.result(submission)).outcome is Outcome.CANCELLED


async def test_the_same_id_with_other_data_is_a_conflict(client: Client) -> None:
    await client.submit("reporting", "report", 1, id="mine")
    with pytest.raises(ReplayConflictError):
        await client.submit("reporting", "report", 2, id="mine")


async def test_sending_again_is_the_same_request(client: Client) -> None:
    signed = client.sign("reporting", "hold")
    assert (await client.send(signed)).request_id == (await client.send(signed)).request_id


@pytest.mark.parametrize("call", ["result", "status", "cancel"])
async def test_an_unknown_request_is_not_found(client: Client, call: str) -> None:
    with pytest.raises(NotFoundError):
        await getattr(client, call)("0" * 32)
    with pytest.raises(NotFoundError):
        [progress async for progress in client.events("0" * 32)]


@pytest.mark.parametrize("wrong", ["../keys", "a/b", "a?b", "", "\u0661"])
async def test_what_is_no_id_is_not_put_into_an_address(client: Client, wrong: str) -> None:
    with pytest.raises(LockgateError, match="not a request id"):
        await client.result(wrong)


async def test_a_single_submission_is_not_repeated(client: Client, server: tuple[Scripted, str]) -> None:
    with pytest.raises(RateLimitedError):
        await client.submit("reporting", "busy-1")
    assert list(server[0].posts.values()) == [1]


async def test_many_are_submitted_with_a_bound_and_the_identical_bytes_again_when_it_is_busy(
    client: Client, server: tuple[Scripted, str]
) -> None:
    taken = []

    def orders() -> Iterator[Order]:
        for number in range(12):
            taken.append(number)
            yield Order("reporting", f"busy-{number % 3}", number, id=f"order-{number}")

    done = []
    async for submitted in client.submit_many(orders(), concurrency=3):
        done.append(submitted)
        assert len(taken) <= len(done) + 3
    assert sorted(one.order.data for one in done) == list(range(12))
    assert all(one.error is None and isinstance(one.submission, Submission) for one in done)
    assert sorted(server[0].posts.values()) == [1] * 4 + [2] * 4 + [3] * 4
    assert 1 < server[0].most_open <= 3


async def test_one_that_fails_for_good_stops_nobody_else(client: Client, server: tuple[Scripted, str]) -> None:
    async def orders() -> AsyncIterator[Order]:
        yield Order("reporting", "shut", 1)
        yield Order("reporting", "report", object())
        yield Order("reporting", "report", 3)

    done = {type(one.error): one async for one in client.submit_many(orders(), concurrency=1)}
    assert {error.__name__ for error in done} == {"UnavailableError", "InvalidRequestError", "NoneType"}
    assert max(server[0].posts.values()) == 1 + QUICK.repeats


async def test_only_what_may_pass_is_repeated(client: Client, server: tuple[Scripted, str]) -> None:
    (done,) = [one async for one in client.submit_many([Order("reporting", "forbidden")])]
    assert isinstance(done.error, ForbiddenError)
    assert list(server[0].posts.values()) == [1]


async def test_no_pause_is_longer_than_the_clients_own_bound(client: Client) -> None:
    async with asyncio.timeout(30):
        (done,) = [one async for one in client.submit_many([Order("reporting", "later")])]
    assert done.submission is not None


async def test_nothing_goes_on_behind_a_closed_generator(client: Client, server: tuple[Scripted, str]) -> None:
    many = client.submit_many((Order("reporting", "report", n) for n in range(100)), concurrency=4)
    await anext(many)
    await many.aclose()
    assert len(server[0].posts) <= 8


async def test_a_token_is_used_again_and_replaced_in_time(server: tuple[Scripted, str], gateway: ThrowawayGateway) -> None:
    scripted, url = server
    found = scripted.credentials
    credentials = ClientCredentials(found.name, found.tenant, found.gateway, url, found.kid, found.seed, found.trust)
    now = [gateway.clock()]
    gateway.clock = lambda: now[0]
    async with Client(credentials, settings=QUICK, clock=lambda: now[0]) as client:
        submission = await client.submit("reporting", "hold")
        await client.status(submission)
        now[0] += 239_000
        await client.status(submission)
        assert len(scripted.tokens) == 1
        now[0] += 1_000
        await client.status(submission)
        assert len(scripted.tokens) == 2


async def test_a_gateway_that_is_not_there_is_unavailable(gateway: ThrowawayGateway) -> None:
    async with Client(gateway.client_credentials(url="http://127.0.0.1:1"), settings=QUICK) as client:
        with pytest.raises(UnavailableError) as raised:
            await client.submit("reporting", "report")
        assert raised.value.__cause__ is None


async def test_a_client_is_used_inside_its_block(gateway: ThrowawayGateway) -> None:
    with pytest.raises(RuntimeError):
        await Client(gateway.client_credentials()).submit("reporting", "report")


# --- answers that lie, and the mapping of errors: a transport without a network --------------------------------------

Answer = Callable[[httpx.Request], httpx.Response]


async def answered(gateway: ThrowawayGateway, answer: Answer, call: Callable[[Client], Any]) -> Any:
    async with Client(gateway.client_credentials(), settings=QUICK, transport=httpx.MockTransport(answer)) as client:
        return await call(client)


def submit(client: Client) -> Any:
    return client.submit("reporting", "report", {"a": 1})


@pytest.mark.parametrize("error", [error for error in ERRORS if error.code != "internal"], ids=lambda error: error.code)
async def test_every_code_becomes_its_error(gateway: ThrowawayGateway, error: type[LockgateError]) -> None:
    body = {"code": error.code, "detail": "a sentence", "status": error.status}
    with pytest.raises(error) as raised:
        await answered(gateway, lambda _: httpx.Response(error.status, json=body), submit)
    assert type(raised.value).code == error.code
    assert str(raised.value) == raised.value.detail == "a sentence"


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (401, b"<html>secret page</html>", "unauthenticated"),
        (403, b"", "forbidden"),
        (404, b"[]", "not-found"),
        (429, b"{}", "rate-limited"),
        (500, b"\xff", "unavailable"),
        (502, b'{"code": 5}', "unavailable"),
        (503, b'{"code": "new-code"}', "unavailable"),
        (418, b"", "internal"),
        (302, b"", "internal"),
    ],
)
async def test_an_answer_that_is_no_problem_is_mapped_by_its_status(
    gateway: ThrowawayGateway, status: int, body: bytes, code: str
) -> None:
    with pytest.raises(LockgateError) as raised:
        await answered(gateway, lambda _: httpx.Response(status, content=body), submit)
    assert raised.value.code == code
    assert str(raised.value) == f"the gateway answered {status}"


async def test_a_detail_is_bounded_and_printable(gateway: ThrowawayGateway) -> None:
    body = {"code": "forbidden", "detail": "a\x1b[31m\r\n" + "x" * 5000}
    with pytest.raises(ForbiddenError) as raised:
        await answered(gateway, lambda _: httpx.Response(403, json=body), submit)
    assert raised.value.detail.isprintable()
    assert len(raised.value.detail) == 500


def lying(gateway: ThrowawayGateway) -> dict[str, httpx.Response]:
    other = gateway.request("reporting", "report", {"a": 1})
    receipt = gateway.receipt(other, AgentResponse(status=ResponseStatus.OK, body="false"))
    return {
        "acceptance of another envelope": httpx.Response(202, content=encode(gateway.acceptance(other))),
        "receipt of another envelope": httpx.Response(200, content=encode(receipt)),
        "problem with another's receipt": httpx.Response(
            403, content=msgspec.json.encode({"code": "forbidden", "receipt": receipt})
        ),
        "an empty acceptance": httpx.Response(202, content=b"{}"),
        "no JSON": httpx.Response(200, content=b"<html>"),
    }


@pytest.mark.parametrize("lie", list(lying(ThrowawayGateway())))
async def test_an_acceptance_that_does_not_verify_is_refused(gateway: ThrowawayGateway, lie: str) -> None:
    with pytest.raises(LockgateError) as raised:
        await answered(gateway, lambda _: lying(gateway)[lie], submit)
    assert raised.value.code in {"chain-refused", "malformed"}


def states(gateway: ThrowawayGateway, stamped: Stamped) -> dict[str, dict[str, Any]]:
    yes = AgentResponse(status=ResponseStatus.OK, body="content")
    genuine = gateway.receipt(stamped, yes)
    other = gateway.receipt(gateway.request("reporting", "report"), yes)
    forged = ThrowawayGateway().receipt(stamped, yes)
    altered = msgspec.structs.replace(genuine, response=msgspec.Raw(bytes(genuine.response).replace(b"content", b"CONTENT")))
    return {
        "no receipt": {"status": "delivered", "receipt": None},
        "another request's": {"status": "delivered", "receipt": other},
        "other keys": {"status": "delivered", "receipt": forged},
        "altered content": {"status": "delivered", "receipt": altered},
        "another outcome": {"status": "denied", "receipt": genuine},
        "not yet": {"status": "dispatched", "receipt": genuine},
    }


@pytest.mark.parametrize(
    "lie", ["no receipt", "another request's", "other keys", "altered content", "another outcome", "not yet"]
)
async def test_a_result_that_is_not_proved_is_not_returned(gateway: ThrowawayGateway, lie: str) -> None:
    stamped = gateway.request("reporting", "report")
    body = msgspec.json.encode({"request_id": stamped.facts.request_id, "code": "", **states(gateway, stamped)[lie]})
    with pytest.raises(ChainRefusedError):
        await answered(gateway, lambda _: httpx.Response(200, content=body), lambda c: c.result(stamped.facts.request_id))


async def test_what_is_no_state_is_refused(gateway: ThrowawayGateway) -> None:
    with pytest.raises(ChainRefusedError):
        await answered(gateway, lambda _: httpx.Response(200, content=b"[]"), lambda c: c.status("0" * 32))


async def test_polling_goes_on_while_the_gateway_is_away(gateway: ThrowawayGateway) -> None:
    stamped = gateway.request("reporting", "report")
    receipt = gateway.receipt(stamped, AgentResponse(status=ResponseStatus.OK, body="at last"))
    state = {"request_id": stamped.facts.request_id, "status": "delivered", "code": "", "receipt": receipt}
    answers: list[httpx.Response | None] = [
        None,
        httpx.Response(503),
        httpx.Response(429, headers={"retry-after": "0"}),
        httpx.Response(200, content=msgspec.json.encode(state)),
    ]

    def answer(_: httpx.Request) -> httpx.Response:
        found = answers.pop(0)
        if found is None:
            raise httpx.ConnectError("refused")
        return found

    result = await answered(gateway, answer, lambda c: c.result(stamped.facts.request_id, timeout=30))
    assert result.text == "at last"
    assert answers == []
