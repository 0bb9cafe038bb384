"""The memory of finished dispatches: what was answered, so that a redelivery does not make the agent do the work twice.

Bounded by number and by bytes, oldest out first. It is of this process alone: after a restart a redelivered dispatch runs again, which is why
dispatch is at-least-once and ``dispatch_id`` is stable.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import msgspec

from lockgate_schemas.errors import ChainRefusedError


@dataclass(frozen=True, slots=True)
class _Answer:
    facts: str
    response: msgspec.Raw
    size: int


class Finished:
    """Answers by dispatch id."""

    def __init__(self, *, most: int, most_bytes: int) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._answers: OrderedDict[str, _Answer] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._answers)

    def remember(self, dispatch_id: str, facts: str, response: msgspec.Raw) -> None:
        """Keep ``response`` as the answer to the dispatch with these facts (their digest)."""
        size = len(bytes(response))
        if (before := self._answers.pop(dispatch_id, None)) is not None:
            self._bytes -= before.size
        self._answers[dispatch_id] = _Answer(facts, response, size)
        self._bytes += size
        while len(self._answers) > self._most or self._bytes > self._most_bytes:
            _, oldest = self._answers.popitem(last=False)
            self._bytes -= oldest.size

    def answer(self, dispatch_id: str, facts: str) -> msgspec.Raw | None:
        """The answer given before, if any. Raises `ChainRefusedError` if the same id comes with other facts: ids are minted once."""
        found = self._answers.get(dispatch_id)
        if found is None:
            return None
        if found.facts != facts:
            raise ChainRefusedError("a dispatch id was used for other facts")
        self._answers.move_to_end(dispatch_id)
        return found.response
