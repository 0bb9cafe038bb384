"""The route that follows a request: server-sent events until the outcome, and, for who asks for them, the answer while it is being written.

A follower who asks for ``deltas`` is shown what the last gate lets be shown of an unfinished answer. What is shown in which order is decided in
`lockgate_ingress.showing`, what is believed in `lockgate_ingress.releases`; here it is only waited for and written.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import msgspec

from lockgate_ingress.http.answers import status_of, status_word
from lockgate_ingress.http.bodies import Message, Receive
from lockgate_ingress.http.preferences import queried_deltas
from lockgate_ingress.http.requests import Doorway, unless_gone
from lockgate_ingress.http.shell import HEAD, Scope, Send
from lockgate_ingress.releases import Feed
from lockgate_ingress.showing import Delta, Showing, Withdrawn
from lockgate_ingress.waiters import ended
from lockgate_ledger.records import RequestRecord
from lockgate_schemas.errors import AnswerWithdrawnError, LedgerError
from lockgate_schemas.passage import Release


class _Delta(msgspec.Struct, frozen=True):
    request_id: str
    offset: int
    text: str
    release: Release | None


class _Withdrawn(msgspec.Struct, frozen=True):
    request_id: str
    code: str
    reason: str
    shown: int


@dataclass(frozen=True, slots=True)
class Follow:
    """``GET /v1/requests/{id}/events``: server-sent events until the outcome."""

    doorway: Doorway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One ``status`` event for each status, beginning with the present one; a comment whenever it is quiet for long.

        With ``?deltas=1`` also what is shown of the answer before its end: ``delta`` and, if it does not hold, ``withdrawn``.
        """
        client = await self.doorway.reader(scope[HEAD])
        deltas = queried_deltas(scope["query_string"])
        record = await self.doorway.own(client, scope["path_params"]["request_id"])
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if not deltas:
            await unless_gone(self._events(record, send, None), receive)
            return
        with self.doorway.releases.followed(record.request_id, record.acceptance.facts) as feed:
            await unless_gone(self._events(record, send, feed), receive)

    async def _events(self, record: RequestRecord, send: Send, feed: Feed | None) -> None:
        said = ""
        showing = Showing()
        while True:
            if feed is not None and ended(record):
                await _write(send, record.request_id, showing.end(record))
            if (word := status_word(record)) != said:
                said = word
                await send(_chunk(b"event: status\ndata: " + status_of(record) + b"\n\n"))
            else:
                await send(_chunk(b": still there\n\n"))
            if ended(record):
                await send({"type": "http.response.body", "body": b""})
                return
            newer = await (
                self._newer(record.request_id, said) if feed is None else self._shown(record, said, send, feed, showing)
            )
            if newer is None:
                await send({"type": "http.response.body", "body": b""})
                return
            record = newer

    async def _newer(self, request_id: str, said: str) -> RequestRecord | None:
        """The record once its status is another, or after a while as it is; nothing when it cannot be followed on."""
        try:
            return await self.doorway.waiters.until(
                request_id, self.doorway.bounds.keep_alive, lambda record: ended(record) or status_word(record) != said
            )
        except LedgerError:
            return None

    async def _shown(self, record: RequestRecord, said: str, send: Send, feed: Feed, showing: Showing) -> RequestRecord | None:
        """The same, and what may be shown meanwhile is written."""
        newer = asyncio.ensure_future(self._newer(record.request_id, said))
        try:
            while not newer.done():
                news = asyncio.ensure_future(feed.news.wait())
                await asyncio.wait({newer, news}, return_when=asyncio.FIRST_COMPLETED)
                news.cancel()
                if not newer.done() and (beginning := feed.taken()) is not None:
                    await _write(send, record.request_id, showing.next(beginning))
            return newer.result()
        finally:
            newer.cancel()


async def _write(send: Send, request_id: str, event: Delta | Withdrawn | None) -> None:
    if isinstance(event, Delta):
        data = msgspec.json.encode(_Delta(request_id, event.offset, event.text, event.release))
        await send(_chunk(b"event: delta\ndata: " + data + b"\n\n"))
    elif event is not None:
        data = msgspec.json.encode(_Withdrawn(request_id, AnswerWithdrawnError.code, event.reason, event.shown))
        await send(_chunk(b"event: withdrawn\ndata: " + data + b"\n\n"))


def _chunk(body: bytes) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": True}
