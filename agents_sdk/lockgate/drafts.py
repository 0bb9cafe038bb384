"""Drafts: the text so far of an answer that a handler is still writing, sent ahead of the answer.

Decides when a draft is worth sending, and leaves what of it anybody sees to the gateway. A draft always carries the text from its beginning, so one
that is lost costs nothing but a moment, and none is ever waited for: while one is under way the text goes on growing, and the
next one has all of it. With steps of a sixteenth of the text, all drafts of an answer together weigh some seventeen times the answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from lockgate_schemas.passage import MOST_DRAFTS

LOG: Final = logging.getLogger("lockgate.agent")

LEAST_STEP: Final = 256
"""Characters: a draft that says less than this more is not worth a message."""
SHARE: Final = 16
"""A draft is sent when the text has grown by one part in so many."""


def is_due(length: int, sent: int, drafts: int) -> bool:
    """Whether a text of ``length`` characters is worth a draft when ``drafts`` were sent, the last of them with ``sent`` characters."""
    return drafts < MOST_DRAFTS and length - sent >= max(LEAST_STEP, length // SHARE)


class Drafts:
    """The drafts of one answer. ``send`` publishes one, given its number and its text."""

    def __init__(self, send: Callable[[int, str], Awaitable[object]]) -> None:
        self._send = send
        self._pieces: Sequence[str] = ()
        self._length = 0
        self._number = 0
        self._sent = 0
        self._sending: asyncio.Task[None] | None = None

    def grown(self, pieces: Sequence[str], length: int) -> None:
        """The text is now ``pieces``, of ``length`` characters together. Sends a draft if one is due and none is under way."""
        self._pieces, self._length = pieces, length
        if (self._sending is None or self._sending.done()) and self._due:
            self._sending = asyncio.create_task(self._send_all())

    async def close(self) -> None:
        """Nothing more is sent: the answer is there, or nobody waits for it."""
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.wait({self._sending})

    @property
    def _due(self) -> bool:
        return is_due(self._length, self._sent, self._number)

    async def _send_all(self) -> None:
        """One after the other while one is due: also of what was written in one go, after which nothing more comes for long."""
        try:
            while self._due:
                self._number += 1
                self._sent = self._length
                await self._send(self._number, "".join(self._pieces))
        # Lets nothing through: no draft is needed, and whatever is wrong with the text is the answer's to say (half a surrogate, for one).
        except Exception as error:  # noqa: BLE001
            LOG.warning("a draft was not sent: %s", type(error).__name__)
