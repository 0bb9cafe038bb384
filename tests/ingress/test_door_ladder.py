"""The door's ladder on its own: what each kind of bad envelope is refused as, and what an admission says."""

from __future__ import annotations

import json
from base64 import b32decode, urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from hmac import digest as hmac_digest
from typing import Any

import pytest
from tests.ingress.conftest import GATEWAY, MINUTE, NOW, SIGNERS, Party, verifier

from lockgate_ingress.access import reader_of
from lockgate_ingress.door import Admission, Ids, Refusal, admit, cancel_statement, ingress_statement, is_request_id, shaped
from lockgate_ledger.records import Directory, KeyRecord
from lockgate_schemas.envelope import ACCESS_TYPE, sign_jws, timestamp
from lockgate_schemas.errors import LockgateError
from lockgate_schemas.limits import Limits
from lockgate_schemas.names import Role
from lockgate_schemas.passage import Decision, Door, Passage
from lockgate_schemas.signing import NoteSigner
from lockgate_schemas.stamping import stamp_batch

SHOP = Party("shop", "acme", "alice")
RIVAL = Party("rival", "globex", "mallory")
LIMITS = Limits()
IDS = Ids("req_" + "a" * 26, "0" * 32)


def directory(*parties: Party, **changes: Any) -> Directory:
    keys = {party.kid: KeyRecord(party.kid, party.name, party.public_key, **changes) for party in parties}
    return Directory(7, {party.name: party.record for party in parties}, keys, {}, {}, None)


def judged(compact: bytes, *, known: Directory | None = None, now: int = NOW, via: str | None = None) -> Admission | Refusal:
    try:
        unverified = shaped(compact, LIMITS)
    except LockgateError as error:
        return Refusal(error, error.detail)
    return admit(
        unverified,
        directory=known or directory(SHOP, RIVAL),
        now=now,
        gateway=GATEWAY,
        limits=LIMITS,
        ids=IDS,
        door=Door.HTTP,
        via_client=via,
    )


def b64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def with_header(header: Any, *, text: bytes | None = None) -> bytes:
    """An envelope with a protected header of one's own, signed properly over it."""
    head = b64(json.dumps(header).encode() if text is None else text)
    signed = f"{head}.{b64(json.dumps(SHOP.members()).encode())}"
    return f"{signed}.{b64(SHOP.signer.sign(signed.encode()))}".encode()


def hs256() -> bytes:
    """Signed with a MAC whose key is the public key's bytes: the classic confusion."""
    head = b64(json.dumps({"alg": "HS256", "kid": SHOP.kid, "typ": "lockgate-request+jws"}).encode())
    signed = f"{head}.{b64(json.dumps(SHOP.members()).encode())}"
    return f"{signed}.{b64(hmac_digest(SHOP.public_key, signed.encode(), 'sha256'))}".encode()


def header(**changes: Any) -> dict[str, Any]:
    members = {"alg": "Ed25519", "kid": SHOP.kid, "typ": "lockgate-request+jws", **changes}
    return {name: value for name, value in members.items() if value is not None}


BAD_TOKENS: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "not a JWS": lambda: b"hello",
    "two segments": lambda: SHOP.envelope().rpartition(b".")[0],
    "four segments": lambda: SHOP.envelope() + b".x",
    "alg none": lambda: with_header(header(alg="none")),
    "alg nOnE": lambda: with_header(header(alg="nOnE")),
    "alg missing": lambda: with_header(header(alg=None)),
    "no signature": lambda: SHOP.envelope().rpartition(b".")[0] + b".",
    "HS256 with the public key": hs256,
    "EdDSA by its old name": lambda: with_header(header(alg="EdDSA")),
    "embedded jwk": lambda: with_header(header(jwk={"kty": "OKP", "crv": "Ed25519", "x": b64(SHOP.public_key)})),
    "jku to the metadata service": lambda: with_header(header(jku="http://169.254.169.254/keys")),
    "x5u to the metadata service": lambda: with_header(header(x5u="http://169.254.169.254/cert")),
    "unknown crit": lambda: with_header(header(crit=["b64"], b64=False)),
    "extra member": lambda: with_header(header(cty="application/json")),
    "duplicate member": lambda: with_header(
        None, text=f'{{"alg":"none","alg":"Ed25519","kid":"{SHOP.kid}","typ":"lockgate-request+jws"}}'.encode()
    ),
    "header of 600 bytes": lambda: with_header(header(kid="a" * 600)),
    "kid as path": lambda: with_header(header(kid="../../etc/passwd")),
    "kid as SQL": lambda: with_header(header(kid="' OR 1=1 --")),
    "kid of 5 KB": lambda: with_header(header(kid="k" * 5000)),
    "kid as object": lambda: with_header(header(kid={"a": 1})),
    "kid missing": lambda: with_header(header(kid=None)),
    "unknown kid": lambda: SHOP.signed(json.dumps(SHOP.members()).encode(), kid="0123456789abcdef"),
    "another's kid": lambda: SHOP.signed(json.dumps(SHOP.members()).encode(), kid=RIVAL.kid),
    "an access token": lambda: SHOP.token().encode(),
    "a stamp's signature": lambda: (
        SHOP.envelope().rpartition(b".")[0] + b"." + b64(SIGNERS[Role.AUTHZ].sign(SHOP.envelope())).encode()
    ),
    "another gateway's audience": lambda: SHOP.envelope(audience="gw-other"),
    "another client's source": lambda: SHOP.envelope(source="rival"),
    "not ASCII": lambda: SHOP.envelope() + "é".encode(),
    "padded base64": lambda: SHOP.envelope() + b"=",
}


