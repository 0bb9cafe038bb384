"""From an HTTP answer that is no success to a typed error, and from its headers to a pause. Pure.

The ``code`` of RFC 9457 problem details decides the class; without a known one (a proxy's page) the status does. Text from a body that is not problem
details is never repeated.
"""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final

import msgspec

from lockgate_schemas.errors import (
    ERRORS,
    DeadlineError,
    ForbiddenError,
    InvalidRequestError,
    LockgateError,
    NotFoundError,
    RateLimitedError,
    TooLargeError,
    UnauthenticatedError,
    UnavailableError,
    UnsupportedMediaTypeError,
)
from lockgate_schemas.passage import Receipt

_LONGEST: Final = 500
_SERVER_ERROR: Final = 500
_BY_CODE: Final[dict[str, type[LockgateError]]] = {error.code: error for error in reversed(ERRORS)}
_BY_STATUS: Final[dict[int, type[LockgateError]]] = {
    error.status: error
    for error in (
        UnauthenticatedError,
        ForbiddenError,
        NotFoundError,
        TooLargeError,
        UnsupportedMediaTypeError,
        InvalidRequestError,
        RateLimitedError,
        UnavailableError,
        DeadlineError,
    )
}


class Problem(msgspec.Struct, frozen=True):
    """Problem details as far as a client uses them; a request that ended badly brings its receipt."""

    code: str = ""
    title: str = ""
    detail: str = ""
    request_id: str = ""
    receipt: Receipt | None = None


_decoder: Final = msgspec.json.Decoder(Problem)


def read_problem(body: bytes) -> Problem:
    """Read problem details; anything else is an empty problem."""
    try:
        return _decoder.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return Problem()


def error_of(status: int, problem: Problem) -> LockgateError:
    """The error that ``problem`` describes."""
    kind = _BY_CODE.get(problem.code) or _BY_STATUS.get(status)
    if kind is None:
        kind = UnavailableError if status >= _SERVER_ERROR else LockgateError
    return make_error(kind, problem.detail or problem.title or f"the gateway answered {status}")


def error_of_code(code: str, detail: str) -> LockgateError:
    """The error with this code, for refusals that come without a status."""
    return make_error(_BY_CODE.get(code, LockgateError), detail)


def make_error(kind: type[LockgateError], detail: str) -> LockgateError:
    """An instance of ``kind``, also of one whose own constructor wants to compose the detail."""
    error = kind.__new__(kind)
    printable = "".join(character if character.isprintable() else " " for character in detail[:_LONGEST])
    LockgateError.__init__(error, printable)
    return error


def pause_of(headers: Mapping[str, str], now: int) -> float | None:
    """Retry-After in seconds, whether written as seconds or as a date; ``now`` is in milliseconds."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now / 1000)
    except (TypeError, ValueError, OverflowError):
        return None
