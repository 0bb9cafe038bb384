"""The chain of stamps: complete, in order, by the right keys, over these very bytes, in time; or refused."""

from __future__ import annotations

import random
from base64 import b64encode
from typing import Any

import msgspec
import pytest

from lockgate_schemas.envelope import digest_of
from lockgate_schemas.errors import ChainRefusedError, LockgateError, MalformedError
from lockgate_schemas.merkle import inclusion_path, leaf_hash, tree_levels
from lockgate_schemas.names import Role
from lockgate_schemas.passage import (
    ABOUT_DRAFTS,
    PASSING,
    Decision,
    Incident,
    Outcome,
    Passage,
    Release,
    Response,
    ResponseStatus,
    Stamp,
    encode,
    raw,
    read_facts,
    read_passage,
    read_receipt,
    read_statement,
)
from lockgate_schemas.proofs import Checkpoint, InclusionProof, proof_text
from lockgate_schemas.signing import NoteSigner
from lockgate_schemas.stamping import NO_BYTES, ORDER, Chain, ChainVerifier, stamp_batch
from lockgate_schemas.trust import Trust, TrustedKey

replace = msgspec.structs.replace


def refuse(gateway: Any, passage: Passage, through: Role = Role.INSPECTION, **asked: Any) -> ChainRefusedError:
    verifier = asked.pop("verifier", None) or gateway.verifier()
    with pytest.raises(ChainRefusedError) as caught:
        verifier.verify(passage, through=through, now=gateway.now, **asked)
    return caught.value


def with_stamp(passage: Passage, place: int, stamp: Stamp) -> Passage:
    return replace(passage, stamps=(*passage.stamps[:place], stamp, *passage.stamps[place + 1 :]))


# --- what is accepted -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("through", ORDER)
@pytest.mark.parametrize("count", [1, 2, 3, 7, 64])
def test_an_honest_chain_verifies_at_each_step(gateway: Any, through: Role, count: int) -> None:
    verifier = gateway.verifier()
    for passage in gateway.through(through, count):
        chain = verifier.verify(passage, through=through, now=gateway.now)
        assert [s.stage for s in chain.statements] == [str(r) for r in ORDER[: ORDER.index(through) + 1]]
        assert chain.facts == read_facts(passage.facts)
        assert chain.last.stage == through
        assert chain.by(through) is chain.last
        assert not chain.flagged


def test_it_survives_the_wire(gateway: Any) -> None:
    (passage,) = gateway.through(Role.DLP)
    assert gateway.verifier().verify(read_passage(encode(passage)), through=Role.DLP, now=gateway.now)


@pytest.mark.parametrize("decision", sorted(PASSING))
def test_what_passes_passes(gateway: Any, decision: Decision) -> None:
    (passage,) = gateway.through(Role.INSPECTION, decision=decision)
    chain = gateway.verifier().verify(passage, through=Role.INSPECTION, now=gateway.now)
    assert chain.flagged is (decision is Decision.FLAG)


def test_no_statements_no_stamps(gateway: Any) -> None:
    assert stamp_batch(gateway.signers["authz"], []) == []


# --- missing, extra, reordered, foreign -------------------------------------------------------------------------------


@pytest.mark.parametrize("through", ORDER)
def test_a_chain_of_another_length_is_refused(gateway: Any, through: Role) -> None:
    for made in ORDER:
        if made is not through:
            refuse(gateway, gateway.through(made)[0], through)
    refuse(gateway, gateway.fresh()[0], through)


@pytest.mark.parametrize("place", range(3))
def test_a_stamp_missing_doubled_or_moved_is_refused(gateway: Any, place: int) -> None:
    (passage,) = gateway.through(Role.INSPECTION)
    stamps = passage.stamps
    missing = (*stamps[:place], *stamps[place + 1 :])
    forms = [
        missing,
        (*stamps, stamps[place]),
        (*missing, stamps[(place + 1) % 3]),
        (*missing[:1], stamps[place], *missing[1:]),
    ]
    forms += [(stamps[2], stamps[1], stamps[0]), (stamps[0], stamps[2], stamps[1]), (stamps[place],) * 3]
    for form in forms:
        if form != stamps:
            refuse(gateway, replace(passage, stamps=form))


