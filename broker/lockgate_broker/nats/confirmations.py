"""Publish confirmations: which message of which batch has been stored, and what the failures mean.

Pure bookkeeping: what the server answers goes in, a verdict for each position comes out. All messages of one publish share one
future, so a batch costs one wake-up and no timer a message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from lockgate_broker.port import Outbound, PublishRefusedError
from lockgate_schemas.errors import PublishFailedError

LIMIT_CODES: Final = frozenset({10054, 10077})
"""Message too large; store refused. The second is also what a broken disk says, so the text has to say ``maximum`` as well."""


class _ServerError(msgspec.Struct):
    code: int = 0
    err_code: int = 0
    description: str = ""


class _PubAck(msgspec.Struct):
    seq: int = 0
    error: _ServerError | None = None


_decode: Final[Callable[[bytes], _PubAck]] = msgspec.json.Decoder(_PubAck).decode


class Batch:
    """The messages of one `publish` that are not confirmed yet."""

    __slots__ = ("_open", "_refused", "_topics", "_unconfirmed", "done")

    def __init__(self, messages: Sequence[Outbound], done: asyncio.Future[None]) -> None:
        self.done = done
        self._topics = [message.topic for message in messages]
        self._open = set(range(len(messages)))
        self._unconfirmed: dict[int, str] = {}
        self._refused: dict[int, str] = {}

    def answered(self, position: int, body: bytes, status: str) -> None:
        """Take the server's answer to one message; ``status`` is of an answer without a body."""
        if position not in self._open:
            return
        if not body:
            self._fail(position, "no queue stores this topic" if status == "503" else "the broker gave no answer to go by")
            return
        try:
            answer = _decode(body)
        except msgspec.MsgspecError:
            self._fail(position, "the broker gave no answer to go by")
            return
        if answer.error is not None:
            self._error(position, answer.error)
        elif answer.seq > 0:
            self._settle(position)
        else:
            self._fail(position, "the broker gave no answer to go by")

    def refused(self, position: int, reason: str) -> None:
        """This message will not be taken, now or later."""
        self._refused[position] = reason
        self._settle(position)

    def topic_refused(self, topic: str) -> None:
        """The server denied the right to publish to ``topic`` (it may have changed the case)."""
        for position in [at for at in self._open if self._topics[at].lower() == topic.lower()]:
            self.refused(position, "no right to publish to this topic")

    def give_up(self, reason: str) -> None:
        """Nothing more will come: everything still open is unconfirmed."""
        for position in tuple(self._open):
            self._fail(position, reason)

    def verdict(self) -> None:
        """Return if every message is stored; raise otherwise."""
        if self._refused:
            raise PublishRefusedError(
                tuple(sorted(self._refused)),
                tuple(sorted(self._refused | self._unconfirmed)),
                next(iter(self._refused.values())),
            )
        if self._unconfirmed:
            raise PublishFailedError(tuple(sorted(self._unconfirmed)), next(iter(self._unconfirmed.values())))

    def _error(self, position: int, error: _ServerError) -> None:
        if error.err_code in LIMIT_CODES and "maximum" in error.description:
            self.refused(position, "the queue or message is at its limit")
        else:
            self._fail(position, f"the broker could not store it (code {error.err_code})")

    def _fail(self, position: int, reason: str) -> None:
        self._unconfirmed[position] = reason
        self._settle(position)

    def _settle(self, position: int) -> None:
        self._open.discard(position)
        if not self._open and not self.done.done():
            self.done.set_result(None)
