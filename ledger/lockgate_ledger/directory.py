"""The directory: clients, keys, agents, bindings and the two policies in force, read as one view at one policy epoch."""

from __future__ import annotations

from collections import defaultdict
from types import MappingProxyType

from sqlalchemy import Connection, bindparam, func, select

from lockgate_ledger.codec import read_words
from lockgate_ledger.records import AgentRecord, Binding, ClientRecord, ContentRecord, Directory, KeyRecord, PolicyRecord
from lockgate_ledger.tables import agents, bindings, clients, contents, keys, policies, policy_epoch
from lockgate_schemas.errors import LedgerError

_epoch = select(policy_epoch.c.epoch)
_bindings = select(bindings).order_by(bindings.c.tenant, bindings.c.user, bindings.c.agent, bindings.c.role)
_policy = select(policies).order_by(policies.c.version.desc()).limit(1)
_content_version = select(func.max(contents.c.version))
_content = select(contents).where(contents.c.version == bindparam("newest"))


def read_epoch(connection: Connection) -> int:
    """The policy epoch. Raises `LedgerError` when there is not exactly one."""
    rows = connection.execute(_epoch).all()
    if len(rows) != 1:
        raise LedgerError("the ledger has no policy epoch")
    return int(rows[0].epoch)


def read_directory(connection: Connection, cached: Directory | None) -> Directory:
    """The directory at the present epoch: ``cached`` if that is still it."""
    epoch = read_epoch(connection)
    if cached is not None and cached.epoch == epoch:
        return cached
    return Directory(
        epoch=epoch,
        clients=MappingProxyType({row.name: ClientRecord(*row) for row in connection.execute(select(clients))}),
        keys=MappingProxyType({row.kid: KeyRecord(*row) for row in connection.execute(select(keys))}),
        agents=MappingProxyType(_agents(connection)),
        bindings=MappingProxyType(_bindings_by_place(connection)),
        policy=_policy_in_force(connection),
        content=_content_in_force(connection, None if cached is None else cached.content),
    )


def _agents(connection: Connection) -> dict[str, AgentRecord]:
    rows = connection.execute(select(agents))
    return {row.name: AgentRecord(row.name, row.tenant, read_words(row.actions), row.active) for row in rows}


def _bindings_by_place(connection: Connection) -> dict[tuple[str, str, str], tuple[Binding, ...]]:
    found: defaultdict[tuple[str, str, str], list[Binding]] = defaultdict(list)
    for row in connection.execute(_bindings):
        binding = Binding(row.tenant, row.user, row.agent, row.role, read_words(row.actions))
        found[binding.tenant, binding.user, binding.agent].append(binding)
    return {place: tuple(held) for place, held in found.items()}


def _policy_in_force(connection: Connection) -> PolicyRecord | None:
    row = connection.execute(_policy).one_or_none()
    return None if row is None else PolicyRecord(row.text, row.version, row.digest)


def _content_in_force(connection: Connection, cached: ContentRecord | None) -> ContentRecord | None:
    """The newest content policy. It may be megabytes long and no version ever changes, so it is read once."""
    newest = connection.execute(_content_version).scalar()
    if newest is None:
        return None
    if cached is not None and cached.version == newest:
        return cached
    row = connection.execute(_content, {"newest": newest}).one()
    return ContentRecord(row.text, row.version, row.digest)
