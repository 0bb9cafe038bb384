"""Server-sent events: lines in, events out. Pure; comments and fields that are not used here are skipped, as the standard asks."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event: its name and its data."""

    name: str
    data: str


async def lines_of(chunks: AsyncIterable[bytes]) -> AsyncIterator[str]:
    """The lines of a stream of bytes, without their ends: LF, or CR and LF. Unicode's other separators may stand in the middle of a JSON text."""
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.removesuffix(b"\r").decode("utf-8", "replace")


async def read_events(lines: AsyncIterable[str]) -> AsyncIterator[ServerEvent]:
    """Group ``lines`` (without their ends) into events; an event without data, or cut off by the end, is none."""
    name, data = "message", list[str]()
    async for line in lines:
        if not line:
            if data:
                yield ServerEvent(name, "\n".join(data))
            name, data = "message", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)
