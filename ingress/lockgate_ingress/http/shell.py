"""The shell around every route, of the public and of the admin listener: what holds for all requests and all answers.

On the way in: headers that assert an identity are refused. On the way out: security headers, and a closed connection whenever a
body was not read to its end. An error of ours becomes its problem; anything else becomes "internal" with constant text, and its type (never its
text) goes into the log.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

from starlette.exceptions import HTTPException

from lockgate_ingress.bounds import Bounds
from lockgate_ingress.faults import described
from lockgate_ingress.http.bodies import Body, Head, Message, Receive
from lockgate_ingress.http.identity import asserts_identity
from lockgate_ingress.http.problems import Headers, internal, problem_of
from lockgate_schemas.errors import IdentityRefusedError, LockgateError, MethodNotAllowedError, NotFoundError

_log = logging.getLogger(__name__)

Scope = dict[str, Any]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]

HEAD: Final = "lockgate.head"
BODY: Final = "lockgate.body"

_ALWAYS: Final[Headers] = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))
_CLOSE: Final = (b"connection", b"close")
_NOT_ALLOWED: Final = 405


async def answer(send: Send, status: int, body: bytes, headers: Headers) -> None:
    """Send a whole answer."""
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


class Reply:
    """The way out of one request: decorates the start, and does not leave a half-read body on an open connection."""

    def __init__(self, send: Send, body: Body, bounds: Bounds) -> None:
        self._send = send
        self._body = body
        self._bounds = bounds
        self._closing = False
        self.started = False

    async def send(self, message: Message) -> None:
        """Pass an ASGI message on."""
        if message["type"] == "http.response.start":
            self.started = True
            self._closing = not self._body.complete
            message["headers"] = [*message["headers"], *_ALWAYS, *([_CLOSE] if self._closing else ())]
            await self._send(message)
        elif self._closing and not message.get("more_body", False):
            await self._send({**message, "more_body": True})
            await self._body.linger(self._bounds.linger_bytes, self._bounds.linger_seconds)
            await self._send({"type": "http.response.body", "body": b""})
        else:
            await self._send(message)


class Shell:
    """Wraps a router."""

    def __init__(self, app: App, bounds: Bounds, note: Callable[[LockgateError], None]) -> None:
        """``note`` is told of what the shell itself refuses."""
        self._app = app
        self._bounds = bounds
        self._note = note

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request. Other protocols (websocket) are not spoken here."""
        if scope["type"] != "http":
            raise RuntimeError("this listener speaks HTTP alone")
        headers = scope["headers"]
        head = Head.of(headers)
        body = Body(head, receive)
        reply = Reply(send, body, self._bounds)
        scope[HEAD], scope[BODY], scope["app"] = head, body, self
        try:
            self._check_identity(headers)
            await self._app(scope, receive, reply.send)
        except LockgateError as error:
            await _failed(reply, *problem_of(error))
        except HTTPException as error:  # the router's own: no such route, or not this method
            await _failed(reply, *_of_router(error))
        except Exception as error:  # noqa: BLE001 - the last line: whatever it was, the client learns a constant, and the log a place
            _log.error("unexpected: %s", described(error))
            await _failed(reply, *internal())

    def _check_identity(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        if any(asserts_identity(name) for name, _ in headers):
            refused = IdentityRefusedError("a header asserts an identity")
            self._note(refused)
            raise refused


async def _failed(reply: Reply, status: int, body: bytes, headers: Headers) -> None:
    if reply.started:  # too late for a status: break the connection off, without the text of what went wrong
        raise RuntimeError("an answer was broken off") from None
    await answer(reply.send, status, body, headers)


def _of_router(error: HTTPException) -> tuple[int, bytes, Headers]:
    if error.status_code != _NOT_ALLOWED:
        return problem_of(NotFoundError())
    status, body, headers = problem_of(MethodNotAllowedError())
    return status, body, (*headers, (b"allow", (error.headers or {}).get("Allow", "").encode()))
