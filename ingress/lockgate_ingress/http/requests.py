"""The routes of a request: offer it, look at it, take it back. To follow it is `lockgate_ingress.http.following`.

Each reads what it needs from headers and body, asks the acceptor, the ledger or the waiters, and writes one answer. Who is speaking is decided in
`lockgate_ingress.door` and `lockgate_ingress.access`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import msgspec

from lockgate_broker.port import Broker
from lockgate_ingress.acceptor import Acceptor, AcceptorLedger
from lockgate_ingress.access import reader_of
from lockgate_ingress.bounds import Bounds
from lockgate_ingress.cancelling import cancellation
from lockgate_ingress.deadlines import Deadlines
from lockgate_ingress.door import is_request_id
from lockgate_ingress.http.answers import accepted_answer, ended_answer, status_of
from lockgate_ingress.http.bodies import Body, Head, Receive
from lockgate_ingress.http.preferences import preferred_wait, queried_wait
from lockgate_ingress.http.problems import JSON
from lockgate_ingress.http.shell import BODY, HEAD, Scope, Send, answer
from lockgate_ingress.refusals import RefusalLog
from lockgate_ingress.releases import Releases
from lockgate_ingress.waiters import Waiters, ended
from lockgate_ledger.records import ClientRecord, RequestRecord
from lockgate_schemas.errors import (
    AlreadyEndedError,
    BrokerError,
    LedgerError,
    LockgateError,
    NotFoundError,
    UnauthenticatedError,
    UnavailableError,
    UnsupportedMediaTypeError,
)
from lockgate_schemas.limits import Limits
from lockgate_schemas.passage import Door, read_facts
from lockgate_schemas.signing import NoteSigner

T = TypeVar("T")

ENVELOPE_TYPE: Final = "application/jose"


@dataclass(frozen=True, slots=True)
class Doorway:
    """What the routes work with."""

    acceptor: Acceptor
    ledger: AcceptorLedger
    broker: Broker
    waiters: Waiters
    releases: Releases
    refusals: RefusalLog
    signer: NoteSigner
    gateway: str
    limits: Limits
    bounds: Bounds
    clock: Callable[[], int]
    body_deadlines: Deadlines

    @property
    def longest_wait(self) -> int:
        """In seconds."""
        return self.limits.wait // 1000

    async def reader(self, head: Head) -> ClientRecord:
        """Who is reading. Raises `UnauthenticatedError` or its kin, noted in the audit log."""
        directory = await self.ledger.directory()
        try:
            return reader_of(
                head.get(b"authorization"),
                directory=directory,
                now=self.clock(),
                gateway=self.gateway,
                limits=self.limits,
            )
        except UnauthenticatedError as error:
            self.refusals.note(error)
            raise

    async def own(self, client: ClientRecord, request_id: str) -> RequestRecord:
        """The client's own request. Raises `NotFoundError` for an absent one, another's, and what cannot be an id: all the same."""
        record = await self.ledger.request(request_id) if is_request_id(request_id) else None
        if record is None or record.client != client.name or record.tenant != client.tenant:
            error = NotFoundError()
            self.refusals.note(error, rule="request", client=client)
            raise error
        return record


@dataclass(frozen=True, slots=True)
class Offer:
    """``POST /v1/requests``."""

    doorway: Doorway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Accept an envelope; with ``Prefer: wait=N`` answer with its outcome if that comes in time."""
        head: Head = scope[HEAD]
        compact = await self._compact(head, scope[BODY])
        accepted = await self.doorway.acceptor.submit(compact, Door.HTTP)
        request_id = read_facts(accepted.acceptance.facts).request_id
        prefer = head.get(b"prefer")
        seconds = preferred_wait(prefer, self.doorway.longest_wait) if prefer else 0
        if not seconds:
            await answer(send, *accepted_answer(accepted.acceptance, request_id))
            return
        applied = ((b"preference-applied", f"wait={seconds}".encode()),)
        record = await unless_gone(self._outcome(request_id, seconds), receive)
        if record is not None and ended(record):
            await answer(send, *ended_answer(record, applied))
        else:
            await answer(send, *accepted_answer(accepted.acceptance, request_id, applied))

    async def _compact(self, head: Head, body: Body) -> bytes:
        try:
            if head.coded or head.media_type != ENVELOPE_TYPE:
                raise UnsupportedMediaTypeError
            return await body.read(self.doorway.limits.max_envelope_bytes, self.doorway.body_deadlines)
        except UnavailableError:  # the client went away
            raise
        except LockgateError as error:
            self.doorway.refusals.note(error)
            raise

    async def _outcome(self, request_id: str, seconds: float) -> RequestRecord | None:
        try:
            return await self.doorway.waiters.until(request_id, seconds)
        except LedgerError:  # it was accepted, and that is what the client has to hear
            return None


@dataclass(frozen=True, slots=True)
class Look:
    """``GET /v1/requests/{id}``."""

    doorway: Doorway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The status; with ``?wait=N`` only once it has ended, or when the time is up."""
        client = await self.doorway.reader(scope[HEAD])
        seconds = queried_wait(scope["query_string"], self.doorway.longest_wait)
        record = await self.doorway.own(client, scope["path_params"]["request_id"])
        if seconds and not ended(record):
            newer = await unless_gone(self.doorway.waiters.until(record.request_id, seconds), receive)
            record = newer or record
        await answer(send, 200, status_of(record), (JSON,))


@dataclass(frozen=True, slots=True)
class Withdraw:
    """``DELETE /v1/requests/{id}``."""

    doorway: Doorway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Ask for it to be cancelled. The outcome follows; one that is there already stands."""
        _ = receive
        doorway = self.doorway
        client = await doorway.reader(scope[HEAD])
        record = await doorway.own(client, scope["path_params"]["request_id"])
        if ended(record):
            raise AlreadyEndedError
        message = cancellation(record, doorway.signer, now=doorway.clock(), epoch=await doorway.ledger.epoch())
        try:
            async with asyncio.timeout(doorway.limits.publish_timeout / 1000):
                await doorway.broker.publish([message])
        except (BrokerError, TimeoutError):
            raise BrokerError("the cancellation was not confirmed; send it again") from None
        await answer(send, 202, _cancelling(record.request_id), (JSON,))


def _cancelling(request_id: str) -> bytes:
    return msgspec.json.encode({"request_id": request_id, "status": "cancelling"})


async def unless_gone(work: Coroutine[Any, Any, T], receive: Receive) -> T | None:
    """Do ``work`` unless the client goes away first; then it is given up."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
