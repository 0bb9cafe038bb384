"""Requests over HTTP, through the whole application: accepted, repeated, waited for, read, followed, cancelled; and refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
import msgspec
import pytest
from tests.ingress.conftest import (
    NOW,
    RESPONSE,
    TRUST,
    World,
    offered,
    request_id_of,
    until,
    verifier,
)

from lockgate_ingress.serve import Ingress
from lockgate_schemas.limits import Limits
from lockgate_schemas.names import Role
from lockgate_schemas.passage import (
    Decision,
    Outcome,
    Passage,
    read_acceptance,
    read_convoy,
    read_facts,
    read_receipt,
)
from lockgate_schemas.topics import AUTHZ, OUTCOMES
from lockgate_schemas.trust import Trust

Runner = Callable[[Ingress], AbstractAsyncContextManager[Ingress]]


def check_problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    problem = response.json()
    assert problem["status"] == status
    assert problem.keys() >= {"type", "title", "status", "detail", "code", "advice"}
    return problem


# --- offering ------------------------------------------------------------------------------------------------------


async def test_accepted_request_is_recorded_published_and_promised(world: World, http: httpx.AsyncClient) -> None:
    compact = world.shop.envelope()
    response = await offered(http, compact)
    request_id = request_id_of(response)
    acceptance = read_acceptance(response.content)
    passage = Passage(facts=acceptance.facts, stamps=(acceptance.stamp,), envelope=compact.decode())
    facts = verifier().verify(passage, through=Role.INGRESS, now=NOW).facts
    assert facts.request_id == request_id
    record = await world.ledger.request(request_id)
    assert record is not None
    assert record.envelope.encode() == compact
    assert record.acceptance == acceptance
    (body,) = await world.waiting(AUTHZ.topic)
    assert read_convoy(body).passages == (passage,)
    (entry,) = await world.audited(request_id=request_id)
    assert (entry.entry.decision, entry.entry.rule, entry.entry.client) == ("allow", "signed-envelope", "shop")
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "server" not in response.headers


async def test_same_bytes_again_return_the_stored_acceptance(world: World, http: httpx.AsyncClient) -> None:
    compact = world.shop.envelope()
    first = await offered(http, compact)
    again = await offered(http, compact)
    assert (again.status_code, again.content) == (202, first.content)
    assert again.headers["location"] == first.headers["location"]
    assert len(await world.waiting(AUTHZ.topic)) == 1


async def test_hundred_at_once_become_one_request(world: World, http: httpx.AsyncClient) -> None:
    compact = world.shop.envelope()
    answers = await asyncio.gather(*(offered(http, compact) for _ in range(100)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.content for answer in answers}) == 1
    assert len(await world.ledger.requests(limit=200)) == 1
    published = [one for body in await world.waiting(AUTHZ.topic) for one in read_convoy(body).passages]
    assert len(published) == 1


async def test_same_id_with_other_bytes_is_a_conflict(world: World, http: httpx.AsyncClient) -> None:
    await offered(http, world.shop.envelope(id="order-1"))
    check_problem(await offered(http, world.shop.envelope(id="order-1", data=2)), 409, "replay-conflict")
    refusals = await world.audited(kind="refusal") if await _soon_audited(world) else []
    assert [(one.entry.code, one.entry.client) for one in refusals] == [("replay-conflict", "shop")]


async def _soon_audited(world: World, count: int = 1) -> bool:
    async def enough() -> bool:
        return len(await world.audited(kind="refusal")) >= count

    await until(enough)
    return True


async def test_same_id_of_another_client_is_another_request(world: World, http: httpx.AsyncClient) -> None:
    await offered(http, world.shop.envelope(id="order-1"))
    assert (await offered(http, world.rival.envelope(id="order-1"))).status_code == 202


async def test_a_batch_travels_in_few_convoys_each_within_its_weight(world: World, http: httpx.AsyncClient) -> None:
    filler = "x" * 60_000
    answers = await asyncio.gather(*(offered(http, world.shop.envelope(data=filler)) for _ in range(12)))
    assert {answer.status_code for answer in answers} == {202}
    bodies = await world.waiting(AUTHZ.topic)
    assert sum(len(read_convoy(body).passages) for body in bodies) == 12
    assert len(bodies) < 12
    assert all(len(body) <= world.limits.convoy_bytes for body in bodies)


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/json"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/jose, application/jose"},
        {"Content-Type": "application/jose", "Content-Encoding": "gzip"},
        {"Content-Type": "application/jose", "Content-Encoding": "br"},
        {"Content-Type": "application/jose", "Content-Encoding": "identity"},
        {},
    ],
)
async def test_other_media_types_and_codings_are_refused(
    world: World, http: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    response = await http.post("/v1/requests", content=world.shop.envelope(), headers=headers)
    check_problem(response, 415, "unsupported-media-type")


@pytest.mark.parametrize(
    "name",
    [
        "X-User-Id",
        "x_user_id",
        "X_USER",
        "User",
        "X-Forwarded-User",
        "X-Forwarded-Email",
        "X-Forwarded-Groups",
        "X-Forwarded-Client-Cert",
        "X-Tenant",
        "Tenant_Id",
        "X-Roles",
        "X-Role",
        "Remote-User",
        "REMOTE_USER",
        "X-Remote-Group",
        "X-Auth-Request-User",
        "X-Auth-Request-Email",
        "X-WebAuth-User",
        "X-Goog-Authenticated-User-Email",
        "X-Amzn-Oidc-Identity",
        "X-MS-Client-Principal",
        "Impersonate-User",
        "On-Behalf-Of",
        "X-Scope",
        "X-Client-Id",
        "Sub",
    ],
)
async def test_identity_in_a_header_is_refused_in_every_spelling(world: World, http: httpx.AsyncClient, name: str) -> None:
    check_problem(await offered(http, world.shop.envelope(), **{name: "root"}), 422, "identity-refused")
    assert await world.ledger.requests(limit=1) == []


async def test_ordinary_headers_pass(world: World, http: httpx.AsyncClient) -> None:
    ordinary = {
        "User-Agent": "curl/8",
        "X-Forwarded-For": "10.0.0.1",
        "X-Request-Id": "1",
        "Traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01",
        "Sec-Fetch-User": "?1",
        "Upgrade-Insecure-Requests": "1",
    }
    assert (await offered(http, world.shop.envelope(), **ordinary)).status_code == 202


@pytest.mark.requirement("C01")
async def test_refusals_at_the_door_keep_their_codes_over_http(world: World, http: httpx.AsyncClient) -> None:
    none = check_problem(await offered(http, b"junk"), 401, "envelope-refused")
    assert (await offered(http, b"junk")).headers["www-authenticate"].startswith("Bearer")
    assert "junk" not in json.dumps(none)
    check_problem(await offered(http, world.shop.envelope(audience="gw-other")), 401, "envelope-refused")
    check_problem(await offered(http, world.shop.envelope(agent="10.0.0.1:22")), 422, "name-refused")
    check_problem(await offered(http, world.shop.signed(b"[" * 10_000)), 422, "invalid-request")
    check_problem(await offered(http, world.shop.signed(b'{"user":"root"}')), 422, "identity-refused")
    check_problem(await offered(http, b"a" * (world.limits.max_envelope_bytes + 1)), 413, "too-large")
    await world.ledger.revoke_key(world.shop.kid, NOW)
    check_problem(await offered(http, world.shop.envelope()), 401, "key-revoked")
    assert await world.ledger.requests(limit=1) == []
    await _soon_audited(world, 8)
    said = {(one.entry.code, one.entry.client) for one in await world.audited(kind="refusal")}
    assert ("too-large", "") in said
    assert ("name-refused", "shop") in said
    assert ("key-revoked", "") in said


async def test_removed_client_is_refused_with_the_next_message(world: World, http: httpx.AsyncClient) -> None:
    assert (await offered(http, world.shop.envelope())).status_code == 202
    await world.ledger.remove_client("shop", NOW)
    check_problem(await offered(http, world.shop.envelope()), 401, "key-revoked")


async def test_client_with_too_many_open_requests_has_to_wait(world: World, running: Runner) -> None:
    limits = msgspec.structs.replace(world.limits, open_requests=2)
    async with running(world.ingress(limits=limits)) as ingress, client_of(ingress) as http:
        for _ in range(2):
            assert (await offered(http, world.shop.envelope())).status_code == 202
        refused = await offered(http, world.shop.envelope())
        check_problem(refused, 429, "rate-limited")
        assert int(refused.headers["retry-after"]) > 0
        assert (await offered(http, world.rival.envelope())).status_code == 202


def client_of(ingress: Ingress) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=ingress.app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://gateway")


# --- waiting -------------------------------------------------------------------------------------------------------


async def waited(
    world: World, http: httpx.AsyncClient, outcome: Outcome, code: str = "", *, notify: bool = True, **changes: Any
) -> httpx.Response:
    """Offer with a wait, and end the request meanwhile."""
    compact = world.shop.envelope(**changes)
    answer = asyncio.create_task(offered(http, compact, Prefer="wait=5"))

    async def accepted() -> bool:
        return bool(await world.ledger.requests(limit=1))

    await until(accepted)
    (record,) = await world.ledger.requests(limit=1)
    await world.end(record.request_id, outcome, code=code, notify=notify)
    return await answer


async def test_waiting_for_a_delivery_answers_with_its_receipt(world: World, http: httpx.AsyncClient) -> None:
    answer = await waited(world, http, Outcome.DELIVERED)
    assert answer.status_code == 200
    assert answer.headers["preference-applied"] == "wait=5"
    receipt = read_receipt(answer.content)
    chain = verifier().verify_end(receipt.facts, receipt.stamps, receipt.response, now=NOW)
    assert chain.last.outcome is Outcome.DELIVERED
    assert bytes(receipt.response) == bytes(RESPONSE)


async def test_lost_notice_costs_only_a_look(world: World, http: httpx.AsyncClient) -> None:
    assert (await waited(world, http, Outcome.DELIVERED, notify=False)).status_code == 200


@pytest.mark.parametrize(
    ("outcome", "status", "code"),
    [
        (Outcome.DENIED, 403, "forbidden"),
        (Outcome.BLOCKED, 403, "blocked"),
        (Outcome.FAILED, 502, "failed"),
        (Outcome.QUARANTINED, 502, "quarantined"),
        (Outcome.EXPIRED, 504, "expired"),
        (Outcome.CANCELLED, 409, "cancelled"),
    ],
)
async def test_waiting_for_an_unhappy_outcome_answers_with_its_problem(
    world: World, http: httpx.AsyncClient, outcome: Outcome, status: int, code: str
) -> None:
    problem = check_problem(await waited(world, http, outcome), status, code)
    receipt = msgspec.convert(problem["receipt"], dict[str, Any])
    assert problem["request_id"] == receipt["facts"]["request_id"]
    assert "response" not in receipt


async def test_wait_that_runs_out_answers_with_the_acceptance(world: World, http: httpx.AsyncClient) -> None:
    answer = await offered(http, world.shop.envelope(), Prefer="respond-async, wait=1")
    assert answer.status_code == 202
    assert answer.headers["preference-applied"] == "wait=1"
    read_acceptance(answer.content)


@pytest.mark.parametrize("prefer", [b"wait=abc", b"wait=", b"wait=-1", b"respond-async", b"wait=\xb2", b"wait=1e3"])
async def test_preference_that_cannot_be_read_is_not_applied(world: World, http: httpx.AsyncClient, prefer: bytes) -> None:
    headers = {b"Content-Type": b"application/jose", b"Prefer": prefer}
    answer = await http.post("/v1/requests", content=world.shop.envelope(), headers=headers)
    assert answer.status_code == 202
    assert "preference-applied" not in answer.headers


async def test_forbidden_and_unknown_agents_answer_alike_but_for_ids(world: World, http: httpx.AsyncClient) -> None:
    forbidden = await waited(world, http, Outcome.DENIED, "forbidden", agent="echo")
    await world.ledger.remove_agent("echo", NOW)
    unknown = await _second_denied(world, http)
    one, other = forbidden.json(), unknown.json()
    for problem in (one, other):
        del problem["request_id"], problem["receipt"]
    assert one == other
    assert forbidden.headers.keys() == unknown.headers.keys()


async def _second_denied(world: World, http: httpx.AsyncClient) -> httpx.Response:
    answer = asyncio.create_task(offered(http, world.shop.envelope(agent="nobody"), Prefer="wait=5"))

    async def both() -> bool:
        return len(await world.ledger.requests(limit=5)) == 2

    await until(both)
    (record,) = [one for one in await world.ledger.requests(limit=5) if one.outcome is None]
    await world.end(record.request_id, Outcome.DENIED, code="forbidden")
    return await answer


# --- reading -------------------------------------------------------------------------------------------------------


async def test_status_goes_from_accepted_to_the_outcome(world: World, http: httpx.AsyncClient) -> None:
    request_id = request_id_of(await offered(http, world.shop.envelope()))
    path = f"/v1/requests/{request_id}"
    before = await http.get(path, headers=world.shop.bearer())
    assert before.json() == {"request_id": request_id, "status": "accepted", "code": "", "receipt": None}
    await world.end(request_id)
    after = await http.get(path, headers=world.shop.bearer())
    assert (after.json()["status"], after.json()["receipt"]["response"]["body"]) == ("delivered", "forty-two")


async def test_long_poll_answers_when_it_ends(world: World, http: httpx.AsyncClient) -> None:
    request_id = request_id_of(await offered(http, world.shop.envelope()))
    polling = asyncio.create_task(http.get(f"/v1/requests/{request_id}?wait=5", headers=world.shop.bearer()))
    await asyncio.sleep(0)
    assert not polling.done()
    await world.end(request_id, Outcome.FAILED, code="agent-error")
    answer = await polling
    assert (answer.json()["status"], answer.json()["code"]) == ("failed", "agent-error")


@pytest.mark.parametrize("query", ["wait=x", "wait=-1", "wait=1&wait=2", "user=root", "wait=1e3", "&&", "%ff"])
async def test_malformed_query_is_refused(world: World, http: httpx.AsyncClient, query: str) -> None:
    request_id = request_id_of(await offered(http, world.shop.envelope()))
    check_problem(await http.get(f"/v1/requests/{request_id}?{query}", headers=world.shop.bearer()), 422, "invalid-request")


async def test_anothers_unknown_and_malformed_ids_answer_alike(world: World, http: httpx.AsyncClient) -> None:
    foreign = request_id_of(await offered(http, world.shop.envelope()))
    answers = [
        await http.request(method, f"/v1/requests/{request_id}{tail}", headers=reader.bearer())
        for reader in (world.rival, world.wired)  # another tenant's, and another client of the same tenant
        for method, tail in (("GET", ""), ("GET", "?wait=5"), ("GET", "/events"), ("DELETE", ""))
        for request_id in (foreign, "req_" + "a" * 26, "req_x", "1", "%00", "..%2f..", "*")
    ]
    for answer in answers:
        check_problem(answer, 404, "not-found")
    assert len({answer.content for answer in answers}) == 1


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_reading_needs_a_token_of_its_own_kind(world: World, http: httpx.AsyncClient, method: str) -> None:
    compact = world.shop.envelope()
    path = f"/v1/requests/{request_id_of(await offered(http, compact))}"
    check_problem(await http.request(method, path), 401, "unauthenticated")
    envelope = {"Authorization": f"Bearer {compact.decode()}"}
    check_problem(await http.request(method, path, headers=envelope), 401, "envelope-refused")
    foreign = {"Authorization": f"Bearer {world.rival.token(issuer='shop')}"}
    check_problem(await http.request(method, path, headers=foreign), 401, "envelope-refused")
    twice = [("Authorization", f"Bearer {world.shop.token()}")] * 2
    check_problem(await http.request(method, path, headers=twice), 401, "envelope-refused")
    await world.ledger.revoke_key(world.shop.kid, NOW)
    check_problem(await http.request(method, path, headers=world.shop.bearer()), 401, "key-revoked")


async def test_access_token_is_no_request(world: World, http: httpx.AsyncClient) -> None:
    check_problem(await offered(http, world.shop.token().encode()), 401, "envelope-refused")


async def test_response_without_its_whole_chain_is_never_shown(
    world: World, ingress: Ingress, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with client_of(ingress) as http:
        request_id = request_id_of(await offered(http, world.shop.envelope()))
        await world.end(request_id)
        whole = await world.ledger.request(request_id)
        assert whole is not None

        async def bitten(_: str) -> Any:
            return type(whole)(**{name: getattr(whole, name) for name in whole.__slots__} | {"stamps": whole.stamps[:3]})

        monkeypatch.setattr(world.ledger, "request", bitten)
        answer = await http.get(f"/v1/requests/{request_id}", headers=world.shop.bearer())
        check_problem(answer, 500, "internal")
        assert "forty-two" not in answer.text


# --- following and cancelling --------------------------------------------------------------------------------------


async def test_events_tell_each_status_once_and_end_with_the_outcome(world: World) -> None:
    async with world.served() as url, httpx.AsyncClient(base_url=url) as http:
        request_id = request_id_of(await offered(http, world.shop.envelope()))
        said = []
        async with http.stream("GET", f"/v1/requests/{request_id}/events", headers=world.shop.bearer()) as stream:
            assert stream.headers["content-type"] == "text/event-stream"
            async for line in stream.aiter_lines():
                if line.startswith("data: "):
                    said.append(json.loads(line.removeprefix("data: ")))
                    if len(said) == 1:
                        await world.end(request_id)
        assert [one["status"] for one in said] == ["accepted", "delivered"]
        assert said[-1]["receipt"]["response"]["body"] == "forty-two"


async def test_quiet_stream_is_kept_alive(world: World) -> None:
    bounds = type(world.bounds)(**{name: getattr(world.bounds, name) for name in world.bounds.__slots__} | {"keep_alive": 0.05})
    async with world.served(bounds=bounds) as url, httpx.AsyncClient(base_url=url) as http:
        request_id = request_id_of(await offered(http, world.shop.envelope()))
        async with http.stream("GET", f"/v1/requests/{request_id}/events", headers=world.shop.bearer()) as stream:
            async for line in stream.aiter_lines():
                if line.startswith(":"):
                    break
            else:
                pytest.fail("no comment")


async def test_cancelling_asks_the_outcome_role_with_a_chain_that_verifies(world: World, http: httpx.AsyncClient) -> None:
    request_id = request_id_of(await offered(http, world.shop.envelope()))
    answer = await http.delete(f"/v1/requests/{request_id}", headers=world.shop.bearer())
    assert (answer.status_code, answer.json()["request_id"]) == (202, request_id)
    (body,) = await world.waiting(OUTCOMES.topic)
    (passage,) = read_convoy(body).passages
    chain = verifier().verify(passage, through=Role.INGRESS, now=NOW, ended=True)
    assert (chain.last.decision, chain.facts.request_id) == (Decision.CANCEL, request_id)
    assert passage.envelope == ""
    record = await world.ledger.request(request_id)
    assert record is not None
    assert record.outcome is None


async def test_what_has_ended_cannot_be_cancelled(world: World, http: httpx.AsyncClient) -> None:
    request_id = request_id_of(await offered(http, world.shop.envelope()))
    await world.end(request_id)
    check_problem(await http.delete(f"/v1/requests/{request_id}", headers=world.shop.bearer()), 409, "already-ended")
    assert await world.waiting(OUTCOMES.topic) == []


async def test_cancellation_that_is_not_confirmed_is_not_promised(world: World, http: httpx.AsyncClient) -> None:
    request_id = request_id_of(await offered(http, world.shop.envelope()))
    world.server.down = True
    check_problem(await http.delete(f"/v1/requests/{request_id}", headers=world.shop.bearer()), 503, "broker")


# --- the rest ------------------------------------------------------------------------------------------------------


async def test_keys_are_public(http: httpx.AsyncClient) -> None:
    answer = await http.get("/v1/keys")
    assert Trust.parse(answer.content) == TRUST


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "not-found"),
        ("GET", "/v1/requests/", 404, "not-found"),
        ("POST", "/v1/requests/", 404, "not-found"),
        ("GET", "/admin/status", 404, "not-found"),
        ("GET", "/metrics", 404, "not-found"),
        ("GET", "/docs", 404, "not-found"),
        ("GET", "/v1/requests", 405, "method-not-allowed"),
        ("PUT", "/v1/requests", 405, "method-not-allowed"),
        ("POST", "/v1/keys", 405, "method-not-allowed"),
        ("POST", "/v1/requests/x", 405, "method-not-allowed"),
    ],
)
async def test_unknown_addresses_and_methods_are_problems(
    http: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    check_problem(await http.request(method, path), status, code)


async def test_unexpected_exception_answers_a_constant(
    world: World, ingress: Ingress, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken() -> Any:
        raise RuntimeError("secret-in-the-text")

    monkeypatch.setattr(world.ledger, "directory", broken)
    async with client_of(ingress) as http:
        for answer in (
            await offered(http, world.shop.envelope()),
            await http.get("/v1/requests/req_" + "a" * 26, headers=world.shop.bearer()),
        ):
            check_problem(answer, 500, "internal")
            assert "secret-in-the-text" not in answer.text
    assert "RuntimeError" in caplog.text
    assert "secret-in-the-text" not in caplog.text
    monkeypatch.undo()
    async with client_of(ingress) as http:
        assert (await offered(http, world.shop.envelope())).status_code == 202


def test_limits_are_shrunk_for_tests_only() -> None:
    assert Limits().wait == 60_000


async def test_facts_carry_no_word_of_the_message_about_identity(world: World, http: httpx.AsyncClient) -> None:
    answer = await offered(http, world.rival.envelope())
    facts = read_facts(read_acceptance(answer.content).facts)
    assert (facts.principal.tenant, facts.principal.user) == ("globex", "mallory")
