"""The envelope: every token of the bad-input list is refused, with the right error, before a byte of its payload counts."""

# ruff: noqa: ARG005 - a shape is given all three segments and uses those it needs
from __future__ import annotations

import binascii
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lockgate_schemas import envelope as module
from lockgate_schemas.envelope import (
    ACCESS_TYPE,
    MAX_ACCESS_SECONDS,
    REQUEST_TYPE,
    Access,
    Envelope,
    UnverifiedEnvelope,
    UnverifiedJws,
    event_of,
    milliseconds,
    sign_access,
    sign_event,
    sign_jws,
    timestamp,
    verified_access,
)
from lockgate_schemas.errors import (
    EnvelopeExpiredError,
    EnvelopeRefusedError,
    IdentityRefusedError,
    InvalidRequestError,
    LockgateError,
    NameRefusedError,
)


def b64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def verify(gateway: Any, compact: str) -> Envelope:
    parsed = UnverifiedEnvelope.parse(compact, gateway.limits)
    return parsed.verified(gateway.client_key, now=gateway.now, gateway=gateway.name, limits=gateway.limits)


def with_header(gateway: Any, header: bytes) -> str:
    """A token whose signature is right for whatever header it has."""
    signed = f"{b64(header)}.{b64(msgspec.json.encode(gateway.event()))}"
    return f"{signed}.{b64(gateway.client.sign(signed.encode()))}"


def with_payload(gateway: Any, payload: bytes) -> str:
    return sign_jws(gateway.client, "k1", payload, REQUEST_TYPE)


def with_members(gateway: Any, **members: Any) -> str:
    honest = msgspec.json.decode(msgspec.json.encode(gateway.event()))
    return with_payload(gateway, json.dumps(honest | members).encode())


def refusal(gateway: Any, compact: str) -> LockgateError:
    with pytest.raises(LockgateError) as caught:
        verify(gateway, compact)
    return caught.value


def test_an_honest_envelope_is_verified_over_its_exact_bytes(gateway: Any) -> None:
    compact = gateway.envelope()
    verified = verify(gateway, compact)
    assert verified.compact == compact
    assert verified.digest == sha256(compact.encode()).hexdigest()
    assert (verified.kid, verified.expires) == ("k1", gateway.now + 60_000)
    assert verified.event == gateway.event()
    assert event_of(compact) == verified.event


# --- the header -------------------------------------------------------------------------------------------------------

