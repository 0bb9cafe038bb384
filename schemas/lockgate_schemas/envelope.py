"""The envelope: what a client signs, and the narrow door through which it becomes verified data.

The wire form is a JWS in compact serialisation (RFC 7515) with exactly three header members: ``alg`` = ``Ed25519`` (RFC 9864), ``kid``,
``typ``. The payload is a CloudEvents 1.0 event in JSON. The exact bytes travel to the agent unchanged; nothing is canonicalised.

Parsing yields an `UnverifiedEnvelope`, which can only say which key it claims. Given that key, `UnverifiedEnvelope.verified` yields the
`Envelope`. There is no other way to make one. What is left to the caller: whose key it is, whether it is revoked, whether
this id was used before.
"""

from __future__ import annotations

import binascii
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final, NamedTuple, Self

import msgspec

from lockgate_schemas import strict_json
from lockgate_schemas.errors import (
    EnvelopeExpiredError,
    EnvelopeRefusedError,
    IdentityRefusedError,
    InvalidRequestError,
    LockgateError,
    MalformedError,
)
from lockgate_schemas.limits import Limits
from lockgate_schemas.names import checked_name
from lockgate_schemas.signing import NoteSigner, verify_signature

ALGORITHM: Final = "Ed25519"
REQUEST_TYPE: Final = "lockgate-request+jws"
"""``typ`` of a request. Every use of a signature has its own, so that none can be offered for another."""
ACCESS_TYPE: Final = "lockgate-access+jws"
"""``typ`` of the short-lived token with which a client reads its own requests."""
EVENT_TYPE: Final = "dev.lockgate.request.v1"
"""The CloudEvents ``type`` of every request."""

_MAX_HEADER: Final = 512
_MAX_KID: Final = 64
_SEGMENTS: Final = 3
_IDENTITY_MEMBERS: Final = frozenset(
    {
        "act",
        "client",
        "principal",
        "role",
        "roles",
        "scope",
        "scopes",
        "sub",
        "tenant",
        "tenantid",
        "user",
        "userid",
        "username",
    }
)