def test_a_stamp_of_another_request_of_the_same_batch_is_refused(gateway: Any) -> None:
    first, second = gateway.through(Role.INSPECTION, 2)
    for place in range(3):
        refuse(gateway, with_stamp(first, place, second.stamps[place]))
        crossed = Stamp(statement=first.stamps[place].statement, proof=second.stamps[place].proof)
        refuse(gateway, with_stamp(first, place, crossed))
        crossed = Stamp(statement=second.stamps[place].statement, proof=first.stamps[place].proof)
        refuse(gateway, with_stamp(first, place, crossed))
    refuse(gateway, replace(first, facts=second.facts))
    refuse(gateway, replace(first, facts=second.facts, envelope=second.envelope))
    refuse(gateway, replace(first, envelope=second.envelope))


@pytest.mark.parametrize("role", [Role.INGRESS, Role.INSPECTION, Role.DLP, Role.OUTCOME])
def test_one_role_cannot_speak_for_another(gateway: Any, role: Role) -> None:
    (passage,) = gateway.through(Role.INGRESS)
    for stage in (str(Role.AUTHZ), str(role)):  # lying about its stage, or not
        statement = gateway.statement(Role.AUTHZ, passage, stage=stage)
        stamp = gateway.stamp(statement, signer=gateway.signers[role])
        refuse(gateway, replace(passage, stamps=(*passage.stamps, stamp)), Role.AUTHZ)


def test_a_right_key_with_a_wrong_stage_is_refused(gateway: Any) -> None:
    (passage,) = gateway.through(Role.INGRESS)
    for stage in ("inspection", "ingress", "", "authz ", "AUTHZ"):
        stamp = gateway.stamp(gateway.statement(Role.AUTHZ, passage, stage=stage), signer=gateway.signers["authz"])
        refuse(gateway, replace(passage, stamps=(*passage.stamps, stamp)), Role.AUTHZ)


def test_another_gateways_word_counts_for_nothing(gateway: Any, other_gateway: Any) -> None:
    (foreign,) = other_gateway.through(Role.INSPECTION)
    refuse(gateway, foreign)
    (passage,) = gateway.through(Role.INGRESS)
    stamp = gateway.stamp(gateway.statement(Role.AUTHZ, passage), signer=other_gateway.signers["authz"])
    refuse(gateway, replace(passage, stamps=(*passage.stamps, stamp)), Role.AUTHZ)


def test_the_facts_name_this_gateway(gateway: Any) -> None:
    (passage,) = gateway.fresh(gateway="other.test")
    for role in ORDER[:3]:
        (passage,) = gateway.stamped(role, [passage])
    assert "another gateway" in refuse(gateway, passage).detail


def test_empty_trust_trusts_nobody(gateway: Any) -> None:
    (passage,) = gateway.through(Role.INGRESS)
    refuse(gateway, passage, Role.INGRESS, verifier=ChainVerifier(Trust(gateway.name, ()), clock_skew=60_000))


@pytest.mark.parametrize("absent", ORDER[:3])
def test_a_role_without_a_pinned_key_is_not_believed(gateway: Any, absent: Role) -> None:
    (passage,) = gateway.through(Role.INSPECTION)
    trust = Trust(gateway.name, tuple(k for k in gateway.trust().keys if k.role != absent))
    refuse(gateway, passage, verifier=ChainVerifier(trust, clock_skew=60_000))


# --- other bytes ------------------------------------------------------------------------------------------------------


def test_tampered_facts_are_refused(gateway: Any) -> None:
    (passage,) = gateway.through(Role.INSPECTION)
    facts = read_facts(passage.facts)
    for change in (
        {"agent": "other-agent"},
        {"action": "delete"},
        {"deadline": facts.deadline + 1},
        {"request_id": "0" * 32},
        {"dispatch_id": "0" * 32},
        {"principal": replace(facts.principal, tenant="other")},
        {"envelope": "0" * 64},
        {"accepted": 0},
    ):
        refuse(gateway, replace(passage, facts=raw(replace(facts, **change))))


def test_the_same_facts_in_other_bytes_are_refused(gateway: Any) -> None:
    (passage,) = gateway.through(Role.INSPECTION)
    other = bytes(passage.facts).replace(b'","', b'", "', 1)
    assert read_facts(other) == read_facts(passage.facts)
    refuse(gateway, replace(passage, facts=msgspec.Raw(other)))


