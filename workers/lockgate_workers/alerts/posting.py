"""One POST to one address that was checked: no redirect, no proxy, no second look at the name, and a bound on everything that comes back.

The connection goes to the address; TLS is checked, and the ``Host`` header written, for the name. Who may be connected to is decided in
`lockgate_workers.alerts.targets`.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Mapping, Sequence
from typing import Final

import httpx

from lockgate_workers.alerts.targets import DeliveryError, Resolver, Target, addresses_of

SECONDS: Final = 15.0
"""For all of it: the name, the connection, the answer."""
_CONNECT_SECONDS: Final = 5.0
_MOST_TRIED: Final = 3
"""Addresses of one name that are tried before the attempt counts as failed."""
for _talkative in ("httpx", "httpcore"):  # they log whole addresses, and one of Slack's is a secret
    logging.getLogger(_talkative).setLevel(logging.WARNING)

_MOST_READ: Final = 4_096
_LONGEST_WAIT: Final = 3_600
_GONE: Final = 410


async def system_resolver(host: str, port: int) -> Sequence[str]:
    """The operating system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class Poster:
    """Sends bodies to checked addresses."""

    def __init__(self, resolve: Resolver, *, seconds: float = SECONDS) -> None:
        self._resolve = resolve
        self._seconds = seconds

    async def post(
        self, target: Target, headers: Mapping[str, str], body: bytes, *, context: ssl.SSLContext, allow_private: bool
    ) -> None:
        """Return when the other side has taken it (2xx). Raises `DeliveryError`."""
        try:
            async with asyncio.timeout(self._seconds):
                addresses = await addresses_of(target, self._resolve, allow_private=allow_private)
                await self._first(target, addresses[:_MOST_TRIED], {**headers, "Host": target.authority}, body, context)
        except TimeoutError:
            raise DeliveryError("timeout") from None

    async def _first(
        self, target: Target, addresses: Sequence[str], headers: Mapping[str, str], body: bytes, context: ssl.SSLContext
    ) -> None:
        """The first address that takes a connection is the one that is asked; nothing is sent twice in one attempt."""
        code = "unreachable"
        timeout = httpx.Timeout(self._seconds, connect=_CONNECT_SECONDS)
        async with httpx.AsyncClient(verify=context, trust_env=False, follow_redirects=False, timeout=timeout) as client:
            for address in addresses:
                try:
                    await _send(client, target, address, headers, body)
                    return
                except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                    code = "tls" if _is_tls(error) else "unreachable"
                except httpx.TimeoutException:
                    raise DeliveryError("timeout") from None
                except httpx.HTTPError:
                    raise DeliveryError("broken-answer") from None
        raise DeliveryError(code)


def _is_tls(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    return error is not None


async def _send(client: httpx.AsyncClient, target: Target, address: str, headers: Mapping[str, str], body: bytes) -> None:
    host = f"[{address}]" if ":" in address else address
    url = httpx.URL(scheme="https" if target.secure else "http", host=host, port=target.port, raw_path=target.path.encode())
    extensions = {"sni_hostname": target.host} if target.secure else {}
    async with client.stream("POST", url, content=body, headers=dict(headers), extensions=extensions) as answer:
        read = 0
        async for part in answer.aiter_raw():  # a polite end to a short answer; the rest of a long one is not waited for
            read += len(part)
            if read > _MOST_READ:
                break
        if not answer.is_success:
            raise DeliveryError(
                f"status-{answer.status_code}",
                final=answer.status_code == _GONE,
                wait=_wait(answer.headers.get("Retry-After", "")),
            )


def _wait(text: str) -> int:
    """``Retry-After`` in milliseconds; a date, or nonsense, is 0."""
    return min(int(text), _LONGEST_WAIT) * 1000 if text.isascii() and text.isdecimal() and len(text) < 7 else 0  # noqa: PLR2004 - digits
