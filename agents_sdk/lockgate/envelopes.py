"""Making the envelope of a request: names checked, data encoded, signed once.

Decides nothing about what is allowed; it refuses early what the gateway could only refuse. The result is immutable, and sending the identical bytes
again is the same request, not a second one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any, Final

import msgspec

from lockgate.credentials import ClientCredentials
from lockgate_schemas.envelope import EVENT_TYPE, Event, digest_of, sign_event, timestamp
from lockgate_schemas.errors import InvalidRequestError, TooLargeError
from lockgate_schemas.limits import Limits

_LONGEST_ID: Final = 64


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed envelope: its exact bytes, their digest, and the names in it."""

    compact: str = field(repr=False)
    digest: str
    event_id: str
    agent: str
    action: str


def sign_request(
    credentials: ClientCredentials,
    agent: str,
    action: str,
    data: Any,
    *,
    now: int,
    lifetime: float,
    limits: Limits,
    event_id: str | None = None,
    traceparent: str = "",
) -> Signed:
    """Sign one request at ``now`` (milliseconds) that is to end within ``lifetime`` seconds.

    Raises `NameRefusedError`, `InvalidRequestError` or `TooLargeError`.
    """
    chosen = token_hex(16) if event_id is None else event_id
    if not 0 < len(chosen) <= _LONGEST_ID or not chosen.isascii() or not chosen.isprintable():
        raise InvalidRequestError("the id of a request has 1 to 64 printable ASCII characters")
    if not 0 < lifetime * 1000 <= limits.max_lifetime:
        raise InvalidRequestError("the lifetime is not positive, or longer than the gateway allows")
    event = Event(
        specversion="1.0",
        id=chosen,
        source=credentials.name,
        type=EVENT_TYPE,
        time=timestamp(now),
        expirytime=timestamp(now + int(lifetime * 1000)),
        audience=credentials.gateway,
        agent=agent,
        action=action,
        data=_encoded(data),
        traceparent=traceparent,
    )
    compact = sign_event(credentials.signer, credentials.kid, event)
    if len(compact) > limits.max_envelope_bytes:
        raise TooLargeError
    return Signed(compact, digest_of(compact.encode()), chosen, agent, action)


def _encoded(data: Any) -> msgspec.Raw:
    try:
        return msgspec.Raw(msgspec.json.encode(data))
    except (TypeError, ValueError, RecursionError):  # not JSON; half a surrogate pair; a cycle
        raise InvalidRequestError("the data cannot be written as JSON") from None