@pytest.mark.parametrize("facts", [b"", b"null", b"{}", b"[" * 100_000, b'"\xff"', b"{"])
def test_facts_that_are_none_are_refused(gateway: Any, facts: bytes) -> None:
    (passage,) = gateway.through(Role.INSPECTION)
    refuse(gateway, replace(passage, facts=msgspec.Raw(facts)))


def test_a_tampered_envelope_is_refused(gateway: Any) -> None:
    (passage,) = gateway.through(Role.INSPECTION)
    for envelope in (passage.envelope[:-1], passage.envelope + "=", passage.envelope + "\n", gateway.envelope(id="other"), " "):
        refuse(gateway, replace(passage, envelope=envelope))


def test_a_statement_changed_behind_its_signature_is_refused(gateway: Any) -> None:
    (passage,) = gateway.through(Role.INSPECTION, decision=Decision.FLAG)
    for place in range(3):
        stamp = passage.stamps[place]
        statement = read_statement(stamp.statement)
        for change in ({"epoch": 99}, {"rule": "other"}, {"at": statement.at + 1}, {"decision": Decision.REDACT}):
            forged = Stamp(statement=raw(replace(statement, **change)), proof=stamp.proof)
            refuse(gateway, with_stamp(passage, place, forged))
        spaced = Stamp(statement=msgspec.Raw(bytes(stamp.statement) + b" "), proof=stamp.proof)
        refuse(gateway, with_stamp(passage, place, spaced))


@pytest.mark.parametrize("member", ["input", "output", "facts", "request_id", "previous"])
def test_a_signed_statement_about_something_else_is_refused(gateway: Any, member: str) -> None:
    for role in ORDER[:3]:
        (passage,) = gateway.through(role, **{member: "0" * 64})
        refuse(gateway, passage, role)
        refuse(gateway, passage, role, ended=True)


def test_a_predecessor_that_was_replaced_shows(gateway: Any) -> None:
    """The ingress stamps twice; the second stamp is honest, and the successors still name the first."""
    (passage,) = gateway.through(Role.INSPECTION)
    again = gateway.stamp(gateway.statement(Role.INGRESS, replace(passage, stamps=()), rule="again"))
    assert "follow" in refuse(gateway, with_stamp(passage, 0, again)).detail
    without = gateway.stamp(gateway.statement(Role.AUTHZ, passage, previous=""))
    refuse(gateway, with_stamp(passage, 1, without))


@pytest.mark.parametrize("statement", [b"", b"null", b"{}", b"{", b"[" * 100_000, b'{"stage":"authz"}'])
def test_a_statement_that_is_none_is_refused_even_when_signed(gateway: Any, statement: bytes) -> None:
    (passage,) = gateway.through(Role.INGRESS)
    signer = gateway.signers["authz"]
    root = leaf_hash(statement)
    note = Checkpoint(f"{signer.name}/{root.hex()[:16]}", 1, root).signed(signer)
    stamp = Stamp(statement=msgspec.Raw(statement), proof=proof_text(0, (), note))
    refuse(gateway, replace(passage, stamps=(*passage.stamps, stamp)), Role.AUTHZ)
    with pytest.raises(ChainRefusedError):
        gateway.verifier().statement_of(stamp, Role.AUTHZ)


def test_a_response_other_than_the_one_let_out_is_refused(gateway: Any) -> None:
    (passage,) = gateway.through(Role.DLP)
    for response in (
        raw(Response(status=ResponseStatus.OK, body="something else")),
        msgspec.Raw(bytes(passage.response) + b" "),
        msgspec.Raw(b""),
    ):
        refuse(gateway, replace(passage, response=response), Role.DLP)


# --- proofs -----------------------------------------------------------------------------------------------------------


