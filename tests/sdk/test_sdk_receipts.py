"""Receipts: what one proves, that no part of it can be changed, and that a client believes only its own."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lockgate import ClientCredentials, load_receipt, save_receipt, verify_receipt
from lockgate.envelopes import Signed, sign_request
from lockgate.results import Verification
from lockgate.testing import Stamped, ThrowawayGateway
from lockgate_schemas.errors import (
    ChainRefusedError,
    ConfigurationError,
    DeadlineError,
    ForbiddenError,
    InvalidRequestError,
    LockgateError,
    MalformedError,
    NameRefusedError,
    TooLargeError,
)
from lockgate_schemas.limits import Limits
from lockgate_schemas.names import Role
from lockgate_schemas.passage import (
    Acceptance,
    Decision,
    FindingSummary,
    Outcome,
    Receipt,
    Response,
    ResponseStatus,
    encode,
    raw,
    read_receipt,
)
from lockgate_schemas.principal import Principal

ANSWER = Response(status=ResponseStatus.OK, body='{"rows": [1]}', content_type="application/json")
EMAILS = FindingSummary(rule="email", severity="medium", action="redact", count=2)


@pytest.fixture
def stamped(gateway: ThrowawayGateway) -> Stamped:
    return gateway.request("reporting", "report", {"name": "plans"}, flagged=True)


@pytest.fixture
def receipt(gateway: ThrowawayGateway, stamped: Stamped) -> Receipt:
    return gateway.receipt(stamped, ANSWER, decision=Decision.REDACT, findings=(EMAILS,))


def test_a_receipt_proves_the_answer_and_how_it_came_about(
    gateway: ThrowawayGateway, stamped: Stamped, receipt: Receipt
) -> None:
    result = verify_receipt(receipt, gateway.trust, envelope=stamped.signed.compact)
    assert (result.outcome, result.ok, result.code) == (Outcome.DELIVERED, True, "")
    assert result.request_id == stamped.facts.request_id
    assert (result.text, result.content_type) == (ANSWER.body, "application/json")
    assert result.json() == {"rows": [1]}
    assert result.json(dict[str, list[int]]) == {"rows": [1]}
    assert result.flagged
    assert result.findings == result.redactions == (EMAILS,)
    assert [statement.stage for statement in result.chain.statements] == ["ingress", "authz", "inspection", "dlp", "outcome"]
    assert result.expect() is result


def test_findings_without_a_redaction_are_no_redactions(gateway: ThrowawayGateway, stamped: Stamped) -> None:
    result = verify_receipt(gateway.receipt(stamped, ANSWER, findings=(EMAILS,)), gateway.trust)
    assert result.findings == (EMAILS,)
    assert result.redactions == ()


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        (Outcome.DENIED, ForbiddenError),
        (Outcome.BLOCKED, ForbiddenError),
        (Outcome.EXPIRED, DeadlineError),
        (Outcome.CANCELLED, LockgateError),
        (Outcome.QUARANTINED, LockgateError),
    ],
)
def test_an_end_without_an_answer(
    gateway: ThrowawayGateway, stamped: Stamped, outcome: Outcome, error: type[LockgateError]
) -> None:
    result = verify_receipt(gateway.receipt(stamped, outcome=outcome, code="a-code"), gateway.trust)
    assert (result.outcome, result.ok, result.text, result.content_type, result.code) == (outcome, False, "", "", "a-code")
    for read in (result.expect, result.json):
        with pytest.raises(error, match=f"{outcome}.*a-code") as raised:
            read()
        assert type(raised.value) is error


def test_a_failure_brings_the_agents_sentence(gateway: ThrowawayGateway, stamped: Stamped) -> None:
    response = Response(status=ResponseStatus.ERROR, body="there is no such report")
    result = verify_receipt(gateway.receipt(stamped, response, outcome=Outcome.FAILED), gateway.trust)
    assert result.text == "there is no such report"
    with pytest.raises(LockgateError, match="no such report"):
        result.expect()


# --- no part of it can be changed ---


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every leaf, and of every object (a member can be added to it) of some JSON."""
    if isinstance(value, dict):
        yield path
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))
    else:
        yield path


def mutated(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, dict):
        return {**value, "took": value.get("took", 0) + 1}
    return value[:-2] + ("b" if value[-2:-1] != "b" else "c") + value[-1:] if len(value) > 1 else value + "x"


