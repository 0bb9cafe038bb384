"""Reading requests back, for clients, the sweeper and the console. Each search is bounded and has an index for what it picks.

"Open" and "to announce" are partial indexes: they stay as small as what is open, however many requests have ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, bindparam, false, null, select, true, update
from sqlalchemy.sql.elements import ColumnElement

from lockgate_ledger.audit import lock_head
from lockgate_ledger.bulk import Bulk, Lookup
from lockgate_ledger.codec import read_acceptance, read_response, read_stamps
from lockgate_ledger.records import RequestRecord
from lockgate_ledger.tables import bodies, chains, open_requests, requests, to_announce
from lockgate_schemas.errors import LedgerError
from lockgate_schemas.passage import Outcome

# In the order in which `_record` takes them.
_whole = (
    select(
        requests.c.number,
        requests.c.request_id,
        requests.c.issuer,
        requests.c.tenant,
        requests.c.agent,
        requests.c.action,
        requests.c.door,
        requests.c.accepted,
        requests.c.deadline,
        requests.c.progressed,
        requests.c.dispatched,
        requests.c.sends,
        bodies.c.envelope,
        bodies.c.acceptance,
        chains.c.stamps,
        requests.c.outcome,
        requests.c.code,
        requests.c.ended,
        chains.c.response,
    )
    .join(bodies, bodies.c.number == requests.c.number)
    .outerjoin(chains, chains.c.number == requests.c.number)
)
_by_ids = Lookup(_whole.where(requests.c.request_id.in_(bindparam("request_ids", expanding=True))), "request_ids")
_by_numbers = Lookup(_whole.where(requests.c.number.in_(bindparam("numbers", expanding=True))), "numbers")
# What was announced before is not written again: a transaction that changes nothing is not flushed either.
_set_announced = Bulk(
    update(requests).where(requests.c.request_id == bindparam("b_request_id"), to_announce).values(unannounced=null()),
    "b_request_id",
)


def by_ids(connection: Connection, request_ids: Sequence[str]) -> dict[str, RequestRecord]:
    """Those of these requests that exist, by their ids."""
    found = (_record(row) for row in _by_ids.run(connection, request_ids))
    return {record.request_id: record for record in found}


def newest(connection: Connection, *, limit: int, client: str, agent: str, outcome: Outcome | None) -> list[RequestRecord]:
    """The newest requests, of those that are asked for."""
    wanted: list[ColumnElement[bool]] = []
    if client:
        wanted.append(requests.c.issuer == client)
    if agent:
        wanted.append(requests.c.agent == agent)
    if outcome is not None:
        wanted.append(requests.c.outcome == str(outcome))
    return _records(connection, _numbers(*wanted).order_by(requests.c.number.desc()), limit)


def overdue(connection: Connection, now: int, most: int) -> list[RequestRecord]:
    """Open requests whose deadline has passed, oldest first."""
    chosen = _numbers(open_requests, requests.c.deadline <= now).order_by(requests.c.deadline)
    return _records(connection, chosen, most)


def stalled(connection: Connection, *, accepted_before: int, dispatched_before: int, most: int) -> list[RequestRecord]:
    """Open requests that nothing was heard of for too long, the longest silent first."""
    found = []
    for dispatched, before in ((false(), accepted_before), (true(), dispatched_before)):
        silent = _numbers(open_requests, requests.c.dispatched.is_(dispatched), requests.c.progressed < before)
        found += _records(connection, silent.order_by(requests.c.progressed), most)
    return sorted(found, key=lambda record: record.progressed)[: max(most, 0)]


def unannounced(connection: Connection, most: int) -> list[RequestRecord]:
    """Ended requests whose outcome has yet to be sent, oldest first."""
    return _records(connection, _numbers(to_announce).order_by(requests.c.unannounced), most)


def mark_resent(connection: Connection, request_ids: Sequence[str], now: int) -> None:
    """Start the clock of these anew, and count them as sent once more."""
    lock_head(connection)
    chosen = update(requests).where(requests.c.request_id.in_(request_ids))
    connection.execute(chosen.values(progressed=now, sends=requests.c.sends + 1))


def mark_announced(connection: Connection, request_ids: Sequence[str]) -> None:
    """These outcomes were sent."""
    lock_head(connection)
    _set_announced.run(connection, [(request_id,) for request_id in request_ids])


def _numbers(*wanted: ColumnElement[bool]) -> Select[int]:
    return select(requests.c.number).where(*wanted)


def _records(connection: Connection, chosen: Select[int], limit: int) -> list[RequestRecord]:
    """The requests of these numbers, in their order. The numbers come first, so that nothing large is read in order to be sorted away."""
    numbers = connection.execute(chosen.limit(max(limit, 0))).scalars().all()
    records = {row[0]: _record(row) for row in _by_numbers.run(connection, numbers)}
    return [records[number] for number in numbers]


def _record(row: Sequence[Any]) -> RequestRecord:
    _, request_id, client, tenant, agent, action, door, *times, dispatched, sends, envelope, raw, stamps = row[:15]
    outcome, code, ended, response = row[15:]
    accepted, deadline, progressed = times
    acceptance = read_acceptance(raw)
    return RequestRecord(
        request_id=request_id,
        client=client,
        tenant=tenant,
        agent=agent,
        action=action,
        door=door,
        accepted=accepted,
        deadline=deadline,
        progressed=progressed,
        dispatched=bool(dispatched),
        sends=sends,
        envelope=envelope,
        acceptance=acceptance,
        stamps=(acceptance.stamp,) if stamps is None else read_stamps(stamps),
        outcome=_outcome(outcome),
        code=code,
        ended=ended,
        response=read_response(response),
    )


def _outcome(word: str | None) -> Outcome | None:
    try:
        return None if word is None else Outcome(word)
    except ValueError:
        raise LedgerError("a record of the ledger does not parse") from None