def test_a_tampered_proof_is_refused(gateway: Any) -> None:
    passage = gateway.through(Role.INSPECTION, 5)[2]
    for place in range(3):
        stamp = passage.stamps[place]
        proof = InclusionProof.parse(stamp.proof)
        forms = [
            proof_text(proof.index ^ 1, proof.path, proof.checkpoint),
            proof_text(proof.index, proof.path[::-1], proof.checkpoint),
            proof_text(proof.index, proof.path[:-1], proof.checkpoint),
            proof_text(proof.index, (*proof.path, bytes(32)), proof.checkpoint),
            proof_text(proof.index, proof.path, proof.checkpoint.replace("\n5\n", "\n6\n")),
            proof_text(proof.index, proof.path, proof.checkpoint.replace("lockgate.test", "lockgate.tesT", 1)),
            proof_text(proof.index, proof.path, passage.stamps[(place + 1) % 3].proof.partition("\n\n")[2]),
            proof_text(proof.index, proof.path, ""),
            "",
            "\ud800",
            proof_text(proof.index, proof.path, proof.checkpoint + "\ud800\n"),
            stamp.proof + "\n",
            stamp.proof[:-1],
        ]
        for form in forms:
            refuse(gateway, with_stamp(passage, place, Stamp(statement=stamp.statement, proof=form)))


@pytest.mark.parametrize(
    "origin", ["lockgate.test/audit", "lockgate.test/authz", "lockgate.test/authz/", "lockgate.test/dlp/{root}", "x"]
)
def test_a_signed_tree_under_another_origin_is_no_batch(gateway: Any, origin: str) -> None:
    """A role's key over a tree that is not a batch of that role (a log's, say) proves nothing about a passage."""
    (passage,) = gateway.through(Role.INGRESS)
    statement = raw(gateway.statement(Role.AUTHZ, passage))
    root = leaf_hash(bytes(statement))
    note = Checkpoint(origin.format(root=root.hex()[:16]), 1, root).signed(gateway.signers["authz"])
    stamp = Stamp(statement=statement, proof=proof_text(0, (), note))
    assert "origin" in refuse(gateway, replace(passage, stamps=(*passage.stamps, stamp)), Role.AUTHZ).detail


def test_the_audit_logs_key_stamps_nothing(gateway: Any, signer_of: Any) -> None:
    audit = signer_of(f"{gateway.name}/audit")
    trust = Trust(gateway.name, (*gateway.trust().keys, TrustedKey("audit", str(audit.verifier))))
    (passage,) = gateway.through(Role.INGRESS)
    for stage in ("authz", "audit"):
        stamp = gateway.stamp(gateway.statement(Role.AUTHZ, passage, stage=stage), signer=audit)
        verifier = ChainVerifier(trust, clock_skew=60_000)
        refuse(gateway, replace(passage, stamps=(*passage.stamps, stamp)), Role.AUTHZ, verifier=verifier)


def test_an_inner_node_of_the_tree_is_no_statement(gateway: Any) -> None:
    passages = gateway.through(Role.INGRESS, 2)
    texts = [bytes(raw(gateway.statement(Role.AUTHZ, p))) for p in passages]
    levels = tree_levels([leaf_hash(t) for t in texts])
    note = stamp_batch(gateway.signers["authz"], [gateway.statement(Role.AUTHZ, p) for p in passages])[0].proof.partition(
        "\n\n"
    )[2]
    for index in (0, 1):
        forged = Stamp(
            statement=msgspec.Raw(b"".join(levels[0])), proof=proof_text(index, inclusion_path(levels, index)[:0], note)
        )
        refuse(gateway, replace(passages[0], stamps=(*passages[0].stamps, forged)), Role.AUTHZ)


# --- time -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "by", "accepted"),
    [
        (Role.INGRESS, -60_000, True),
        (Role.INGRESS, -60_001, False),
        (Role.AUTHZ, 60_000, True),
        (Role.AUTHZ, 60_001, False),
        (Role.INSPECTION, -60_000, True),
        (Role.INSPECTION, -60_001, False),
        (Role.INSPECTION, 60_001, False),
    ],
)
def test_times_neither_run_backwards_nor_ahead_beyond_the_skew(gateway: Any, role: Role, by: int, accepted: bool) -> None:  # noqa: FBT001
    (passage,) = gateway.through(role, at=gateway.now + by)
    if accepted:
        assert gateway.verifier().verify(passage, through=role, now=gateway.now)
    else:
        assert "time" in refuse(gateway, passage, role).detail


def test_times_do_not_creep_backwards_from_stamp_to_stamp(gateway: Any) -> None:
    (passage,) = gateway.through(Role.INGRESS, at=gateway.now + 50_000)
    (passage,) = gateway.stamped(Role.AUTHZ, [passage], at=gateway.now - 5_000)
    assert gateway.verifier().verify(passage, through=Role.AUTHZ, now=gateway.now)
    (passage,) = gateway.stamped(Role.INSPECTION, [passage], at=gateway.now - 20_000)
    assert "time" in refuse(gateway, passage).detail  # 70 s behind the newest, though only 15 s behind its predecessor


