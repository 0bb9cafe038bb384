"""What one follower of an answer is shown, in order: pure, a state and what is done with the next piece of news.

The invariant: what was shown is at every moment a beginning of something that the last gate let be shown, nothing is shown twice, and the
outcome is the authority. Where what comes contradicts what was shown, or the request ends otherwise than delivered, the follower is told that
what was shown does not hold, and is shown nothing more. A delivered answer is completed from its receipt, so that the pieces together are it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final

from lockgate_ledger.records import RequestRecord
from lockgate_schemas.passage import Outcome, Release, read_response

REFUSED: Final = "response-blocked"
CONTRADICTED: Final = "contradicted"


@dataclass(frozen=True, slots=True)
class Beginning:
    """A verified beginning of an answer; or, if ``refused``, that a draft of it did not pass. ``release`` is the proof, without the text."""

    text: str = field(repr=False)
    refused: bool = False
    release: Release | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Delta:
    """``text`` goes on at ``offset`` (in characters). ``release`` proves that all up to its end may be shown; the end of an answer, its receipt does."""

    offset: int
    text: str = field(repr=False)
    release: Release | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The ``shown`` characters do not hold, and ``reason`` is why: the code of the outcome, or one of this module's."""

    reason: str
    shown: int


class Showing:
    """One follower. Remembers how much was shown and its digest, not the text."""

    def __init__(self) -> None:
        self._shown = 0
        self._digest = _digest("")
        self._refused = False
        self._withdrawn = False

    def next(self, beginning: Beginning) -> Delta | Withdrawn | None:
        """What is to be sent for a verified beginning of the answer; nothing, if it says nothing new."""
        if self._refused or self._withdrawn:
            return None
        if beginning.refused:
            self._refused = True
            return self._withdraw(REFUSED)
        return self._go_on(beginning.text, beginning.release, whole=False)

    def end(self, record: RequestRecord) -> Delta | Withdrawn | None:
        """What is to be sent before the outcome: the rest of a delivered answer, or that what was shown does not hold."""
        if self._withdrawn:
            return None
        if record.outcome is not Outcome.DELIVERED:
            return self._withdraw(record.code or str(record.outcome))
        return self._go_on(read_response(record.response).body, None, whole=True)

    def _go_on(self, text: str, release: Release | None, *, whole: bool) -> Delta | Withdrawn | None:
        if len(text) < self._shown and not whole:
            return None  # an older one, or one that a draft written anew begins with: the outcome will say
        if _digest(text[: self._shown]) != self._digest:
            return self._withdraw(CONTRADICTED)
        if len(text) == self._shown:
            return None
        delta = Delta(self._shown, text[self._shown :], release)
        self._shown, self._digest = len(text), _digest(text)
        return delta

    def _withdraw(self, reason: str) -> Withdrawn | None:
        self._withdrawn = self._shown > 0  # where nothing was shown there is nothing to take back
        return Withdrawn(reason, self._shown) if self._withdrawn else None


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()
