"""The ops agent: ``list``, ``read`` and ``search`` over a folder of configuration and logs.

It reads what it is asked to, secrets and all: what of it may leave is the gateway's to decide, which is what this example is for. Where it
may read at all is decided in `folder`.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import msgspec

from lockgate.agent import Agent
from lockgate.examples.ops.folder import Folder, ReadRefusedError
from lockgate.request import ActionFailed, Request
from lockgate.settings import AgentSettings


class Read(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file by its path below the folder."""

    path: str


class Search(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Text to look for, as it stands."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class Hit(msgspec.Struct, frozen=True):
    """One line that contains the text."""

    path: str
    line: int
    text: str


def build(folder: Path, settings: AgentSettings | None = None) -> Agent:
    """The agent ``ops`` over ``folder``."""
    agent = Agent("ops", settings=settings)
    files = Folder(folder)

    @agent.action("list")
    async def list_files(request: Request[None]) -> list[str]:
        del request
        return await asyncio.to_thread(files.names)

    @agent.action("read")
    async def read(request: Request[Read]) -> str:
        try:
            return await asyncio.to_thread(files.read, request.data.path)
        except ReadRefusedError as error:
            raise ActionFailed(str(error)) from None

    @agent.action("search")
    async def search(request: Request[Search]) -> list[Hit]:
        return [Hit(*hit) for hit in await asyncio.to_thread(files.search, request.data.text)]

    return agent