def test_a_key_past_its_end_signs_nothing_more(gateway: Any) -> None:
    (passage,) = gateway.through(Role.INSPECTION)
    assert gateway.verifier(authz=gateway.now).verify(passage, through=Role.INSPECTION, now=gateway.now)
    ended = gateway.verifier(authz=gateway.now - 1)
    assert "end of its key" in refuse(gateway, passage, verifier=ended).detail
    assert "end of its key" in refuse(gateway, passage, verifier=ended).detail  # the remembered checkpoint keeps its end


def test_a_rotated_key_serves_until_its_end_beside_the_new_one(gateway: Any) -> None:
    new = NoteSigner(f"{gateway.name}/authz", bytes(32))
    keys = (*gateway.trust(authz=gateway.now).keys, TrustedKey("authz", str(new.verifier)))
    verifier = ChainVerifier(Trust(gateway.name, keys), clock_skew=60_000)
    (old_way,) = gateway.through(Role.AUTHZ)
    assert verifier.verify(old_way, through=Role.AUTHZ, now=gateway.now)
    (ingress,) = gateway.through(Role.INGRESS)
    for at, signer, good in ((1, new, True), (1, gateway.signers["authz"], False), (0, gateway.signers["authz"], True)):
        stamp = gateway.stamp(gateway.statement(Role.AUTHZ, ingress, at=gateway.now + at), signer=signer)
        passage = replace(ingress, stamps=(*ingress.stamps, stamp))
        if good:
            assert verifier.verify(passage, through=Role.AUTHZ, now=gateway.now)
        else:
            refuse(gateway, passage, Role.AUTHZ, verifier=verifier)


# --- decisions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("decision", sorted(set(Decision) - PASSING - ABOUT_DRAFTS))
@pytest.mark.parametrize("at", ORDER[:3])
def test_what_does_not_pass_ends_the_way(gateway: Any, at: Role, decision: Decision) -> None:
    (passage,) = gateway.through(at, decision=decision)
    refuse(gateway, passage, at)
    assert gateway.verifier().verify(passage, through=at, now=gateway.now, ended=True).last.decision is decision
    for following in ORDER[ORDER.index(at) + 1 :]:
        (passage,) = gateway.stamped(following, [passage])
        refuse(gateway, passage, following)
        refuse(gateway, passage, following, ended=True)


@pytest.mark.parametrize("decision", sorted(ABOUT_DRAFTS))
def test_what_is_said_of_a_draft_is_part_of_no_chain(gateway: Any, decision: Decision) -> None:
    (passage,) = gateway.through(Role.DLP, decision=decision)
    refuse(gateway, passage, Role.DLP)
    refuse(gateway, passage, Role.DLP, ended=True)


# --- receipts ---------------------------------------------------------------------------------------------------------


def end(gateway: Any, receipt: Any, **changes: Any) -> Chain:
    changed = replace(receipt, **changes)
    return gateway.verifier().verify_end(changed.facts, changed.stamps, changed.response, now=gateway.now)


@pytest.mark.parametrize("through", ORDER)
def test_a_receipt_of_every_length_verifies(gateway: Any, through: Role) -> None:
    receipt = read_receipt(encode(gateway.receipt(through)))
    chain = end(gateway, receipt)
    assert chain.last.stage == Role.OUTCOME
    assert chain.last.outcome is (Outcome.DELIVERED if through is Role.DLP else Outcome.DENIED)
    assert len(chain.statements) == len(receipt.stamps) == ORDER.index(through) + 2


@pytest.mark.parametrize("through", ORDER)
def test_a_receipt_with_other_stamps_is_refused(gateway: Any, through: Role) -> None:
    receipt = gateway.receipt(through)
    stamps = receipt.stamps
    for place in range(len(stamps)):
        for form in ((*stamps[:place], *stamps[place + 1 :]), (*stamps, stamps[place]), (*stamps[place:], *stamps[:place])):
            if form != stamps:
                with pytest.raises(ChainRefusedError):
                    end(gateway, receipt, stamps=form)
    for form in ((), stamps[-1:], stamps[:1], stamps * 2):
        with pytest.raises(ChainRefusedError):
            end(gateway, receipt, stamps=form)


