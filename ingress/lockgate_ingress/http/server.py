"""The server process around an ASGI application: a listening socket, a bounded drain, and no signal handlers of its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Generator

import uvicorn

from lockgate_ingress.bounds import Bounds
from lockgate_ingress.http.protocol import bounded
from lockgate_ingress.http.shell import App
from lockgate_schemas.errors import ConfigurationError


class Listener(uvicorn.Server):
    """One listener. Signals are its caller's matter, who may have more to stop."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._tell = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        self._tell()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave them alone."""
        yield


def listening_socket(host: str, port: int) -> socket.socket:
    """A bound socket; port 0 takes a free one. Raises `ConfigurationError` when the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        raise ConfigurationError(f"{host} port {port} cannot be listened on: {error.strerror}; choose another port") from None


def url_of(sock: socket.socket) -> str:
    """Where the socket can be reached over HTTP."""
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def serve(
    app: App,
    sock: socket.socket,
    bounds: Bounds,
    *,
    ready: Callable[[str], None],
    stop: asyncio.Event,
    stopping: Callable[[], None] = lambda: None,
) -> None:
    """Serve ``app`` on ``sock`` until ``stop`` is set or this is cancelled, then call ``stopping`` and drain within the bound."""
    config = uvicorn.Config(
        app,
        http=bounded(bounds),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=bounds.drain_seconds,
    )
    url = url_of(sock)
    listener = Listener(config, lambda: ready(url))
    serving = asyncio.create_task(listener.serve(sockets=[sock]))
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
        stopping()
        listener.should_exit = True
        await asyncio.wait({serving}, timeout=bounds.drain_seconds + 2)
        if not serving.done():
            serving.cancel()
    if serving.done() and not serving.cancelled():
        serving.result()