HEADERS = {
    "alg none": {"alg": "none"},
    "alg nOnE": {"alg": "nOnE"},
    "alg empty": {"alg": ""},
    "alg null": {"alg": None},
    "alg in a list": {"alg": ["Ed25519"]},
    "alg HS256": {"alg": "HS256"},
    "alg EdDSA, which does not name the curve": {"alg": "EdDSA"},
    "alg in lower case": {"alg": "ed25519"},
    "alg with a space": {"alg": "Ed25519 "},
    "jwk": {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": "AA"}},
    "jku": {"jku": "http://169.254.169.254/keys"},
    "x5u": {"x5u": "http://169.254.169.254/chain"},
    "x5c": {"x5c": ["AA"]},
    "crit": {"crit": ["exp"]},
    "crit empty": {"crit": []},
    "b64 false": {"b64": False, "crit": ["b64"]},
    "cty": {"cty": "JWT"},
    "zip": {"zip": "DEF"},
    "a member nobody knows": {"note": ""},
    "kid is a path": {"kid": "../../etc/passwd"},
    "kid is SQL": {"kid": "k1' OR '1'='1"},
    "kid of 5 KB": {"kid": "k" * 5000},
    "kid of 65": {"kid": "k" * 65},
    "kid is an object": {"kid": {"k": 1}},
    "kid is a list": {"kid": ["k1"]},
    "kid is a number": {"kid": 1},
    "kid is true": {"kid": True},
    "kid is null": {"kid": None},
    "kid is empty": {"kid": ""},
    "kid with a line break": {"kid": "k1\r\nX-Admin: 1"},
    "kid with a line break at its end": {"kid": "k1\n"},
    "kid with NUL": {"kid": "k1\x00"},
    "kid with a letter that only looks Latin": {"kid": "\N{CYRILLIC SMALL LETTER KA}1"},
    "kid with a digit of another script": {"kid": "k\N{ARABIC-INDIC DIGIT ONE}"},
    "kid is a URL": {"kid": "https://keys.test/k1"},
    "typ of an access token": {"typ": ACCESS_TYPE},
    "typ JWT": {"typ": "JWT"},
    "typ with the media type's prefix": {"typ": "application/" + REQUEST_TYPE},
    "typ in upper case": {"typ": REQUEST_TYPE.upper()},
    "typ null": {"typ": None},
}
HONEST_HEADER = {"alg": "Ed25519", "kid": "k1", "typ": REQUEST_TYPE}


@pytest.mark.parametrize("change", HEADERS.values(), ids=HEADERS.keys())
def test_a_header_that_is_not_exactly_ours_is_refused_though_signed(gateway: Any, change: dict[str, Any]) -> None:
    assert verify(gateway, with_header(gateway, json.dumps(HONEST_HEADER).encode()))
    error = refusal(gateway, with_header(gateway, json.dumps(HONEST_HEADER | change).encode()))
    assert isinstance(error, EnvelopeRefusedError)
    assert "169.254" not in error.detail
    assert "passwd" not in error.detail


@pytest.mark.parametrize("missing", ["alg", "kid", "typ"])
def test_a_missing_header_member_is_refused(gateway: Any, missing: str) -> None:
    header = {name: value for name, value in HONEST_HEADER.items() if name != missing}
    assert isinstance(refusal(gateway, with_header(gateway, json.dumps(header).encode())), EnvelopeRefusedError)


@pytest.mark.parametrize(
    "header",
    [
        b'{"alg":"Ed25519","kid":"k1","kid":"k2","typ":"lockgate-request+jws"}',
        b'{"alg":"none","alg":"Ed25519","kid":"k1","typ":"lockgate-request+jws"}',
        b'{"alg":"Ed25519","\\u0061lg":"none","kid":"k1","typ":"lockgate-request+jws"}',
        b'{"alg":"Ed25519","kid":"k1","typ":"lockgate-request+jws"}{}',
        b'\xef\xbb\xbf{"alg":"Ed25519","kid":"k1","typ":"lockgate-request+jws"}',
        b'["alg","kid","typ"]',
        b'"alg"',
        b"null",
        b"",
        b"{}",
        b"[" * 300,
        b'{"alg":"Ed25519","kid":"\\ud800","typ":"lockgate-request+jws"}',
        b'{"alg":"Ed25519","kid":"k1","typ":"lockgate-request+jws"' + b" " * 600 + b"}",
    ],
)
def test_a_header_with_two_readings_is_refused(gateway: Any, header: bytes) -> None:
    assert isinstance(refusal(gateway, with_header(gateway, header)), EnvelopeRefusedError)


def test_the_public_key_is_not_a_shared_secret(gateway: Any) -> None:
    for algorithm in ("HS256", "Ed25519"):
        header = b64(json.dumps(HONEST_HEADER | {"alg": algorithm}).encode())
        signed = f"{header}.{b64(msgspec.json.encode(gateway.event()))}"
        mac = hmac.digest(gateway.client_key, signed.encode(), "sha256")
        for signature in (mac, mac + mac):
            assert isinstance(refusal(gateway, f"{signed}.{b64(signature)}"), EnvelopeRefusedError)


def test_no_signature_is_no_signature(gateway: Any) -> None:
    head, payload, _ = gateway.envelope().split(".")
    for signature in ("", b64(bytes(64)), b64(bytes(63)), b64(bytes(65)), b64(b"\xff" * 64)):
        assert isinstance(refusal(gateway, f"{head}.{payload}.{signature}"), EnvelopeRefusedError)


def test_one_key_is_not_another(gateway: Any, other_gateway: Any) -> None:
    parsed = UnverifiedEnvelope.parse(gateway.envelope(), gateway.limits)
    for key in (
        other_gateway.signers["ingress"].verifier.public_key,
        bytes(32),
        b"",
        b"\x01" + bytes(31),
        gateway.client_key[:31],
    ):
        with pytest.raises(EnvelopeRefusedError):
            parsed.verified(key, now=gateway.now, gateway=gateway.name, limits=gateway.limits)


def test_a_signature_made_malleable_by_adding_the_group_order_is_refused(gateway: Any) -> None:
    order = 2**252 + 27742317777372353535851937790883648493
    signed, _, signature = gateway.envelope().rpartition(".")
    raw = urlsafe_b64decode(signature + "==")
    shifted = raw[:32] + (int.from_bytes(raw[32:], "little") + order).to_bytes(32, "little")
    assert isinstance(refusal(gateway, f"{signed}.{b64(shifted)}"), EnvelopeRefusedError)


# --- one signature is not offered for another -------------------------------------------------------------------------


def test_an_access_token_is_not_a_request_and_a_request_is_no_access_token(gateway: Any) -> None:
    access = sign_access(gateway.client, "k1", Access(iss="acme-app", aud=gateway.name, iat=1, exp=2))
    with pytest.raises(EnvelopeRefusedError):
        UnverifiedEnvelope.parse(access, gateway.limits)
    with pytest.raises(EnvelopeRefusedError):
        UnverifiedJws.parse(gateway.envelope(), ACCESS_TYPE)


def test_a_stamps_signature_is_not_a_requests(gateway: Any) -> None:
    # The signed text of a checkpoint has line breaks and no segments: no choice of segments makes the two messages equal.
    note = gateway.stamp(gateway.statement("ingress", gateway.fresh()[0])).proof
    signature = binascii.a2b_base64(note.rstrip("\n").rsplit(" ", 1)[1])[4:]
    head, payload, _ = gateway.envelope().split(".")
    compact = f"{head}.{payload}.{b64(signature)}"
    key = gateway.signers["ingress"].verifier.public_key
    with pytest.raises(EnvelopeRefusedError):
        UnverifiedEnvelope.parse(compact, gateway.limits).verified(
            key, now=gateway.now, gateway=gateway.name, limits=gateway.limits
        )


def test_the_headers_cache_cannot_be_poisoned(gateway: Any) -> None:
    honest = gateway.envelope()
    head, rest = honest.split(".", 1)
    for _ in range(3):
        assert verify(gateway, honest).kid == "k1"
        with pytest.raises(EnvelopeRefusedError):  # remembered under one typ, asked for under another
            UnverifiedJws.parse(honest, ACCESS_TYPE)
        assert isinstance(refusal(gateway, f"{head}A.{rest}"), EnvelopeRefusedError)
        with pytest.raises(EnvelopeRefusedError):
            UnverifiedEnvelope.parse(with_header(gateway, json.dumps(HONEST_HEADER | {"alg": "none"}).encode()), gateway.limits)
    for number in range(2000):  # pushed out and read again, and nothing long is kept
        UnverifiedEnvelope.parse(
            with_header(gateway, json.dumps(HONEST_HEADER | {"kid": f"k-{number}"}).encode()), gateway.limits
        )
    assert verify(gateway, honest).kid == "k1"
    assert module._header.cache_info().currsize <= 1024


# --- the serialisation ------------------------------------------------------------------------------------------------

SHAPES = {
    "two segments": lambda head, body, sign: f"{head}.{body}",
    "four segments": lambda head, body, sign: f"{head}.{body}.{sign}.",
    "five segments, as an encrypted one": lambda head, body, sign: f"{head}.{body}.{sign}.{body}.{sign}",
    "an empty header": lambda head, body, sign: f".{body}.{sign}",
    "detached": lambda head, body, sign: f"{head}..{sign}",
    "JSON serialisation": lambda head, body, sign: json.dumps({"protected": head, "payload": body, "signature": sign}),
    "general JSON serialisation": lambda head, body, sign: json.dumps(
        {"payload": body, "signatures": [{"protected": head, "signature": sign}]}
    ),
    "a leading space": lambda head, body, sign: f" {head}.{body}.{sign}",
    "a line break at the end": lambda head, body, sign: f"{head}.{body}.{sign}\n",
    "a line break inside": lambda head, body, sign: f"{head}.{body[:8]}\n{body[8:]}.{sign}",
    "a space inside the signature": lambda head, body, sign: f"{head}.{body}.{sign[:8]} {sign[8:]}",
    "padding": lambda head, body, sign: f"{head}.{body}.{sign}==",
    "padding of the payload": lambda head, body, sign: f"{head}.{body + '=' * (-len(body) % 4 or 4)}.{sign}",
    "a NUL at the end": lambda head, body, sign: f"{head}.{body}.{sign}\x00",
    "fullwidth full stops": lambda head, body, sign: f"{head}\N{FULLWIDTH FULL STOP}{body}\N{FULLWIDTH FULL STOP}{sign}",
    "a zero-width space": lambda head, body, sign: f"{head}.{body}\N{ZERO WIDTH SPACE}.{sign}",
    "half a surrogate pair": lambda head, body, sign: f"{head}.{body}\ud800.{sign}",
    "the standard alphabet": lambda head, body, sign: f"{head}.{body}.{sign.replace('-', '+').replace('_', '/')}",
    "Bearer before it": lambda head, body, sign: f"Bearer {head}.{body}.{sign}",
    "nothing": lambda head, body, sign: "",
    "dots": lambda head, body, sign: "..",
    "many dots": lambda head, body, sign: "." * 100_000,
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_only_the_compact_serialisation_in_canonical_base64url(gateway: Any, shape: Any) -> None:
    compact = next(c for c in (gateway.envelope(id=f"n{n}") for n in range(200)) if set("-_") <= set(c.rsplit(".", 1)[1]))
    assert verify(gateway, compact)
    assert isinstance(refusal(gateway, shape(*compact.split("."))), EnvelopeRefusedError)


def test_a_second_spelling_of_the_same_bytes_is_refused_in_every_segment(gateway: Any) -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    seen = set()
    for pad in ("", "x", "xx"):
        parts = gateway.envelope(id=f"evt-{pad}").split(".")
        for place, segment in enumerate(parts):
            spare = {0: 0, 2: 4, 3: 2}[len(segment) % 4]
            for bits in range(1, 1 << spare):
                other = segment[:-1] + alphabet[alphabet.index(segment[-1]) ^ bits]
                assert urlsafe_b64decode(other + "==") == urlsafe_b64decode(segment + "==")
                forged = ".".join([*parts[:place], other, *parts[place + 1 :]])
                assert isinstance(refusal(gateway, forged), EnvelopeRefusedError)
                seen.add(place)
    assert {1, 2} <= seen


@given(st.text(alphabet="ABCDwgQ09-_+/=! \n\x00é", max_size=12) | st.binary(max_size=40).map(b64))
@example("")
@example("A")
@example("AAAAA")
@example("AB")
def test_a_segment_decodes_exactly_when_encoding_gives_it_back(segment: str) -> None:
    try:
        decoded = module._unbase64(segment)
    except EnvelopeRefusedError:
        try:
            raw = urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
        except ValueError:
            return
        assert b64(raw) != segment
    else:
        assert b64(decoded) == segment


def test_larger_than_the_limit_is_refused_before_it_is_taken_apart(gateway: Any) -> None:
    limits = msgspec.structs.replace(gateway.limits, max_envelope_bytes=100)
    with pytest.raises(EnvelopeRefusedError, match="larger"):
        UnverifiedEnvelope.parse(gateway.envelope(), limits)


def test_every_byte_is_covered(gateway: Any) -> None:
    """Whatever is accepted after one character changed would be a second spelling: there is none."""
    compact = gateway.envelope()
    for place in range(len(compact)):
        for other in ("A", "B", ".", "="):
            if other != compact[place]:
                assert isinstance(refusal(gateway, compact[:place] + other + compact[place + 1 :]), EnvelopeRefusedError)


# --- the content ------------------------------------------------------------------------------------------------------


def test_another_gateways_envelope_is_refused(gateway: Any) -> None:
    for audience in ("other.test", "", gateway.name.upper(), f"{gateway.name}.", f" {gateway.name}"):
        assert isinstance(refusal(gateway, gateway.envelope(audience=audience)), EnvelopeRefusedError)


@pytest.mark.parametrize(
    ("start", "end", "error"),
    [
        (-120_000, 0, EnvelopeExpiredError),
        (-120_000, -60_000, EnvelopeExpiredError),
        (60_001, 120_000, EnvelopeExpiredError),
        (0, 24 * 3600_000 + 1, InvalidRequestError),
        (-(365 * 86400_000), 60_000, InvalidRequestError),
        (30_000, 30_000, InvalidRequestError),
        (30_000, 20_000, InvalidRequestError),
    ],
    ids=["just expired", "expired", "future", "too long", "too long behind", "no time at all", "ends before it starts"],
)
def test_outside_its_window(gateway: Any, start: int, end: int, error: type[LockgateError]) -> None:
    compact = gateway.envelope(time=timestamp(gateway.now + start), expirytime=timestamp(gateway.now + end))
    assert type(refusal(gateway, compact)) is error


@pytest.mark.parametrize(("start", "end"), [(60_000, 120_000), (-60_000, 1), (0, 24 * 3600_000)])
def test_just_inside_its_window(gateway: Any, start: int, end: int) -> None:
    compact = gateway.envelope(time=timestamp(gateway.now + start), expirytime=timestamp(gateway.now + end))
    assert verify(gateway, compact).expires == gateway.now + end


@pytest.mark.parametrize(
    "text",
    [
        "2027-01-15T08:00:00",
        "2027-01-15",
        "2027-W02-5T08:00:00Z",
        "20270115T080000Z",
        "2027-01-15 08:00:00Z",
        "2027-01-15x08:00:00Z",
        "2027-01-15T08Z",
        "2027-01-15T08:00Z",
        "2027-01-15T08:00:00,5Z",
        "2027-01-15T08:00:00+0100",
        "2027-01-15T08:00:00+01",
        "2027-01-15T08:00:00+01:00:30",
        "2027-01-15T08:00:00+24:00",
        "2027-02-30T08:00:00Z",
        "2027-01-15T25:00:00Z",
        "2027-01-15T08:00:00Z\n",
        "2027-01-15T08:00:00.Z",
        "202\N{FULLWIDTH DIGIT SEVEN}-01-15T08:00:00Z",
        "1800000000",
        "now",
        "",
        "9" * 100_000,
    ],
)
def test_a_time_is_rfc_3339_with_an_offset_and_nothing_else(gateway: Any, text: str) -> None:
    with pytest.raises(InvalidRequestError):
        milliseconds(text)
    assert isinstance(refusal(gateway, gateway.envelope(expirytime=text)), InvalidRequestError)


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_times_survive_the_round_trip(moment: int) -> None:
    assert milliseconds(timestamp(moment)) == moment


def test_an_offset_is_taken_into_account() -> None:
    assert milliseconds("2027-01-15T09:00:00+01:00") == milliseconds("2027-01-15T08:00:00Z") == 1_800_000_000_000
    assert milliseconds("2027-01-15T08:00:00.123456789Z") == 1_800_000_000_123
    assert milliseconds("0001-01-01T00:00:00+14:00") < milliseconds("9999-12-31T23:59:59-14:00")


ADDRESSES = {
    "URL": "https://evil.test/agent",
    "host and port": "10.0.0.1:8080",
    "host": "agent.internal",
    "IPv6": "[::1]",
    "wildcard": "*",
    "wildcard within": "code-*",
    "full wildcard": ">",
    "dots": "gw.authz",
    "a leading dot": ".agent",
    "a path": "../agent",
    "a slash": "a/b",
    "a backslash": "a\\b",
    "CR LF": "agent\r\nPUB",
    "LF at the end": "agent\n",
    "NUL": "agent\x00",
    "a space": "code review",
    "a tab": "code\treview",
    "Cyrillic": "\N{CYRILLIC SMALL LETTER A}gent",
    "fullwidth": "\N{FULLWIDTH LATIN SMALL LETTER A}gent",
    "a ligature": "\N{LATIN SMALL LIGATURE FI}le",
    "a soft hyphen": "code\N{SOFT HYPHEN}review",
    "a non-breaking hyphen": "code\N{NON-BREAKING HYPHEN}review",
    "upper case": "Code",
    "a dotless i": "rev\N{LATIN SMALL LETTER DOTLESS I}ew",
    "one character": "a",
    "64 characters": "a" * 64,
    "a digit first": "1agent",
    "a hyphen first": "-agent",
    "a hyphen last": "agent-",
    "two hyphens": "xn--agent",
    "an at sign": "agent@host",
    "a percent sign": "agent%2f",
    "a dollar sign": "$js",
    "an underscore": "_inbox",
    "nothing": "",
    "a right-to-left override": "agent\N{RIGHT-TO-LEFT OVERRIDE}x",
    "100 KB": "a" * 100_000,
}


@pytest.mark.parametrize("member", ["agent", "action", "source"])
@pytest.mark.parametrize("address", ADDRESSES.values(), ids=ADDRESSES.keys())
def test_an_address_is_never_a_name(gateway: Any, member: str, address: str) -> None:
    error = refusal(gateway, with_members(gateway, **{member: address}))
    assert isinstance(error, NameRefusedError)
    assert error.detail == f"the {member} is not a logical name"
    with pytest.raises(NameRefusedError):
        sign_event(gateway.client, "k1", gateway.event(**{member: address}))


@pytest.mark.parametrize("value", [None, 1, ["code-review"], {"name": "code-review"}, True])
def test_a_name_is_text(gateway: Any, value: Any) -> None:
    assert isinstance(refusal(gateway, with_members(gateway, agent=value)), InvalidRequestError)


IDENTITIES = [
    *(
        "user",
        "User",
        "USER",
        "user_id",
        "user-id",
        "userId",
        "UserID",
        "user.id",
        "user id",
        "USER_ID",
        "username",
        "user__name",
    ),
    *("x-user-id", "X-User-ID", "X_USER", "xuserid", "x-tenant-id", "X-Roles", "x-client"),
    *("tenant", "tenantId", "tenant-id", "role", "roles", "Roles", "scope", "scopes", "sub", "act", "client", "principal"),
]


@pytest.mark.parametrize("member", IDENTITIES)
@pytest.mark.parametrize("value", ["admin", None, ["admin"], ""])
def test_an_identity_in_the_body_has_a_refusal_of_its_own(gateway: Any, member: str, value: Any) -> None:
    error = refusal(gateway, with_members(gateway, **{member: value}))
    assert type(error) is IdentityRefusedError
    assert "admin" not in error.detail


def test_data_may_speak_of_users_since_nobody_believes_it(gateway: Any) -> None:
    assert verify(gateway, with_members(gateway, data={"user": "alice", "roles": ["admin"]}))


@pytest.mark.parametrize("member", ["extra", "data_base64", "dataschema", "subject", "Agent", "agent ", "x", "", "\u200bagent"])
def test_an_unknown_member_is_refused(gateway: Any, member: str) -> None:
    assert type(refusal(gateway, with_members(gateway, **{member: "x"}))) is InvalidRequestError


@pytest.mark.parametrize(
    "missing", ["specversion", "id", "source", "type", "time", "expirytime", "audience", "agent", "action"]
)
def test_a_missing_member_is_refused(gateway: Any, missing: str) -> None:
    members = msgspec.json.decode(msgspec.json.encode(gateway.event()))
    del members[missing]
    assert type(refusal(gateway, with_payload(gateway, msgspec.json.encode(members)))) is InvalidRequestError


@pytest.mark.parametrize(
    "change",
    [
        {"specversion": "0.3"},
        {"specversion": 1.0},
        {"type": "dev.lockgate.request.v2"},
        {"type": "DEV.LOCKGATE.REQUEST.V1"},
        {"id": ""},
        {"id": "i" * 65},
        {"id": "a\nb"},
        {"id": "a\x7f"},
        {"id": "\N{LATIN SMALL LETTER E WITH ACUTE}"},
        {"id": 7},
    ],
)
def test_an_event_of_another_kind_is_refused(gateway: Any, change: dict[str, Any]) -> None:
    assert type(refusal(gateway, with_members(gateway, **change))) is InvalidRequestError


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        b"{" + b'"a":' * 10_000,
        b'{"data":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
        b'{"data":1e400}',
        b'{"data":NaN}',
        b'{"data":' + b"9" * 100_000 + b"}",
        b'{"data":"\\ud800"}',
        b'{"agent":"code-review","agent":"other"}',
        b"\xef\xbb\xbf{}",
        b"\x80\x04\x95",
        b"\x1f\x8b\x08\x00",
        b"<?xml version='1.0'?>",
    ],
)
def test_a_signed_payload_that_is_not_an_event_is_refused(gateway: Any, payload: bytes) -> None:
    error = refusal(gateway, with_payload(gateway, payload))
    assert type(error) is InvalidRequestError


