"""What accepting promises: first write wins, a repetition gets the same promise again, and nobody gets more than his share."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ledger_crafting import GATES, NOW, Reopen, accepted, delivered, ended, gated

from lockgate_ledger.ledger import Ledger
from lockgate_ledger.records import Accepted, Conflict, Overloaded
from lockgate_schemas.audit import refusal_entry
from lockgate_schemas.errors import ConfigurationError, LedgerError, MalformedError
from lockgate_schemas.passage import NOTHING, Acceptance, Outcome


async def _raws(ledger: Ledger) -> list[bytes]:
    return [entry.raw async for entry in ledger.entries()]


async def test_an_accepted_request_can_be_read_back_whole(ledger: Ledger) -> None:
    case = accepted()[0]
    results = await ledger.accept([case.new()], open_limit=10)
    assert results == [Accepted(case.new().acceptance, new=True)]
    record = await ledger.request(case.request_id)
    assert (record.client, record.tenant, record.agent, record.action, record.door) == (
        "shop",
        "acme",
        "writer",
        "draft",
        "http",
    )
    assert (record.accepted, record.deadline, record.progressed) == (NOW, NOW + 60_000, NOW)
    assert (record.dispatched, record.sends, record.outcome, record.code, record.ended) == (False, 1, None, "", 0)
    assert record.envelope == case.envelope
    assert record.acceptance == case.new().acceptance
    assert record.stamps == case.stamps
    assert record.response is NOTHING


async def test_an_unknown_request_is_nothing(ledger: Ledger) -> None:
    assert await ledger.request("nobody") is None


async def test_each_acceptance_is_one_entry_in_order(ledger: Ledger) -> None:
    cases = accepted(3)
    await ledger.accept([case.new() for case in cases], open_limit=10)
    found = [entry async for entry in ledger.entries()]
    assert [entry.sequence for entry in found] == [0, 1, 2]
    assert [entry.entry for entry in found] == [case.new().entry for case in cases]


async def test_the_identical_envelope_gets_the_first_acceptance_again(ledger: Ledger) -> None:
    first = accepted()[0].new()
    again = accepted(at=NOW + 5)[0]  # accepted anew: other facts, another stamp, the same envelope
    await ledger.accept([first], open_limit=10)
    assert await ledger.accept([again.new()], open_limit=10) == [Accepted(first.acceptance, new=False)]
    assert len(await _raws(ledger)) == 1
    assert (await ledger.request(first.request_id)).accepted == NOW


async def test_another_envelope_under_the_same_event_id_is_a_conflict(ledger: Ledger) -> None:
    case = accepted()[0]
    await ledger.accept([case.new()], open_limit=10)
    assert await ledger.accept([replace(case.new(), request_id="other", digest="other")], open_limit=10) == [Conflict()]
    assert len(await _raws(ledger)) == 1


async def test_the_same_event_id_of_another_client_is_another_request(ledger: Ledger) -> None:
    mine, theirs = accepted()[0].new(), accepted(client="bank")[0].new()
    assert mine.event_id == theirs.event_id
    results = await ledger.accept([mine], open_limit=10) + await ledger.accept([theirs], open_limit=10)
    assert all(result.new for result in results)


async def test_first_write_wins_within_a_batch_too(ledger: Ledger) -> None:
    one, two = (case.new() for case in accepted(2))
    same = replace(one, request_id="same-again")
    other = replace(one, request_id="other-bytes", digest="other")
    results = await ledger.accept([one, same, other, two], open_limit=10)
    assert results == [Accepted(one.acceptance), Accepted(one.acceptance, new=False), Conflict(), Accepted(two.acceptance)]
    assert len(await _raws(ledger)) == 2


async def test_a_client_gets_as_many_open_requests_as_it_may_have_and_others_do_not_suffer(ledger: Ledger) -> None:
    mine = [case.new() for case in accepted(4)]
    theirs = [case.new() for case in accepted(2, client="bank")]
    assert [type(r) for r in await ledger.accept(mine[:2], open_limit=3)] == [Accepted, Accepted]
    results = await ledger.accept([*mine[2:], *theirs], open_limit=3)
    assert [type(r) for r in results] == [Accepted, Overloaded, Accepted, Accepted]
    assert await ledger.request(mine[3].request_id) is None


async def test_a_repetition_is_answered_at_the_limit_too(ledger: Ledger) -> None:
    one = accepted()[0].new()
    await ledger.accept([one], open_limit=1)
    assert await ledger.accept([one], open_limit=1) == [Accepted(one.acceptance, new=False)]


async def test_what_was_overloaded_is_unknown_and_can_be_sent_again(ledger: Ledger) -> None:
    one, two = accepted(2)
    await ledger.accept([one.new()], open_limit=1)
    assert await ledger.accept([two.new(), two.new()], open_limit=1) == [Overloaded(), Overloaded()]
    assert await ledger.end([delivered([one])[0].ending()]) == [True]
    assert await ledger.accept([two.new()], open_limit=1) == [Accepted(two.new().acceptance)]


async def test_an_ended_request_frees_its_place_once(ledger: Ledger) -> None:
    cases = accepted(3)
    await ledger.accept([case.new() for case in cases[:2]], open_limit=2)
    ending = ended(gated(cases[:1], *GATES), Outcome.EXPIRED)[0].ending()
    assert await ledger.end([ending, ending]) == [True, False]
    assert await ledger.end([ending]) == [False]
    late = accepted(2, first=10)
    results = await ledger.accept([case.new() for case in late], open_limit=2)
    assert [type(result) for result in results] == [Accepted, Overloaded]


async def test_an_entry_about_another_statement_refuses_the_whole_batch(ledger: Ledger) -> None:
    one, two = (case.new() for case in accepted(2))
    with pytest.raises(MalformedError):
        await ledger.accept([one, replace(two, entry=one.entry)], open_limit=10)
    assert await ledger.request(one.request_id) is None
    assert await _raws(ledger) == []


async def test_a_request_id_that_is_taken_refuses_the_whole_batch(ledger: Ledger) -> None:
    one, two, three = (case.new() for case in accepted(3))
    await ledger.accept([one], open_limit=10)
    stolen = replace(three, request_id=one.request_id, entry=one.entry, acceptance=one.acceptance)
    with pytest.raises(LedgerError):
        await ledger.accept([two, stolen], open_limit=10)
    assert await ledger.request(two.request_id) is None
    assert len(await _raws(ledger)) == 1
    assert (await ledger.verify()).intact


async def test_a_value_that_no_column_holds_is_refused_without_being_quoted(ledger: Ledger) -> None:
    case = accepted()[0].new()
    with pytest.raises(MalformedError) as raised:
        await ledger.accept([replace(case, deadline=2**70, envelope="secret\ud800")], open_limit=10)
    assert "secret" not in str(raised.value)
    assert raised.value.__context__ is None
    assert raised.value.__cause__ is None


async def test_refusals_are_audited(ledger: Ledger) -> None:
    entries = [refusal_entry(at=NOW, code="envelope-refused", rule="bad-signature"), refusal_entry(at=NOW, code="key-revoked")]
    await ledger.refuse(entries)
    await ledger.refuse([])
    assert [entry.entry async for entry in ledger.entries()] == entries


async def test_nothing_is_accepted_without_an_audit_key(ledger: Ledger, reopen: Reopen) -> None:
    reader = await reopen(audit_signer=None)
    case = accepted()[0].new()
    with pytest.raises(ConfigurationError):
        await reader.accept([case], open_limit=10)
    with pytest.raises(ConfigurationError):
        await reader.refuse([refusal_entry(at=NOW, code="x")])
    assert await ledger.request(case.request_id) is None


async def test_an_empty_batch_is_nothing(ledger: Ledger) -> None:
    assert await ledger.accept([], open_limit=10) == []
    assert (await ledger.verify()).entries == 0


async def test_an_acceptance_keeps_its_exact_bytes(ledger: Ledger) -> None:
    case = accepted()[0]
    odd = Acceptance(facts=case.new().acceptance.facts, stamp=case.stamps[0])
    await ledger.accept([case.new()], open_limit=10)
    record = await ledger.request(case.request_id)
    assert bytes(record.acceptance.facts) == bytes(odd.facts)
    assert bytes(record.acceptance.stamp.statement) == bytes(odd.stamp.statement)
