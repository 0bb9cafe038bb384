"""What the sweeper sees: overdue and stalled requests, and that only one sweeper holds the lease."""

from __future__ import annotations

from collections.abc import Sequence

from ledger_crafting import NOW, Case, Reopen, accepted, delivered, gated

from lockgate_ledger.ledger import Ledger
from lockgate_ledger.records import RequestRecord
from lockgate_schemas.names import Role


def _ids(records: Sequence[RequestRecord]) -> list[str]:
    return [record.request_id for record in records]


async def _accept(ledger: Ledger, cases: Sequence[Case]) -> None:
    await ledger.accept([case.new() for case in cases], open_limit=1000)


async def test_overdue_requests_come_oldest_first_and_only_while_open(ledger: Ledger) -> None:
    late = accepted(deadline=NOW + 30) + accepted(first=1, deadline=NOW + 10) + accepted(first=2, deadline=NOW + 20)
    await _accept(ledger, late)
    assert await ledger.overdue(NOW + 9, 10) == []
    assert _ids(await ledger.overdue(NOW + 10, 10)) == [late[1].request_id]
    assert _ids(await ledger.overdue(NOW + 99, 10)) == [late[1].request_id, late[2].request_id, late[0].request_id]
    assert _ids(await ledger.overdue(NOW + 99, 2)) == [late[1].request_id, late[2].request_id]
    await ledger.end([delivered(late[1:2])[0].ending()])
    assert _ids(await ledger.overdue(NOW + 99, 10)) == [late[2].request_id, late[0].request_id]


async def test_stalled_goes_by_whether_it_was_dispatched(ledger: Ledger) -> None:
    waiting, working, done = accepted(3)
    await _accept(ledger, [waiting, working, done])
    passed = gated([working, done], Role.AUTHZ, Role.INSPECTION)
    await ledger.progress([case.progress() for case in passed])  # progressed at NOW + 500
    await ledger.end([delivered([done])[0].ending()])

    async def stalled(accepted_before: int, dispatched_before: int, most: int = 10) -> list[str]:
        found = await ledger.stalled(accepted_before=accepted_before, dispatched_before=dispatched_before, most=most)
        return _ids(found)

    assert await stalled(NOW, NOW + 500) == []
    assert await stalled(NOW + 1, NOW + 500) == [waiting.request_id]
    assert await stalled(NOW, NOW + 501) == [working.request_id]
    assert await stalled(NOW + 1000, NOW + 1000) == [waiting.request_id, working.request_id]
    assert await stalled(NOW + 1000, NOW + 1000, most=1) == [waiting.request_id]
    assert await stalled(NOW + 1000, NOW + 1000, most=0) == []


async def test_a_request_that_was_sent_again_is_not_stalled_and_is_counted(ledger: Ledger) -> None:
    cases = accepted(2)
    await _accept(ledger, cases)
    await ledger.resent([cases[0].request_id, "nobody"], NOW + 700)
    await ledger.resent([], NOW + 900)
    found = await ledger.stalled(accepted_before=NOW + 700, dispatched_before=0, most=10)
    assert _ids(found) == [cases[1].request_id]
    record = await ledger.request(cases[0].request_id)
    assert (record.sends, record.progressed, record.dispatched) == (2, NOW + 700, False)


async def test_one_holder_at_a_time_has_the_lease(ledger: Ledger, reopen: Reopen) -> None:
    other = await reopen()
    assert await ledger.lease("sweep", "one", now=NOW, until=NOW + 100)
    assert not await other.lease("sweep", "two", now=NOW + 99, until=NOW + 199)
    assert await ledger.lease("sweep", "one", now=NOW + 50, until=NOW + 150)
    assert not await other.lease("sweep", "two", now=NOW + 149, until=NOW + 249)
    assert await other.lease("sweep", "two", now=NOW + 150, until=NOW + 250)
    assert not await ledger.lease("sweep", "one", now=NOW + 151, until=NOW + 251)
    assert await ledger.lease("other", "one", now=NOW, until=NOW + 1)


async def test_the_newest_requests_can_be_narrowed_down(ledger: Ledger) -> None:
    cases = accepted(3) + accepted(2, client="bank", agent="clerk")
    await _accept(ledger, cases)
    end = delivered(cases[:1])[0].ending()
    await ledger.end([end])
    newest = [case.request_id for case in reversed(cases)]
    assert _ids(await ledger.requests(limit=10)) == newest
    assert _ids(await ledger.requests(limit=2)) == newest[:2]
    assert _ids(await ledger.requests(limit=10, client="bank")) == newest[:2]
    assert _ids(await ledger.requests(limit=10, agent="writer", client="bank")) == []
    assert _ids(await ledger.requests(limit=10, agent="writer")) == newest[2:]
    assert _ids(await ledger.requests(limit=10, outcome=end.outcome)) == newest[-1:]
