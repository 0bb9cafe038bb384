"""The steps by which a ledger's schema came to be, and bringing a database to the newest of them.

Alembic is imported only here, when a database is migrated: opening one compares a single word (`lockgate_ledger.schema`).
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection


def upgrade(connection: Connection) -> None:
    """Bring the database of ``connection`` to the newest schema, within the transaction that is open on it."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