def test_strictness_reaches_into_the_data(gateway: Any) -> None:
    honest = msgspec.json.encode(gateway.event())
    for data in (b'{"a":1,"a":2}', b"1e400", b'"\\udfff"', b"[" * 65 + b"]" * 65, b"-Infinity"):
        assert type(refusal(gateway, with_payload(gateway, honest.replace(b'{"text":"hello"}', data)))) is InvalidRequestError


def test_the_signature_comes_before_the_payload_is_read(gateway: Any, other_gateway: Any) -> None:
    """Someone without the key learns nothing about what would be wrong with the content."""
    for payload in (b"{", b'{"user":"x"}', msgspec.json.encode(gateway.event(audience="other"))):
        forged = sign_jws(other_gateway.signers["ingress"], "k1", payload, REQUEST_TYPE)
        error = refusal(gateway, forged)
        assert (type(error), error.detail) == (EnvelopeRefusedError, "the signature does not verify")


# --- access tokens ----------------------------------------------------------------------------------------------------


def read(gateway: Any, compact: str) -> Access:
    jws = UnverifiedJws.parse(compact, ACCESS_TYPE)
    return verified_access(jws, gateway.client_key, now=gateway.now, gateway=gateway.name, limits=gateway.limits)


def claims(gateway: Any, **changes: Any) -> dict[str, Any]:
    second = gateway.now // 1000
    return {"iss": "acme-app", "aud": gateway.name, "iat": second, "exp": second + 60} | changes


