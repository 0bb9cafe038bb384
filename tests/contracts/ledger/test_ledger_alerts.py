"""What counting promises: each gate's decision once, whatever is redelivered, in whatever order, by however many writers; one alert a window and subject."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from ledger_crafting import NOW, Case, Reopen, accepted, blocked, delivered, ended, gated, stamped

from lockgate_ledger.alert_records import DAY, DeliveryState, Retention, Tried
from lockgate_ledger.ledger import Ledger
from lockgate_schemas.audit import EntryKind
from lockgate_schemas.content import content_digest
from lockgate_schemas.errors import ConfigurationError, InvalidRequestError, NotFoundError
from lockgate_schemas.names import Role
from lockgate_schemas.passage import Decision, FindingSummary, Outcome

MINUTE = 60_000
THREE = "alerts:\n- {name: three, on: dlp-block, count: 3, window: 60, to: [pager]}\n"


async def _accept(ledger: Ledger, cases: Sequence[Case]) -> list[Case]:
    await ledger.accept([case.new() for case in cases], open_limit=1000)
    return list(cases)


async def _block(ledger: Ledger, *times: int, user: str = "alice", client: str = "shop") -> list[Case]:
    """Requests of one user whose answers were blocked at these times, recorded in this order."""
    first = len([entry async for entry in ledger.entries()])
    found = []
    for number, at in enumerate(times):
        case = blocked(await _accept(ledger, accepted(first=first + number, user=user, client=client)), at=at)[0]
        assert await ledger.end([case.ending()]) == [True]
        found.append(case)
    return found


async def _policy(ledger: Ledger, text: str) -> None:
    await ledger.apply_content(text, content_digest(text), NOW)


async def _alerts(ledger: Ledger) -> list[tuple[str, str, int, int]]:
    """Name, subject, count and repeats, oldest first."""
    return [(a.name, a.subject, a.count, a.repeats) for a in reversed(await ledger.alerts.newest(100))]


async def _audited(ledger: Ledger) -> list[tuple[str, str, str]]:
    entries = [logged.entry async for logged in ledger.entries()]
    return [(e.decision, e.rule, e.code) for e in entries if e.kind is EntryKind.ALERT]


async def test_the_shipped_alert_needs_five_blocks_of_one_user_within_five_minutes(ledger: Ledger) -> None:
    cases = await _block(ledger, *range(NOW, NOW + 4 * MINUTE, MINUTE))
    assert await _alerts(ledger) == []
    cases += await _block(ledger, NOW + 4 * MINUTE)
    [alert] = await ledger.alerts.newest(10)
    assert (alert.name, alert.kind, alert.tenant, alert.user, alert.agent) == ("dlp-blocks", "dlp-block", "acme", "alice", "")
    assert (alert.count, alert.since, alert.at, alert.window) == (5, NOW, NOW + 4 * MINUTE, 300)
    assert alert.evidence.rules == {"aws-key": 5}
    assert set(alert.evidence.requests) == {case.request_id for case in cases}
    assert (await ledger.verify()).intact
    assert await _audited(ledger) == [("raise", "dlp-blocks", "1")]


async def test_blocks_that_a_window_does_not_span_raise_nothing(ledger: Ledger) -> None:
    await _policy(ledger, THREE)
    await _block(ledger, NOW, NOW + MINUTE // 2, NOW + MINUTE)
    assert await _alerts(ledger) == []
    await _block(ledger, NOW + MINUTE + 1)
    assert await _alerts(ledger) == [("three", "user:acme/alice", 3, 0)]


async def test_each_user_is_counted_for_himself(ledger: Ledger) -> None:
    await _policy(ledger, THREE)
    await _block(ledger, NOW, NOW + 1)
    await _block(ledger, NOW + 2, NOW + 3, user="bob", client="desk")
    assert await _alerts(ledger) == []
    await _block(ledger, NOW + 4, user="bob", client="desk")
    assert await _alerts(ledger) == [("three", "user:acme/bob", 3, 0)]


async def test_one_alert_a_window_then_the_next(ledger: Ledger) -> None:
    await _policy(ledger, THREE)
    await _block(ledger, *range(NOW, NOW + 7))
    assert await _alerts(ledger) == [("three", "user:acme/alice", 3, 4)]
    later = NOW + 2 + MINUTE
    await _block(ledger, later, later + 1)
    assert await _alerts(ledger) == [("three", "user:acme/alice", 3, 4), ("three", "user:acme/alice", 3, 1)]


async def test_a_redelivered_ending_is_not_counted_again(ledger: Ledger) -> None:
    await _policy(ledger, THREE)
    cases = await _block(ledger, NOW, NOW + 1)
    for _ in range(3):
        assert await ledger.end([case.ending() for case in cases]) == [False, False]
    assert await _alerts(ledger) == []


async def test_a_gate_that_decided_again_is_counted_once(ledger: Ledger) -> None:
    await _policy(ledger, THREE)
    first = await _accept(ledger, accepted(2))
    for epoch in (2, 3):
        await ledger.end([case.ending() for case in blocked(first, epoch=epoch, at=NOW + epoch)])
    assert len(await ledger.search(limit=10, stage="dlp")) == 4, "both decisions were audited"
    assert await _alerts(ledger) == []


async def test_the_order_of_recording_does_not_matter(ledger: Ledger) -> None:
    await _policy(ledger, THREE)
    await _block(ledger, NOW + 50_000, NOW, NOW + 70_000)
    assert await _alerts(ledger) == []
    await _block(ledger, NOW + 55_000)
    [alert] = await ledger.alerts.newest(10)
    assert (alert.since, alert.at, alert.count) == (NOW, NOW + 55_000, 3)


async def test_what_is_recorded_late_raises_no_second_alert_in_the_same_window(ledger: Ledger) -> None:
    await _policy(ledger, THREE)
    await _block(ledger, *(NOW + at for at in (70_000, 80_000, 90_000)))
    await _block(ledger, NOW + 20_000, NOW + 25_000)  # three with the first of those, which end 20 seconds before the alert
    assert [(one.since, one.at) for one in await ledger.alerts.newest(10)] == [(NOW + 70_000, NOW + 90_000)]
    await _block(ledger, NOW + 26_000)
    [late, alert] = await ledger.alerts.newest(10)
    assert (late.since, late.at, alert.repeats) == (NOW + 20_000, NOW + 26_000, 1)


async def test_a_batch_is_counted_like_its_parts(ledger: Ledger) -> None:
    await _policy(ledger, THREE)
    cases = await _accept(ledger, accepted(8))
    assert all(await ledger.end([case.ending() for case in blocked(cases)]))
    [alert] = await ledger.alerts.newest(10)
    assert alert.count + alert.repeats == 8


async def test_the_decision_of_a_loser_counts(ledger: Ledger) -> None:
    """The answer was blocked, only too late: the user tried all the same."""
    await _policy(ledger, THREE.replace("count: 3", "count: 1"))
    cases = await _accept(ledger, accepted())
    await ledger.end([ended(cases, Outcome.EXPIRED)[0].ending()])
    assert await ledger.end([blocked(cases)[0].ending()]) == [False]
    assert len(await _alerts(ledger)) == 1


async def test_flags_on_the_way_in_count_once_whether_reported_before_the_end_or_with_it(ledger: Ledger) -> None:
    await _policy(ledger, "alerts:\n- {name: agent, on: rule-trigger, count: 3, window: 60}\n")
    cases = stamped(await _accept(ledger, accepted(3)), Role.AUTHZ)
    cases = stamped(cases, Role.INSPECTION, decision=Decision.FLAG, rule="override")
    await ledger.progress([case.progress() for case in cases[:2]])
    await ledger.progress([case.progress() for case in cases[:2]])
    await ledger.end([case.ending() for case in ended(gated(cases[:2], Role.DLP))])
    assert await _alerts(ledger) == []
    await ledger.end([case.ending() for case in ended(gated(cases, Role.DLP))])
    assert await _alerts(ledger) == [("agent", "agent:writer", 3, 0)]
    assert (await ledger.alerts.newest(1))[0].evidence.rules == {"override": 3}


async def test_a_rule_that_asks_for_it_alerts_at_once(ledger: Ledger) -> None:
    cases = gated(await _accept(ledger, accepted()), Role.AUTHZ, Role.INSPECTION)
    found = (FindingSummary("canary", "high", "alert", 1), FindingSummary("other", "low", "flag", 2))
    await ledger.end([case.ending() for case in ended(stamped(cases, Role.DLP, findings=found))])
    [alert] = await ledger.alerts.newest(10)
    assert (alert.name, alert.subject, alert.evidence.rules) == ("rule:canary", "agent:writer", {"canary": 1, "other": 1})


async def test_what_nothing_counts_costs_no_row(ledger: Ledger) -> None:
    await ledger.end([case.ending() for case in delivered(await _accept(ledger, accepted(3)))])
    assert await ledger.alerts.forget(NOW * 2) == 0


async def test_occurrences_are_forgotten_when_no_window_reaches_them(ledger: Ledger) -> None:
    await _block(ledger, NOW)
    assert await ledger.alerts.forget(NOW + 3_600_000) == 0
    assert await ledger.alerts.forget(NOW + 25 * 3_600_000) == 2, "one for each alert that counted it"


async def _raised(ledger: Ledger, *, seen: Sequence[int] = (), sent: Sequence[int] = (), count: int = 4) -> None:
    """Test alerts, one each second from `NOW` on, of which some were acknowledged and some sent in the same second."""
    for number in range(1, count + 1):
        assert await ledger.alerts.raise_test("pager", NOW + number) == number
    await ledger.alerts.prepare(["pager"], NOW)
    for due in await ledger.alerts.take_due(NOW, until=NOW + MINUTE, most=count):
        if due.alert.number in sent:
            await ledger.alerts.settle([Tried(due.alert.number, "pager", DeliveryState.SENT)], NOW)
    for number in seen:
        await ledger.alerts.acknowledge(number, by="anna", note="", now=NOW + number)


async def _numbers(ledger: Ledger) -> list[int]:
    return sorted(alert.number for alert in await ledger.alerts.newest(100))


KEPT = Retention(seen=20 * DAY, unseen=40 * DAY)


async def test_alerts_go_when_they_are_old_and_their_entries_stay(ledger: Ledger) -> None:
    await _raised(ledger, seen=(1, 2), sent=(1, 2, 3, 4))
    audited = await _audited(ledger)
    assert await ledger.alerts.prune(NOW + 20 * DAY + 1, KEPT) == 0, "kept to the last millisecond"
    assert await ledger.alerts.prune(NOW + 20 * DAY + 2, KEPT) == 1
    assert await _numbers(ledger) == [2, 3, 4]
    assert await ledger.alerts.prune(NOW + 20 * DAY + 3, KEPT) == 1
    assert await ledger.alerts.prune(NOW + 40 * DAY + 3, KEPT) == 0, "what nobody has seen is kept longer"
    assert await ledger.alerts.prune(NOW + 40 * DAY + 4, KEPT) == 1
    assert await ledger.alerts.prune(NOW + 40 * DAY + 4, KEPT) == 0
    assert await _numbers(ledger) == [4]
    assert await ledger.alerts.alert(1) is None
    assert await _audited(ledger) == audited
    assert (await ledger.verify()).intact


async def test_the_newest_alert_stays_so_that_no_number_means_two(ledger: Ledger) -> None:
    await _raised(ledger, seen=(1, 2), sent=(1, 2), count=2)
    assert await ledger.alerts.prune(NOW + 1_000 * DAY, KEPT) == 1
    assert await _numbers(ledger) == [2]
    assert await ledger.alerts.raise_test("pager", NOW) == 3


async def test_an_alert_that_has_still_to_be_sent_stays(ledger: Ledger) -> None:
    await _raised(ledger, seen=(1, 2), sent=(2,), count=3)
    await ledger.alerts.raise_test("pager", NOW)
    assert await ledger.alerts.prune(NOW + 1_000 * DAY, KEPT) == 1
    assert await _numbers(ledger) == [1, 3, 4], "1 and 3 are due, 4 was not even routed"
    await ledger.alerts.settle([Tried(1, "pager", DeliveryState.FAILED, code="timeout")], NOW)
    assert await ledger.alerts.prune(NOW + 1_000 * DAY, KEPT) == 1
    assert await _numbers(ledger) == [3, 4]


async def test_no_setting_lets_an_alert_go_that_still_keeps_others_away(ledger: Ledger) -> None:
    await _policy(ledger, "alerts:\n- {name: week, on: dlp-block, count: 2, window: 604800}\n")
    await _block(ledger, NOW, NOW + 1)
    await ledger.alerts.acknowledge(1, by="anna", note="", now=NOW)
    await ledger.alerts.prepare([], NOW)
    await ledger.alerts.raise_test("pager", NOW)
    assert await ledger.alerts.prune(NOW + 8 * DAY, Retention(0, 0)) == 0
    await _block(ledger, NOW + 604_800_000, NOW + 604_800_000 - 1)
    assert await _alerts(ledger) == [("week", "user:acme/alice", 2, 2), ("test", "gateway:test", 1, 0)]
    assert await ledger.alerts.prune(NOW + 15 * DAY + 2, Retention(0, 0)) == 1


async def test_open_alerts_are_counted_by_kind(ledger: Ledger) -> None:
    assert await ledger.alerts.open_by_kind() == {}
    await _raised(ledger, seen=(1,), count=3)
    await _block(ledger, *range(NOW, NOW + 5))
    assert await ledger.alerts.open_by_kind() == {"test": 2, "dlp-block": 1}


async def test_an_unreadable_content_policy_leaves_the_shipped_alerts(ledger: Ledger) -> None:
    await _policy(ledger, "alerts: {")
    await _block(ledger, *range(NOW, NOW + 5))
    assert await _alerts(ledger) == [("dlp-blocks", "user:acme/alice", 5, 0)]


async def test_an_alert_applied_now_counts_from_now_on(ledger: Ledger, reopen: Reopen) -> None:
    other = await reopen()
    await _block(ledger, NOW)
    await _policy(other, THREE)
    await _block(ledger, NOW + 1, NOW + 2)
    assert await _alerts(ledger) == []
    await _block(ledger, NOW + 3)
    assert [name for name, *_ in await _alerts(ledger)] == ["three"]


async def test_several_writers_raise_one_alert_and_count_every_block(ledger: Ledger, reopen: Reopen) -> None:
    await _policy(ledger, THREE)
    writers = [await reopen() for _ in range(4)]
    cases = blocked(await _accept(ledger, accepted(40)))
    turns = [(writer, case) for case in cases for writer in writers]
    results = await asyncio.gather(*(writer.end([case.ending()]) for writer, case in turns))
    assert sum(won for (won,) in results) == 40
    [alert] = await ledger.alerts.newest(10)
    assert alert.count + alert.repeats == 40
    assert await _audited(ledger) == [("raise", "three", "1")]


# --- reports about the gateway itself -------------------------------------------------------------------------------


async def test_a_report_needs_no_audit_key_and_becomes_an_alert_when_it_is_looked_at(ledger: Ledger, reopen: Reopen) -> None:
    gate = await reopen(audit_signer=None)
    assert not await ledger.alerts.is_work(NOW)
    await gate.alerts.report_event("broken-pack", "dlp", "pack secrets does\nnot load")
    await gate.alerts.report_event("broken-pack", "dlp", "pack secrets does\nnot load")
    assert await ledger.alerts.is_work(NOW)
    await ledger.alerts.prepare([], NOW)
    [alert] = await ledger.alerts.newest(10)
    assert (alert.name, alert.subject, alert.count) == ("broken-pack", "gateway:dlp", 1)
    assert alert.evidence.detail == "pack secrets does not load"
    assert not await ledger.alerts.is_work(NOW)
    assert await _audited(ledger) == [("raise", "broken-pack", "1")]


async def test_a_report_that_nothing_counts_is_dropped(ledger: Ledger) -> None:
    await ledger.alerts.report_event("weather", "sky", "rain")
    await ledger.alerts.prepare([], NOW)
    assert await ledger.alerts.newest(10) == []
    assert not await ledger.alerts.is_work(NOW)


async def test_without_an_audit_key_nothing_is_raised_or_acknowledged(ledger: Ledger, reopen: Reopen) -> None:
    number = await ledger.alerts.raise_test("pager", NOW)
    gate = await reopen(audit_signer=None)
    with pytest.raises(ConfigurationError):
        await gate.alerts.prepare([], NOW)
    with pytest.raises(ConfigurationError):
        await gate.alerts.acknowledge(number, by="operator", note="", now=NOW)
    with pytest.raises(ConfigurationError):
        await gate.alerts.raise_test("pager", NOW)


# --- sending --------------------------------------------------------------------------------------------------------


async def _raise(ledger: Ledger, to: str = "pager") -> int:
    number = await ledger.alerts.raise_test(to, NOW)
    await ledger.alerts.prepare(["pager", "mail"], NOW)
    return number


async def test_an_alert_goes_to_whom_it_names_and_else_to_everybody(ledger: Ledger) -> None:
    await _policy(ledger, THREE + "- {name: two, on: dlp-block, count: 2, window: 60}\n")
    await _block(ledger, NOW, NOW + 1, NOW + 2)
    await ledger.alerts.prepare(["pager", "mail"], NOW)
    await ledger.alerts.prepare(["pager", "mail"], NOW)
    sent = {(due.alert.name, due.destination, due.attempt) for due in await ledger.alerts.take_due(NOW, until=NOW + 1, most=10)}
    assert sent == {("three", "pager", 1), ("two", "pager", 1), ("two", "mail", 1)}


async def test_a_destination_nobody_configured_is_a_failure_one_can_see(ledger: Ledger) -> None:
    number = await _raise(ledger, to="nowhere")
    assert await ledger.alerts.take_due(NOW, until=NOW + 1, most=10) == []
    [delivery] = (await ledger.alerts.alert(number)).deliveries
    assert (delivery.state, delivery.code, delivery.due) == (DeliveryState.FAILED, "unknown-destination", 0)


async def test_what_was_taken_comes_again_only_when_nobody_said_what_became_of_it(ledger: Ledger) -> None:
    number = await _raise(ledger)
    assert [due.attempt for due in await ledger.alerts.take_due(NOW, until=NOW + 10, most=10)] == [1]
    assert await ledger.alerts.take_due(NOW + 9, until=NOW + 20, most=10) == []
    assert [due.attempt for due in await ledger.alerts.take_due(NOW + 10, until=NOW + 20, most=10)] == [2]
    await ledger.alerts.settle([Tried(number, "pager", DeliveryState.SENT)], NOW + 11)
    await ledger.alerts.settle([Tried(number, "pager", DeliveryState.PENDING, due=NOW, code="status-500")], NOW + 12)
    assert await ledger.alerts.take_due(NOW + 1_000, until=NOW + 2_000, most=10) == [], "sent stays sent"
    assert not await ledger.alerts.is_work(NOW + 1_000)


async def test_a_retry_and_a_giving_up_are_noted(ledger: Ledger) -> None:
    number = await _raise(ledger)
    await ledger.alerts.take_due(NOW, until=NOW + 10, most=10)
    await ledger.alerts.settle([Tried(number, "pager", DeliveryState.PENDING, due=NOW + 50, code="status-500")], NOW)
    assert await ledger.alerts.take_due(NOW + 49, until=NOW + 60, most=10) == []
    assert not await ledger.alerts.is_work(NOW + 49)
    assert await ledger.alerts.is_work(NOW + 50)
    [due] = await ledger.alerts.take_due(NOW + 50, until=NOW + 60, most=10)
    await ledger.alerts.settle([Tried(number, "pager", DeliveryState.FAILED, code="status-500")], NOW + 51)
    [delivery] = (await ledger.alerts.alert(number)).deliveries
    assert (due.attempt, delivery.state, delivery.attempts, delivery.code) == (2, DeliveryState.FAILED, 2, "status-500")
    assert not await ledger.alerts.is_work(NOW * 2)


async def test_two_senders_take_no_delivery_twice(ledger: Ledger, reopen: Reopen) -> None:
    for _ in range(10):
        await _raise(ledger)
    senders = [await reopen() for _ in range(3)]
    taken = await asyncio.gather(*(sender.alerts.take_due(NOW, until=NOW + 10, most=4) for sender in senders for _ in range(2)))
    numbers = [due.alert.number for part in taken for due in part]
    assert sorted(numbers) == list(range(1, 11))


# --- the operator's side --------------------------------------------------------------------------------------------


async def test_the_first_who_acknowledges_is_kept_and_audited(ledger: Ledger) -> None:
    first, second = await _raise(ledger), await _raise(ledger)
    await ledger.alerts.acknowledge(first, by="operator", note="looking\x1b[2J", now=NOW + 5)
    await ledger.alerts.acknowledge(first, by="another", note="late", now=NOW + 6)
    seen = await ledger.alerts.alert(first)
    assert (seen.acknowledged, seen.acknowledged_by, seen.note) == (NOW + 5, "operator", "looking [2J")
    assert [a.number for a in await ledger.alerts.newest(10, open_only=True)] == [second]
    assert [a.number for a in await ledger.alerts.newest(1)] == [second]
    assert [decision for decision, *_ in await _audited(ledger)] == ["raise", "raise", "acknowledge"]
    assert [e.entry.rule for e in await ledger.search(limit=10, kind="alert", decision="acknowledge")] == ["test"]


async def test_an_alert_that_is_not_there_and_a_note_that_is_too_long(ledger: Ledger) -> None:
    with pytest.raises(NotFoundError):
        await ledger.alerts.acknowledge(7, by="operator", note="", now=NOW)
    assert await ledger.alerts.alert(7) is None
    number = await _raise(ledger)
    with pytest.raises(InvalidRequestError):
        await ledger.alerts.acknowledge(number, by="operator", note="x" * 501, now=NOW)
    assert not (await ledger.alerts.alert(number)).acknowledged


async def test_nothing_of_a_failed_batch_is_counted(ledger: Ledger) -> None:
    await _policy(ledger, THREE.replace("count: 3", "count: 1"))
    good, bad = (case.ending() for case in blocked(await _accept(ledger, accepted(2))))
    with pytest.raises(Exception, match="one audit entry"):
        await ledger.end([good, replace(bad, entries=bad.entries[1:])])
    assert await _alerts(ledger) == []
    assert await ledger.end([good]) == [True]
    assert len(await _alerts(ledger)) == 1