@pytest.mark.parametrize("name", BAD_TOKENS)
@pytest.mark.requirement("C01")
def test_bad_token_is_refused_with_one_public_face(name: str) -> None:
    result = judged(BAD_TOKENS[name]())
    assert isinstance(result, Refusal)
    assert (result.error.status, result.error.code) == (401, "envelope-refused")


def test_unknown_key_and_wrong_signature_say_the_same() -> None:
    unknown = judged(BAD_TOKENS["unknown kid"]())
    wrong = judged(BAD_TOKENS["another's kid"]())
    assert isinstance(unknown, Refusal)
    assert isinstance(wrong, Refusal)
    assert (type(unknown.error), unknown.error.detail) == (type(wrong.error), wrong.error.detail)
    assert unknown.client is None
    assert wrong.client is None


PAYLOADS: dict[str, tuple[bytes, str]] = {
    "duplicate keys": (b'{"id":"a","id":"b"}', "invalid-request"),
    "depth 10,000": (b"[" * 10_000 + b"]" * 10_000, "invalid-request"),
    "objects to depth 10,000": (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "invalid-request"),
    "NaN": (b'{"data":NaN}', "invalid-request"),
    "1e400": (b'{"data":1e400}', "invalid-request"),
    "an integer of 150,000 digits": (b'{"data":' + b"9" * 150_000 + b"}", "invalid-request"),
    "half a surrogate pair": (rb'{"data":"\ud800"}', "invalid-request"),
    "not UTF-8": (b'{"data":"\xff"}', "invalid-request"),
    "not JSON": (b"data: 1", "invalid-request"),
    "not an object": (b"[]", "invalid-request"),
    "nothing": (b"", "invalid-request"),
    "a pickle": (b"\x80\x04\x95\x0b", "invalid-request"),
    "an unknown member": (json.dumps({**SHOP.members(), "priority": 1}).encode(), "invalid-request"),
    "a user": (json.dumps({**SHOP.members(), "user": "root"}).encode(), "identity-refused"),
    "a tenant, spelt otherwise": (json.dumps({**SHOP.members(), "Tenant-ID": "globex"}).encode(), "identity-refused"),
}


@pytest.mark.parametrize("name", PAYLOADS)
def test_signed_but_bad_payload_is_refused(name: str) -> None:
    payload, code = PAYLOADS[name]
    result = judged(SHOP.signed(payload))
    assert isinstance(result, Refusal)
    assert (result.error.status, result.error.code) == (422, code)
    assert result.client == SHOP.record


