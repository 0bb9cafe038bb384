"""The door: from the bytes somebody sent to a verified envelope with its principal, its facts and the ingress's statement.

Pure: no IO, no clock, no randomness. It decides who is speaking and that the envelope is sound and in time, as an ordered ladder in which
the first failure wins. It leaves to the caller whether the event id was used before (the ledger knows), and to authz
whether this principal may do this: an agent that does not exist is not refused here, so that its absence cannot be told from a missing grant.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import msgspec

from lockgate_ledger.records import ClientRecord, Directory, KeyRecord
from lockgate_schemas.envelope import Envelope, UnverifiedEnvelope, digest_of
from lockgate_schemas.errors import (
    EnvelopeExpiredError,
    EnvelopeRefusedError,
    InvalidRequestError,
    KeyRevokedError,
    LockgateError,
    TooLargeError,
)
from lockgate_schemas.limits import Limits
from lockgate_schemas.names import Role
from lockgate_schemas.passage import Decision, Door, Facts, Statement, raw
from lockgate_schemas.principal import Principal

METHOD: Final = "signed-envelope"
"""How the principal was authenticated, and the rule on the ingress's stamp."""

_HALF: Final = 16
ID_BYTES: Final = 2 * _HALF
"""The random bytes that one request takes."""
_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz234567"
_BASE32: Final = tuple(first + second for first in _ALPHABET for second in _ALPHABET)
_REQUEST_ID: Final = re.compile(r"req_[a-z2-7]{26}\Z")
_TRACEPARENT: Final = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\Z")
_NOT_SIGNED: Final = "the signature does not verify"  # an unknown key says the same as a wrong signature


@dataclass(frozen=True, slots=True)
class Ids:
    """The two names of a request, 128 random bits each: one for its client, one for its agent. Neither can be derived from the other."""

    request_id: str
    dispatch_id: str

    @classmethod
    def minted(cls, bits: bytes) -> Ids:
        """New ids from `ID_BYTES` random bytes: RFC 4648 base32 in lower case without padding for the one, hex for the other."""
        if len(bits) != ID_BYTES:
            raise ValueError("ids are minted from 32 random bytes")
        number = int.from_bytes(bits[:_HALF], "big") << 2  # 128 bits make 26 characters of 5 with 2 to spare
        name = "".join([_BASE32[number >> shift & 1023] for shift in range(120, -1, -10)])
        return cls(f"req_{name}", bits[_HALF:].hex())


