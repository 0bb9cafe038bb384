"""The content policy in its versions, and alerts: what they count, what was raised, to whom it was sent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "contents",
        sa.Column("version", WHOLE, autoincrement=False, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("applied", WHOLE, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("version", name="pk_contents"),
    )
    _create_counting()
    _create_raised()


def _create_counting() -> None:
    op.create_table(
        "alert_occurrences",
        sa.Column("alert", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("at", WHOLE, nullable=False),
        sa.Column("expires", WHOLE, nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("rules", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("alert", "cause", name="pk_alert_occurrences"),
    )
    op.create_index("ix_alert_occurrences_window", "alert_occurrences", ["alert", "subject", "at"])
    op.create_index("ix_alert_occurrences_expires", "alert_occurrences", ["expires"])
    op.create_table(
        "alert_events",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("at", WHOLE, nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "subject", name="pk_alert_events"),
    )


def _create_raised() -> None:
    op.create_table(
        "alerts",
        sa.Column("number", WHOLE, autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("seconds", WHOLE, nullable=False),
        sa.Column("since", WHOLE, nullable=False),
        sa.Column("at", WHOLE, nullable=False),
        sa.Column("count", WHOLE, nullable=False),
        sa.Column("repeats", WHOLE, nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("destinations", sa.Text(), nullable=False),
        sa.Column("raised", WHOLE, nullable=False),
        sa.Column("routed", sa.Boolean(), nullable=False),
        sa.Column("acknowledged", WHOLE, nullable=True),
        sa.Column("acknowledged_by", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_alerts"),
    )
    op.create_index("ix_alerts_window", "alerts", ["name", "subject", "at"])
    _create_partial_index("ix_alerts_unrouted", "alerts", "number", "routed IS false" if _server() else "routed IS 0")
    _create_partial_index("ix_alerts_open", "alerts", "number", "acknowledged IS NULL")
    op.create_table(
        "alert_deliveries",
        sa.Column("alert", WHOLE, nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("changed", WHOLE, nullable=False),
        sa.Column("due", WHOLE, nullable=True),
        sa.Column("code", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["alert"], ["alerts.number"], name="fk_alert_deliveries_alert"),
        sa.PrimaryKeyConstraint("alert", "destination", name="pk_alert_deliveries"),
    )
    _create_partial_index("ix_alert_deliveries_due", "alert_deliveries", "due", "due IS NOT NULL")


def _server() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _create_partial_index(name: str, table: str, column: str, where: str) -> None:
    op.create_index(name, table, [column], sqlite_where=sa.text(where), postgresql_where=sa.text(where))
