"""Which header names assert an identity. Such a header is refused, never ignored: a proxy that sets it believes that it counts.

Pure. Spelling is folded first (case, hyphens, underscores, a leading ``X-``), so that no variant slips by a list of literal names.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

_EXEMPT: Final = frozenset({"useragent", "secfetchuser"})
"""What browsers and clients send by themselves; neither says who somebody is."""

_WHOLE: Final = frozenset(
    {
        "account",
        "accountid",
        "act",
        "actas",
        "actor",
        "client",
        "clientid",
        "clientname",
        "email",
        "group",
        "groups",
        "org",
        "organization",
        "scope",
        "scopes",
        "sub",
        "uid",
    }
)
_FRAGMENTS: Final = (
    "user",  # X-User-Id, Remote-User, X-Forwarded-User, X-WebAuth-User, X-Goog-Authenticated-User-Email …
    "tenant",
    "role",
    "principal",
    "identity",
    "impersonat",
    "onbehalf",
    "subject",
    "authrequest",  # X-Auth-Request-*
    "forwardedemail",
    "forwardedgroup",
    "forwardedclient",
    "remoteemail",
    "remotegroup",
    "remotename",
    "clientcert",  # X-Forwarded-Client-Cert, X-Client-Cert, SSL-Client-Cert
    "sslclient",
    "clientverify",
    "clientdn",
    "oidc",  # X-Amzn-Oidc-*
    "jwtassertion",
    "jwtpayload",
)


@lru_cache(maxsize=1024)  # clients send the same names every time
def asserts_identity(name: bytes) -> bool:
    """Whether a header of this name says who somebody is."""
    folded = name.decode("latin-1").lower().replace("-", "").replace("_", "").removeprefix("x")
    if folded in _EXEMPT:
        return False
    return folded in _WHOLE or any(fragment in folded for fragment in _FRAGMENTS)
