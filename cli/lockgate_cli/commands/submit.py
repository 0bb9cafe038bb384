"""``lockgate submit``: send one request as a registered client and show the answer."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from lockgate.client import Client
from lockgate.credentials import ClientCredentials
from lockgate.results import Result, Submission
from lockgate.streaming import Streamed
from lockgate_cli.exits import guarded
from lockgate_cli.home import Home
from lockgate_cli.options import HomeOption, JsonOption, home_at
from lockgate_cli.render import console, foreign, outcome_text, print_json
from lockgate_cli.temporary import running_gateway
from lockgate_schemas.errors import ConfigurationError, DeadlineError, UnavailableError
from lockgate_schemas.passage import Outcome


def credentials_of(home: Home, name: str) -> ClientCredentials:
    """The credentials of the named client, or of the only one there is."""
    if name:
        return ClientCredentials.load(home.client_file(name))
    found = sorted((home.folder / "clients").glob("*.json"))
    if not found:
        raise ConfigurationError("no client is registered here: lockgate client add NAME")
    if len(found) > 1:
        names = ", ".join(path.stem for path in found)
        raise ConfigurationError(f"there are several clients ({names}): choose one with --client")
    return ClientCredentials.load(found[0])


def _data(data: str, file: Path | None) -> Any:
    if file is not None:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
        if data:
            raise ConfigurationError("give --data or --file, not both")
        return text
    if not data:
        return None
    try:
        return msgspec.json.decode(data)
    except msgspec.MsgspecError:
        return data


async def _submit(
    home: Home, credentials: ClientCredentials, *, agent: str, action: str, data: Any, wait: float, stream: bool
) -> tuple[Submission, Result]:
    async with running_gateway(home) as url, Client(replace(credentials, url=url)) as client:
        submission = await client.submit(agent, action, data)
        if stream:
            return submission, await _shown(client.stream(submission), wait)
        return submission, await client.result(submission, timeout=wait)


async def _shown(answer: Streamed, wait: float) -> Result:
    """Write the pieces of an answer as they come; return its result. Raises what reading them raises."""
    try:
        async with asyncio.timeout(wait):
            async for piece in answer:
                console.print(foreign(piece), end="", soft_wrap=True)
    except TimeoutError:
        raise DeadlineError from None
    finally:
        if answer.text:
            console.print()
    if answer.result is None:
        raise UnavailableError("the stream of events ended before the request did")
    return answer.result


@guarded
def submit(
    agent: Annotated[str, typer.Argument(help="The agent's name.")],
    action: Annotated[str, typer.Argument(help="What it is asked to do.")],
    data: Annotated[str, typer.Option("--data", help="JSON, or plain text.")] = "",
    file: Annotated[Path | None, typer.Option("--file", help="Send this file's text ('-' for standard input).")] = None,
    client: Annotated[str, typer.Option("--client", help="Which registered client signs.")] = "",
    wait: Annotated[float, typer.Option(help="Seconds to wait for the outcome.")] = 60.0,
    stream: Annotated[
        bool, typer.Option("--stream", help="Show the answer while it is written, where that is allowed.")
    ] = False,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Sign a request, send it through every gate, verify the receipt, print the answer.

    When no gateway runs in the home folder, one is started for this request (the demo's, with its example agents, after a demo).
    """
    if stream and as_json:
        raise ConfigurationError("give --stream or --json, not both")
    place = home_at(home)
    credentials = credentials_of(place, client)
    submission, result = asyncio.run(
        _submit(place, credentials, agent=agent, action=action, data=_data(data, file), wait=wait, stream=stream)
    )
    if as_json:
        print_json(
            {"request_id": submission.request_id, "outcome": result.outcome, "code": result.code, "content": result.text}
        )
    else:
        console.print(outcome_text(result.outcome), f"[dim]{submission.request_id}  receipt verified[/]")
        if result.text and not (stream and result.ok):  # else it is there already
            console.print(foreign(result.text, as_json=result.content_type.startswith("application/json")))
        elif result.code:
            console.print(f"[dim]{result.code}[/]")
    if result.outcome is not Outcome.DELIVERED:
        raise typer.Exit(1)
