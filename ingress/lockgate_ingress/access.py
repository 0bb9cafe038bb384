"""Who is reading: from an ``Authorization`` header to the client whose own key signed the short-lived token in it.

Pure, an ordered ladder. A token says only who reads, never what: the caller compares each request's owner.
"""

from __future__ import annotations

from typing import Final

from lockgate_ingress.door import usable
from lockgate_ledger.records import ClientRecord, Directory
from lockgate_schemas.envelope import ACCESS_TYPE, UnverifiedJws, verified_access
from lockgate_schemas.errors import EnvelopeRefusedError, KeyRevokedError, UnauthenticatedError
from lockgate_schemas.limits import Limits

_MAX_TOKEN: Final = 2048
_SCHEME: Final = "bearer"


def reader_of(authorization: str | None, *, directory: Directory, now: int, gateway: str, limits: Limits) -> ClientRecord:
    """The client that may read with this header.

    1. There is exactly one token, of the bearer scheme and of a sane size.
    2. It has the shape of an access token: a request's signature is of another type and does not pass.
    3. Its key is enrolled, its client active, the key neither revoked nor ended.
    4. It verifies: signature, audience, time window.
    5. Its issuer is the client whose key this is.

    Raises `UnauthenticatedError` or its kin.
    """
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != _SCHEME or not token or len(token) > _MAX_TOKEN:
        raise UnauthenticatedError
    jws = UnverifiedJws.parse(token, ACCESS_TYPE)
    key = directory.keys.get(jws.kid)
    client = directory.clients.get(key.client) if key else None
    if key is None or client is None:
        raise EnvelopeRefusedError("the signature does not verify")
    if not usable(key, client, now):
        raise KeyRevokedError
    access = verified_access(jws, key.public_key, now=now, gateway=gateway, limits=limits)
    if access.iss != client.name:
        raise EnvelopeRefusedError("the issuer is not the client whose key this is")
    return client
