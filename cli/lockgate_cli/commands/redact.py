"""``lockgate rules redact``: put any text through the answers' gate while it is being written, as a filter between two programs."""

from __future__ import annotations

import asyncio
import codecs
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Final

import typer

from lockgate_cli.exits import Exit, guarded
from lockgate_cli.options import HomeOption, home_if_any
from lockgate_cli.rulebook import Rulebook, content_in_force
from lockgate_schemas.errors import ConfigurationError
from lockgate_workers.dlp.decide import replacing
from lockgate_workers.dlp.stream import StreamBlockedError, StreamGate
from lockgate_workers.scanning.content import day
from lockgate_workers.scanning.engines import repeatable
from lockgate_workers.scanning.reloading import read_content

_CHUNK: Final = 65_536


@guarded
def redact(
    tenant: Annotated[str, typer.Option(help="As it is for this tenant.", show_default=False)] = "",
    agent: Annotated[str, typer.Option(help="As it is for this agent.", show_default=False)] = "",
    home: HomeOption = None,
) -> None:
    """Read text from standard input and write it redacted, as soon as it is settled; a block ends it with exit code 1."""
    found = home_if_any(home)
    record = asyncio.run(content_in_force(found))
    content = Rulebook.of(found).dlp()(record)
    if content.slow:
        raise ConfigurationError("the content policy asks a language model for names, and that needs whole texts, not a stream")
    today = day(int(datetime.now(UTC).timestamp() * 1000))
    scanner = repeatable(content.scanners.tuned(tenant, agent, today))
    gate = StreamGate(scanner, read_content(record).links, replacing(content.replacement))
    try:
        for chunk in _chunks(sys.stdin.fileno()):
            _write(gate.feed(chunk))
        _write(gate.close())
    except StreamBlockedError as blocked:
        typer.echo(f"\nblocked by {blocked.rule}: nothing more of this text goes out", err=True)
        raise typer.Exit(Exit.REFUSED) from None


def _chunks(descriptor: int) -> Iterator[str]:
    """What there is to read, as it comes. Raises `ConfigurationError` when it is no text."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while data := os.read(descriptor, _CHUNK):
            yield decoder.decode(data)
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise ConfigurationError("standard input is not UTF-8 text") from None


def _write(piece: str) -> None:
    if piece:
        sys.stdout.write(piece)
        sys.stdout.flush()
