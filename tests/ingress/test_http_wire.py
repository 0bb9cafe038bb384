"""The public listener on a real socket: what is read of hostile requests, how long they may take, and how it stops and reports."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import signal
import socket
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from tests.ingress.conftest import JOSE, World, offered, request_id_of, until

from lockgate_schemas.errors import LedgerError

HEAD = b"POST /v1/requests HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/jose\r\n"


@contextlib.asynccontextmanager
async def connection(url: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def answer_of(reader: asyncio.StreamReader) -> tuple[int, dict[str, Any]]:
    """Status and problem of an answer on a raw connection."""
    async with asyncio.timeout(30):
        head = await reader.readuntil(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        lines = [line.lower() for line in head.split(b"\r\n")]
        length = next(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length"))
        return status, json.loads(await reader.readexactly(length))


async def closed(reader: asyncio.StreamReader) -> bool:
    async with asyncio.timeout(30):
        try:
            while await reader.read(65536):
                pass
        except ConnectionError:
            return True
        return reader.at_eof()


@pytest.mark.requirement("C07")
async def test_announced_gigabyte_is_refused_before_a_byte_of_it_is_sent(world: World) -> None:
    async with world.served() as url, connection(url) as (reader, writer):
        writer.write(HEAD + b"Content-Length: 1073741824\r\n\r\n")
        status, problem = await answer_of(reader)
        assert (status, problem["code"]) == (413, "too-large")
        assert await closed(reader)


async def test_announced_gigabyte_with_expect_is_not_asked_for(world: World) -> None:
    async with world.served() as url, connection(url) as (reader, writer):
        writer.write(HEAD + b"Content-Length: 1073741824\r\nExpect: 100-continue\r\n\r\n")
        status, _ = await answer_of(reader)
        assert status == 413


async def test_chunked_gigabyte_is_cut_after_a_little(world: World) -> None:
    async with world.served() as url, connection(url) as (reader, writer):
        writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        answering = asyncio.create_task(answer_of(reader))
        sent, chunk = 0, b"10000\r\n" + b"a" * 65536 + b"\r\n"
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(10):
                while sent < 1 << 30 and not answering.done():
                    writer.write(chunk)
                    await writer.drain()
                    sent += 65536
        status, problem = await answering
        assert (status, problem["code"]) == (413, "too-large")
        assert sent < 32 * 1024 * 1024  # the limit, what lingers, and the buffers of two sockets


async def test_client_in_the_middle_of_sending_is_not_cut_off_before_it_can_read_why(world: World) -> None:
    piece = b"a" * 16_384
    pieces = world.limits.max_envelope_bytes // len(piece) + 4
    loop = asyncio.get_running_loop()
    async with world.served() as url:
        parts = urlsplit(url)
        with socket.create_connection((str(parts.hostname), parts.port or 0)) as sock:
            sock.setblocking(False)
            await loop.sock_sendall(sock, HEAD + b"Content-Length: %d\r\n\r\n" % (pieces * len(piece)))
            answer = await loop.sock_recv(
                sock, 65536
            )  # it is there already, and whoever sends first and reads later has to get so far
            for _ in range(pieces):
                await loop.sock_sendall(sock, piece)
                await asyncio.sleep(0)
            assert answer.startswith(b"HTTP/1.1 413")


async def test_lying_length_is_not_smuggled_into_a_second_request(world: World) -> None:
    async with world.served() as url, connection(url) as (reader, writer):
        writer.write(
            HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        )
        status, _ = await answer_of(reader)
        assert status in {401, 413, 422}
        rest = b""
        with contextlib.suppress(ConnectionError):
            rest = await asyncio.wait_for(reader.read(), 5)
        assert b"alive" not in rest


async def test_slow_body_is_408(world: World) -> None:
    bounds = dataclasses.replace(world.bounds, body_seconds=0.1)
    async with world.served(bounds=bounds) as url, connection(url) as (reader, writer):
        writer.write(HEAD + b"Content-Length: 1000\r\n\r\nabc")
        status, problem = await answer_of(reader)
        assert (status, problem["code"]) == (408, "slow-request")
        assert await closed(reader)


@pytest.mark.parametrize("sent", [b"", b"POST /v1/req", HEAD])
async def test_slow_head_loses_its_connection(world: World, sent: bytes) -> None:
    bounds = dataclasses.replace(world.bounds, head_seconds=0.1)
    async with world.served(bounds=bounds) as url, connection(url) as (reader, writer):
        writer.write(sent)
        assert await closed(reader)


async def test_head_may_follow_slowly_on_a_kept_connection_only_within_the_bound(world: World) -> None:
    bounds = dataclasses.replace(world.bounds, head_seconds=0.1)
    async with world.served(bounds=bounds) as url, connection(url) as (reader, writer):
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await answer_of(reader))[0] == 200
        writer.write(b"GET /healthz HT")
        assert await closed(reader)


@pytest.mark.parametrize("count", [101, 100_000])
async def test_too_many_headers_are_431(world: World, count: int) -> None:
    async with world.served() as url, connection(url) as (reader, writer):
        writer.write(HEAD + b"".join(b"X-%d: 1\r\n" % number for number in range(count)) + b"Content-Length: 0\r\n\r\n")
        status, problem = await answer_of(reader)
        assert (status, problem["code"]) == (431, "headers-too-large")


@pytest.mark.parametrize("head", [b"GET /" + b"a" * 300_000, HEAD + b"X-Long: " + b"a" * 300_000])
async def test_endless_line_is_cut(world: World, head: bytes) -> None:
    async with world.served() as url, connection(url) as (reader, writer):
        writer.write(head)
        status, problem = await answer_of(reader)
        assert (status, problem["code"]) == (431, "headers-too-large")


@pytest.mark.parametrize(
    "garbage", [b"\x16\x03\x01\x02\x00\r\n\r\n", b"GET http:// HTTP/9\r\n\r\n", b"OPTIONS * HTTP/1.1\r\n\r\n"]
)
async def test_what_is_not_http_is_a_problem_and_the_process_lives(world: World, garbage: bytes) -> None:
    async with world.served() as url:
        async with connection(url) as (reader, writer):
            writer.write(garbage)
            status, problem = await answer_of(reader)
            assert status in {404, 422}
            assert problem["code"] in {"invalid-request", "not-found"}
        async with httpx.AsyncClient(base_url=url) as http:
            assert (await http.get("/healthz")).status_code == 200


async def test_one_connection_too_many_is_turned_away(world: World) -> None:
    bounds = dataclasses.replace(world.bounds, connections=1)
    async with world.served(bounds=bounds) as url, connection(url) as (first, _):
        async with connection(url) as (reader, _):
            status, problem = await answer_of(reader)
            assert (status, problem["code"]) == (503, "unavailable")
        assert not first.at_eof()


async def test_bombs_and_depths_leave_the_process_alive(world: World) -> None:
    depth = world.shop.signed(b'{"data":' + b"[" * 10_000 + b"]" * 10_000 + b"}")
    digits = world.shop.signed(b'{"data":' + b"9" * 180_000 + b"}")
    async with world.served() as url, httpx.AsyncClient(base_url=url) as http:
        for compact in (depth, digits):
            began = asyncio.get_running_loop().time()
            assert (await offered(http, compact)).status_code == 422
            assert asyncio.get_running_loop().time() - began < 0.5
        assert (await offered(http, b"\x1f\x8b" + b"0" * 1000, **{"Content-Encoding": "gzip"})).status_code == 415
        assert (await offered(http, world.shop.envelope())).status_code == 202


async def test_body_of_a_refused_request_is_not_taken_for_the_next_one(world: World) -> None:
    async with world.served() as url, connection(url) as (reader, writer):
        smuggled = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        writer.write(
            b"POST /v1/requests HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(smuggled)
            + smuggled
        )
        assert (await answer_of(reader))[0] == 415
        assert await closed(reader)


async def test_readiness_is_a_real_publish_and_a_real_read(world: World) -> None:
    async with world.served() as url, httpx.AsyncClient(base_url=url) as http:
        assert (await http.get("/readyz")).json() == {"status": "ready"}
        world.server.down = True
        await until(lambda: red(http, "broker"))
        assert (await http.get("/healthz")).status_code == 200
        world.server.down = False
        await until(lambda: green(http))


async def test_readiness_names_the_ledger(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def unreadable() -> int:
        raise LedgerError

    async with world.served() as url, httpx.AsyncClient(base_url=url) as http:
        monkeypatch.setattr(world.ledger, "epoch", unreadable)
        await until(lambda: red(http, "ledger"))


async def test_asking_for_readiness_often_costs_one_check(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    checks = 0
    epoch = world.ledger.epoch

    async def counted() -> int:
        nonlocal checks
        checks += 1
        return await epoch()

    monkeypatch.setattr(world.ledger, "epoch", counted)
    bounds = dataclasses.replace(world.bounds, ready_for=60.0)
    async with world.served(bounds=bounds) as url, httpx.AsyncClient(base_url=url) as http:
        answers = await asyncio.gather(*(http.get("/readyz") for _ in range(50)))
        assert {answer.status_code for answer in answers} == {200}
    assert checks == 1


async def red(http: httpx.AsyncClient, code: str) -> bool:
    answer = await http.get("/readyz")
    return answer.status_code == 503 and answer.json()["code"] == code


async def green(http: httpx.AsyncClient) -> bool:
    return (await http.get("/readyz")).status_code == 200


async def test_stopping_answers_who_waits(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0
    request = world.ledger.request

    async def counted(request_id: str) -> Any:
        nonlocal looks
        looks += 1
        return await request(request_id)

    monkeypatch.setattr(world.ledger, "request", counted)
    async with httpx.AsyncClient() as http:
        async with world.served() as url:
            offer = await http.post(f"{url}/v1/requests", content=world.shop.envelope(), headers=JOSE)
            path = f"{url}/v1/requests/{request_id_of(offer)}?wait=5"
            polling = asyncio.create_task(http.get(path, headers=world.shop.bearer()))
            await until(lambda: looks >= 2)  # the owner's check, and the first look of the wait
            began = asyncio.get_running_loop().time()
        assert (await polling).json()["status"] == "accepted"
        assert asyncio.get_running_loop().time() - began < 3


async def test_signal_stops_a_listener_that_is_given_no_event(world: World) -> None:
    async with world.served(stop=None) as url, httpx.AsyncClient(base_url=url) as http:
        assert (await http.get("/healthz")).status_code == 200
        os.kill(os.getpid(), signal.SIGTERM)
