"""The first schema: requests, parties, policies, and the audit log with an empty tree."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Spelled out here rather than imported: a migration describes the past and does not follow the tables when they change.
WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "agents",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("actions", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_agents"),
    )
    op.create_table(
        "audit_checkpoints",
        sa.Column("size", WHOLE, autoincrement=False, nullable=False),
        sa.Column("before", WHOLE, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("size", name="pk_audit_checkpoints"),
    )
    op.create_table(
        "audit_entries",
        sa.Column("sequence", WHOLE, autoincrement=False, nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary(), nullable=False),
        sa.Column("at", WHOLE, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_audit_entries"),
    )
    op.create_index("ix_audit_entries_agent", "audit_entries", ["agent"])
    op.create_index("ix_audit_entries_client", "audit_entries", ["client"])
    op.create_index("ix_audit_entries_decision", "audit_entries", ["decision"])
    op.create_index("ix_audit_entries_kind", "audit_entries", ["kind"])
    op.create_index("ix_audit_entries_request_id", "audit_entries", ["request_id"])
    op.create_index("ix_audit_entries_rule", "audit_entries", ["rule"])
    op.create_table(
        "audit_head",
        sa.Column("id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("size", WHOLE, nullable=False),
        sa.Column("peaks", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_audit_head_one_row")),
        sa.PrimaryKeyConstraint("id", name="pk_audit_head"),
    )
    op.create_table(
        "audit_subtrees",
        sa.Column("place", WHOLE, autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("place", name="pk_audit_subtrees"),
    )
    op.create_table(
        "clients",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("broker", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_clients"),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("until", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )
    op.create_table(
        "loads",
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("open", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("issuer", name="pk_loads"),
    )
    op.create_table(
        "policies",
        sa.Column("version", WHOLE, autoincrement=False, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("applied", WHOLE, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("version", name="pk_policies"),
    )
    op.create_table(
        "policy_epoch",
        sa.Column("id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("epoch", WHOLE, nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_policy_epoch_one_row")),
        sa.PrimaryKeyConstraint("id", name="pk_policy_epoch"),
    )
    op.create_table(
        "requests",
        sa.Column("number", WHOLE, autoincrement=False, nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("door", sa.Text(), nullable=False),
        sa.Column("accepted", WHOLE, nullable=False),
        sa.Column("deadline", WHOLE, nullable=False),
        sa.Column("progressed", WHOLE, nullable=False),
        sa.Column("dispatched", sa.Boolean(), nullable=False),
        sa.Column("sends", sa.Integer(), nullable=False),
        sa.Column("audited", sa.LargeBinary(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("ended", WHOLE, nullable=False),
        sa.Column("unannounced", WHOLE, nullable=True),
        sa.PrimaryKeyConstraint("number", name="pk_requests"),
        sa.UniqueConstraint("event_id", "issuer", name="uq_requests_event_id_issuer"),
        sa.UniqueConstraint("request_id", name="uq_requests_request_id"),
    )
    op.create_index("ix_requests_issuer", "requests", ["issuer", "number"])
    op.create_index(
        "ix_requests_open_deadline",
        "requests",
        ["deadline"],
        sqlite_where=sa.text("outcome IS NULL"),
        postgresql_where=sa.text("outcome IS NULL"),
    )
    op.create_index(
        "ix_requests_open_progressed",
        "requests",
        ["dispatched", "progressed"],
        sqlite_where=sa.text("outcome IS NULL"),
        postgresql_where=sa.text("outcome IS NULL"),
    )
    op.create_index(
        "ix_requests_unannounced",
        "requests",
        ["unannounced"],
        sqlite_where=sa.text("unannounced IS NOT NULL"),
        postgresql_where=sa.text("unannounced IS NOT NULL"),
    )
    op.create_table(
        "bindings",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("actions", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["agent"], ["agents.name"], name="fk_bindings_agent"),
        sa.PrimaryKeyConstraint("tenant", "user", "agent", "role", name="pk_bindings"),
    )
    op.create_index("ix_bindings_agent", "bindings", ["agent"])
    op.create_table(
        "bodies",
        sa.Column("number", WHOLE, autoincrement=False, nullable=False),
        sa.Column("acceptance", sa.LargeBinary(), nullable=False),
        sa.Column("envelope", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["number"], ["requests.number"], name="fk_bodies_number"),
        sa.PrimaryKeyConstraint("number", name="pk_bodies"),
    )
    op.create_table(
        "chains",
        sa.Column("number", WHOLE, autoincrement=False, nullable=False),
        sa.Column("stamps", sa.LargeBinary(), nullable=False),
        sa.Column("response", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["number"], ["requests.number"], name="fk_chains_number"),
        sa.PrimaryKeyConstraint("number", name="pk_chains"),
    )
    if op.get_bind().dialect.name == "postgresql":
        # Hashes and signatures hardly get smaller, and trying took half the time of writing them.
        op.execute("ALTER TABLE chains ALTER COLUMN stamps SET STORAGE EXTERNAL")
    op.create_table(
        "keys",
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("ends", WHOLE, nullable=False),
        sa.Column("revoked", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["client"], ["clients.name"], name="fk_keys_client"),
        sa.PrimaryKeyConstraint("kid", name="pk_keys"),
    )
    op.create_index("ix_keys_client", "keys", ["client"])
    op.execute("INSERT INTO policy_epoch (id, epoch) VALUES (1, 1)")
    head = sa.table("audit_head", sa.column("id"), sa.column("size"), sa.column("peaks", sa.LargeBinary()))
    op.execute(sa.insert(head).values(id=1, size=0, peaks=b""))
