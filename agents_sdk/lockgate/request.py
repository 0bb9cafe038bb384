"""What a handler sees and what it may answer: `Request`, `Reply`, `ActionFailed`.

A `Request` is made only from a dispatch whose stamps were verified, so everything on it is established fact, except ``data``: that is what
the caller wrote. It passed inspection and fits the handler's type, and is still to be treated as input.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Generic, TypeVar

from lockgate_schemas.principal import Principal

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request(Generic[T]):
    """One request to an action.

    Annotate the handler's parameter with ``Request[MyType]`` and ``data`` is a ``MyType``: any type msgspec knows, a `msgspec.Struct`, a
    dataclass, ``dict[str, int]``. With a plain ``Request`` it is whatever JSON the caller sent.
    """

    data: T
    """What the caller wrote."""

    action: str
    """The action that was called."""

    principal: Principal
    """Who calls, as the gateway verified it: ``tenant``, ``client``, ``user``, and ``act`` when somebody acts for the user."""

    request_id: str
    """The gateway's id of the request, the one the client and the audit log know."""

    dispatch_id: str
    """Stable over redeliveries: use it as the idempotency key of whatever the handler does in the world."""

    deadline: datetime
    """When the gateway stops waiting. The handler is cancelled then."""

    flagged: bool
    """Whether inspection let this pass with a warning: treat ``data`` as tainted."""

    cancelled: asyncio.Event = field(repr=False, compare=False)
    """Set when nobody waits any more; shortly afterwards the handler's task is cancelled."""

    _clock: Callable[[], int] = field(repr=False, compare=False)

    @property
    def remaining(self) -> float:
        """Seconds until the deadline, never below zero."""
        return max(0.0, self.deadline.timestamp() - self._clock() / 1000)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with a content type of its own. Text and JSON need none: return a ``str``, or any value msgspec can encode."""

    body: str
    content_type: str = "text/plain"


class ActionFailed(Exception):  # noqa: N818 - reads as the sentence a handler says: raise ActionFailed("no such report")
    """Raise it in a handler to end the request as failed, with one sentence for the caller.

    The sentence leaves the gateway through the same inspection as any answer. Any other exception reaches the caller as its type's name alone.
    """

    def __init__(self, sentence: str) -> None:
        self.sentence = sentence
        super().__init__(sentence)


def moment(milliseconds: int) -> datetime:
    """Milliseconds since 1970 as an aware datetime."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