@pytest.mark.parametrize("through", ORDER)
def test_a_receipt_with_another_response_is_refused(gateway: Any, through: Role) -> None:
    receipt = gateway.receipt(through)
    slipped_in = raw(Response(status=ResponseStatus.OK, body="not scanned"))
    for response in (slipped_in, msgspec.Raw(bytes(receipt.response) + b" "), msgspec.Raw(b"null")):
        with pytest.raises(ChainRefusedError):
            end(gateway, receipt, response=response)
    if through is Role.DLP:
        with pytest.raises(ChainRefusedError):
            end(gateway, receipt, response=msgspec.Raw(b""))


@pytest.mark.parametrize("through", ORDER[:3])
def test_the_outcome_role_cannot_let_a_response_out_on_its_own(gateway: Any, through: Role) -> None:
    receipt = gateway.receipt(through)
    (passage,) = [Passage(facts=receipt.facts, stamps=receipt.stamps[:-1])]
    answered = gateway.answered(passage, "not scanned")
    statement = gateway.statement(Role.OUTCOME, answered, outcome=Outcome.DELIVERED)
    with pytest.raises(ChainRefusedError):
        end(gateway, receipt, stamps=(*passage.stamps, gateway.stamp(statement)), response=answered.response)


@pytest.mark.parametrize("decision", [Decision.BLOCK, Decision.DENY, Decision.QUARANTINE])
def test_behind_a_block_there_is_no_response(gateway: Any, decision: Decision) -> None:
    blocked = gateway.receipt(Role.DLP, gate=decision)
    assert end(gateway, blocked).statements[-2].output == NO_BYTES
    # Even if the last gate's own statement named the response while it blocked it:
    (passage,) = gateway.through(Role.DLP, decision=decision)
    stamp = gateway.stamp(gateway.statement(Role.OUTCOME, passage, outcome=Outcome.BLOCKED))
    with pytest.raises(ChainRefusedError):
        end(gateway, blocked, facts=passage.facts, stamps=(*passage.stamps, stamp), response=passage.response)


@pytest.mark.parametrize("through", ORDER[:3])
def test_nothing_is_delivered_that_the_last_gate_did_not_let_out(gateway: Any, through: Role) -> None:
    with pytest.raises(ChainRefusedError):
        end(gateway, gateway.receipt(through, outcome=Outcome.DELIVERED))
    with pytest.raises(ChainRefusedError):
        end(gateway, gateway.receipt(Role.DLP, gate=Decision.BLOCK, outcome=Outcome.DELIVERED))


@pytest.mark.parametrize(
    "change",
    [
        {"decision": Decision.ALLOW},
        {"outcome": None},
        {"output": "0" * 64},
        {"previous": "0" * 64},
        {"previous": ""},
        {"facts": "0" * 64},
        {"request_id": "other"},
        {"at": 1_800_000_060_001},
        {"at": 1_799_999_939_999},
    ],
)
def test_an_outcome_about_something_else_is_refused(gateway: Any, change: dict[str, Any]) -> None:
    with pytest.raises(ChainRefusedError):
        end(gateway, gateway.receipt(Role.DLP, **change))


def test_another_role_cannot_end_a_request(gateway: Any) -> None:
    receipt = gateway.receipt(Role.DLP)
    passage = Passage(facts=receipt.facts, stamps=receipt.stamps[:-1], response=receipt.response)
    for role in ORDER:
        for stage in ("outcome", str(role)):
            statement = gateway.statement(Role.OUTCOME, passage, outcome=Outcome.DELIVERED, stage=stage)
            stamp = gateway.stamp(statement, signer=gateway.signers[role])
            with pytest.raises(ChainRefusedError):
                end(gateway, receipt, stamps=(*passage.stamps, stamp))


# --- incidents --------------------------------------------------------------------------------------------------------


