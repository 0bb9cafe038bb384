"""Ledgers of earlier releases: they are migrated with what is in them, and go on."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from ledger_crafting import Reopen, accepted, blocked, delivered
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

import lockgate_ledger.migrations
from lockgate_ledger.ledger import Ledger
from lockgate_schemas.errors import ConfigurationError

NEW_TABLES = ("contents", "alert_deliveries", "alerts", "alert_events", "alert_occurrences")


def _stepped_back(path: Path) -> None:
    """The same file as the first release left it: without the tables that came later."""
    database = sqlite3.connect(path)
    for table in NEW_TABLES:
        database.execute(f"DROP TABLE {table}")
    database.execute("UPDATE alembic_version SET version_num = '0001'")
    database.commit()
    database.close()


def _tables(path: Path) -> dict[str, str]:
    database = sqlite3.connect(path)
    rows = database.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    database.close()
    return {name: " ".join(sql.split()) for name, sql in rows}


async def test_a_ledger_of_the_first_release_is_migrated_and_goes_on(ledger: Ledger, path: Path, reopen: Reopen) -> None:
    whole = _tables(path)
    old = accepted(3)
    await ledger.accept([case.new() for case in old], open_limit=10)
    await ledger.end([case.ending() for case in delivered(old)])
    await ledger.close()
    _stepped_back(path)
    with pytest.raises(ConfigurationError, match="older release"):
        await reopen()
    migrated = await reopen(create=True)
    assert _tables(path) == whole
    assert (await migrated.verify()).entries == 15
    new = accepted(5, first=10)
    await migrated.accept([case.new() for case in new], open_limit=10)
    await migrated.end([case.ending() for case in blocked(new)])
    assert [alert.name for alert in await migrated.alerts.newest(10)] == ["dlp-blocks"]
    assert (await migrated.directory()).content is None


def test_the_first_migration_builds_what_the_first_release_had(path: Path) -> None:
    """So that stepping back, as above, is what an old ledger looks like."""
    config = Config()
    config.set_main_option("script_location", str(Path(lockgate_ledger.migrations.__file__).parent))

    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    for revision in ("0001", "head"):
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
        if revision == "0001":
            first = set(_tables(path))
    assert not first & set(NEW_TABLES)
    added = {name for name in set(_tables(path)) - first if not name.startswith(("ix_", "sqlite_"))}
    assert added == set(NEW_TABLES)
