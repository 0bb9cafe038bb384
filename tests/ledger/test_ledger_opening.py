"""Opening: only a ledger that is there, has this release's schema, and is private to its owner; and what a closed one answers."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from ledger_crafting import AUDIT_SIGNER, AUDIT_TRUST, NOW, Reopen, accepted
from sqlalchemy import Connection, create_engine, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateIndex, CreateTable

import lockgate_ledger.migrations
from lockgate_ledger import acceptance, audit, outcomes
from lockgate_ledger.bulk import Bulk
from lockgate_ledger.ledger import Ledger, Opening, migrate
from lockgate_ledger.tables import SCHEMA, leases, metadata
from lockgate_schemas.audit import refusal_entry
from lockgate_schemas.errors import ConfigurationError, LedgerError
from lockgate_schemas.limits import Limits


def _open(url: str, *, create: bool = False) -> Opening:
    return Ledger.open(
        url, audit_signer=AUDIT_SIGNER, audit_trust=AUDIT_TRUST, clock=lambda: NOW, limits=Limits(), create=create
    )


def _put(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _is_there(path: Path) -> bool:
    return path.exists()


async def test_the_files_are_their_owners_alone(ledger: Ledger, path: Path) -> None:
    await ledger.refuse([refusal_entry(at=NOW, code="x")])
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == ["ledger.db", "ledger.db-shm", "ledger.db-wal"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


async def test_a_ledger_is_durable_and_shared(ledger: Ledger, path: Path) -> None:
    assert (await ledger.verify()).intact
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()

    def pragmas(connection: Connection) -> list[int]:
        names = ("synchronous", "foreign_keys", "busy_timeout")
        return [connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in names]

    assert await ledger._store.read(pragmas) == [2, 1, 30_000]
    assert await ledger._store.write(pragmas) == [2, 1, 30_000]


async def test_a_ledger_that_is_not_there_is_not_made_by_opening(path: Path) -> None:
    with pytest.raises(ConfigurationError, match="lockgate up"):
        async with _open(f"sqlite:///{path}"):
            pass
    assert not _is_there(path)


async def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="folder"):
        await _open(f"sqlite:///{tmp_path}/absent/ledger.db", create=True)


@pytest.mark.parametrize(
    "url",
    ["sqlite://", "sqlite:///:memory:", "mysql://root:hunter2@db/x", "nonsense hunter2", "", "postgresql+nope://u:hunter2@h/x"],
)
async def test_a_url_that_is_no_ledger_is_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        await _open(url, create=True)
    assert "hunter2" not in str(raised.value)
    assert raised.value.__context__ is None or raised.value.__suppress_context__


async def test_a_driver_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    with pytest.raises(ConfigurationError, match="postgres") as raised:
        await _open("postgresql://lockgate:hunter2@localhost/ledger")
    assert "hunter2" not in str(raised.value)


async def test_a_file_that_cannot_be_created_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be created"):
        await _open(f"sqlite:///{tmp_path}/{'n' * 300}.db", create=True)


async def test_a_file_without_a_schema_is_not_opened(path: Path) -> None:
    _put(path, b"")
    with pytest.raises(ConfigurationError, match="lockgate up"):
        await _open(f"sqlite:///{path}")


@pytest.mark.parametrize("version", ["0000", "9999"])
async def test_another_schema_is_not_opened(ledger: Ledger, path: Path, version: str) -> None:
    await ledger.close()
    with sqlite3.connect(path) as database:
        database.execute("UPDATE alembic_version SET version_num = ?", (version,))
    database.close()
    with pytest.raises(ConfigurationError, match="lockgate up"):
        await _open(f"sqlite:///{path}")


async def test_a_newer_schema_is_not_migrated_down(ledger: Ledger, path: Path) -> None:
    await ledger.close()
    with sqlite3.connect(path) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    with pytest.raises(ConfigurationError, match="newer"):
        await migrate(f"sqlite:///{path}", limits=Limits())


async def test_a_file_that_is_no_database_is_an_error(path: Path) -> None:
    _put(path, b"not a database, but long enough to be looked at" * 100)
    with pytest.raises(LedgerError, match="damaged"):
        await _open(f"sqlite:///{path}")


async def test_migrating_again_changes_nothing(ledger: Ledger, reopen: Reopen) -> None:
    case = accepted()[0]
    await ledger.accept([case.new()], open_limit=1)
    again = await reopen(create=True)
    assert await again.request(case.request_id) is not None


async def test_two_processes_may_migrate_at_once(path: Path) -> None:
    url = f"sqlite:///{path}"
    await asyncio.gather(*(migrate(url, limits=Limits()) for _ in range(4)))
    async with _open(url) as ledger:
        assert await ledger.epoch() == 1


async def test_a_start_waits_longer_for_a_migration_than_a_request_does_for_a_lock(ledger: Ledger, path: Path) -> None:
    await ledger.close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    starting = asyncio.create_task(migrate(f"sqlite:///{path}", limits=Limits(ledger_timeout=10)))
    done, _ = await asyncio.wait([starting], timeout=0.3)
    other.close()
    assert not done
    await starting


async def test_the_migrations_build_what_the_tables_say(ledger: Ledger, path: Path, tmp_path: Path) -> None:
    await ledger.close()
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
    direct = create_engine(f"sqlite:///{tmp_path / 'direct.db'}", poolclass=NullPool)
    metadata.create_all(direct)
    assert _definitions(path) == _definitions(tmp_path / "direct.db")


def _definitions(path: Path) -> dict[str, str]:
    database = sqlite3.connect(path)
    rows = database.execute(
        "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name != 'alembic_version'"
    ).fetchall()
    database.close()
    return {name: " ".join(sorted(sql.replace(",", " ").replace("\t", " ").split())) for name, sql in rows}


def test_the_newest_migration_is_the_one_that_opening_asks_for() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(lockgate_ledger.migrations.__file__).parent))
    assert ScriptDirectory.from_config(config).get_heads() == [SCHEMA]


def test_every_table_can_be_written_for_postgresql() -> None:
    for table in metadata.sorted_tables:
        text = str(CreateTable(table).compile(dialect=postgresql.dialect()))
        keys = [column.type.compile(dialect=postgresql.dialect()) for column in table.primary_key]
        assert "CREATE TABLE" in text
        assert set(keys) <= {"BIGINT", "TEXT"}
        for index in table.indexes:
            assert "CREATE INDEX" in str(CreateIndex(index).compile(dialect=postgresql.dialect()))


@pytest.mark.parametrize("module", [acceptance, audit, outcomes])
def test_every_bulk_statement_keeps_its_order_on_postgresql(module: ModuleType) -> None:
    found = [value for value in vars(module).values() if isinstance(value, Bulk)]
    assert found
    for bulk in found:
        assert "$1" in bulk.text(asyncpg.dialect())


def test_a_bulk_statement_whose_order_is_not_its_rows_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        Bulk(insert(leases), "until", "name", "holder").text(sqlite.dialect())


def test_opening_does_not_import_alembic() -> None:
    code = "import sys, lockgate_ledger.ledger; sys.exit('alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_a_closed_ledger_answers_with_an_error(ledger: Ledger) -> None:
    await ledger.close()
    await ledger.close()
    with pytest.raises(LedgerError, match="closed"):
        await ledger.epoch()
    with pytest.raises(LedgerError, match="closed"):
        await ledger.accept([accepted()[0].new()], open_limit=1)


async def test_an_awaited_ledger_closes_at_the_end_of_its_block(ledger: Ledger, path: Path) -> None:
    assert await ledger.epoch() == 1
    async with await _open(f"sqlite:///{path}") as another:
        assert await another.epoch() == 1
    with pytest.raises(LedgerError):
        await another.epoch()