@dataclass(frozen=True, slots=True)
class Admission:
    """A request that the door lets in. It is accepted once the ledger has it."""

    envelope: Envelope
    facts: Facts
    facts_raw: msgspec.Raw
    epoch: int

    @property
    def principal(self) -> Principal:
        """Who makes the request."""
        return self.facts.principal


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the door turned away. ``client`` is set only when its key had verified; ``rule`` is for the audit log alone."""

    error: LockgateError
    rule: str
    client: ClientRecord | None = None


def is_request_id(text: str) -> bool:
    """Whether ``text`` has the shape of a request id; anything else cannot be one and is not looked up."""
    return _REQUEST_ID.match(text) is not None


def shaped(compact: bytes, limits: Limits) -> UnverifiedEnvelope:
    """Steps 1 and 2 of the ladder, which need nobody's record.

    1. The size.
    2. The shape of a compact JWS with our exact header.

    Raises `TooLargeError` or `EnvelopeRefusedError`.
    """
    if len(compact) > limits.max_envelope_bytes:
        raise TooLargeError
    try:
        text = compact.decode("ascii")
    except UnicodeDecodeError:
        raise EnvelopeRefusedError("not a compact JWS of three segments") from None
    return UnverifiedEnvelope.parse(text, limits)


def admit(
    unverified: UnverifiedEnvelope,
    *,
    directory: Directory,
    now: int,
    gateway: str,
    limits: Limits,
    ids: Ids,
    door: Door,
    via_client: str | None = None,
) -> Admission | Refusal:
    """Steps 3 to 8 of the ladder.

    3. The key is enrolled. An unknown one answers as a wrong signature does.
    4. Its client is active, and the key neither revoked nor past its end.
    5. The envelope verifies: signature, strict content, this gateway's audience, names, time window (`UnverifiedEnvelope.verified`).
    6. Its source is the client whose key this is.
    7. It came in over that client's own queue, if it came in over a queue (``via_client``).
    8. The facts are minted, from the ledger's record of the key and the client; nothing in them is the message's word for who is speaking.
    """
    key = directory.keys.get(unverified.kid)
    client = directory.clients.get(key.client) if key else None
    if key is None or client is None:
        return Refusal(EnvelopeRefusedError(_NOT_SIGNED), "unknown-key")
    if not usable(key, client, now):
        return Refusal(KeyRevokedError(), "key-ended")
    try:
        envelope = unverified.verified(key.public_key, now=now, gateway=gateway, limits=limits)
    except (EnvelopeExpiredError, InvalidRequestError) as error:  # both come after the signature, so the client is known
        return Refusal(error, error.detail, client)
    except LockgateError as error:
        return Refusal(error, error.detail)
    if (foreign := _foreign(envelope, client, via_client)) is not None:
        return foreign
    facts = _facts(envelope, client, now=now, gateway=gateway, ids=ids, door=door)
    return Admission(envelope, facts, raw(facts), directory.epoch)


def usable(key: KeyRecord, client: ClientRecord, now: int) -> bool:
    """Whether a signature by this key still counts."""
    return client.active and not key.revoked and (not key.ends or now < key.ends)


def _foreign(envelope: Envelope, client: ClientRecord, via_client: str | None) -> Refusal | None:
    if envelope.event.source != client.name:
        return Refusal(EnvelopeRefusedError("the source is not the client whose key this is"), "foreign-source", client)
    if via_client is not None and via_client != client.name:
        return Refusal(EnvelopeRefusedError("it came in over another client's queue"), "foreign-queue", client)
    return None


def _facts(envelope: Envelope, client: ClientRecord, *, now: int, gateway: str, ids: Ids, door: Door) -> Facts:
    event = envelope.event
    return Facts(
        request_id=ids.request_id,
        dispatch_id=ids.dispatch_id,
        gateway=gateway,
        agent=event.agent,
        action=event.action,
        principal=Principal(client.tenant, client.name, client.user, METHOD, envelope.kid),
        envelope=envelope.digest,
        event_id=event.id,
        accepted=now,
        deadline=envelope.expires,
        door=door,
        # Anybody's text until it matches the grammar; a broken one is left out rather than carried into logs.
        traceparent=event.traceparent if _TRACEPARENT.match(event.traceparent) else "",
    )


def ingress_statement(admission: Admission, *, took: int) -> Statement:
    """What the ingress says about a request it lets in; ``took`` is the microseconds spent on deciding it."""
    facts = admission.facts
    return Statement(
        stage=str(Role.INGRESS),
        decision=Decision.ALLOW,
        request_id=facts.request_id,
        facts=digest_of(bytes(admission.facts_raw)),
        input=facts.envelope,
        output=facts.envelope,
        previous="",
        at=facts.accepted,
        epoch=admission.epoch,
        rule=METHOD,
        took=took,
    )


def cancel_statement(facts: Facts, facts_raw: msgspec.Raw, *, now: int, epoch: int) -> Statement:
    """What the ingress says when the client takes a request back: a chain of its own, which ends where it begins."""
    return Statement(
        stage=str(Role.INGRESS),
        decision=Decision.CANCEL,
        request_id=facts.request_id,
        facts=digest_of(bytes(facts_raw)),
        input=facts.envelope,
        output=facts.envelope,
        previous="",
        at=now,
        epoch=epoch,
        rule="client-cancelled",
    )
