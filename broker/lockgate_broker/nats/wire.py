"""One authenticated NATS connection: opening it, losing it, and what the server says on it out of turn.

Turns the client library's errors into ours and tells the rest of this folder three things: that a subject was refused, that the
connection was lost, that it is back. Decides nothing about messages. Logs carry classes of errors and names of connections,
never a payload or a seed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Literal

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from lockgate_broker.limits import Timing
from lockgate_broker.nats.keys import public_key
from lockgate_broker.port import Credential
from lockgate_schemas.errors import BrokerError, BrokerRefusedError

LOG: Final = logging.getLogger(__name__)
VIOLATION: Final = re.compile(r'permissions violation for (publish|subscription) to "([^"]+)"', re.IGNORECASE)
PING_SECONDS: Final = 10
PENDING_BYTES: Final = 16 * 1024 * 1024
HEADER_ROOM: Final = 512
"""The server counts headers into the size of a message, the library does not; over the limit the connection is dropped."""
UNLIMITED: Final = 1 << 40

INVALID: Final = re.compile(r"[ \t\r\n]")
"""In a subject it would end the command, and start another."""
PRINTABLE: Final = re.compile(r"[!-~]+")
PENDING: Final = re.compile(rb"^Nats-Pending-Messages:[ ]*(\d+)", re.MULTILINE | re.IGNORECASE)

Kind = Literal["publish", "subscription"]
Watcher = Callable[[Kind, str], None]
Taker = Callable[[bytes, bytes, bytes, bytes | None], Awaitable[None]]
"""Takes subject, reply, body and headers of one message, all as they came."""


class _Client(Client):
    """The library's client with three repairs, and two ways around it for the messages that come and go by the thousand.

    An account may have a smaller limit than the server, told in a second INFO after the login. A client that does not know it
    sends too much, and the server answers by dropping the connection.

    A PING goes to the socket at once, past what is still buffered; its PONG then says nothing about the subscription or
    publish before it. Here it waits its turn.

    Closing while it reconnects can report the end of the attempt twice, as its very last step; the second report fails.

    A message costs the library an object, a queue and the turn of a task, and headers read in full. What `takers` name, by the number of
    the subscription, is handed over where it is read instead; a taker must not wait for anything that is still to be read.
    Likewise `put` sends many commands as one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.takers: dict[int, Taker] = {}

    async def put(self, commands: bytes, number: int) -> None:
        """Send ``number`` complete publish commands, under the conditions under which the library sends one."""
        if self.is_closed:
            raise nats.errors.ConnectionClosedError
        if self.is_draining_pubs:
            raise nats.errors.ConnectionDrainingError
        if not self.is_connected and len(commands) + self._pending_data_size > self._max_pending_size:
            raise nats.errors.OutboundBufferLimitError
        self.stats["out_msgs"] += number
        self.stats["out_bytes"] += len(commands)
        await self._send_command(commands)
        if self._flush_queue is not None and self._flush_queue.empty():
            await self._flush_pending()

    def _remove_sub(self, sid: int, max_msgs: int = 0) -> None:
        super()._remove_sub(sid, max_msgs)
        if sid not in self._subs:
            self.takers.pop(sid, None)

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        taker = self.takers.get(sid)
        if taker is None or sid not in self._subs:
            await super()._process_msg(sid, subject, reply, data, headers)
            return
        self.stats["in_msgs"] += 1
        self.stats["in_bytes"] += len(data)
        try:
            await taker(subject, reply, data, headers)
        # As the library does with a handler: whatever one message led to, the next one is read.
        except Exception as error:  # noqa: BLE001
            await self._error_cb(error)

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:  # noqa: FBT001, FBT002  # the library's own signature
        await super()._process_info(info, initial_connection)
        limit = info.get("max_payload")
        if isinstance(limit, int) and limit > 0:
            self._max_payload = limit

    async def _attempt_reconnect(self) -> None:
        with contextlib.suppress(asyncio.InvalidStateError):
            await super()._attempt_reconnect()

    async def _send_ping(self, future: asyncio.Future[Any] | None = None) -> None:
        await self._flush_pending(force_flush=True)
        await super()._send_ping(future)


