"""The small pure parts of the client: pauses, server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from lockgate.problems import error_of_code, pause_of
from lockgate.sse import ServerEvent, read_events
from lockgate_schemas.errors import ERRORS, LockgateError


@pytest.mark.parametrize(
    ("value", "pause"),
    [
        ("3", 3.0),
        ("0", 0.0),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 40.0),
        ("Thu, 01 Jan 1970 00:00:10 GMT", 0.0),
        ("-1", None),
        ("soon", None),
        ("", None),
        ("\u0663", None),
        ("Mon, 99 Foo 2026 00:00:00 GMT", None),
    ],
)
def test_retry_after(value: str, pause: float | None) -> None:
    assert pause_of({"retry-after": value}, now=60_000) == pause


def test_no_retry_after() -> None:
    assert pause_of({}, now=0) is None


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.code)
def test_every_code_has_its_class(kind: type[LockgateError]) -> None:
    error = error_of_code(kind.code, "why")
    assert (error.code, error.detail, str(error)) == (kind.code, "why", "why")


def test_an_unknown_code_is_still_ours() -> None:
    assert type(error_of_code("from-tomorrow", "why")) is LockgateError


async def events(*lines: str) -> list[ServerEvent]:
    async def each() -> AsyncIterator[str]:
        for line in lines:
            yield line

    return [event async for event in read_events(each())]


async def test_server_sent_events_as_the_standard_writes_them() -> None:
    assert await events(
        ": comment",
        "event: accepted",
        'data: {"a":',
        "data:1}",
        "id: 7",
        "",
        "",
        "data: bare",
        "",
        "event: lost",
        "",
        "data: cut",
    ) == [ServerEvent("accepted", '{"a":\n1}'), ServerEvent("message", "bare")]
