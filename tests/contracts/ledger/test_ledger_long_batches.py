"""Batches that are longer than the lists of one statement: no request is missed, and none is taken for another."""

from __future__ import annotations

from ledger_crafting import accepted, delivered

from lockgate_ledger.ledger import Ledger
from lockgate_ledger.records import Accepted, Conflict

_LONG = 300


async def test_a_batch_of_more_than_one_statements_length_goes_through_whole(ledger: Ledger) -> None:
    cases = accepted(_LONG, client="shop") + accepted(_LONG, client="bank")  # the same event ids, of two issuers
    first = await ledger.accept([case.new() for case in cases], open_limit=_LONG)
    assert first == [Accepted(case.new().acceptance) for case in cases]
    again = await ledger.accept([case.new() for case in reversed(cases)], open_limit=_LONG)
    assert again == [Accepted(case.new().acceptance, new=False) for case in reversed(cases)]
    endings = [case.ending() for case in delivered(cases)]
    assert await ledger.end(endings) == [True] * len(cases)
    assert await ledger.end(endings) == [False] * len(cases)
    newest = await ledger.requests(limit=2 * _LONG)
    assert [record.request_id for record in newest] == [case.request_id for case in reversed(cases)]
    assert (await ledger.verify()).intact


async def test_each_of_several_hundred_issuers_is_told_apart(ledger: Ledger) -> None:
    cases = [accepted(1, client=f"client-{n}")[0] for n in range(_LONG)]  # all of them with the same event id
    assert all(isinstance(r, Accepted) and r.new for r in await ledger.accept([c.new() for c in cases], open_limit=1))
    others = [accepted(1, client=f"client-{n}", size=300)[0] for n in range(_LONG)]
    assert await ledger.accept([case.new() for case in others], open_limit=1) == [Conflict()] * _LONG