class Event(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """The signed payload: CloudEvents attributes, and the extensions ``agent``, ``action``, ``audience``.

    ``id`` is unique for its ``source`` (the client's name); ``time`` and ``expirytime`` are RFC 3339 with an offset; ``audience`` is the gateway's id;
    ``agent`` is a logical name, never an address; ``data`` is any JSON value.
    """

    specversion: str
    id: str
    source: str
    type: str
    time: str
    expirytime: str
    audience: str
    agent: str
    action: str
    data: msgspec.Raw = msgspec.Raw(b"null")
    datacontenttype: str = "application/json"
    traceparent: str = ""


class _Ending(NamedTuple):
    """How a base64url segment of a certain length modulo 4 may end: characters whose unused bits are zero."""

    last: tuple[str, ...]
    padding: str


_ENDINGS: Final = {
    0: _Ending(("",), ""),
    2: _Ending(tuple("AQgw"), "=="),
    3: _Ending(tuple("AEIMQUYcgkosw048"), "="),
}


def _unbase64(segment: str) -> bytes:
    """RFC 7515 base64url: no padding, no other alphabet, and no second spelling of the same bytes."""
    ending = _ENDINGS.get(len(segment) % 4)
    if ending is None or not segment.endswith(ending.last):
        raise EnvelopeRefusedError("a segment is not canonical base64url")
    if "+" in segment or "/" in segment or "=" in segment:  # the decoder below would take them
        raise EnvelopeRefusedError("a segment is not base64url")
    try:
        return binascii.a2b_base64(segment.replace("-", "+").replace("_", "/") + ending.padding, strict_mode=True)
    except ValueError:
        raise EnvelopeRefusedError("a segment is not base64url") from None


def _base64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


@lru_cache(maxsize=1024)  # a client sends the same header every time; a refusal is never cached
def _header(segment: str, expected_type: str) -> str:
    """Check a protected header and return its ``kid``. Raises `EnvelopeRefusedError`."""
    if len(segment) > _MAX_HEADER:
        raise EnvelopeRefusedError("the header is too long")
    try:
        header = strict_json.loads(_unbase64(segment))
    except MalformedError as error:
        raise EnvelopeRefusedError(f"the header: {error.detail}") from None
    if not isinstance(header, dict) or header.keys() != {"alg", "kid", "typ"}:
        raise EnvelopeRefusedError("the header has not exactly the members alg, kid and typ")
    if header["alg"] != ALGORITHM:
        raise EnvelopeRefusedError("the algorithm is not Ed25519")
    if header["typ"] != expected_type:
        raise EnvelopeRefusedError("the typ is not the one expected here")
    kid = header["kid"]
    if not isinstance(kid, str) or not 0 < len(kid) <= _MAX_KID or not kid.isascii() or not kid.replace("-", "a").isalnum():
        raise EnvelopeRefusedError("the kid is not a key id")
    return kid


@dataclass(frozen=True, slots=True)
class UnverifiedJws:
    """A compact JWS that has the right shape. Its payload is out of reach until a key has verified it."""

    kid: str
    _compact: str
    _payload: bytes
    _signature: bytes

    @classmethod
    def parse(cls, compact: str, expected_type: str) -> Self:
        """Take a compact JWS apart, strictly. Raises `EnvelopeRefusedError`."""
        parts = compact.split(".") if compact.isascii() else []
        if len(parts) != _SEGMENTS:
            raise EnvelopeRefusedError("not a compact JWS of three segments")
        kid = _header(parts[0], expected_type)
        return cls(kid, compact, _unbase64(parts[1]), _unbase64(parts[2]))

    def payload(self, public_key: bytes) -> bytes:
        """The payload, if ``public_key`` signed it. Raises `EnvelopeRefusedError`."""
        signed = self._compact[: self._compact.rindex(".")].encode()
        if not verify_signature(public_key, signed, self._signature):
            raise EnvelopeRefusedError("the signature does not verify")
        return self._payload


@dataclass(frozen=True, slots=True)
class Envelope:
    """A verified request: the exact bytes, their digest, and the event they carry. Made by `UnverifiedEnvelope.verified` only."""

    compact: str
    digest: str
    kid: str
    event: Event
    expires: int


@dataclass(frozen=True, slots=True)
class UnverifiedEnvelope:
    """A request as it came in: it may say which key it claims, and nothing more."""

    _jws: UnverifiedJws
    _compact: str

    @property
    def kid(self) -> str:
        """The id of the key it claims to be signed with."""
        return self._jws.kid

    @classmethod
    def parse(cls, compact: str, limits: Limits) -> Self:
        """Check the shape. Raises `EnvelopeRefusedError`; the size is the door's to check, before it reads."""
        if len(compact) > limits.max_envelope_bytes:
            raise EnvelopeRefusedError("larger than an envelope may be")
        return cls(UnverifiedJws.parse(compact, REQUEST_TYPE), compact)

    def verified(self, public_key: bytes, *, now: int, gateway: str, limits: Limits) -> Envelope:
        """Verify the signature, then the content, in an order in which the first failure wins.

        1. The signature, before a byte of the payload is parsed.
        2. The payload is strict JSON and an event with no unknown member; identity members have their own refusal.
        3. The audience is this gateway.
        4. Names are names, never addresses.
        5. ``now`` (milliseconds) lies in the window, and the window is no longer than allowed.

        Raises `EnvelopeRefusedError`, `EnvelopeExpiredError` (401), or `InvalidRequestError` and its kin (422). Left to the caller: that ``source``
        is the client whose key this is.
        """
        event = parse_event(self._jws.payload(public_key))
        if event.audience != gateway:
            raise EnvelopeRefusedError("the audience is another gateway")
        checked_name(event.source, what="source")
        checked_name(event.agent, what="agent")
        checked_name(event.action, what="action")
        expires = _check_window(event, now, limits)
        return Envelope(self._compact, digest_of(self._compact.encode()), self.kid, event, expires)


def digest_of(raw: bytes) -> str:
    """SHA-256 in lower-case hex: how every digest is written in facts, statements and the audit log."""
    return sha256(raw).hexdigest()


def _spelt(member: str) -> str:
    """A member's name without the variations in which a header or an attribute of the same meaning is spelt."""
    plain = "".join(character for character in member if character.isalnum()).lower()
    return plain if plain in _IDENTITY_MEMBERS else plain.removeprefix("x")


def parse_event(payload: bytes) -> Event:
    """Read a payload strictly. Raises `IdentityRefusedError` or `InvalidRequestError`, neither of which quotes it."""
    try:
        members: Any = strict_json.loads(payload)
    except MalformedError as error:
        raise InvalidRequestError(f"the payload: {error.detail}") from None
    if not isinstance(members, dict):
        raise InvalidRequestError("the payload is not a JSON object")
    if not members.keys() <= _MEMBERS and any(_spelt(member) in _IDENTITY_MEMBERS for member in members):
        raise IdentityRefusedError("the payload asserts an identity")
    event = read_event(payload)
    if event.specversion != "1.0" or event.type != EVENT_TYPE:
        raise InvalidRequestError("not a CloudEvents 1.0 event of the request type")
    if not 0 < len(event.id) <= _MAX_KID or not event.id.isascii() or not event.id.isprintable():
        raise InvalidRequestError("the event id has not 1 to 64 printable ASCII characters")
    return event


def read_event(payload: bytes) -> Event:
    """Decode a payload into an event. Enough for a stage, behind the door that parsed it strictly. Raises `InvalidRequestError`."""
    try:
        return _EVENT.decode(payload)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        raise InvalidRequestError("the payload is not an event of the request schema") from None


_EVENT: Final = msgspec.json.Decoder(Event)
_MEMBERS: Final = frozenset(Event.__struct_fields__)


def event_of(compact: str) -> Event:
    """The event inside an envelope whose stamps were verified: behind the door the signature is not looked at again."""
    parts = compact.split(".")
    if len(parts) != _SEGMENTS:
        raise EnvelopeRefusedError("not a compact JWS of three segments")
    return read_event(_unbase64(parts[1]))


_RFC3339: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})?"
)
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


