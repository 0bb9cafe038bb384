"""Who may use the operator's listener: whoever holds the token, and only under a name that is this machine's.

Pure. The ``Host`` check is against a browser that was led here by a name resolving to a loopback address (DNS rebinding): such a page cannot know
the token either, but it does not even get to guess.
"""

from __future__ import annotations

import hmac
from typing import Final

from lockgate_schemas.errors import ConfigurationError, ForbiddenError, UnauthenticatedError

_SCHEME: Final = "bearer"
_SHORTEST: Final = 32
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})


def checked_token(token: str) -> str:
    """Refuse to serve behind a token that can be guessed. Raises `ConfigurationError`."""
    if len(token) < _SHORTEST:
        raise ConfigurationError(f"the operator's token has fewer than {_SHORTEST} characters")
    return token


def check_host(host: str | None, allowed: frozenset[str]) -> None:
    """Raise `ForbiddenError` unless the ``Host`` header, without its port, is one of ``allowed``."""
    text = (host or "").lower()
    name, colon, port = text.rpartition(":")
    if colon and port.isdecimal():
        text = name
    if text not in allowed:
        raise ForbiddenError("this listener is not reached under that name")


def check_token(authorization: str | None, token: str) -> None:
    """Raise `UnauthenticatedError` unless the header carries the operator's token. Compared in constant time."""
    scheme, _, offered = (authorization or "").partition(" ")
    same = hmac.compare_digest(offered.encode(), token.encode())
    if scheme.lower() != _SCHEME or not same:
        raise UnauthenticatedError("the operator's token is missing or wrong")
