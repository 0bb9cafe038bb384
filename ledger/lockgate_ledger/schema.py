"""Whether a database has the schema that this release reads and writes; one word of one table decides it."""

from __future__ import annotations

from sqlalchemy import Connection, Select, Text, column, func, inspect, select, table

from lockgate_ledger.tables import SCHEMA
from lockgate_schemas.errors import ConfigurationError

_VERSION: Select[str] = select(column("version_num", Text)).select_from(table("alembic_version"))

_ALONE: Select[None] = select(func.pg_advisory_xact_lock(0x6C6F636B67617465))
"""Waits for whoever else migrates; the number is the project's name, which no other program is likely to have taken."""


def version_of(connection: Connection) -> str:
    """The schema version, empty for a database without a schema."""
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return str(connection.execute(_VERSION).scalar() or "")


def check_version(connection: Connection) -> None:
    """Raise `ConfigurationError`, which names the command that helps, unless the schema is this release's."""
    found = version_of(connection)
    if not found:
        raise ConfigurationError("the ledger's database has no schema yet: `lockgate up` migrates it")
    if found > SCHEMA:
        raise ConfigurationError("the ledger was written by a newer release: install that one, then `lockgate up`")
    if found < SCHEMA:
        raise ConfigurationError("the ledger was written by an older release: `lockgate up` migrates it")


def migrate_database(connection: Connection) -> None:
    """Bring the database to this release's schema, in the transaction that is open. Raises `ConfigurationError` for a newer one."""
    if connection.dialect.name == "postgresql":  # where writers do not queue by themselves before there is a head to lock
        connection.execute(_ALONE)
    found = version_of(connection)
    if found == SCHEMA:
        return
    if found > SCHEMA:
        check_version(connection)
    from lockgate_ledger.migrations import upgrade  # noqa: PLC0415 - Alembic takes longer to import than a ledger to open

    upgrade(connection)
