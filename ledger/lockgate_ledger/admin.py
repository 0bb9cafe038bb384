"""The operator's changes. Each is one transaction: the change, the next policy epoch, and the audit entry that says so.

It decides what may be registered beside what is there. A removed client's name stays taken, because requests are kept under it and would be shown to whoever got
the name next. An agent's name can be given out again, but its grants end with it: they were given for that agent, not for the next one of the name.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table, and_, delete, func, insert, select, update
from sqlalchemy.sql.elements import ColumnElement

from lockgate_ledger.audit import AuditWriter, lock_head
from lockgate_ledger.codec import write_words
from lockgate_ledger.directory import read_epoch
from lockgate_ledger.records import AgentRecord, Binding, ClientRecord, KeyRecord
from lockgate_ledger.tables import agents, bindings, clients, contents, keys, policies, policy_epoch
from lockgate_schemas.audit import change_entry
from lockgate_schemas.errors import AlreadyExistsError, InvalidRequestError, NotFoundError
from lockgate_schemas.signing import checked_public_key


def add_client(connection: Connection, log: AuditWriter, client: ClientRecord, key: KeyRecord, now: int) -> None:
    """Register a client with its first key."""
    if key.client != client.name:
        raise InvalidRequestError("a client's first key is another client's")
    lock_head(connection)
    if _exists(connection, clients, clients.c.name == client.name):
        raise AlreadyExistsError("a client of this name is, or was, registered")
    connection.execute(
        insert(clients),
        {
            "name": client.name,
            "tenant": client.tenant,
            "user": client.user,
            "active": client.active,
            "broker": client.broker,
        },
    )
    _insert_key(connection, key)
    _changed(connection, log, now, "client-add", f"{client.name} {key.kid}", tenant=client.tenant, client=client.name)


def remove_client(connection: Connection, log: AuditWriter, name: str, now: int) -> None:
    """Deactivate a client and revoke its keys."""
    lock_head(connection)
    if not _update(connection, clients, and_(clients.c.name == name, clients.c.active.is_(True)), active=False):
        raise NotFoundError("no active client has this name")
    _update(connection, keys, keys.c.client == name, revoked=True)
    _changed(connection, log, now, "client-remove", name, client=name)


def add_key(connection: Connection, log: AuditWriter, key: KeyRecord, now: int) -> None:
    """Enrol another key."""
    lock_head(connection)
    if not _exists(connection, clients, and_(clients.c.name == key.client, clients.c.active.is_(True))):
        raise NotFoundError("no active client has this name")
    _insert_key(connection, key)
    _changed(connection, log, now, "key-add", key.kid, client=key.client)


def revoke_key(connection: Connection, log: AuditWriter, kid: str, now: int) -> None:
    """Revoke a key; again is allowed, and audited again."""
    lock_head(connection)
    client = connection.execute(select(keys.c.client).where(keys.c.kid == kid)).scalar_one_or_none()
    if client is None:
        raise NotFoundError("no key has this id")
    _update(connection, keys, keys.c.kid == kid, revoked=True)
    _changed(connection, log, now, "key-revoke", kid, client=client)


def add_agent(connection: Connection, log: AuditWriter, agent: AgentRecord, now: int) -> None:
    """Register an agent, or the next one of a name that was given up."""
    lock_head(connection)
    active = connection.execute(select(agents.c.active).where(agents.c.name == agent.name)).scalar_one_or_none()
    if active:
        raise AlreadyExistsError("an agent of this name is registered")
    values = {"tenant": agent.tenant, "actions": write_words(agent.actions), "active": agent.active}
    if active is None:
        connection.execute(insert(agents), {"name": agent.name, **values})
    else:
        _update(connection, agents, agents.c.name == agent.name, **values)
    _changed(connection, log, now, "agent-add", agent.name, tenant=agent.tenant, agent=agent.name)


def remove_agent(connection: Connection, log: AuditWriter, name: str, now: int) -> None:
    """Deactivate an agent and end its grants."""
    lock_head(connection)
    if not _update(connection, agents, and_(agents.c.name == name, agents.c.active.is_(True)), active=False):
        raise NotFoundError("no active agent has this name")
    connection.execute(delete(bindings).where(bindings.c.agent == name))
    _changed(connection, log, now, "agent-remove", name, agent=name)


def grant(connection: Connection, log: AuditWriter, binding: Binding, now: int) -> None:
    """Bind a user to an agent, or replace the actions of that binding."""
    lock_head(connection)
    if not _exists(connection, agents, and_(agents.c.name == binding.agent, agents.c.active.is_(True))):
        raise NotFoundError("no active agent has this name")
    actions = write_words(binding.actions)
    if not _update(connection, bindings, _place(binding), actions=actions):
        connection.execute(
            insert(bindings),
            {
                "tenant": binding.tenant,
                "user": binding.user,
                "agent": binding.agent,
                "role": binding.role,
                "actions": actions,
            },
        )
    target = f"{binding.user} {binding.role} {','.join(binding.actions) or '*'}"
    _changed(connection, log, now, "grant", target, tenant=binding.tenant, agent=binding.agent)


def revoke(connection: Connection, log: AuditWriter, binding: Binding, now: int) -> None:
    """Remove a binding, whatever its actions."""
    lock_head(connection)
    if connection.execute(delete(bindings).where(_place(binding))).rowcount != 1:
        raise NotFoundError("there is no such grant")
    target = f"{binding.user} {binding.role}"
    _changed(connection, log, now, "revoke", target, tenant=binding.tenant, agent=binding.agent)


def apply_policy(connection: Connection, log: AuditWriter, text: str, digest: str, now: int) -> int:
    """Put a policy set in force under the next version number; every version is kept."""
    lock_head(connection)
    version = _next_version(connection, policies)
    connection.execute(insert(policies), {"version": version, "digest": digest, "applied": now, "text": text})
    _changed(connection, log, now, "policy-apply", f"{version} {digest}")
    return version


def apply_content(connection: Connection, log: AuditWriter, text: str, digest: str, now: int) -> int:
    """Put a content policy in force under the next version number; every version is kept."""
    lock_head(connection)
    version = _next_version(connection, contents)
    connection.execute(insert(contents), {"version": version, "digest": digest, "applied": now, "text": text})
    _changed(connection, log, now, "content-apply", f"{version} {digest}")
    return version


def _next_version(connection: Connection, versions: Table) -> int:
    return int(connection.execute(select(func.max(versions.c.version))).scalar() or 0) + 1


def _changed(
    connection: Connection,
    log: AuditWriter,
    now: int,
    what: str,
    target: str,
    *,
    tenant: str = "",
    client: str = "",
    agent: str = "",
) -> None:
    epoch = read_epoch(connection) + 1
    connection.execute(update(policy_epoch).values(epoch=epoch))
    entry = change_entry(at=now, what=what, target=target, epoch=epoch, tenant=tenant, client=client, agent=agent)
    log.append(connection, [entry])


def _insert_key(connection: Connection, key: KeyRecord) -> None:
    checked_public_key(key.public_key)  # the last door before a weak key would verify
    if _exists(connection, keys, keys.c.kid == key.kid):
        raise AlreadyExistsError("a key of this id is enrolled")
    connection.execute(
        insert(keys),
        {
            "kid": key.kid,
            "client": key.client,
            "public_key": key.public_key,
            "ends": key.ends,
            "revoked": key.revoked,
        },
    )


def _exists(connection: Connection, table: Table, where: ColumnElement[bool]) -> bool:
    return connection.execute(select(table.c[0]).where(where).limit(1)).first() is not None


def _update(connection: Connection, table: Table, where: ColumnElement[bool], **values: Any) -> int:
    return connection.execute(update(table).where(where).values(**values)).rowcount


def _place(binding: Binding) -> ColumnElement[bool]:
    return and_(
        bindings.c.tenant == binding.tenant,
        bindings.c.user == binding.user,
        bindings.c.agent == binding.agent,
        bindings.c.role == binding.role,
    )
