"""A POST to a checked address: certificates are verified for the name, nothing is followed, and what comes back is bounded. Against a real HTTPS server."""

from __future__ import annotations

import asyncio
import ssl

import httpx
import pytest
from alert_receivers import HOST, Authority, Receiver, resolving

from lockgate_workers.alerts.posting import Poster
from lockgate_workers.alerts.targets import DeliveryError, parse_url


def trusting(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority.roots))


async def post(
    receiver: Receiver,
    context: ssl.SSLContext,
    *addresses: str,
    url: str = "",
    seconds: float = 10.0,
    allow_private: bool = True,
) -> None:
    poster = Poster(resolving(*(addresses or ("127.0.0.1",)))[1], seconds=seconds)
    target = parse_url(url or receiver.url)
    await poster.post(target, {"X-Test": "1"}, b'{"a":1}', context=context, allow_private=allow_private)


async def test_the_name_is_in_the_handshake_and_the_host_header_and_the_connection_goes_to_the_address(
    receiver: Receiver, authority: Authority
) -> None:
    await post(receiver, trusting(authority))
    [got] = receiver.received
    assert (got.line, got.body) == ("POST /hook?a=1 HTTP/1.1", b'{"a":1}')
    assert got.headers["host"] == f"{HOST}:{receiver.port}"
    assert got.headers["x-test"] == "1"
    assert receiver.names == [HOST]


async def test_a_certificate_for_another_name_is_not_taken(receiver: Receiver, authority: Authority) -> None:
    with pytest.raises(DeliveryError, match="tls"):
        await post(receiver, trusting(authority), url=f"https://other.test:{receiver.port}/")
    assert receiver.received == []


async def test_an_authority_nobody_knows_is_not_taken(receiver: Receiver) -> None:
    with pytest.raises(DeliveryError, match="tls"):
        await post(receiver, httpx.create_ssl_context(trust_env=False))
    assert receiver.received == []


async def test_a_private_address_gets_not_even_a_connection(receiver: Receiver, authority: Authority) -> None:
    with pytest.raises(DeliveryError, match="address-refused"):
        await post(receiver, trusting(authority), allow_private=False)
    assert (receiver.received, receiver.names) == ([], [])


async def test_the_resolver_is_asked_once_although_its_answer_changes(receiver: Receiver, authority: Authority) -> None:
    answers = [["127.0.0.1"], ["169.254.169.254"]]

    async def rebinding(_host: str, _port: int) -> list[str]:
        return answers.pop(0)

    target = parse_url(receiver.url)
    await Poster(rebinding).post(target, {}, b"", context=trusting(authority), allow_private=True)
    assert len(answers) == 1
    assert len(receiver.received) == 1


async def test_a_proxy_of_the_environment_is_not_asked(
    receiver: Receiver, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    await post(receiver, trusting(authority))
    assert len(receiver.received) == 1


async def test_a_redirect_is_a_failure_and_not_followed(receiver: Receiver, authority: Authority) -> None:
    receiver.answers = [b"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"]
    with pytest.raises(DeliveryError, match="status-307"):
        await post(receiver, trusting(authority))
    assert len(receiver.received) == 1


@pytest.mark.parametrize(
    ("head", "code", "final", "wait"),
    [
        ("500 Oh", "status-500", False, 0),
        ("404 No", "status-404", False, 0),
        ("410 Gone", "status-410", True, 0),
        ("429 Slow\r\nRetry-After: 30", "status-429", False, 30_000),
        ("503 Busy\r\nRetry-After: 999999", "status-503", False, 3_600_000),
        ("503 Busy\r\nRetry-After: Wed, 21 Oct 2026 07:28:00 GMT", "status-503", False, 0),
        ("503 Busy\r\nRetry-After: -5", "status-503", False, 0),
        ("503 Busy\r\nRetry-After: 99999999999999999999", "status-503", False, 0),
    ],
)
async def test_what_is_no_success_is_a_failure_with_its_status(
    receiver: Receiver, authority: Authority, head: str, code: str, *, final: bool, wait: int
) -> None:
    receiver.answers = [f"HTTP/1.1 {head}\r\nContent-Length: 0\r\n\r\n".encode()]
    with pytest.raises(DeliveryError) as raised:
        await post(receiver, trusting(authority))
    assert (raised.value.code, raised.value.final, raised.value.wait) == (code, final, wait)


async def test_a_long_answer_is_not_read_to_its_end(receiver: Receiver, authority: Authority) -> None:
    receiver.answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n" + b"x" * 100_000]
    await post(receiver, trusting(authority))


async def test_an_answer_that_is_none_is_a_failure(receiver: Receiver, authority: Authority) -> None:
    receiver.answers = [b""]
    with pytest.raises(DeliveryError, match="broken-answer"):
        await post(receiver, trusting(authority))
    receiver.answers = [b"220 mail.test ESMTP\r\n"]
    with pytest.raises(DeliveryError, match="broken-answer"):
        await post(receiver, trusting(authority))


async def test_who_never_answers_is_given_up_in_time(authority: Authority) -> None:
    held: list[asyncio.StreamWriter] = []

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)
        await reader.read()

    server = await asyncio.start_server(silent, "127.0.0.1", 0, ssl=authority.context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        poster = Poster(resolving("127.0.0.1")[1], seconds=0.5)
        target = parse_url(f"https://{HOST}:{port}/")
        with pytest.raises(DeliveryError, match="timeout"):
            await poster.post(target, {}, b"", context=trusting(authority), allow_private=True)
        for writer in held:
            writer.close()


async def test_the_next_address_is_tried_when_one_does_not_answer_at_all(receiver: Receiver, authority: Authority) -> None:
    await post(receiver, trusting(authority), "127.0.0.2", "127.0.0.1")
    assert len(receiver.received) == 1


async def test_nobody_there(authority: Authority) -> None:
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    poster = Poster(resolving("127.0.0.1")[1])
    with pytest.raises(DeliveryError, match="unreachable"):
        await poster.post(parse_url(f"https://{HOST}:{port}/"), {}, b"", context=trusting(authority), allow_private=True)