def test_an_incident_is_a_signed_quarantine(gateway: Any, other_gateway: Any) -> None:
    (passage,) = gateway.fresh()
    verifier = gateway.verifier()
    honest = gateway.statement(Role.DLP, passage, decision=Decision.QUARANTINE, rule="chain-refused")
    assert verifier.incident(Incident(stamp=gateway.stamp(honest))) == honest
    stamps = [
        gateway.stamp(replace(honest, decision=Decision.ALLOW)),
        gateway.stamp(honest, signer=gateway.signers["authz"]),
        gateway.stamp(honest, signer=other_gateway.signers["dlp"]),
        gateway.stamp(replace(honest, stage="provisioner"), signer=gateway.signers["dlp"]),
        gateway.stamp(replace(honest, stage=""), signer=gateway.signers["dlp"]),
        Stamp(statement=raw(replace(honest, rule="other")), proof=gateway.stamp(honest).proof),
        Stamp(statement=raw(honest), proof=""),
        *(Stamp(statement=msgspec.Raw(text), proof=gateway.stamp(honest).proof) for text in (b"", b"null", b"{", b'"\xff"')),
    ]
    for stamp in stamps:
        with pytest.raises(ChainRefusedError):
            verifier.incident(Incident(stamp=stamp))


# --- what was remembered changes nothing ------------------------------------------------------------------------------


def test_remembered_checkpoints_change_no_verdict(gateway: Any) -> None:
    passages = gateway.through(Role.INSPECTION, 8)
    tampered = [with_stamp(p, 1, passages[(n + 1) % 8].stamps[1]) for n, p in enumerate(passages)]
    forged = []
    for passage in passages:
        stamp = passage.stamps[2]
        proof = InclusionProof.parse(stamp.proof)
        note = proof.checkpoint.replace("\n8\n", "\n9\n")
        forged.append(with_stamp(passage, 2, Stamp(statement=stamp.statement, proof=proof_text(proof.index, proof.path, note))))
    for order in ((passages, tampered, forged), (forged, tampered, passages), (passages, forged, passages, tampered, passages)):
        verifier = gateway.verifier()
        for group in order:
            for passage in group:
                if group is passages:
                    assert verifier.verify(passage, through=Role.INSPECTION, now=gateway.now)
                else:
                    refuse(gateway, passage, verifier=verifier)


def test_a_checkpoint_remembered_for_one_role_is_not_anothers(gateway: Any) -> None:
    (passage,) = gateway.through(Role.INGRESS)
    verifier = gateway.verifier()
    verifier.verify(passage, through=Role.INGRESS, now=gateway.now)
    for role in ("authz", "dlp", "outcome", "nobody", ""):
        with pytest.raises(ChainRefusedError):
            verifier.statement_of(passage.stamps[0], role)