def milliseconds(timestamp: str) -> int:
    """RFC 3339 with an offset, as milliseconds since 1970. Raises `InvalidRequestError`."""
    if not _RFC3339.fullmatch(timestamp):  # the standard library alone also takes week dates, commas and any separator
        raise InvalidRequestError("a time is not RFC 3339")
    try:
        moment = datetime.fromisoformat(timestamp)
    except ValueError:
        raise InvalidRequestError("a time is not RFC 3339") from None
    if moment.tzinfo is None:
        raise InvalidRequestError("a time has no offset from UTC")
    return (moment - _EPOCH) // _MILLISECOND  # in whole numbers: a float is off by one in distant years


def timestamp(milliseconds_: int) -> str:
    """Milliseconds since 1970 as RFC 3339 in UTC."""
    return (_EPOCH + milliseconds_ * _MILLISECOND).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _check_window(event: Event, now: int, limits: Limits) -> int:
    start, end = milliseconds(event.time), milliseconds(event.expirytime)
    if start > now + limits.clock_skew:
        raise EnvelopeExpiredError("the envelope is from the future")
    if end <= now:
        raise EnvelopeExpiredError("the envelope has expired")
    if end <= start:
        raise InvalidRequestError("the expirytime is not after the time")
    if end - start > limits.max_lifetime:
        raise InvalidRequestError("the lifetime is longer than this gateway allows")
    return end


def sign_jws(signer: NoteSigner, kid: str, payload: bytes, type_: str) -> str:
    """Sign ``payload`` into a compact JWS with our exact header."""
    header = _base64(msgspec.json.encode({"alg": ALGORITHM, "kid": kid, "typ": type_}))
    signed = f"{header}.{_base64(payload)}"
    return f"{signed}.{_base64(signer.sign(signed.encode()))}"


def sign_event(signer: NoteSigner, kid: str, event: Event) -> str:
    """Make the envelope of ``event``. Raises `LockgateError` when the gateway could not accept its names."""
    for name, what in ((event.source, "source"), (event.agent, "agent"), (event.action, "action")):
        checked_name(name, what=what)
    return sign_jws(signer, kid, msgspec.json.encode(event), REQUEST_TYPE)


class Access(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The claims of an access token: ``iss`` is the client's name, ``aud`` the gateway, times are seconds (RFC 7519)."""

    iss: str
    aud: str
    iat: int
    exp: int


MAX_ACCESS_SECONDS: Final = 300
"""A client signs its own access tokens (as in RFC 7523), so there is no reason for a long life."""


def sign_access(signer: NoteSigner, kid: str, access: Access) -> str:
    """Make the token a client reads its own requests with."""
    return sign_jws(signer, kid, msgspec.json.encode(access), ACCESS_TYPE)


def verified_access(jws: UnverifiedJws, public_key: bytes, *, now: int, gateway: str, limits: Limits) -> Access:
    """Verify an access token parsed with `ACCESS_TYPE`. Raises `EnvelopeRefusedError` or `EnvelopeExpiredError`."""
    payload = jws.payload(public_key)
    try:
        strict_json.loads(payload)
        access = msgspec.json.decode(payload, type=Access)
    except (LockgateError, msgspec.MsgspecError):
        raise EnvelopeRefusedError("the access token's claims are malformed") from None
    if access.aud != gateway:
        raise EnvelopeRefusedError("the audience is another gateway")
    if access.iat * 1000 > now + limits.clock_skew or access.exp * 1000 <= now or access.exp - access.iat > MAX_ACCESS_SECONDS:
        raise EnvelopeExpiredError("the access token is outside its time window")
    return access
