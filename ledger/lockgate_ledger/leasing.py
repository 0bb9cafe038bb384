"""Leases: one holder at a time, until a time. Who renews in time keeps it; nobody has to give it back."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, insert, select, update

from lockgate_ledger.audit import lock_head
from lockgate_ledger.bulk import Bulk, Lookup
from lockgate_ledger.tables import leases

_held = Lookup(select(leases.c.holder, leases.c.until).where(leases.c.name.in_(bindparam("names", expanding=True))), "names")
_take = Bulk(insert(leases), "name", "holder", "until")
_renew = Bulk(update(leases).where(leases.c.name == bindparam("b_name")), "holder", "until", "b_name")


def take_lease(connection: Connection, name: str, holder: str, *, now: int, until: int) -> bool:
    """Take or renew the lease ``name``; false while it is another's and has not run out at ``now``."""
    lock_head(connection)
    rows = _held.run(connection, [name])
    if not rows:
        _take.run(connection, [(name, holder, until)])
        return True
    holder_before, until_before = rows[0]
    if holder_before != holder and until_before > now:
        return False
    _renew.run(connection, [(holder, until, name)])
    return True
