"""A client of the HTTP door that costs as little as possible: keep-alive connections, each with one request that waits for its outcome.

No HTTP library: the benchmark shares the machine with what it measures. An answer is 200 with the receipt, or it counts as failed.
"""

from __future__ import annotations

import asyncio
from typing import Final, cast
from urllib.parse import urlsplit

from lockgate.credentials import ClientCredentials
from lockgate_cli.bench.child import run_child, say
from lockgate_cli.bench.clocked import Clocked
from lockgate_cli.bench.plans import READY, ClientPlan

_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"


class Connection(asyncio.Protocol):
    """One connection: sends the next envelope as soon as the last one is answered."""

    def __init__(self, clocked: Clocked, host: str, finished: asyncio.Event) -> None:
        self._clocked = clocked
        self._head = (
            f"POST /v1/requests HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/jose\r\nprefer: wait=60\r\ncontent-length: "
        ).encode()
        self._finished = finished
        self._transport: asyncio.WriteTransport | None = None
        self._number: int | None = None
        self._buffer = b""
        self._body_at = self._body_ends = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected."""
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's own class is not derived from it

    def connection_lost(self, exc: Exception | None) -> None:
        """Whatever was under way has failed; so has the run."""
        _ = exc
        if self._number is not None and self._clocked.end(self._number, None):
            self._finished.set()
        self._number = self._transport = None

    def send_next(self) -> None:
        """Send one, if there is any left."""
        self._number = self._clocked.take()
        if self._number is not None and self._transport is not None:
            envelope = self._clocked.envelopes[self._number]
            self._transport.write(self._head + b"%d" % len(envelope) + _END + envelope)

    def data_received(self, data: bytes) -> None:
        """Collect the answer; when it is whole, note it and go on."""
        self._buffer += data
        if not self._body_ends and not self._read_head():
            return
        if len(self._buffer) < self._body_ends or self._number is None:
            return
        receipt = self._buffer[self._body_at : self._body_ends] if self._buffer.startswith(b"HTTP/1.1 200 ") else None
        last = self._clocked.end(self._number, receipt)
        self._buffer, self._body_ends = self._buffer[self._body_ends :], 0
        if last:
            self._finished.set()
        self.send_next()

    def _read_head(self) -> bool:
        end = self._buffer.find(_END)
        if end < 0:
            return False
        head = self._buffer[:end].lower()
        at = head.index(_LENGTH) + len(_LENGTH)
        self._body_at = end + len(_END)
        self._body_ends = self._body_at + int(head[at:].split(b"\r\n", 1)[0])
        return True


async def send_all(plan: ClientPlan, stop: asyncio.Event) -> None:
    """Send every envelope, ``plan.window`` at a time."""
    clocked = Clocked(plan)
    address = urlsplit(ClientCredentials.load(plan.credentials).url)
    finished = asyncio.Event()
    loop = asyncio.get_running_loop()
    host, port = address.hostname or "", address.port or 0
    connections = [
        (await loop.create_connection(lambda: Connection(clocked, address.netloc, finished), host, port))
        for _ in range(plan.window)
    ]
    say(READY)
    for _, connection in connections:
        connection.send_next()
    ends = [asyncio.ensure_future(finished.wait()), asyncio.ensure_future(stop.wait())]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    for end in ends:
        end.cancel()
    for transport, _ in connections:
        transport.close()
    await stop.wait()


if __name__ == "__main__":
    run_child(ClientPlan, send_all)
