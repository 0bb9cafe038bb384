"""Server-sent events: lines in, events out. Pure; comments and fields that are not used here are skipped, as the standard asks."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event: its name and its data."""

    name: str
    data: str


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
