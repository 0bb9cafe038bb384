"""Accepting requests: the one transaction behind every 202.

It decides what is new, what is a repetition, what is a conflict and what is too much. Whether an envelope may be accepted at all was decided before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ARRAY, Connection, Text, and_, bindparam, func, insert, select, update

from lockgate_ledger.audit import AuditWriter, lock_head
from lockgate_ledger.bulk import Bulk, Lookup
from lockgate_ledger.codec import read_acceptance, write_acceptance
from lockgate_ledger.records import Accepted, AcceptResult, Conflict, NewRequest, Overloaded
from lockgate_ledger.statements import check_entries, digest
from lockgate_ledger.tables import bodies, loads, requests
from lockgate_schemas.merkle import Frontier
from lockgate_schemas.passage import Acceptance

Known = dict[tuple[str, str], tuple[str, Acceptance]]
"""By issuer and event id: the digest that was accepted, and its acceptance."""

_known = Lookup(
    select(requests.c.issuer, requests.c.event_id, requests.c.digest, bodies.c.acceptance)
    .join(bodies, bodies.c.number == requests.c.number)
    .where(requests.c.event_id.in_(bindparam("events", expanding=True)))
    .where(requests.c.issuer.in_(bindparam("issuers", expanding=True))),
    "events",
    "issuers",
)
_wanted = func.unnest(bindparam("events", type_=ARRAY(Text)), bindparam("issuers", type_=ARRAY(Text)))
_pairs = _wanted.table_valued("event_id", "issuer", name="wanted").render_derived()
_known_pairs = (
    select(requests.c.issuer, requests.c.event_id, requests.c.digest, bodies.c.acceptance)
    .join(bodies, bodies.c.number == requests.c.number)
    .join(_pairs, and_(requests.c.event_id == _pairs.c.event_id, requests.c.issuer == _pairs.c.issuer))
)
_loads = Lookup(select(loads.c.issuer, loads.c.open).where(loads.c.issuer.in_(bindparam("issuers", expanding=True))), "issuers")
_insert_requests = Bulk(
    insert(requests),
    "number",
    "request_id",
    "issuer",
    "event_id",
    "digest",
    "tenant",
    "agent",
    "action",
    "door",
    "accepted",
    "deadline",
    "progressed",
    "dispatched",
    "sends",
    "audited",
    "code",
    "ended",
)
_insert_bodies = Bulk(insert(bodies), "number", "acceptance", "envelope")
_insert_loads = Bulk(insert(loads), "issuer", "open")
_add_to_loads = Bulk(
    update(loads).where(loads.c.issuer == bindparam("b_issuer")).values(open=loads.c.open + bindparam("b_more")),
    "b_more",
    "b_issuer",
)


def accept(connection: Connection, log: AuditWriter, batch: Sequence[NewRequest], open_limit: int) -> list[AcceptResult]:
    """Record what is new of ``batch`` and audit it; return one result each, in order.

    1. The head is locked, so nobody accepts between our look and our write.
    2. What is known, from before or from earlier in the batch, is repeated or is a conflict; a repetition never counts as load.
    3. Of the rest, each client gets as many as it may have open.
    4. Audit entries, requests and bodies are written; a request's number is its entry's place in the log.
    """
    if not batch:
        return []
    head = lock_head(connection)
    known = _find_known(connection, batch)
    stored = _find_loads(connection, {request.issuer for request in batch})
    new: list[NewRequest] = []
    added: Counter[str] = Counter()
    results: list[AcceptResult] = []
    for request in batch:
        result = _decide(request, known, stored[request.issuer] + added[request.issuer], open_limit)
        results.append(result)
        if isinstance(result, Accepted) and result.new:
            new.append(request)
            added[request.issuer] += 1
            known[request.issuer, request.event_id] = (request.digest, request.acceptance)
    if new:
        _record(connection, log, new, head)
        _add_loads(connection, added, stored)
    return results


def release(connection: Connection, ended: Counter[str]) -> None:
    """Count requests as no longer open, by issuer."""
    _add_to_loads.run(connection, [(-count, issuer) for issuer, count in ended.items()])


def _decide(request: NewRequest, known: Known, load: int, open_limit: int) -> AcceptResult:
    before = known.get((request.issuer, request.event_id))
    if before is not None:
        digest_before, acceptance = before
        return Accepted(acceptance, new=False) if digest_before == request.digest else Conflict()
    if load >= open_limit:
        return Overloaded()
    return Accepted(request.acceptance)


def _find_known(connection: Connection, batch: Sequence[NewRequest]) -> Known:
    rows = _rows_of_pairs(connection, batch) if connection.dialect.name == "postgresql" else _rows_of_lists(connection, batch)
    return {(issuer, event_id): (digest_before, read_acceptance(raw)) for issuer, event_id, digest_before, raw in rows}


def _rows_of_lists(connection: Connection, batch: Sequence[NewRequest]) -> Sequence[Sequence[Any]]:
    # Pairs would be exact, but SQLite reads the whole table for a list of pairs. What comes back too many is not asked for.
    return _known.run(connection, list({r.event_id for r in batch}), list({r.issuer for r in batch}))


def _rows_of_pairs(connection: Connection, batch: Sequence[NewRequest]) -> Sequence[Sequence[Any]]:
    # With two lists PostgreSQL may go through all that a client ever sent, where it has no statistics yet or an average misleads it.
    pairs = {(r.event_id, r.issuer) for r in batch}
    wanted = {"events": [event_id for event_id, _ in pairs], "issuers": [issuer for _, issuer in pairs]}
    return connection.execute(_known_pairs, wanted).all()


def _find_loads(connection: Connection, issuers: set[str]) -> Counter[str]:
    return Counter({issuer: int(number) for issuer, number in _loads.run(connection, list(issuers))})


def _add_loads(connection: Connection, added: Counter[str], stored: Mapping[str, int]) -> None:
    _insert_loads.run(connection, [(issuer, 0) for issuer in added if issuer not in stored])
    _add_to_loads.run(connection, [(count, issuer) for issuer, count in added.items()])


def _record(connection: Connection, log: AuditWriter, new: Sequence[NewRequest], head: Frontier) -> None:
    for request in new:
        check_entries(request.request_id, (request.acceptance.stamp,), (request.entry,))
    first = log.append(connection, [request.entry for request in new], head=head)
    _insert_requests.run(connection, [_row(request, number) for number, request in enumerate(new, first)])
    rows = [(number, write_acceptance(request.acceptance), request.envelope) for number, request in enumerate(new, first)]
    _insert_bodies.run(connection, rows)


def _row(request: NewRequest, number: int) -> tuple[Any, ...]:
    return (
        number,
        request.request_id,
        request.issuer,
        request.event_id,
        request.digest,
        request.tenant,
        request.agent,
        request.action,
        str(request.door),
        request.accepted,
        request.deadline,
        request.accepted,
        False,
        1,
        digest(request.acceptance.stamp),
        "",
        0,
    )
