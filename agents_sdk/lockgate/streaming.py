"""An answer that is shown while it is being written: its pieces as they come, and at the end the result.

Each piece is proved when it is shown: the last gate signed that everything up to its end may be. Yet the answer is not complete, and the result
decides: `Streamed` ends without an error only if its pieces, put together, are the answer that the receipt proves, or if nothing was shown.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Final

import msgspec

from lockgate.results import Progress, Result
from lockgate.sse import ServerEvent
from lockgate_schemas.errors import AnswerWithdrawnError, ChainRefusedError
from lockgate_schemas.passage import Release

DELTA: Final = "delta"
WITHDRAWN: Final = "withdrawn"


class Piece(msgspec.Struct, frozen=True):
    """``text`` goes on at ``offset`` (in characters); ``release`` proves all up to its end. Without one, the receipt that follows does."""

    offset: int
    text: str
    release: Release | None = None


class Withdrawal(msgspec.Struct, frozen=True):
    """What was shown does not hold; ``reason`` is the code that says why."""

    reason: str


_piece: Final = msgspec.json.Decoder(Piece)
_withdrawal: Final = msgspec.json.Decoder(Withdrawal)


def read_step(event: ServerEvent) -> Piece | Withdrawal | None:
    """What an event says about an unfinished answer; nothing if it is about something else. Raises `ChainRefusedError` if it cannot be read."""
    try:
        if event.name == DELTA:
            return _piece.decode(event.data)
        return _withdrawal.decode(event.data) if event.name == WITHDRAWN else None
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        raise ChainRefusedError("the gateway's event is not a piece of an answer") from None


class Streamed:
    """One answer: iterate over it for its pieces, once; then ``result`` is there. Made by `Client.stream`.

    Iterating raises `AnswerWithdrawnError` when some of it was shown and does not hold, with ``result`` in place; `ChainRefusedError` when
    what the gateway says does not fit together; and what `Client.events` raises. That a request was denied or blocked before anything was shown is no error.
    """

    def __init__(self, steps: AsyncIterator[Piece | Withdrawal | Progress], check: Callable[[Release], None]) -> None:
        """``check`` raises `ChainRefusedError` for a release (with its text) that proves nothing about this answer."""
        self._steps = steps
        self._check = check
        self._pieces: list[str] = []
        self._length = 0
        self.result: Result | None = None
        """How it ended, proved by its receipt; there once the iteration is over."""

    @property
    def text(self) -> str:
        """What was shown so far."""
        return "".join(self._pieces)

    async def __aiter__(self) -> AsyncGenerator[str, None]:
        """The pieces."""
        reason = ""
        async for step in self._steps:
            if isinstance(step, Piece):
                if step.release is not None:  # else it is not proved yet: the receipt comes next
                    yield self._continued(step, step.release)
            elif isinstance(step, Withdrawal):
                reason = step.reason
            elif step.result is not None:
                self.result = step.result
                rest = self._rest(step.result, reason)
                if rest:
                    yield self._taken(rest)
                return

    def _continued(self, piece: Piece, release: Release) -> str:
        if piece.offset != self._length or not piece.text:
            raise ChainRefusedError("a piece of an answer does not go on where the one before it ended")
        self._check(Release(facts=release.facts, stamp=release.stamp, text=self.text + piece.text))
        return self._taken(piece.text)

    def _taken(self, text: str) -> str:
        self._pieces.append(text)
        self._length += len(text)
        return text

    def _rest(self, result: Result, reason: str) -> str:
        """What the proved answer has beyond what was shown. Raises `AnswerWithdrawnError`."""
        shown = self.text
        if shown and (reason or not result.ok or not result.text.startswith(shown)):
            raise AnswerWithdrawnError(
                f"what was shown of the answer does not hold ({reason or result.code or 'contradicted'})"
            )
        return result.text[len(shown) :] if result.ok else ""
