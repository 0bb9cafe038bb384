"""The tables of the ledger, as SQLAlchemy Core sees them. The migrations build the same; a test compares the two.

What decides the layout: a request's row is small and is updated in place, the large texts (envelope, acceptance, stamps) stand in tables of their own, so that
ending a request does not rewrite its envelope. A request's ``number`` is the place of its acceptance in the audit log: it ascends, it is unique, and every
request has exactly one. In ``audit_entries`` the small columns come before the raw leaf, so that reading hashes does not read the leaves.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.sql.type_api import TypeEngine

from lockgate_schemas.audit import SEARCHABLE

SCHEMA: Final = "0002"
"""The revision of the newest migration; a database at any other is not opened."""

# On SQLite only a column of type INTEGER is the row's own place; a BIGINT key would get a second tree beside the table's.
Whole: Final[TypeEngine[int]] = BigInteger().with_variant(Integer(), "sqlite")

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _number(*, of: str = "") -> Column[int]:
    if of:
        return Column("number", Whole, ForeignKey(of), primary_key=True, autoincrement=False)
    return Column("number", Whole, primary_key=True, autoincrement=False)


def _only_row() -> tuple[Column[int], CheckConstraint]:
    return Column("id", Whole, primary_key=True, autoincrement=False), CheckConstraint("id = 1", name="one_row")


# --- requests -------------------------------------------------------------------------------------------------------

requests: Final = Table(
    "requests",
    metadata,
    _number(),
    Column("request_id", Text, nullable=False, unique=True),
    Column("issuer", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("tenant", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("door", Text, nullable=False),
    Column("accepted", Whole, nullable=False),
    Column("deadline", Whole, nullable=False),
    Column("progressed", Whole, nullable=False),
    Column("dispatched", Boolean, nullable=False),
    Column("sends", Integer, nullable=False),
    Column("audited", LargeBinary, nullable=False),  # SHA-256 of each statement that is in the log, one after the other
    Column("outcome", Text),  # NULL while open
    Column("code", Text, nullable=False),
    Column("ended", Whole, nullable=False),
    Column("unannounced", Whole),  # when it ended, while its outcome has yet to be sent to the client's topic
    UniqueConstraint(
        "event_id", "issuer"
    ),  # in this order, so that a batch of one event each looks up as many places as it has events
    Index("ix_requests_issuer", "issuer", "number"),
)
open_requests: Final = requests.c.outcome.is_(None)
to_announce: Final = requests.c.unannounced.is_not(None)
Index("ix_requests_open_deadline", requests.c.deadline, sqlite_where=open_requests, postgresql_where=open_requests)
Index(
    "ix_requests_open_progressed",
    requests.c.dispatched,
    requests.c.progressed,
    sqlite_where=open_requests,
    postgresql_where=open_requests,
)
Index("ix_requests_unannounced", requests.c.unannounced, sqlite_where=to_announce, postgresql_where=to_announce)

bodies: Final = Table(
    "bodies",
    metadata,
    _number(of="requests.number"),
    Column("acceptance", LargeBinary, nullable=False),
    Column("envelope", Text, nullable=False),
)
chains: Final = Table(
    "chains",
    metadata,
    _number(of="requests.number"),
    Column("stamps", LargeBinary, nullable=False),
    Column("response", LargeBinary, nullable=False),
)
loads: Final = Table(
    "loads",
    metadata,
    Column("issuer", Text, primary_key=True),
    Column("open", Integer, nullable=False),  # kept, because counting 20,000 open requests for each batch costs milliseconds
)
leases: Final = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("until", Whole, nullable=False),
)

# --- who exists and what they may -------------------------------------------------------------------------------------

clients: Final = Table(
    "clients",
    metadata,
    Column("name", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("user", Text, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("broker", Boolean, nullable=False),
)
keys: Final = Table(
    "keys",
    metadata,
    Column("kid", Text, primary_key=True),
    Column("client", Text, ForeignKey("clients.name"), nullable=False, index=True),
    Column("public_key", LargeBinary, nullable=False),
    Column("ends", Whole, nullable=False),
    Column("revoked", Boolean, nullable=False),
)
agents: Final = Table(
    "agents",
    metadata,
    Column("name", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("actions", Text, nullable=False),  # a JSON list
    Column("active", Boolean, nullable=False),
)
bindings: Final = Table(
    "bindings",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("user", Text, nullable=False),
    Column("agent", Text, ForeignKey("agents.name"), nullable=False, index=True),
    Column("role", Text, nullable=False),
    Column("actions", Text, nullable=False),  # a JSON list
    PrimaryKeyConstraint("tenant", "user", "agent", "role"),
)
policies: Final = Table(
    "policies",
    metadata,
    Column("version", Whole, primary_key=True, autoincrement=False),
    Column("digest", Text, nullable=False),
    Column("applied", Whole, nullable=False),
    Column("text", Text, nullable=False),
)
contents: Final = Table(
    "contents",
    metadata,
    Column("version", Whole, primary_key=True, autoincrement=False),
    Column("digest", Text, nullable=False),
    Column("applied", Whole, nullable=False),
    Column("text", Text, nullable=False),
)
policy_epoch: Final = Table("policy_epoch", metadata, *_only_row(), Column("epoch", Whole, nullable=False))

# --- alerts -----------------------------------------------------------------------------------------------------------

alert_occurrences: Final = Table(
    "alert_occurrences",
    metadata,
    Column("alert", Text, nullable=False),  # the name of the alert that counts it
    Column("cause", Text, nullable=False),  # what it came from; the same cause is counted once
    Column("subject", Text, nullable=False),
    Column("at", Whole, nullable=False),
    Column("expires", Whole, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("rules", Text, nullable=False),  # a JSON list
    PrimaryKeyConstraint("alert", "cause"),
    Index("ix_alert_occurrences_window", "alert", "subject", "at"),
    Index("ix_alert_occurrences_expires", "expires"),
)
alert_events: Final = Table(
    "alert_events",
    metadata,
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("at", Whole, nullable=False),  # the newest report
    Column("detail", Text, nullable=False),
    PrimaryKeyConstraint("kind", "subject"),
)
alerts: Final = Table(
    "alerts",
    metadata,
    _number(),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("tenant", Text, nullable=False),
    Column("user", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("seconds", Whole, nullable=False),  # the window
    Column("since", Whole, nullable=False),  # the first occurrence counted
    Column("at", Whole, nullable=False),  # the occurrence that raised it
    Column("count", Whole, nullable=False),
    Column("repeats", Whole, nullable=False),  # further occurrences within the window
    Column("evidence", Text, nullable=False),  # JSON: rules with their counts, request ids, a detail
    Column("destinations", Text, nullable=False),  # a JSON list
    Column("raised", Whole, nullable=False),
    Column("routed", Boolean, nullable=False),  # whether its deliveries were made
    Column("acknowledged", Whole),  # NULL while open
    Column("acknowledged_by", Text, nullable=False),
    Column("note", Text, nullable=False),
    Index("ix_alerts_window", "name", "subject", "at"),
)
unrouted: Final = alerts.c.routed.is_(False)
unacknowledged: Final = alerts.c.acknowledged.is_(None)
Index("ix_alerts_unrouted", alerts.c.number, sqlite_where=unrouted, postgresql_where=unrouted)
Index("ix_alerts_open", alerts.c.number, sqlite_where=unacknowledged, postgresql_where=unacknowledged)

alert_deliveries: Final = Table(
    "alert_deliveries",
    metadata,
    Column("alert", Whole, ForeignKey("alerts.number"), nullable=False),
    Column("destination", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("changed", Whole, nullable=False),
    Column("due", Whole),  # NULL once it is over
    Column("code", Text, nullable=False),
    PrimaryKeyConstraint("alert", "destination"),
)
undelivered: Final = alert_deliveries.c.due.is_not(None)
Index("ix_alert_deliveries_due", alert_deliveries.c.due, sqlite_where=undelivered, postgresql_where=undelivered)

# --- the audit log ----------------------------------------------------------------------------------------------------

audit_entries: Final = Table(
    "audit_entries",
    metadata,
    Column("sequence", Whole, primary_key=True, autoincrement=False),
    Column("leaf_hash", LargeBinary, nullable=False),
    Column("at", Whole, nullable=False),
    *(Column(member, Text, nullable=False) for member in SEARCHABLE),
    Column("raw", LargeBinary, nullable=False),
)
INDEXED: Final = ("request_id", "client", "agent", "rule", "decision", "kind")
"""The members that have an index: those that pick few entries out of many. The others narrow a search down, or end soon by themselves."""
for _member in INDEXED:
    Index(f"ix_audit_entries_{_member}", audit_entries.c[_member])

audit_head: Final = Table(
    "audit_head",
    metadata,
    *_only_row(),
    Column("size", Whole, nullable=False),
    Column("peaks", LargeBinary, nullable=False),
)
audit_subtrees: Final = Table(
    "audit_subtrees",
    metadata,
    Column("place", Whole, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
)
audit_checkpoints: Final = Table(
    "audit_checkpoints",
    metadata,
    Column("size", Whole, primary_key=True, autoincrement=False),
    Column("before", Whole, nullable=False),  # the size at the checkpoint before: one that is missing leaves a gap
    Column("root", LargeBinary, nullable=False),
    Column("note", Text, nullable=False),
)