def with_leaf(value: Any, path: tuple[Any, ...]) -> Any:
    changed = copy.deepcopy(value)
    if not path:
        return mutated(changed)
    parent = changed
    for step in path[:-1]:
        parent = parent[step]
    parent[path[-1]] = mutated(parent[path[-1]])
    return changed


def test_no_member_of_a_receipt_can_be_changed(gateway: ThrowawayGateway, receipt: Receipt) -> None:
    """Every leaf of the JSON in turn, in facts, statements, proofs and response; and a member added to every object."""
    plain = json.loads(encode(receipt))
    paths = list(leaves(plain))
    assert len(paths) > 60
    refused = 0
    for path in paths:
        forged = msgspec.json.encode(with_leaf(plain, path))
        assert forged != encode(receipt)
        with pytest.raises((ChainRefusedError, MalformedError)):
            verify_receipt(read_receipt(forged), gateway.trust)
        refused += 1
    assert refused == len(paths)


def test_the_unchanged_receipt_verifies_after_the_same_round_trip(gateway: ThrowawayGateway, receipt: Receipt) -> None:
    assert verify_receipt(read_receipt(msgspec.json.encode(json.loads(encode(receipt)))), gateway.trust).ok


def test_every_line_of_every_proof_counts(gateway: ThrowawayGateway, receipt: Receipt) -> None:
    for index, stamp in enumerate(receipt.stamps):
        lines = stamp.proof.split("\n")
        for number in range(len(lines)):
            fewer = "\n".join(lines[:number] + lines[number + 1 :])
            stamps = list(receipt.stamps)
            stamps[index] = msgspec.structs.replace(stamp, proof=fewer)
            with pytest.raises(ChainRefusedError):
                verify_receipt(msgspec.structs.replace(receipt, stamps=tuple(stamps)), gateway.trust)


def test_stamps_cannot_be_dropped_swapped_or_doubled(gateway: ThrowawayGateway, receipt: Receipt) -> None:
    stamps = receipt.stamps
    wrong = [stamps[:at] + stamps[at + 1 :] for at in range(5)]
    wrong += [(*stamps[:at], stamps[at + 1], stamps[at], *stamps[at + 2 :]) for at in range(4)]
    wrong += [(*stamps, stamps[-1]), (), stamps[:1]]
    for forged in wrong:
        with pytest.raises(ChainRefusedError):
            verify_receipt(msgspec.structs.replace(receipt, stamps=forged), gateway.trust)


def test_a_response_without_the_last_gate_is_refused(gateway: ThrowawayGateway, stamped: Stamped) -> None:
    receipt = gateway.receipt(stamped, outcome=Outcome.DELIVERED)
    with pytest.raises(ChainRefusedError):
        verify_receipt(msgspec.structs.replace(receipt, response=raw(ANSWER)), gateway.trust)


def test_other_keys_prove_nothing(receipt: Receipt) -> None:
    with pytest.raises(ChainRefusedError):
        verify_receipt(receipt, ThrowawayGateway().trust)


def test_a_receipt_belongs_to_one_envelope(gateway: ThrowawayGateway, receipt: Receipt) -> None:
    with pytest.raises(ChainRefusedError, match="another envelope"):
        verify_receipt(receipt, gateway.trust, envelope=gateway.request("reporting", "report").signed.compact)


def test_a_receipt_from_the_future_is_refused(gateway: ThrowawayGateway, receipt: Receipt) -> None:
    with pytest.raises(ChainRefusedError):
        verify_receipt(receipt, gateway.trust, clock=lambda: gateway.clock() - 120_000)


# --- in a file ---


def test_a_receipt_survives_a_file(tmp_path: Path, gateway: ThrowawayGateway, receipt: Receipt) -> None:
    save_receipt(tmp_path / "receipt.json", receipt)
    assert (tmp_path / "receipt.json").stat().st_mode & 0o777 == 0o600
    assert encode(load_receipt(tmp_path / "receipt.json")) == encode(receipt)
    assert verify_receipt(load_receipt(str(tmp_path / "receipt.json")), gateway.trust).ok


def test_what_is_no_receipt_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        load_receipt(tmp_path / "absent.json")
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(MalformedError):
        load_receipt(tmp_path / "other.json")


# --- what a client believes ---


@pytest.fixture
def credentials(gateway: ThrowawayGateway) -> ClientCredentials:
    return gateway.client_credentials()


