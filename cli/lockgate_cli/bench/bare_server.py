"""The same embedded server as the gateway's, without the gateway's accounts: where the hops without gates run.

Its settings, and those of its streams and consumers, are the gateway's own objects, so that the comparison cannot drift. It has one
user, with a random token and no permissions to check: what that saves goes to the peers.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec
import nats
from nats.aio.client import Client

from lockgate_broker.limits import DEFAULT_LIMITS
from lockgate_broker.nats.embedded import EmbeddedServer
from lockgate_broker.nats.topology import gateway_topology
from lockgate_broker.private_files import write_private
from lockgate_cli.bench.plans import HOPS
from lockgate_schemas.errors import BrokerError

DONE_SUBJECT: Final = "bench.done"
"""Where the last hop says, to whoever listens, how many messages have arrived."""
CONSUMER: Final = "hop"
_API_BOUND: Final = 10.0


def stream(hop: int) -> str:
    """The stream that hop 1 to 5 reads."""
    return f"BENCH_{hop}"


def subject(hop: int) -> str:
    """The subject that stream stores."""
    return f"bench.hop.{hop}"


class BareServer(EmbeddedServer):
    """An embedded server with one user who may do everything."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._token = secrets.token_urlsafe(32)

    @property
    def url(self) -> str:
        """Where to connect, with the token in it: hand it on over a pipe, not as an argument."""
        return f"nats://{self._token}@{urlsplit(super().url).netloc}"

    def _write_configuration(self) -> None:
        super()._write_configuration()
        write_private(self.folder.accounts_conf, f'authorization {{ token: "{self._token}" }}\n'.encode())


@asynccontextmanager
async def bare_server(root: Path) -> AsyncIterator[BareServer]:
    """Run one for as long as the block lasts."""
    async with BareServer(root) as server:
        yield server


async def reset_hops(server: BareServer, *, consumers: bool) -> None:
    """Make the streams of the five hops anew, empty, and their consumers unless the framework under test makes its own."""
    client = await nats.connect(server.url)
    try:
        like = gateway_topology(DEFAULT_LIMITS)
        for hop in range(1, HOPS + 1):
            await _ask(client, f"STREAM.DELETE.{stream(hop)}", {}, missing=True)
            config = {**like.streams[0].config, "name": stream(hop), "subjects": [subject(hop)]}
            await _ask(client, f"STREAM.CREATE.{stream(hop)}", config)
            if consumers:
                consumer = {**like.consumers[0].config, "name": CONSUMER, "durable_name": CONSUMER}
                request = {"stream_name": stream(hop), "config": consumer, "action": "create"}
                await _ask(client, f"CONSUMER.DURABLE.CREATE.{stream(hop)}.{CONSUMER}", request)
    finally:
        await client.close()


async def _ask(client: Client, call: str, request: object, *, missing: bool = False) -> None:
    answer = await client.request(f"$JS.API.{call}", msgspec.json.encode(request), timeout=_API_BOUND)
    problem = msgspec.json.decode(answer.data).get("error")
    if problem is not None and not missing:
        raise BrokerError(f"the bench's server refused {call.partition('.')[0]} (code {problem.get('err_code')})")
