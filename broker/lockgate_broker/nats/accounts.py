"""Accounts and permissions: from roles, parties and public keys to the text a nats-server reads.

Pure, and the security of the broker stands here. One account per party shares exactly what `_shares` lists with the gateway's
account, because permissions alone do not hold: the reply subject of a publish is not checked, so inside one account an agent could
make the server store messages in any stream. Across accounts the reply travels through the import and cannot leave.

Allow lists only: a deny rule would mean that everything else is allowed. Only the provisioner may use the JetStream API;
every other identity can pull from, and acknowledge on, the consumers that are its own, and cannot even ask about others.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lockgate_broker.limits import Limits
from lockgate_broker.nats.topology import consumer_name
from lockgate_broker.rights import allowed_party, allowed_role
from lockgate_schemas.errors import ConfigurationError
from lockgate_schemas.names import PartyKind, Role
from lockgate_schemas.topics import Party, Queue

GATEWAY: Final = "GW"
SYSTEM: Final = "SYS"


@dataclass(frozen=True, slots=True)
class Permissions:
    """Everything one user may publish and subscribe to."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class User:
    """One NKey user; ``nkey`` is public."""

    name: str
    nkey: str
    permissions: Permissions


@dataclass(frozen=True, slots=True)
class Share:
    """One subject the gateway's account exports to one party's account, which imports it unchanged.

    A service is a request from the party with answers back; ``streamed`` allows more than one answer. Not a service means a
    stream: messages from the gateway to the party, never the other way.
    """

    subject: str
    service: bool = True
    streamed: bool = False


@dataclass(frozen=True, slots=True)
class PartyAccount:
    """The account of one party."""

    name: str
    user: User
    shares: tuple[Share, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """All accounts of one server."""

    roles: tuple[User, ...]
    parties: tuple[PartyAccount, ...]


def inbox(identity: Role | Party) -> str:
    """The prefix of the inboxes of one identity; nobody else may subscribe below it."""
    return f"_INBOX_{identity}" if isinstance(identity, Role) else f"_INBOX_{account_name(identity)}"


def account_name(party: Party) -> str:
    """An agent and a client may share a name, never an account."""
    return f"{'AG' if party.kind is PartyKind.AGENT else 'CL'}_{party.name}"


def next_subject(queue: Queue) -> str:
    """Where a pull request for ``queue`` goes."""
    return f"$JS.API.CONSUMER.MSG.NEXT.{queue.stream}.{consumer_name(queue)}"


def ack_subject(queue: Queue) -> str:
    """The acknowledgements of the one consumer of ``queue``: the server puts five counters behind it."""
    return f"$JS.ACK.{queue.stream}.{consumer_name(queue)}.>"


def role_permissions(role: Role, parties: Sequence[Party]) -> Permissions:
    """The subjects of one role while ``parties`` are registered."""
    rights = allowed_role(role, parties)
    api = ("$JS.API.>",) if role is Role.PROVISIONER else ()
    return Permissions(
        publish=(*api, *_reading(rights.read), *rights.publish, *rights.notify),
        subscribe=(f"{inbox(role)}.>", *rights.hear),
    )


def party_permissions(party: Party) -> Permissions:
    """The subjects of one party inside its own account."""
    rights = allowed_party(party)
    return Permissions(
        publish=(*_reading(rights.read), *rights.publish),
        subscribe=(f"{inbox(party)}.>", *rights.hear),
    )


def plan(role_keys: Mapping[Role, str], parties: Sequence[Party], party_keys: Mapping[Party, str]) -> Plan:
    """Lay out all accounts.

    ``parties`` are registered; those of them without an entry in ``party_keys`` have queues and no way in.
    """
    ordered = sorted(parties, key=account_name)
    return Plan(
        roles=tuple(User(str(role), key, role_permissions(role, ordered)) for role, key in role_keys.items()),
        parties=tuple(_party_account(party, party_keys[party]) for party in ordered if party in party_keys),
    )


def render(layout: Plan, limits: Limits) -> str:
    """Write the accounts block of the server's configuration."""
    exports = [line for account in layout.parties for line in _exports(account)]
    gateway = [
        f"  {GATEWAY}: {{",
        "    jetstream: enabled",
        *_users(layout.roles),
        *_block("exports", exports),
        "  }",
    ]
    parties = [line for account in layout.parties for line in _party_block(account, limits)]
    lines = ["accounts: {", *gateway, *parties, f"  {SYSTEM}: {{ users: [] }}", "}", f"system_account: {SYSTEM}", ""]
    return "\n".join(lines)


def _reading(queues: Iterable[Queue]) -> tuple[str, ...]:
    return tuple(subject for queue in queues for subject in (next_subject(queue), ack_subject(queue)))


def _party_account(party: Party, nkey: str) -> PartyAccount:
    name = account_name(party)
    return PartyAccount(name, User(name, nkey, party_permissions(party)), _shares(party))


def _shares(party: Party) -> tuple[Share, ...]:
    services = (
        Share(next_subject(party.inbound), streamed=True),
        Share(ack_subject(party.inbound)),
        Share(party.outbound.filter),
    )
    return (*services, Share(party.cancel_topic, service=False)) if party.kind is PartyKind.AGENT else services


def _exports(account: PartyAccount) -> Iterable[str]:
    for share in account.shares:
        kind = "service" if share.service else "stream"
        response = ", response_type: stream" if share.streamed else ""
        yield f"{{ {kind}: {_quoted(share.subject)}{response}, accounts: [{_quoted(account.name)}] }}"


def _imports(account: PartyAccount) -> Iterable[str]:
    for share in account.shares:
        kind = "service" if share.service else "stream"
        yield f"{{ {kind}: {{ account: {GATEWAY}, subject: {_quoted(share.subject)} }} }}"


def _party_block(account: PartyAccount, limits: Limits) -> list[str]:
    bounds = (
        f"max_connections: {limits.party_connections}, max_subscriptions: {limits.party_subscriptions}, "
        f"max_payload: {limits.party_message_bytes}"
    )
    return [
        f"  {_quoted(account.name)}: {{",
        *_users((account.user,)),
        f"    limits: {{ {bounds} }}",
        *_block("imports", _imports(account)),
        "  }",
    ]


def _users(users: Iterable[User]) -> list[str]:
    return _block("users", [_user(user) for user in users])


def _user(user: User) -> str:
    if not (user.permissions.publish and user.permissions.subscribe):
        # To this server an empty allow list is no list, and no list allows everything.
        raise ConfigurationError(f"the broker user {user.name} would have no limits")
    publish = ", ".join(_quoted(subject) for subject in user.permissions.publish)
    subscribe = ", ".join(_quoted(subject) for subject in user.permissions.subscribe)
    return (
        f"{{ nkey: {user.nkey}, permissions: {{ publish: {{ allow: [{publish}] }}, subscribe: {{ allow: [{subscribe}] }} }} }}"
    )


def _block(name: str, lines: Iterable[str]) -> list[str]:
    return [f"    {name}: [", *(f"      {line}" for line in lines), "    ]"]


def _quoted(value: str) -> str:
    return json.dumps(value)
