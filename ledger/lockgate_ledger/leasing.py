"""Leases: one holder at a time, until a time. Who renews in time keeps it; nobody has to give it back."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select, update

from lockgate_ledger.audit import lock_head
from lockgate_ledger.tables import leases


def take_lease(connection: Connection, name: str, holder: str, *, now: int, until: int) -> bool:
    """Take or renew the lease ``name``; false while it is another's and has not run out at ``now``."""
    lock_head(connection)
    row = connection.execute(select(leases).where(leases.c.name == name)).one_or_none()
    if row is None:
        connection.execute(insert(leases), {"name": name, "holder": holder, "until": until})
        return True
    if row.holder != holder and row.until > now:
        return False
    connection.execute(update(leases).where(leases.c.name == name).values(holder=holder, until=until))
    return True