def test_an_access_token_says_who_reads(gateway: Any) -> None:
    access = Access(**claims(gateway))
    assert read(gateway, sign_access(gateway.client, "k1", access)) == access


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"aud": "other.test"}, EnvelopeRefusedError),
        ({"aud": ["lockgate.test"]}, EnvelopeRefusedError),
        ({"sub": "admin"}, EnvelopeRefusedError),
        ({"exp": "never"}, EnvelopeRefusedError),
        ({"exp": 1.8e9 + 60.5}, EnvelopeRefusedError),
        ({"exp": None}, EnvelopeRefusedError),
        ({"exp": 1_800_000_000}, EnvelopeExpiredError),
        ({"exp": 1_700_000_000}, EnvelopeExpiredError),
        ({"iat": 1_800_000_061, "exp": 1_800_000_100}, EnvelopeExpiredError),
        ({"exp": 1_800_000_000 + MAX_ACCESS_SECONDS + 1}, EnvelopeExpiredError),
        ({"iat": 0, "exp": 10**30}, EnvelopeExpiredError),
        ({"iat": -(10**18)}, EnvelopeExpiredError),
    ],
)
def test_an_access_token_that_is_not_for_now_and_here_is_refused(
    gateway: Any, changes: dict[str, Any], error: type[LockgateError]
) -> None:
    payload = json.dumps(claims(gateway, **changes)).encode()
    with pytest.raises(error):
        read(gateway, sign_jws(gateway.client, "k1", payload, ACCESS_TYPE))


@pytest.mark.parametrize(
    "payload", [b"", b"[]", b"{", b"\xff", b"[" * 10_000, b'{"iss":"a","iss":"b","aud":"x","iat":1,"exp":2}']
)
def test_an_access_token_without_claims_is_refused(gateway: Any, payload: bytes) -> None:
    with pytest.raises(EnvelopeRefusedError):
        read(gateway, sign_jws(gateway.client, "k1", payload, ACCESS_TYPE))


def test_an_access_token_by_another_key_is_refused(gateway: Any, other_gateway: Any) -> None:
    with pytest.raises(EnvelopeRefusedError):
        read(gateway, sign_access(other_gateway.signers["dlp"], "k1", Access(**claims(gateway))))


@pytest.mark.parametrize(
    "compact", ["", "a.b", "a.b.c.d", "a.!.c", "a.\ud800.c", "a.\N{LATIN SMALL LETTER E WITH ACUTE}.c", "..", "a.bnVsbA.c"]
)
def test_opening_an_envelope_behind_the_door_still_refuses_what_is_none(compact: str) -> None:
    with pytest.raises(LockgateError):
        event_of(compact)
