"""The auditor's side: searching, proving an entry offline, and verifying the whole log."""

from __future__ import annotations

import asyncio

import pytest
from ledger_crafting import AUDIT_SIGNER, NOW, SIGNERS, Case, Reopen, accepted, delivered, ended

from lockgate_ledger.ledger import Ledger
from lockgate_schemas.audit import change_entry, decision_entry, refusal_entry
from lockgate_schemas.audit_proof import verify_proof
from lockgate_schemas.errors import InvalidRequestError, ProofRefusedError
from lockgate_schemas.merkle import EMPTY_ROOT
from lockgate_schemas.names import Role
from lockgate_schemas.passage import Outcome, encode
from lockgate_schemas.signing import NoteSigner

KEY = AUDIT_SIGNER.verifier


async def _fill(ledger: Ledger, count: int, *, first: int = 0, client: str = "shop") -> list[Case]:
    cases = accepted(count, first=first, client=client)
    await ledger.accept([case.new() for case in cases], open_limit=100_000)
    await ledger.end([case.ending() for case in delivered(cases)])
    return cases


async def test_an_empty_log_is_intact(ledger: Ledger) -> None:
    found = await ledger.verify()
    assert found.intact
    assert (found.entries, found.checkpoints, found.root) == (0, 0, EMPTY_ROOT)
    assert await ledger.prove("nobody") == []
    assert await ledger.prove("") == []


async def test_every_entry_about_a_request_is_proved_offline(ledger: Ledger) -> None:
    cases = await _fill(ledger, 3)
    proofs = await ledger.prove(cases[1].request_id)
    assert [entry.entry.stage for entry, _ in proofs] == ["ingress", "authz", "inspection", "dlp", "outcome"]
    for entry, proof in proofs:
        assert verify_proof(entry.raw, proof, KEY) == entry.sequence
        assert entry.raw == encode(entry.entry)


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 511, 512, 600])
async def test_proofs_hold_at_the_edges_of_the_stored_subtrees(ledger: Ledger, size: int) -> None:
    cases = accepted(size)
    await ledger.accept([case.new() for case in cases], open_limit=100_000)
    for place in {0, 1, 254, 255, 256, 257, 511, 512, size // 2, size - 1}:
        if place < size:
            [(entry, proof)] = await ledger.prove(cases[place].request_id)
            assert verify_proof(entry.raw, proof, KEY) == place
    assert (await ledger.verify()).intact


async def test_a_proof_is_for_these_bytes_this_place_and_this_key(ledger: Ledger) -> None:
    cases = await _fill(ledger, 2)
    [(entry, proof), (other, _), *_] = await ledger.prove(cases[0].request_id)
    with pytest.raises(ProofRefusedError):
        verify_proof(other.raw, proof, KEY)
    with pytest.raises(ProofRefusedError):
        verify_proof(entry.raw + b" ", proof, KEY)
    with pytest.raises(ProofRefusedError):
        verify_proof(entry.raw, proof.replace("index 0", "index 1"), KEY)
    with pytest.raises(ProofRefusedError):
        verify_proof(entry.raw, proof, NoteSigner(KEY.name, bytes([77]) * 32).verifier)


async def test_a_stages_stamp_is_not_taken_for_a_proof_of_the_log() -> None:
    case = accepted()[0]
    entry = decision_entry(case.facts, case.statements[0], case.stamps[0])
    signer = SIGNERS[Role.INGRESS]
    with pytest.raises(ProofRefusedError):
        verify_proof(bytes(entry.statement), case.stamps[0].proof, signer.verifier)


async def test_the_whole_log_recomputes(ledger: Ledger) -> None:
    for turn in range(3):
        await _fill(ledger, 300, first=turn * 300)
    await ledger.refuse([refusal_entry(at=NOW, code="x")])
    found = await ledger.verify()
    assert found.intact
    assert (found.entries, found.checkpoints) == (3 * 300 * 5 + 1, 7)


async def test_a_witnessed_checkpoint_is_found_again(ledger: Ledger) -> None:
    assert await ledger.checkpoint() == ""
    cases = await _fill(ledger, 2)
    [(_, proof), *_] = await ledger.prove(cases[0].request_id)
    note = await ledger.checkpoint()
    assert proof.endswith(note)
    await _fill(ledger, 2, first=2)
    assert (await ledger.verify([note])).intact
    with pytest.raises(ProofRefusedError):
        await ledger.verify([note.replace("A", "B", 1)])


async def test_the_log_is_searched_by_members_and_time(ledger: Ledger) -> None:
    await _fill(ledger, 2)
    await _fill(ledger, 1, client="bank")
    denied = ended(accepted(1, first=9), Outcome.DENIED, "forbidden")
    await ledger.accept([case.new() for case in denied], open_limit=10)
    await ledger.end([case.ending() for case in denied])
    await ledger.refuse([change_entry(at=NOW + 10, what="grant", target="x", epoch=3)])
    assert [e.entry.decision for e in await ledger.search(limit=9, stage="outcome", client="shop")] == [
        "denied",
        "delivered",
        "delivered",
    ]
    assert [e.entry.client for e in await ledger.search(limit=9, kind="outcome", decision="delivered")] == [
        "bank",
        "shop",
        "shop",
    ]
    assert len(await ledger.search(limit=9, stage="authz", rule="authz-rule", user="alice", tenant="acme")) == 3
    assert [e.entry.rule for e in await ledger.search(limit=9, since=NOW + 10)] == ["grant"]
    assert await ledger.search(limit=9, since=NOW + 11) == []
    assert [e.entry.stage for e in await ledger.search(limit=2, until=NOW + 1, client="shop")] == ["ingress", "ingress"]
    assert await ledger.search(limit=9, request_id="nobody") == []
    every = await ledger.search(limit=100)
    assert [e.sequence for e in every] == sorted((e.sequence for e in every), reverse=True)
    assert await ledger.search(limit=9, client="shop' OR 1=1 --") == []


async def test_a_member_that_is_given_empty_is_not_searched_by(ledger: Ledger) -> None:
    await _fill(ledger, 1)
    assert len(await ledger.search(limit=9, client="", agent="writer")) == 5


async def test_an_unknown_member_is_refused_without_being_quoted(ledger: Ledger) -> None:
    with pytest.raises(InvalidRequestError) as raised:
        await ledger.search(limit=9, password="hunter2")
    assert "hunter2" not in str(raised.value)
    assert "password" not in str(raised.value)


async def test_entries_are_read_from_anywhere_in_order(ledger: Ledger) -> None:
    await _fill(ledger, 250)
    sequences = [entry.sequence async for entry in ledger.entries()]
    assert sequences == list(range(1250))
    assert [entry.sequence async for entry in ledger.entries(1245)] == list(range(1245, 1250))
    assert [entry async for entry in ledger.entries(1250)] == []


async def test_writers_at_once_keep_one_tree_without_a_gap(ledger: Ledger, reopen: Reopen) -> None:
    writers = [ledger, await reopen(), await reopen()]
    turns = [_fill(w, 3, first=turn * 3, client=f"client-{n}") for n, w in enumerate(writers) for turn in range(5)]
    await asyncio.gather(*turns)
    assert [entry.sequence async for entry in ledger.entries()] == list(range(3 * 5 * 3 * 5))
    found = await ledger.verify()
    assert found.intact
    assert found.checkpoints == 3 * 5 * 2
