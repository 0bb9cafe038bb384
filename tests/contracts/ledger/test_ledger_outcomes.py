"""What ending promises: one outcome for each request, every gate's decision audited once, whatever is redelivered and in whatever order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from ledger_crafting import GATES, NOW, RESPONSE, Case, Reopen, accepted, delivered, ended, gated, stamped

from lockgate_ledger.ledger import Ledger
from lockgate_schemas.audit import EntryKind, incident_entry
from lockgate_schemas.errors import ConfigurationError, MalformedError
from lockgate_schemas.names import Role
from lockgate_schemas.passage import NOTHING, Decision, Door, Outcome, read_statement


async def _accept(ledger: Ledger, cases: Sequence[Case]) -> None:
    await ledger.accept([case.new() for case in cases], open_limit=1000)


async def _stages(ledger: Ledger) -> list[str]:
    return [entry.entry.stage async for entry in ledger.entries()]


async def test_progress_is_recorded_and_audited_once(ledger: Ledger) -> None:
    case = accepted()
    await _accept(ledger, case)
    passed = gated(case, Role.AUTHZ, Role.INSPECTION)[0]
    for _ in range(3):
        await ledger.progress([passed.progress(), passed.progress()])
    record = await ledger.request(passed.request_id)
    assert (record.dispatched, record.progressed, record.stamps) == (True, NOW + 500, passed.stamps)
    assert await _stages(ledger) == ["ingress", "authz", "inspection"]


async def test_progress_without_dispatch_does_not_take_a_dispatch_back(ledger: Ledger) -> None:
    case = accepted()
    await _accept(ledger, case)
    one = gated(case, Role.AUTHZ)[0]
    await ledger.progress([one.progress(dispatched=False)])
    assert not (await ledger.request(one.request_id)).dispatched
    two = gated([one], Role.INSPECTION)[0]
    await ledger.progress([two.progress()])
    await ledger.progress([one.progress(dispatched=False)])
    record = await ledger.request(one.request_id)
    assert record.dispatched
    assert record.stamps == two.stamps, "a redelivered older chain does not replace the newer one"


async def test_a_gate_that_decided_again_is_audited_again(ledger: Ledger) -> None:
    case = accepted()
    await _accept(ledger, case)
    await ledger.progress([gated(case, Role.AUTHZ, epoch=1)[0].progress(dispatched=False)])
    again = gated(case, Role.AUTHZ, Role.INSPECTION, epoch=2)[0]
    await ledger.progress([again.progress()])
    assert await _stages(ledger) == ["ingress", "authz", "authz", "inspection"]
    assert [entry.entry.epoch async for entry in ledger.entries()] == [1, 1, 2, 2]
    assert (await ledger.request(again.request_id)).stamps == again.stamps


async def test_an_ending_keeps_outcome_chain_and_response(ledger: Ledger) -> None:
    case = accepted()
    await _accept(ledger, case)
    done = delivered(case)[0]
    assert await ledger.end([done.ending()]) == [True]
    record = await ledger.request(done.request_id)
    assert (record.outcome, record.code, record.ended) == (Outcome.DELIVERED, "", NOW + 900)
    assert record.stamps == done.stamps
    assert bytes(record.response) == bytes(RESPONSE)
    assert await _stages(ledger) == ["ingress", "authz", "inspection", "dlp", "outcome"]
    kinds = Counter([entry.entry.kind async for entry in ledger.entries()])
    assert kinds == {EntryKind.DECISION: 4, EntryKind.OUTCOME: 1}


async def test_an_absent_response_comes_back_as_the_absent_one(ledger: Ledger) -> None:
    case = accepted()
    await _accept(ledger, case)
    await ledger.end([ended(case, Outcome.DENIED, "forbidden")[0].ending()])
    record = await ledger.request(case[0].request_id)
    assert record.response is NOTHING
    assert (record.outcome, record.code) == (Outcome.DENIED, "forbidden")


async def test_the_first_ending_wins_and_a_loser_leaves_only_its_gates_in_the_log(ledger: Ledger) -> None:
    case = accepted()
    await _accept(ledger, case)
    expired, late = ended(case, Outcome.EXPIRED)[0], delivered(case)[0]
    assert await ledger.end([expired.ending()]) == [True]
    assert await ledger.end([late.ending()]) == [False]
    assert await ledger.end([late.ending()]) == [False]
    record = await ledger.request(expired.request_id)
    assert (record.outcome, record.stamps) == (Outcome.EXPIRED, expired.stamps)
    assert await _stages(ledger) == ["ingress", "outcome", "authz", "inspection", "dlp"]


async def test_the_first_ending_wins_within_a_batch(ledger: Ledger) -> None:
    case = accepted()
    await _accept(ledger, case)
    first, second = delivered(case)[0], ended(case, Outcome.EXPIRED)[0]
    assert await ledger.end([first.ending(), second.ending(), first.ending()]) == [True, False, False]
    assert (await ledger.request(first.request_id)).outcome is Outcome.DELIVERED
    assert await _stages(ledger) == ["ingress", "authz", "inspection", "dlp", "outcome"]


async def test_progress_that_comes_after_the_end_is_audited_and_changes_nothing(ledger: Ledger) -> None:
    case = accepted()
    await _accept(ledger, case)
    end = ended(case, Outcome.EXPIRED)[0]
    await ledger.end([end.ending()])
    before = await ledger.request(end.request_id)
    late = gated(case, Role.AUTHZ, Role.INSPECTION)[0]
    await ledger.progress([late.progress()])
    await ledger.progress([late.progress()])
    assert await ledger.request(end.request_id) == before
    assert await _stages(ledger) == ["ingress", "outcome", "authz", "inspection"]


async def test_the_end_after_progress_audits_what_is_new(ledger: Ledger) -> None:
    case = accepted()
    await _accept(ledger, case)
    passed = gated(case, Role.AUTHZ, Role.INSPECTION)
    await ledger.progress([passed[0].progress()])
    done = ended(gated(passed, Role.DLP))[0]
    assert await ledger.end([done.ending()]) == [True]
    assert await _stages(ledger) == ["ingress", "authz", "inspection", "dlp", "outcome"]
    assert (await ledger.request(done.request_id)).stamps == done.stamps


async def test_unknown_requests_end_nothing_and_are_not_audited(ledger: Ledger) -> None:
    known, unknown = accepted(2)
    await _accept(ledger, [known])
    await ledger.progress([gated([unknown], Role.AUTHZ)[0].progress()])
    results = await ledger.end([delivered([unknown])[0].ending(), delivered([known])[0].ending()])
    assert results == [False, True]
    about = [entry.entry.request_id async for entry in ledger.entries()]
    assert set(about) == {known.request_id}


async def test_a_mixed_batch_is_one_checkpoint(ledger: Ledger) -> None:
    cases = accepted(50)
    await _accept(ledger, cases)
    await ledger.end([case.ending() for case in delivered(cases)])
    found = await ledger.verify()
    assert found.intact
    assert (found.entries, found.checkpoints) == (250, 2)


@pytest.mark.parametrize("fault", ["too few entries", "another request's", "another statement", "no outcome"])
async def test_entries_that_are_not_the_chains_refuse_the_whole_batch(ledger: Ledger, fault: str) -> None:
    cases = accepted(2)
    await _accept(ledger, cases)
    good, bad = (case.ending() for case in delivered(cases))
    broken = {
        "too few entries": replace(bad, entries=bad.entries[1:]),
        "another request's": replace(bad, entries=good.entries),
        "another statement": replace(bad, entries=(bad.entries[1], *bad.entries[1:])),
        "no outcome": replace(bad, entries=bad.entries[:-1], stamps=bad.stamps[:-1]),
    }[fault]
    with pytest.raises(MalformedError):
        await ledger.end([good, broken])
    assert (await ledger.request(good.request_id)).outcome is None
    assert await _stages(ledger) == ["ingress", "ingress"]


async def test_incidents_are_audited(ledger: Ledger) -> None:
    case = stamped(accepted(), Role.AUTHZ)[0]
    statement = read_statement(case.stamps[1].statement)
    await ledger.incidents([incident_entry(statement, case.stamps[1])])
    [entry] = [entry.entry async for entry in ledger.entries()]
    assert (entry.kind, entry.stage, entry.decision) == (EntryKind.INCIDENT, "authz", str(Decision.ALLOW))


async def test_nothing_ends_without_an_audit_key(ledger: Ledger, reopen: Reopen) -> None:
    case = accepted()
    await _accept(ledger, case)
    reader = await reopen(audit_signer=None)
    with pytest.raises(ConfigurationError):
        await reader.end([delivered(case)[0].ending()])
    with pytest.raises(ConfigurationError):
        await reader.progress([gated(case, Role.AUTHZ)[0].progress()])
    with pytest.raises(ConfigurationError):
        await reader.incidents([])
    assert (await ledger.request(case[0].request_id)).outcome is None


async def test_empty_batches_are_nothing(ledger: Ledger) -> None:
    assert await ledger.end([]) == []
    await ledger.progress([])
    assert (await ledger.verify()).entries == 0


async def test_every_gate_may_end_a_request(ledger: Ledger) -> None:
    cases = [accepted(first=n)[0] for n in range(4)]
    await _accept(ledger, cases)
    ends = [ended(gated([case], *GATES[:n]), Outcome.BLOCKED, "rule")[0] for n, case in enumerate(cases)]
    assert await ledger.end([end.ending() for end in ends]) == [True] * 4
    assert [len((await ledger.request(end.request_id)).stamps) for end in ends] == [2, 3, 4, 5]


async def test_only_what_came_over_the_broker_is_announced(ledger: Ledger) -> None:
    silent, loud = accepted(), accepted(2, client="bank", door=Door.BROKER)
    await _accept(ledger, [*silent, *loud])
    assert await ledger.unannounced(10) == []
    first, second = ended(loud[1:], Outcome.FAILED)[0], delivered(loud[:1])[0]
    await ledger.end([first.ending(NOW + 1), second.ending(NOW + 2), delivered(silent)[0].ending()])
    assert [record.request_id for record in await ledger.unannounced(10)] == [first.request_id, second.request_id]
    assert len(await ledger.unannounced(1)) == 1
    await ledger.announced([first.request_id, "nobody"])
    await ledger.announced([])
    assert [record.request_id for record in await ledger.unannounced(10)] == [second.request_id]