MEMBERS: dict[str, tuple[dict[str, Any], int, str]] = {
    "from the future": ({"time": timestamp(NOW + 2 * MINUTE)}, 401, "envelope-expired"),
    "expired": ({"time": timestamp(NOW - 9 * MINUTE), "expirytime": timestamp(NOW - 1)}, 401, "envelope-expired"),
    "lives too long": ({"expirytime": timestamp(NOW + LIMITS.max_lifetime + MINUTE)}, 422, "invalid-request"),
    "ends before it begins": (
        {"time": timestamp(NOW + MINUTE // 2), "expirytime": timestamp(NOW + 1)},
        422,
        "invalid-request",
    ),
    "no offset": ({"time": "2027-01-15T08:00:00"}, 422, "invalid-request"),
    "an empty id": ({"id": ""}, 422, "invalid-request"),
    "an id of 65 characters": ({"id": "a" * 65}, 422, "invalid-request"),
    "another type": ({"type": "com.example.order"}, 422, "invalid-request"),
    "another version": ({"specversion": "2.0"}, 422, "invalid-request"),
    "no agent": ({"agent": None}, 422, "invalid-request"),
    "agent as URL": ({"agent": "https://10.0.0.1/agent"}, 422, "name-refused"),
    "agent as host:port": ({"agent": "echo:8080"}, 422, "name-refused"),
    "agent as wildcard": ({"agent": "*"}, 422, "name-refused"),
    "agent as full wildcard": ({"agent": "echo.>"}, 422, "name-refused"),
    "agent with dots": ({"agent": "gw.dispatch.echo"}, 422, "name-refused"),
    "agent with CRLF": ({"agent": "echo\r\nPUB gw.authz 0"}, 422, "name-refused"),
    "agent with a line end": ({"agent": "echo\n"}, 422, "name-refused"),
    "agent with NUL": ({"agent": "echo\x00"}, 422, "name-refused"),
    "agent of look-alikes": ({"agent": "\u0435cho"}, 422, "name-refused"),
    "agent of fullwidth letters": ({"agent": "\uff45cho"}, 422, "name-refused"),
    "agent as path": ({"agent": "../echo"}, 422, "name-refused"),
    "action as address": ({"action": "ask@host"}, 422, "name-refused"),
}


@pytest.mark.parametrize("name", MEMBERS)
@pytest.mark.requirement("C06")
def test_bad_member_is_refused(name: str) -> None:
    changes, status, code = MEMBERS[name]
    result = judged(SHOP.envelope(**changes))
    assert isinstance(result, Refusal)
    assert (result.error.status, result.error.code) == (status, code)
    assert result.client == SHOP.record


@pytest.mark.parametrize("skew", [-59_000, 59_000])
def test_clock_may_be_off_by_the_allowed_skew(skew: int) -> None:
    assert isinstance(judged(SHOP.envelope(time=timestamp(NOW + skew))), Admission)


def test_revoked_ended_and_inactive_keys_are_refused_alike() -> None:
    inactive = directory(SHOP)
    clients = {"shop": type(SHOP.record)("shop", "acme", "alice", active=False)}
    stopped = Directory(7, clients, inactive.keys, {}, {}, None)
    for known in (directory(SHOP, revoked=True), directory(SHOP, ends=NOW), stopped):
        result = judged(SHOP.envelope(), known=known)
        assert isinstance(result, Refusal)
        assert (result.error.status, result.error.code) == (401, "key-revoked")


def test_key_is_good_until_its_end() -> None:
    assert isinstance(judged(SHOP.envelope(), known=directory(SHOP, ends=NOW + 1)), Admission)


def test_envelope_over_the_limit_is_too_large() -> None:
    result = judged(b"a" * (LIMITS.max_envelope_bytes + 1))
    assert isinstance(result, Refusal)
    assert result.error.status == 413


def test_another_clients_queue_is_refused() -> None:
    result = judged(SHOP.envelope(), via="rival")
    assert isinstance(result, Refusal)
    assert result.error.code == "envelope-refused"
    assert isinstance(judged(SHOP.envelope(), via="shop"), Admission)


def test_unknown_agent_is_not_refused_here() -> None:
    assert isinstance(judged(SHOP.envelope(agent="no-such-agent")), Admission)


def test_admission_speaks_for_whom_the_ledger_says() -> None:
    compact = SHOP.envelope(id="order-1", traceparent="00-" + "1" * 32 + "-" + "2" * 16 + "-01")
    result = judged(compact, via="shop")
    assert isinstance(result, Admission)
    facts = result.facts
    assert (facts.principal.tenant, facts.principal.client, facts.principal.user) == ("acme", "shop", "alice")
    assert (facts.principal.method, facts.principal.kid) == ("signed-envelope", SHOP.kid)
    assert (facts.agent, facts.action, facts.event_id) == ("echo", "ask", "order-1")
    assert facts.envelope == sha256(compact).hexdigest()
    assert (facts.accepted, facts.deadline) == (NOW, NOW + 5 * MINUTE)
    assert facts.traceparent.startswith("00-111")


@pytest.mark.parametrize("text", ["junk", "00-" + "1" * 32 + "-" + "2" * 16 + "-01\r\nx: y", "x" * 10_000])
def test_malformed_traceparent_is_left_out(text: str) -> None:
    result = judged(SHOP.envelope(traceparent=text))
    assert isinstance(result, Admission)
    assert result.facts.traceparent == ""


def test_ingress_stamp_verifies_and_a_cancel_ends_a_chain_of_its_own() -> None:
    result = judged(SHOP.envelope())
    assert isinstance(result, Admission)
    statement = ingress_statement(result, took=5)
    cancel = cancel_statement(result.facts, result.facts_raw, now=NOW + 1, epoch=8)
    stamps = stamp_batch(SIGNERS[Role.INGRESS], [statement, cancel])
    passage = Passage(facts=result.facts_raw, stamps=(stamps[0],), envelope=result.envelope.compact)
    assert verifier().verify(passage, through=Role.INGRESS, now=NOW).last.epoch == 7
    taken_back = Passage(facts=result.facts_raw, stamps=(stamps[1],))
    chain = verifier().verify(taken_back, through=Role.INGRESS, now=NOW + 1, ended=True)
    assert chain.last.decision is Decision.CANCEL
    with pytest.raises(LockgateError):
        verifier().verify(taken_back, through=Role.INGRESS, now=NOW + 1)


@pytest.mark.parametrize("bits", [bytes(32), bytes(range(32)), b"\xff" * 32])
def test_ids_are_all_the_bits_they_are_given(bits: bytes) -> None:
    ids = Ids.minted(bits)
    assert is_request_id(ids.request_id)
    assert b32decode(ids.request_id.removeprefix("req_").upper() + "=" * 6) == bits[:16]
    assert ids.dispatch_id == bits[16:].hex()
    with pytest.raises(ValueError, match="32"):
        Ids.minted(bits[1:])


@pytest.mark.parametrize(
    "text", ["", "req_", "req_" + "a" * 25, "req_" + "A" * 26, "req_" + "a" * 26 + "\n", "../req", "req_" + "1" * 26]
)
def test_what_cannot_be_a_request_id_is_none(text: str) -> None:
    assert not is_request_id(text)


READERS: dict[str, tuple[Callable[[], str | None], str]] = {
    "nothing": (lambda: None, "unauthenticated"),
    "basic": (lambda: "Basic c2hvcDpwYXNz", "unauthenticated"),
    "no token": (lambda: "Bearer ", "unauthenticated"),
    "5 KB": (lambda: "Bearer " + "a" * 5000, "unauthenticated"),
    "junk": (lambda: "Bearer junk", "envelope-refused"),
    "an envelope": (lambda: "Bearer " + SHOP.envelope().decode(), "envelope-refused"),
    "expired": (lambda: "Bearer " + SHOP.token(issued=NOW // 1000 - 600), "envelope-expired"),
    "from the future": (lambda: "Bearer " + SHOP.token(issued=NOW // 1000 + 600), "envelope-expired"),
    "lives too long": (lambda: "Bearer " + SHOP.token(lives=301), "envelope-expired"),
    "another gateway's": (lambda: "Bearer " + SHOP.token(audience="gw-other"), "envelope-refused"),
    "another's issuer": (lambda: "Bearer " + SHOP.token(issuer="rival"), "envelope-refused"),
    "unknown key": (lambda: "Bearer " + Party("shop", "acme", "alice").token(), "envelope-refused"),
    "duplicate claims": (
        lambda: "Bearer " + SHOP.signed(b'{"iss":"rival","iss":"shop","aud":"gw-test","iat":1800000000,"exp":1800000060}', type_=ACCESS_TYPE).decode(),
        "envelope-refused",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", READERS)
def test_bad_reader_is_refused(name: str) -> None:
    make, code = READERS[name]
    with pytest.raises(LockgateError) as raised:
        reader_of(make(), directory=directory(SHOP, RIVAL), now=NOW, gateway=GATEWAY, limits=LIMITS)
    assert (raised.value.status, raised.value.code) == (401, code)


def test_reader_with_a_revoked_key_is_refused() -> None:
    with pytest.raises(LockgateError) as raised:
        reader_of(f"Bearer {SHOP.token()}", directory=directory(SHOP, revoked=True), now=NOW, gateway=GATEWAY, limits=LIMITS)
    assert raised.value.code == "key-revoked"


def test_reader_is_the_client_whose_key_signed() -> None:
    found = reader_of(f"bearer {SHOP.token()}", directory=directory(SHOP, RIVAL), now=NOW, gateway=GATEWAY, limits=LIMITS)
    assert found == SHOP.record


def test_signature_of_another_use_does_not_pass_for_a_request() -> None:
    signer = NoteSigner("shop", SHOP.seed)
    for other in (ACCESS_TYPE, "lockgate-dispatch+jws", "JWT", "application/jose"):
        result = judged(sign_jws(signer, SHOP.kid, json.dumps(SHOP.members()).encode(), other).encode())
        assert isinstance(result, Refusal)
        assert result.error.code == "envelope-refused"