@pytest.fixture
def verification(gateway: ThrowawayGateway, credentials: ClientCredentials) -> Verification:
    return Verification(credentials, limits=Limits(), clock=gateway.clock)


def test_a_client_believes_its_own(verification: Verification, gateway: ThrowawayGateway, stamped: Stamped) -> None:
    assert verification.acceptance(gateway.acceptance(stamped), stamped.signed) == stamped.facts
    receipt = gateway.receipt(stamped, ANSWER)
    assert verification.receipt(receipt, digest=stamped.signed.digest, request_id=stamped.facts.request_id).ok


@pytest.mark.parametrize("member", ["client", "tenant"])
def test_a_client_believes_nothing_about_another(
    member: str, verification: Verification, gateway: ThrowawayGateway, stamped: Stamped
) -> None:
    principal: Principal = msgspec.structs.replace(stamped.facts.principal, **{member: "other"})
    foreign = gateway.stamped(stamped.signed, principal)
    with pytest.raises(ChainRefusedError, match="another client"):
        verification.acceptance(gateway.acceptance(foreign), stamped.signed)
    with pytest.raises(ChainRefusedError, match="another client"):
        verification.receipt(gateway.receipt(foreign, ANSWER))


def test_a_client_believes_nothing_about_another_envelope_or_request(
    verification: Verification, gateway: ThrowawayGateway, stamped: Stamped
) -> None:
    other = gateway.request("reporting", "report", "other")
    with pytest.raises(ChainRefusedError):
        verification.acceptance(gateway.acceptance(other), stamped.signed)
    with pytest.raises(ChainRefusedError, match="another envelope"):
        verification.receipt(gateway.receipt(other, ANSWER), digest=stamped.signed.digest)
    with pytest.raises(ChainRefusedError, match="another request"):
        verification.receipt(gateway.receipt(other, ANSWER), request_id=stamped.facts.request_id)


def test_an_acceptance_is_the_ingresss_alone(verification: Verification, gateway: ThrowawayGateway, stamped: Stamped) -> None:
    first = replace(stamped, stamps=())
    statement = gateway.statement(Role.INGRESS, Decision.ALLOW, first, stamped.signed.digest)
    by_authz = Acceptance(facts=stamped.facts_raw, stamp=gateway.stamp(Role.AUTHZ, statement))
    with pytest.raises(ChainRefusedError):
        verification.acceptance(by_authz, stamped.signed)
    with pytest.raises(ChainRefusedError):
        verification.acceptance(Acceptance(facts=stamped.facts_raw, stamp=stamped.stamps[1]), stamped.signed)


# --- what a client signs ---


def sign(credentials: ClientCredentials, agent: str = "reporting", data: Any = None, **options: Any) -> Signed:
    arguments = {"now": 1_800_000_000_000, "lifetime": 60.0, "limits": Limits(), **options}
    return sign_request(credentials, agent, "report", data, **arguments)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"agent": "http://10.0.0.1"}, NameRefusedError),
        ({"event_id": ""}, InvalidRequestError),
        ({"event_id": "x" * 65}, InvalidRequestError),
        ({"event_id": "a\nb"}, InvalidRequestError),
        ({"lifetime": 0.0}, InvalidRequestError),
        ({"lifetime": -1.0}, InvalidRequestError),
        ({"lifetime": 10**9}, InvalidRequestError),
        ({"lifetime": float("nan")}, InvalidRequestError),
        ({"data": object()}, InvalidRequestError),
        ({"data": "\ud800"}, InvalidRequestError),
        ({"data": "x" * 256 * 1024}, TooLargeError),
    ],
)
def test_what_the_gateway_could_only_refuse_is_not_signed(
    credentials: ClientCredentials, options: dict[str, Any], error: type[LockgateError]
) -> None:
    with pytest.raises(error):
        sign(credentials, **options)


def test_data_that_holds_itself_is_not_signed(credentials: ClientCredentials) -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    with pytest.raises(InvalidRequestError):
        sign(credentials, data=cycle)


def test_the_same_request_is_the_same_bytes(credentials: ClientCredentials) -> None:
    assert sign(credentials, event_id="one") == sign(credentials, event_id="one")
    assert sign(credentials).event_id != sign(credentials).event_id
    assert "eyJ" not in repr(sign(credentials))
