"""A request's headers and body, read with bounds: size while it arrives, time until it has arrived.

What is refused early is not read to its end: the connection closes behind the answer. So that a client in the middle of sending still sees the
answer, a little more is taken and thrown away first (`Body.linger`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

from lockgate_ingress.deadlines import Deadlines, within
from lockgate_schemas.errors import SlowRequestError, TooLargeError, UnavailableError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

_KEPT: Final = frozenset(
    {
        b"accept",
        b"authorization",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"host",
        b"prefer",
        b"transfer-encoding",
    }
)


@dataclass(frozen=True, slots=True)
class Head:
    """The few headers that are looked at. One that came twice is joined with a comma, and so matches nothing that is expected once."""

    values: dict[bytes, bytes]

    @classmethod
    def of(cls, headers: Iterable[tuple[bytes, bytes]]) -> Head:
        """Pick them out."""
        values: dict[bytes, bytes] = {}
        for name, value in headers:
            if name in _KEPT:
                values[name] = values[name] + b"," + value if name in values else value
        return cls(values)

    def get(self, name: bytes) -> str | None:
        """One header's value as text."""
        value = self.values.get(name)
        return None if value is None else value.decode("latin-1").strip()

    @property
    def media_type(self) -> str:
        """The content type, in lower case, as it stands."""
        return (self.get(b"content-type") or "").lower()

    @property
    def coded(self) -> bool:
        """Whether the body comes in a content coding."""
        return b"content-encoding" in self.values

    @property
    def has_body(self) -> bool:
        """Whether bytes follow the headers."""
        return self.values.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in self.values

    @property
    def declared(self) -> int:
        """The announced length, or 0. It is the client's word: a bound to refuse by, never one to rely on."""
        text = self.values.get(b"content-length", b"")
        return int(text) if text.isdigit() and len(text) < 19 else 0  # noqa: PLR2004 - 63 bits


class Body:
    """The body of one request."""

    def __init__(self, head: Head, receive: Receive) -> None:
        self._head = head
        self._receive = receive
        self.complete = not head.has_body

    async def read(self, limit: int, deadlines: Deadlines) -> bytes:
        """All of it. Raises `TooLargeError` as soon as it is known to be too large, `SlowRequestError` when it takes too long."""
        if self._head.declared > limit:
            raise TooLargeError
        try:
            return await within(deadlines, self._read(limit))
        except TimeoutError:
            raise SlowRequestError from None

    async def _read(self, limit: int) -> bytes:
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] != "http.request":
                raise UnavailableError("the connection closed before the body had arrived")
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            if size > limit:
                raise TooLargeError
            chunks.append(chunk)
            if not message.get("more_body", False):
                self.complete = True
                return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def linger(self, most: int, seconds: float) -> None:
        """Throw away up to ``most`` bytes, for up to ``seconds``, or until the client is done or gone."""
        try:
            async with asyncio.timeout(seconds):
                while most > 0:
                    message = await self._receive()
                    if message["type"] != "http.request" or not message.get("more_body", False):
                        return
                    most -= len(message.get("body", b""))
        except TimeoutError:
            return
