"""The public application: which route leads where."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
from starlette.routing import Route, Router

from lockgate_ingress.http.bodies import Receive
from lockgate_ingress.http.following import Follow
from lockgate_ingress.http.problems import JSON
from lockgate_ingress.http.requests import Doorway, Look, Offer, Withdraw
from lockgate_ingress.http.shell import App, Scope, Send, Shell, answer
from lockgate_ingress.readiness import Readiness
from lockgate_schemas.trust import Trust

_ALIVE: Final = b'{"status":"alive"}'
_READY: Final = b'{"status":"ready"}'
_REQUEST: Final = "/v1/requests/{request_id}"


def public_app(doorway: Doorway, *, readiness: Readiness, trust: Trust) -> App:
    """The ASGI application of the public listener."""
    offer = Offer(doorway)
    router = Router(
        [
            Route("/v1/requests", offer, methods=["POST"]),
            Route(_REQUEST, ByMethod({"GET": Look(doorway), "DELETE": Withdraw(doorway)}), methods=["GET", "DELETE"]),
            Route(f"{_REQUEST}/events", Follow(doorway), methods=["GET"]),
            Route("/v1/keys", constant(lambda: msgspec.json.encode(trust)), methods=["GET"]),
            Route("/healthz", constant(lambda: _ALIVE), methods=["GET"]),
            Route("/readyz", _ready(readiness), methods=["GET"]),
        ],
        redirect_slashes=False,
    )

    async def direct(scope: Scope, receive: Receive, send: Send) -> None:
        # Nearly every request is this one; it needs no search for its route.
        app: App = offer if scope["path"] == "/v1/requests" and scope["method"] == "POST" else router
        await app(scope, receive, send)

    return Shell(direct, doorway.bounds, doorway.refusals.note)


class ByMethod:
    """One address, several methods. A HEAD request is a GET whose body the server leaves out."""

    def __init__(self, apps: dict[str, App]) -> None:
        self._apps = apps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand over by method; the route has refused others."""
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        await self._apps[method](scope, receive, send)


def constant(body: Callable[[], bytes]) -> App:
    """An endpoint that always answers the same JSON, made once."""
    content = body()

    async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
        _ = scope, receive
        await answer(send, 200, content, (JSON,))

    return _Endpoint(endpoint)


def _ready(readiness: Readiness) -> App:
    async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
        _ = scope, receive
        if (failure := await readiness.failure()) is not None:
            raise failure
        await answer(send, 200, _READY, (JSON,))

    return _Endpoint(endpoint)


class _Endpoint:
    """An ASGI function as an object: the router would take a bare function for one of its own kind of handler."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)
