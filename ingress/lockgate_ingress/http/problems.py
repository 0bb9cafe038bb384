"""RFC 9457 problem details: every error and every unhappy outcome has one face, from two frozen tables.

The first table is generated from the closed list of errors; the second says how an outcome answers a client that waited for it. Nothing that is
not in a table reaches a client: an unexpected exception answers "internal" with constant text.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

import msgspec

from lockgate_schemas.errors import (
    ERRORS,
    DeadlineError,
    ForbiddenError,
    LockgateError,
    RateLimitedError,
    UnauthenticatedError,
    UnavailableError,
)
from lockgate_schemas.passage import Outcome, Receipt

_TYPE: Final = "urn:lockgate:problem:"
JSON: Final = (b"content-type", b"application/json")
PROBLEM: Final = (b"content-type", b"application/problem+json")

Headers = tuple[tuple[bytes, bytes], ...]


class Problem(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The body. ``request_id`` and ``receipt`` are there when a request was accepted and has ended."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    advice: str
    request_id: str = ""
    receipt: Receipt | None = None


_encode: Final = msgspec.json.Encoder().encode


def _face(error: type[LockgateError]) -> Problem:
    return Problem(
        type=f"{_TYPE}{error.code}",
        title=error.title,
        status=error.status,
        detail=error.title,
        code=error.code,
        advice=error.advice,
    )


FACES: Final = MappingProxyType({error.code: _face(error) for error in ERRORS})
"""By code. `lockgate_schemas.errors.ERRORS` is closed, and so is this."""

INTERNAL: Final = FACES[LockgateError.code]

_NO_REPEAT: Final = "The outcome is final; a new request needs a new event id."


def _ending(outcome: Outcome, status: int, title: str, advice: str = _NO_REPEAT) -> Problem:
    return Problem(type=f"{_TYPE}{outcome}", title=title, status=status, detail=title, code=str(outcome), advice=advice)


ENDINGS: Final = MappingProxyType(
    {
        # Whatever authz had to say against it, and whether or not the agent exists: the same words.
        Outcome.DENIED: FACES[ForbiddenError.code],
        Outcome.BLOCKED: _ending(Outcome.BLOCKED, 403, "The content was blocked"),
        Outcome.FAILED: _ending(Outcome.FAILED, 502, "The agent failed"),
        Outcome.QUARANTINED: _ending(Outcome.QUARANTINED, 502, "The request could not be processed and was put aside"),
        Outcome.EXPIRED: _ending(Outcome.EXPIRED, DeadlineError.status, "The deadline passed before an outcome"),
        Outcome.CANCELLED: _ending(Outcome.CANCELLED, 409, "The request was cancelled"),
    }
)
"""How each outcome but the delivered one answers whoever waited for it."""

_CHALLENGE: Final[Headers] = ((b"www-authenticate", b'Bearer realm="lockgate"'),)
_RETRY: Final = MappingProxyType({RateLimitedError.status: b"1", UnavailableError.status: b"2"})


def headers_of(status: int) -> Headers:
    """The headers that go with a status besides the media type: a challenge, or when to come back."""
    if status == UnauthenticatedError.status:
        return (PROBLEM, *_CHALLENGE)
    if status in _RETRY:
        return (PROBLEM, (b"retry-after", _RETRY[status]))
    return (PROBLEM,)


def problem_of(error: LockgateError) -> tuple[int, bytes, Headers]:
    """Status, body and headers for an error: the class's face with this occurrence's detail."""
    face = FACES.get(error.code, INTERNAL)
    detail = INTERNAL.detail if face is INTERNAL else error.detail
    return face.status, _encode(msgspec.structs.replace(face, detail=detail)), headers_of(face.status)


def internal() -> tuple[int, bytes, Headers]:
    """For anything unexpected: constant text."""
    return INTERNAL.status, _encode(INTERNAL), headers_of(INTERNAL.status)


def problem_of_ending(outcome: Outcome, request_id: str, receipt: Receipt) -> tuple[int, bytes, Headers]:
    """Status, body and headers for an outcome that is not a delivery."""
    face = ENDINGS[outcome]
    body = _encode(msgspec.structs.replace(face, request_id=request_id, receipt=receipt))
    return face.status, body, headers_of(face.status)
