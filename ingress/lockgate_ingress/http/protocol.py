"""The HTTP/1.1 protocol of uvicorn with bounds on what comes before a request is one: connections, header bytes, header count, time.

Without them a client could hold memory and connections for nothing: the server under it parses headers of any number and waits for them for ever.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from lockgate_ingress.bounds import DEFAULT_BOUNDS, Bounds
from lockgate_ingress.http.problems import PROBLEM, problem_of
from lockgate_schemas.errors import HeadersTooLargeError, InvalidRequestError, LockgateError, UnavailableError

_PER_HEADER: Final = 32  # what a header costs in memory beside its bytes


class _HeadTooLargeError(Exception):
    """Stops the parser from inside one of its callbacks."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection. Whatever is refused here is answered with a problem, and the connection closes."""

    bounds: Bounds = DEFAULT_BOUNDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = True
        self._head_weight = 0
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Turn it away when there are too many, else begin to wait for its first headers."""
        super().connection_made(transport)
        if len(self.connections) > self.bounds.connections:
            self._refuse(UnavailableError("too many connections"))
        else:
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of the timer too."""
        self._head_arrived()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse; a head that is not complete behind its bound will not be completed."""
        super().data_received(data)
        if self._in_head and not self.transport.is_closing():
            self._head_weight += len(data)
            if self._head_weight > self.bounds.head_bytes:
                self._refuse(HeadersTooLargeError())
            elif self._head_timer is None:
                self._wait_for_head()

    def on_message_begin(self) -> None:
        """A new request on this connection."""
        super().on_message_begin()
        self._in_head = True
        self._head_weight = 0

    def on_headers_complete(self) -> None:
        """Weigh a head that came all at once; from here on the application's own bounds hold."""
        self._head_weight = sum([len(name) + len(value) + _PER_HEADER for name, value in self.headers]) + len(self.url)
        if self._head_weight > self.bounds.head_bytes or len(self.headers) > self.bounds.head_count:
            raise _HeadTooLargeError
        self._in_head = False
        self._head_arrived()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Nothing of a next request is here yet: an idle connection is the keep-alive timer's matter."""
        super().on_message_complete()
        self._in_head = False

    def send_400_response(self, msg: str) -> None:
        """Answer what the parser did not take, in our own format."""
        _ = msg
        too_large = self._in_head and (
            self._head_weight > self.bounds.head_bytes or len(self.headers or ()) > self.bounds.head_count
        )
        self._refuse(HeadersTooLargeError() if too_large else InvalidRequestError("not an HTTP/1.1 request"))

    def _refuse(self, error: LockgateError) -> None:
        status, body, _ = problem_of(error)
        head = f"HTTP/1.1 {status} {error.code}\r\nconnection: close\r\ncontent-length: {len(body)}\r\n".encode()
        self.transport.write(head + PROBLEM[0] + b": " + PROBLEM[1] + b"\r\n\r\n" + body)
        self.transport.close()

    def _wait_for_head(self) -> None:
        self._head_timer = self.loop.call_later(self.bounds.head_seconds, self._head_is_late)

    def _head_arrived(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self.transport.close()


def bounded(limits: Bounds) -> type[BoundedProtocol]:
    """The protocol with these bounds: the server makes one object a connection and passes it nothing of ours."""
    return type("BoundedProtocol", (BoundedProtocol,), {"bounds": limits})