def test_the_memory_is_bounded(gateway: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lockgate_schemas.stamping._REMEMBERED_TREES", 4)
    verifier = gateway.verifier()
    passages = [gateway.through(Role.INGRESS, accepted)[0] for accepted in range(1, 9)]
    for passage in passages * 2:
        assert verifier.verify(passage, through=Role.INGRESS, now=gateway.now)
        assert len(verifier._trees) <= 4


# --- every byte -------------------------------------------------------------------------------------------------------


def _content(chain: Chain) -> tuple[Any, ...]:
    return chain.facts, chain.statements, chain.facts_digest, chain.last_digest


def _mutations(body: bytes, count: int) -> list[bytes]:
    chance = random.Random(20270115)  # noqa: S311 - a seeded sample of places, no secret
    places = chance.sample(range(len(body)), min(count, len(body)))
    forms = [body[:p] + bytes([body[p] ^ (1 << chance.randrange(8))]) + body[p + 1 :] for p in places]
    forms += [body[:p] + b" " + body[p:] for p in places[:200]]
    forms += [body[:p] + body[p + 1 :] for p in places[:200]]
    return forms + [body[:p] for p in places[:100]]


def test_a_passage_with_any_byte_changed_is_refused_or_says_the_same(gateway: Any) -> None:
    passage = gateway.through(Role.INSPECTION, 3)[1]
    body, verifier = encode(passage), gateway.verifier()
    said = _content(verifier.verify(passage, through=Role.INSPECTION, now=gateway.now))
    refused = 0
    for form in _mutations(body, 2500):
        try:
            read = read_passage(form)
            chain = verifier.verify(read, through=Role.INSPECTION, now=gateway.now)
        except LockgateError:
            refused += 1
            continue
        # White space between the members of the outer object is no content; all that is signed or proved is the same to the byte.
        assert _content(chain) == said
        assert encode(read) == body or read.envelope == ""
    assert refused > 2400


def test_a_receipt_with_any_byte_changed_is_refused_or_says_the_same(gateway: Any) -> None:
    receipt = gateway.receipt()
    body, verifier = encode(receipt), gateway.verifier()
    said = _content(verifier.verify_end(receipt.facts, receipt.stamps, receipt.response, now=gateway.now))
    refused = 0
    for form in _mutations(body, 2500):
        try:
            read = read_receipt(form)
            chain = verifier.verify_end(read.facts, read.stamps, read.response, now=gateway.now)
        except LockgateError:
            refused += 1
            continue
        assert _content(chain) == said
        assert encode(read) == body
    assert refused > 2400


def test_a_malformed_passage_is_malformed_and_nothing_else() -> None:
    for body in (
        b"",
        b"null",
        b"[]",
        b"[" * 100_000,
        b'{"facts":' + b"[" * 100_000,
        b'{"facts":{},"stamps":[],"x":1}',
        b'"\xff"',
    ):
        with pytest.raises(MalformedError):
            read_passage(body)


def test_the_digest_of_nothing_is_a_constant() -> None:
    assert NO_BYTES == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert b64encode(b"").decode() == ""


# --- releases of drafts -----------------------------------------------------------------------------------------------


def released(gateway: Any, text: str = "so far", **changes: Any) -> Release:
    (passage,) = gateway.through(Role.INSPECTION)
    honest = {"decision": Decision.SHOW, "output": digest_of(text.encode())}
    statement = gateway.statement(Role.DLP, gateway.answered(passage), **(honest | changes))
    return Release(facts=passage.facts, stamp=gateway.stamp(statement), text=text)


def test_a_release_is_what_the_last_gate_said_about_a_draft(gateway: Any) -> None:
    verifier = gateway.verifier()
    facts, statement = verifier.shown_text(released(gateway))
    assert (facts.request_id, statement.decision) == (statement.request_id, Decision.SHOW)
    recorded = replace(released(gateway), text="")
    assert verifier.release(recorded)[1].decision is Decision.SHOW
    refused = released(gateway, "", decision=Decision.WITHHOLD, output=NO_BYTES)
    assert verifier.shown_text(refused)[1].decision is Decision.WITHHOLD


@pytest.mark.parametrize("decision", sorted(set(Decision) - ABOUT_DRAFTS))
def test_no_other_decision_lets_a_draft_be_shown(gateway: Any, decision: Decision) -> None:
    with pytest.raises(ChainRefusedError):
        gateway.verifier().shown_text(released(gateway, decision=decision))


@pytest.mark.parametrize("text", ["", "so", "so far and further", "SO FAR"])
def test_only_the_characters_that_were_signed_are_shown(gateway: Any, text: str) -> None:
    with pytest.raises(ChainRefusedError):
        gateway.verifier().shown_text(replace(released(gateway), text=text))


def test_a_refusal_shows_no_text_even_if_its_digest_fits(gateway: Any) -> None:
    with pytest.raises(ChainRefusedError):
        gateway.verifier().shown_text(released(gateway, decision=Decision.WITHHOLD))


@pytest.mark.parametrize("changes", [{"request_id": "r" * 32}, {"facts": "0" * 64}, {"stage": "inspection"}])
def test_a_release_is_about_its_own_facts_and_by_the_last_gate(gateway: Any, changes: dict[str, str]) -> None:
    with pytest.raises(ChainRefusedError):
        gateway.verifier().release(released(gateway, **changes))


def test_another_gateways_release_counts_for_nothing(gateway: Any, other_gateway: Any) -> None:
    with pytest.raises(ChainRefusedError):
        gateway.verifier().release(released(other_gateway))
    facts = raw(gateway.facts(0, gateway.envelope(), gateway="other.test"))
    statement = gateway.statement(Role.DLP, Passage(facts=facts, stamps=()), decision=Decision.SHOW)
    with pytest.raises(ChainRefusedError):
        gateway.verifier().release(Release(facts=facts, stamp=gateway.stamp(statement)))


def test_a_release_is_no_incident(gateway: Any) -> None:
    with pytest.raises(ChainRefusedError):
        gateway.verifier().incident(Incident(stamp=released(gateway).stamp))