class Wire:
    """A connection that reconnects for ever, until it is closed by us or refused by the server."""

    def __init__(self, credential: Credential, name: str, timing: Timing) -> None:
        self.client = _Client()
        self.inbox = credential.inbox
        self.timing = timing
        self.on_refused: list[Watcher] = []
        self.on_lost: list[Callable[[], None]] = []
        self.on_back: list[Callable[[], None]] = []
        self._credential = credential
        self._name = name
        self._up = asyncio.Event()
        self._rejected = asyncio.Event()
        self._background: set[asyncio.Task[None]] = set()
        self._opened = False
        self._closing: asyncio.Future[None] | None = None

    async def open(self) -> None:
        """Connect within the bound; raise `BrokerRefusedError` if the credential opens nothing, `BrokerError` otherwise."""
        public_key(self._credential.seed)  # a seed that is none is a configuration error, not a connection that fails
        connecting = asyncio.ensure_future(self._connect())
        rejected = asyncio.ensure_future(self._rejected.wait())
        try:
            await asyncio.wait({connecting, rejected}, timeout=self.timing.connect, return_when=asyncio.FIRST_COMPLETED)
            if not connecting.done():
                raise self._not_connected()
            connecting.result()
        except (nats.errors.Error, OSError) as error:
            raise BrokerError(f"no connection to the broker as {self._credential.user}") from error
        finally:
            await _end(connecting)
            await _end(rejected)
            if not self.client.is_connected:
                await self.close()
        self._opened = True
        self._up.set()

    @property
    def is_up(self) -> bool:
        """Whether the connection stands, as far as this side knows."""
        return self._up.is_set()

    @property
    def is_closed(self) -> bool:
        """Whether it is over: closed by us, or by a server that does not want this user any more."""
        return bool(self.client.is_closed)

    async def ready(self) -> None:
        """Wait until the connection stands; raise `BrokerError` if it never will again. The caller brings the bound."""
        self.check()
        if not self._up.is_set():
            await self._up.wait()
            self.check()

    def check(self) -> None:
        """Raise `BrokerError` if the connection is over."""
        if self.is_closed:
            if self._rejected.is_set():
                raise BrokerRefusedError(f"the broker does not accept {self._credential.user} any more")
            raise BrokerError("the connection to the broker is closed")

    async def send(self, subject: str, body: bytes = b"", reply: str = "", headers: dict[str, str] | None = None) -> None:
        """Hand one message to the socket, unconfirmed; raise `BrokerError` if that is not possible."""
        if headers and len(body) + HEADER_ROOM > self.client.max_payload:
            raise BrokerRefusedError("the broker takes no message of this size")
        try:
            await self.client.publish(subject, body, reply, headers)
        except (nats.errors.MaxPayloadError, nats.errors.BadSubjectError, nats.errors.BadHeaderError) as error:
            raise BrokerRefusedError("the broker takes no such message") from error
        except (nats.errors.Error, OSError) as error:
            raise BrokerError("the connection to the broker is not there") from error

    def command(self, subject: str, body: bytes, reply: str, dedupe: str) -> bytes | None:
        """One publish, as it is written; none where the library had better write it. Raises `BrokerRefusedError` as `send` does."""
        size = len(body)
        if size + (HEADER_ROOM if dedupe else 0) > self.client.max_payload:
            raise BrokerRefusedError("the broker takes no message of this size")
        if not subject or INVALID.search(subject):
            raise BrokerRefusedError("the broker takes no such message")
        if not dedupe:
            return b"PUB %b %b %d\r\n%b\r\n" % (subject.encode(), reply.encode(), size, body)
        if not PRINTABLE.fullmatch(dedupe):
            return None
        headers = b"NATS/1.0\r\nNats-Msg-Id: %b\r\n\r\n" % dedupe.encode()
        held = len(headers)
        return b"HPUB %b %b %d %d\r\n%b%b\r\n" % (subject.encode(), reply.encode(), held, held + size, headers, body)

    async def write(self, commands: Sequence[bytes]) -> None:
        """Hand publish commands to the socket, unconfirmed, in one piece; raise `BrokerError` if that is not possible."""
        if not commands:
            return
        try:
            await self.client.put(b"".join(commands), len(commands))
        except (nats.errors.Error, OSError) as error:
            raise BrokerError("the connection to the broker is not there") from error

    async def take(self, subject: str, taker: Taker) -> Subscription:
        """Subscribe for messages by the thousand that nobody sends before this has returned, such as those to an own inbox."""
        subscription = await self.subscribe(subject, _nothing)
        self.client.takers[subscription._id] = taker  # noqa: SLF001  # the number under which its messages come
        return subscription

    async def subscribe(self, subject: str, handler: Callable[[Msg], Awaitable[None]]) -> Subscription:
        """Subscribe, and return when the server has accepted it; raise `BrokerRefusedError` if it did not."""
        refused: list[str] = []

        def watch(kind: Kind, refused_subject: str) -> None:
            if kind == "subscription" and refused_subject.lower() == subject.lower():
                refused.append(refused_subject)

        self.check()
        self.on_refused.append(watch)
        try:
            subscription = await self.client.subscribe(subject, cb=handler)
            await self.round_trip()
        except (nats.errors.Error, OSError) as error:
            raise BrokerError("the broker did not take the subscription") from error
        finally:
            self.on_refused.remove(watch)
        if refused:
            await subscription.unsubscribe()
            raise BrokerRefusedError("these credentials do not reach that subject")
        return subscription

    async def round_trip(self) -> None:
        """Return when the server has seen everything sent so far; raise `BrokerError` after the publish bound."""
        await self.patiently(self.client.flush(timeout=UNLIMITED), self.timing.publish)

    async def patiently(self, work: Awaitable[None], bound: float) -> None:
        """Wait ``bound`` seconds for ``work`` of the client library, and do not cancel it then.

        A cancelled flush leaves a dead future in the library's list of expected PONGs, and the late PONG of a server
        that was only slow then ends its read loop. So the work is left behind until the connection is lost or closed.
        """
        task = asyncio.ensure_future(_awaited(work))
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        done, _ = await asyncio.wait({task}, timeout=bound)
        if not done:
            raise BrokerError("the broker does not answer")
        if task.cancelled():
            raise BrokerError("the connection to the broker was lost")
        task.result()

    async def close(self) -> None:
        """Disconnect within the bound."""
        self._up.set()  # whoever waits finds it closed
        self._drop_background()
        closing = self._closing or asyncio.ensure_future(self.client.close())
        await asyncio.wait({closing}, timeout=self.timing.close)
        await _end(closing)

    async def _connect(self) -> None:
        await self.client.connect(
            servers=list(self._credential.servers),
            name=self._name,
            nkeys_seed_str=self._credential.seed,
            inbox_prefix=self.inbox,
            error_cb=self._on_error,
            disconnected_cb=self._on_disconnected,
            reconnected_cb=self._on_reconnected,
            closed_cb=self._on_closed,
            connect_timeout=max(1, int(self.timing.connect)),
            max_reconnect_attempts=-1,
            reconnect_time_wait=self.timing.reconnect,  # type: ignore[arg-type]  # it sleeps this long; a fraction is fine
            ping_interval=PING_SECONDS,
            pending_size=PENDING_BYTES,
            # Without it the flusher may wait for ever on a socket nobody reads; the bound of the call is above this.
            flush_timeout=self.timing.publish,
        )

    def _not_connected(self) -> BrokerError:
        if self._rejected.is_set():
            return BrokerRefusedError(f"the broker does not accept the credential of {self._credential.user}")
        return BrokerError(f"no connection to the broker as {self._credential.user} in time")

    async def _on_error(self, error: Exception) -> None:
        text = str(error)
        violation = VIOLATION.search(text)
        if violation:
            kind: Kind = "publish" if violation[1].lower() == "publish" else "subscription"
            LOG.warning("%s: the broker refused a %s", self._name, kind)
            for watcher in tuple(self.on_refused):
                watcher(kind, violation[2])
        elif "authorization violation" in text.lower() or isinstance(error, nats.errors.AuthorizationError):
            self._reject()
        else:
            LOG.info("%s: %s", self._name, type(error).__name__)

    async def _on_disconnected(self) -> None:
        if not self.client.is_closed:
            self._up.clear()
        self._drop_background()
        for callback in tuple(self.on_lost):
            callback()

    async def _on_reconnected(self) -> None:
        LOG.info("%s: connected to the broker again", self._name)
        self._up.set()
        for callback in tuple(self.on_back):
            callback()

    async def _on_closed(self) -> None:
        if isinstance(self.client.last_error, nats.errors.AuthorizationError):
            self._rejected.set()
        self._up.set()
        for callback in tuple(self.on_lost):
            callback()

    def _reject(self) -> None:
        """The server knows this user no longer: knocking on for ever would only fill its log."""
        self._rejected.set()
        if self._opened:
            self._closing = asyncio.ensure_future(self.client.close())

    def _drop_background(self) -> None:
        for task in tuple(self._background):
            task.cancel()


def status_of(headers: bytes | None) -> str:
    """The status that the server puts in front of the headers of its own messages; empty if there is none."""
    return headers[9:12].decode("ascii", "replace") if headers and headers[8:9] == b" " else ""


def pending_of(headers: bytes | None) -> int | None:
    """How much of a pull request is left, if its end says so."""
    found = PENDING.search(headers or b"")
    return int(found[1]) if found else None


async def _nothing(_: Msg) -> None:
    """In place of a handler where there is a taker."""


async def _awaited(work: Awaitable[None]) -> None:
    await work


async def _end(task: asyncio.Future[Any]) -> None:
    """Cancel what is still running, and collect it."""
    if not task.done():
        task.cancel()
    # What it raised is either already reported or that of an attempt nobody waits for any more.
    with contextlib.suppress(asyncio.CancelledError, nats.errors.Error, OSError):
        await task
