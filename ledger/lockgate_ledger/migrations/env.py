"""Run by Alembic for each migration: it uses the connection and the transaction that the caller opened, and nothing else."""

from __future__ import annotations

from alembic import context

from lockgate_ledger.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
