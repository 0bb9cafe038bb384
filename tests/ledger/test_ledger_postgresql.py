"""What only a PostgreSQL server can show: how it is opened and refused, what its connections are set to, and that no password is told."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from ledger_crafting import AUDIT_SIGNER, AUDIT_TRUST, NOW, Reopen, accepted, delivered
from postgresql_server import PASSWORD, PostgresqlServer
from sqlalchemy import Connection, event

from lockgate_ledger import acceptance, reading
from lockgate_ledger.ledger import Ledger, Opening, migrate
from lockgate_ledger.tables import metadata
from lockgate_schemas.audit import refusal_entry
from lockgate_schemas.errors import ConfigurationError, LedgerError, LockgateError, MalformedError
from lockgate_schemas.limits import Limits

REFUSAL = [refusal_entry(at=NOW, code="x")]


def open_at(url: str, *, create: bool = True) -> Opening:
    given = {"audit_signer": AUDIT_SIGNER, "audit_trust": AUDIT_TRUST, "clock": lambda: NOW}
    return Ledger.open(url, limits=Limits(ledger_timeout=15_000), create=create, **given)


async def refused(url: str, kind: type[LockgateError], caplog: pytest.LogCaptureFixture, **how: Any) -> str:
    """Opening must fail with this kind of error, and tell neither the url nor what stands in it."""
    with caplog.at_level(logging.DEBUG), pytest.raises(kind) as raised:
        await open_at(url, **how)
    assert raised.value.__context__ is None
    assert raised.value.__cause__ is None
    told = f"{raised.value!r} {raised.value} {caplog.text}"
    assert "hunter2" not in told
    assert "@" not in told
    return str(raised.value)


async def test_a_database_without_a_schema_is_not_opened(server_url, caplog):
    assert "lockgate up" in await refused(server_url, ConfigurationError, caplog, create=False)


async def test_several_may_migrate_at_once(server_url):
    await asyncio.gather(*(migrate(server_url, limits=Limits()) for _ in range(4)))
    async with open_at(server_url, create=False) as ledger:
        assert await ledger.epoch() == 1


async def test_the_migrations_build_what_the_tables_say(reopen_server: Reopen):
    ledger = await reopen_server(create=True)

    def compare(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return compare_metadata(context, metadata)

    assert await ledger._store.read(compare) == []


async def test_a_wrong_password_is_said_and_not_quoted(server_url, caplog):
    wrong = server_url.replace(PASSWORD, "hunter2-wrong")
    assert "refused the user" in await refused(wrong, LedgerError, caplog)


async def test_a_database_that_is_not_there_is_said(postgresql_server: PostgresqlServer, caplog):
    assert "no database" in await refused(postgresql_server.url("absent"), LedgerError, caplog)


async def test_a_server_that_is_not_there_is_an_error(tmp_path, caplog):
    await refused(f"postgresql://lockgate:{PASSWORD}@/x?host={tmp_path}", LedgerError, caplog)


@pytest.mark.parametrize("rest", ["h:port/x", "h/x?sslmode=nonsense", "h:1,h:2,h:x/x"])
async def test_a_url_that_the_driver_cannot_read_is_refused(rest, caplog):
    await refused(f"postgresql://lockgate:{PASSWORD}@{rest}", ConfigurationError, caplog)


async def test_of_several_servers_the_one_that_is_there_is_taken(server_url, tmp_path):
    async with open_at(server_url.replace("host=", f"host={tmp_path},")) as ledger:
        await ledger.refuse(REFUSAL)


async def test_a_database_in_another_encoding_is_refused(postgresql_server: PostgresqlServer, caplog):
    url = postgresql_server.new_database("ENCODING 'SQL_ASCII' TEMPLATE template0")
    assert "UTF-8" in await refused(url, ConfigurationError, caplog)


async def test_a_server_that_does_not_flush_is_refused(postgresql_server: PostgresqlServer, server_url, caplog):
    async def set_to(value: str) -> None:
        postgresql_server.psql("postgres", f"ALTER SYSTEM SET fsync = {value}")
        postgresql_server.psql("postgres", "SELECT pg_reload_conf()")
        async with asyncio.timeout(10):
            while postgresql_server.psql("postgres", "SHOW fsync").strip() != value:  # noqa: ASYNC110 - a server's state
                await asyncio.sleep(0.01)

    await set_to("off")
    try:
        assert "fsync" in await refused(server_url, ConfigurationError, caplog)
    finally:
        await set_to("on")
    async with open_at(server_url):
        pass


async def test_a_server_that_cannot_be_written_is_an_error(
    postgresql_server: PostgresqlServer, server_url, reopen_server: Reopen
):
    await reopen_server(create=True)
    name = server_url.split("@/")[1].partition("?")[0]
    postgresql_server.psql("postgres", f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    other = await reopen_server()
    with pytest.raises(LedgerError, match="read-only"):
        await other.refuse(REFUSAL)


async def test_connections_wait_no_longer_than_the_ledger_and_commit_to_the_disk(reopen_server: Reopen):
    ledger = await reopen_server(create=True, waits=3_000)

    def settings(connection: Connection) -> list[str]:
        names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "synchronous_commit")
        how = ("transaction_isolation", "transaction_read_only")
        return [connection.exec_driver_sql(f"SHOW {name}").scalar_one() for name in (*names, *how)]

    assert await ledger._store.write(settings) == ["2700ms", "3s", "3s", "on", "read committed", "off"]
    assert await ledger._store.read(settings) == ["2700ms", "3s", "3s", "on", "repeatable read", "on"]


@pytest.mark.parametrize(
    ("look", "index"),
    [
        (partial(reading.overdue, now=NOW, most=5), "ix_requests_open_deadline"),
        (partial(reading.stalled, accepted_before=NOW, dispatched_before=NOW, most=5), "ix_requests_open_progressed"),
        (partial(reading.unannounced, most=5), "ix_requests_unannounced"),
    ],
)
async def test_what_the_sweeper_asks_has_its_index(reopen_server: Reopen, look, index):
    ledger = await reopen_server(create=True)
    cases = accepted(200)
    await ledger.accept([case.new() for case in cases], open_limit=1000)
    await ledger.end([case.ending() for case in delivered(cases[:190])])

    def plans(connection: Connection) -> list[str]:
        asked = []
        event.listen(connection, "before_cursor_execute", lambda *given: asked.append(given[2:4]))
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        look(connection)
        first = [(text, values) for text, values in asked if "requests.number" in text and "JOIN" not in text]
        return ["\n".join(connection.exec_driver_sql(f"EXPLAIN {t}", values).scalars()) for t, values in first]

    found = await ledger._store.read(plans)
    assert found
    assert all(index in plan for plan in found), found


async def test_a_batch_finds_what_is_known_by_its_events_and_not_by_all_that_a_client_sent(reopen_server: Reopen):
    ledger = await reopen_server(create=True)
    for first in range(0, 3000, 500):
        await ledger.accept([case.new() for case in accepted(500, first=first)], open_limit=10**6)

    def plan(connection: Connection) -> str:
        asked = []
        event.listen(connection, "before_cursor_execute", lambda *given: asked.append(given[2:4]))
        for easier in ("seqscan", "hashjoin", "mergejoin"):  # which are right for a table as small as a test's
            connection.exec_driver_sql(f"SET LOCAL enable_{easier} = off")
        acceptance._find_known(connection, [case.new() for case in accepted(100, first=2950)])
        text, values = asked[-1]
        return "\n".join(connection.exec_driver_sql(f"EXPLAIN {text}", values).scalars())

    found = await ledger._store.read(plan)
    assert "uq_requests_event_id_issuer" in found, found
    assert "ix_requests_issuer" not in found


async def test_a_value_that_no_column_holds_is_not_quoted(reopen_server: Reopen):
    ledger = await reopen_server(create=True)
    for rule in ("secret\0", "secret\ud800"):
        with pytest.raises(MalformedError) as raised:
            await ledger.refuse([refusal_entry(at=NOW, code="x", rule=rule)])
        assert "secret" not in str(raised.value)
        assert raised.value.__context__ is None
    await ledger.refuse(REFUSAL)
    assert (await ledger.verify()).entries == 1


async def test_a_ledger_takes_few_connections(postgresql_server: PostgresqlServer, server_url, reopen_server: Reopen):
    ledger = await reopen_server(create=True)
    await asyncio.gather(*(ledger.refuse(REFUSAL) for _ in range(20)), *(ledger.search(limit=1) for _ in range(20)))
    name = server_url.split("@/")[1].partition("?")[0]
    connected = postgresql_server.psql("postgres", "SELECT datname FROM pg_stat_activity").split()
    assert 1 < connected.count(name) <= 3
    await ledger.close()
    with pytest.raises(LedgerError, match="closed"):
        await ledger.epoch()


async def test_a_write_whose_caller_gave_up_is_whole(reopen_server: Reopen):
    ledger = await reopen_server(create=True)
    batches = [accepted(20, first=n * 20) for n in range(10)]
    tasks = [asyncio.create_task(ledger.accept([c.new() for c in cases], open_limit=1000)) for cases in batches]
    await tasks[0]
    for task in tasks[1:]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await ledger.close()  # which lets what runs finish
    other = await reopen_server()
    found = [[await other.request(case.request_id) is not None for case in cases] for cases in batches]
    assert all(map(all, found))
    assert (await other.verify()).intact


async def test_neither_password_nor_statement_nor_value_is_told(reopen_server: Reopen, caplog):
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("sqlalchemy.engine").setLevel(logging.WARNING)  # whose purpose it is to show statements
        ledger = await reopen_server(create=True)
        one, two = (case.new() for case in accepted(2))
        await ledger.accept([one], open_limit=9)
        stolen = replace(two, request_id=one.request_id, entry=one.entry, acceptance=one.acceptance)
        with pytest.raises(LedgerError) as raised:
            await ledger.accept([stolen], open_limit=9)
    assert raised.value.__context__ is None
    told = f"{raised.value!r} {caplog.text} {ledger!r} {ledger._store!r} {vars(ledger._store)!r}"
    assert PASSWORD not in told
    assert one.envelope not in told
    assert "INSERT" not in told
