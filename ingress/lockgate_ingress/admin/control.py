"""Control: every change an operator can make, in the order of effects that leaves nothing reachable that is not registered.

Adding: the ledger first, then the broker; if the broker fails the ledger's row is taken back. Removing: the ledger first, then the broker. So a
crash in between leaves at most a registered party without a way in, never a way in without a registration. Authorising the operator is the
listener's matter, what a change means to a request is authz's.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Protocol

from lockgate_broker.port import Credential, Provisioner
from lockgate_ingress.faults import described
from lockgate_ledger.port import AdminPort, AlertDeskPort, DirectoryPort
from lockgate_ledger.records import AgentRecord, Binding, ClientRecord, Directory, KeyRecord
from lockgate_schemas.content import content_digest
from lockgate_schemas.envelope import digest_of
from lockgate_schemas.errors import InvalidRequestError, LockgateError
from lockgate_schemas.names import checked_name
from lockgate_schemas.notices import epoch_notice
from lockgate_schemas.signing import checked_public_key
from lockgate_schemas.topics import NOTICE_EPOCH, QUEUES, Party, Queue, agent, client
from lockgate_schemas.trust import Trust

_log = logging.getLogger(__name__)


class ControlLedger(AdminPort, DirectoryPort, Protocol):
    """What control needs of the ledger."""

    @property
    def alerts(self) -> AlertDeskPort:
        """The operator's side of alerts."""
        ...


class Notifier(Protocol):
    """What of a broker control needs."""

    async def notify(self, topic: str, body: bytes) -> None:
        """Send a notice."""
        ...


@dataclass(frozen=True, slots=True)
class AddedClient:
    """What a new client needs, besides the seed that it alone has."""

    client: ClientRecord
    kid: str
    credential: Credential | None


@dataclass(frozen=True, slots=True)
class AddedAgent:
    """What a new agent needs."""

    agent: AgentRecord
    credential: Credential


OPERATOR: Final = "operator"
"""Who acts through the operator's listener: whoever holds the one token."""

_USER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}\Z")


def checked_user(user: str) -> str:
    """A user may be called as people are, also by an address for mail; it stands in no topic. Raises `InvalidRequestError`."""
    if not _USER.match(user):
        raise InvalidRequestError("the user is not 1 to 128 letters, digits and . _ @ + -")
    return user


def kid_of(public_key: bytes) -> str:
    """The id of a key: it follows from the key, so nobody can choose one to be confused with another's."""
    return sha256(public_key).hexdigest()[:16]


class Control:
    """All changes, and a look at how things are."""

    def __init__(
        self,
        *,
        ledger: ControlLedger,
        provisioner: Provisioner,
        broker: Notifier,
        gateway: str,
        trust: Trust,
        url: str,
        check_policy: Callable[[str], object],
        check_content: Callable[[str], object],
        clock: Callable[[], int],
        policy_digest: Callable[[str], str] = lambda text: digest_of(text.encode()),
    ) -> None:
        """``broker`` sends the notice of a new epoch; ``check_policy`` raises on a policy set that could not be in force.

        ``check_content`` does so on a content policy, and may take seconds: it is run on a thread.
        """
        self._ledger = ledger
        self._provisioner = provisioner
        self._broker = broker
        self._policy_digest = policy_digest
        self._check_policy = check_policy
        self._check_content = check_content
        self._clock = clock
        self.gateway = gateway
        self.trust = trust
        self.url = url

    # --- clients and their keys ------------------------------------------------------------------------------------

    async def add_client(self, name: str, *, tenant: str, user: str, public_key: bytes, broker: bool) -> AddedClient:
        """Register a client with its first key; with ``broker`` also a way in over the broker.

        Raises `NameRefusedError`, `InvalidRequestError` (the key), `AlreadyExistsError`.
        """
        record = ClientRecord(
            name=checked_name(name, what="client"),
            tenant=checked_name(tenant, what="tenant"),
            user=checked_user(user),
            broker=broker,
        )
        key = KeyRecord(kid=kid_of(checked_public_key(public_key)), client=name, public_key=public_key)
        await self._ledger.add_client(record, key, self._clock())
        credential = None
        if broker:
            credential = await self._granted(client(name), lambda: self._ledger.remove_client(name, self._clock()))
        await self._changed()
        return AddedClient(record, key.kid, credential)

    async def remove_client(self, name: str) -> None:
        """Deactivate a client, then take its broker credential, if it has one. Raises `NotFoundError`."""
        record = (await self._ledger.directory()).clients.get(name)
        await self._ledger.remove_client(checked_name(name, what="client"), self._clock())
        await self._changed()
        if record is not None and record.broker:
            await self._provisioner.revoke(client(name))

    async def add_key(self, name: str, public_key: bytes, *, ends: int = 0) -> str:
        """Enrol another key; return its id. Raises `NotFoundError`, `AlreadyExistsError`, `InvalidRequestError`."""
        kid = kid_of(checked_public_key(public_key))
        key = KeyRecord(kid=kid, client=checked_name(name, what="client"), public_key=public_key, ends=ends)
        await self._ledger.add_key(key, self._clock())
        await self._changed()
        return kid

    async def revoke_key(self, kid: str) -> None:
        """Revoke a key. Raises `NotFoundError`."""
        await self._ledger.revoke_key(kid, self._clock())
        await self._changed()

    # --- agents ----------------------------------------------------------------------------------------------------

    async def add_agent(self, name: str, *, tenant: str, actions: tuple[str, ...]) -> AddedAgent:
        """Register an agent, then give it its queues and credential. Raises `NameRefusedError`, `AlreadyExistsError`, `BrokerError`."""
        record = AgentRecord(
            name=checked_name(name, what="agent"),
            tenant=checked_name(tenant, what="tenant"),
            actions=tuple(checked_name(action, what="action") for action in actions),
        )
        await self._ledger.add_agent(record, self._clock())
        credential = await self._granted(agent(name), lambda: self._ledger.remove_agent(name, self._clock()))
        await self._changed()
        return AddedAgent(record, credential)

    async def remove_agent(self, name: str) -> None:
        """Deactivate an agent, then take its credential and queues. Raises `NotFoundError`."""
        await self._ledger.remove_agent(checked_name(name, what="agent"), self._clock())
        await self._changed()
        await self._provisioner.revoke(agent(name))

    async def _granted(self, party: Party, take_back: Callable[[], Awaitable[None]]) -> Credential:
        try:
            return await self._provisioner.grant(party)
        except BaseException:
            # Also when cancelled. A half-made grant may be there already, so it is withdrawn first: unregistered must mean unreachable.
            await self._withdrawn(party)
            await take_back()
            raise

    async def _withdrawn(self, party: Party) -> None:
        try:
            await self._provisioner.revoke(party)
        except LockgateError as error:
            _log.warning("a grant that failed could not be withdrawn: %s", described(error))

    # --- grants and policy -----------------------------------------------------------------------------------------

    async def grant(self, binding: Binding) -> None:
        """Bind a user to an agent. Raises `NotFoundError` for an unknown agent, `NameRefusedError`."""
        await self._ledger.grant(_checked(binding), self._clock())
        await self._changed()

    async def revoke(self, binding: Binding) -> None:
        """Remove a binding. Raises `NotFoundError`."""
        await self._ledger.revoke(_checked(binding), self._clock())
        await self._changed()

    async def apply_policy(self, text: str) -> int:
        """Put a policy set in force, if it is one; return its version. Raises what the check raises."""
        self._check_policy(text)
        version = await self._ledger.apply_policy(text, self._policy_digest(text), self._clock())
        await self._changed()
        return version

    async def apply_content(self, text: str) -> int:
        """Put a content policy in force, if every gate can build what it asks for; return its version. Raises what the check raises."""
        await asyncio.to_thread(self._check_content, text)
        version = await self._ledger.apply_content(text, content_digest(text), self._clock())
        await self._changed()
        return version

    # --- alerts ----------------------------------------------------------------------------------------------------

    async def acknowledge_alert(self, number: int, note: str) -> None:
        """Note that the operator has seen an alert. Raises `NotFoundError`, `InvalidRequestError`."""
        await self._ledger.alerts.acknowledge(number, by=OPERATOR, note=note, now=self._clock())

    async def test_alert(self, destination: str) -> int:
        """Raise an alert about nothing for one destination; return its number. Raises `NameRefusedError`."""
        return await self._ledger.alerts.raise_test(checked_name(destination, what="destination"), self._clock())

    async def open_alerts(self) -> Mapping[str, int]:
        """How many alerts nobody has acknowledged, by kind."""
        return await self._ledger.alerts.open_by_kind()

    # --- how things are --------------------------------------------------------------------------------------------

    async def directory(self) -> Directory:
        """Who exists and what they may."""
        return await self._ledger.directory()

    async def depths(self) -> dict[str, int]:
        """The messages in each queue, by stream. A queue that cannot be asked is left out: absent is not empty."""
        depths: dict[str, int] = {}
        for queue in queues_of(await self._ledger.directory()):
            try:
                depths[queue.stream] = await self._provisioner.depth(queue)
            except LockgateError as error:
                _log.debug("no depth of %s: %s", queue.stream, error.code)
        return depths

    async def _changed(self) -> None:
        """Wake whoever caches the directory. They would see the epoch in the ledger anyway, so a failure here fails nothing."""
        try:
            await self._broker.notify(NOTICE_EPOCH, epoch_notice(await self._ledger.epoch()))
        except LockgateError as error:
            _log.warning("the change was not announced: %s", error.code)


def queues_of(directory: Directory) -> tuple[Queue, ...]:
    """The gateway's queues and those of every active party."""
    parties = [agent(record.name) for record in directory.agents.values() if record.active]
    parties += [client(record.name) for record in directory.clients.values() if record.active and record.broker]
    return (*QUEUES, *(queue for party in parties for queue in (party.inbound, party.outbound)))


def _checked(binding: Binding) -> Binding:
    checked_name(binding.tenant, what="tenant")
    checked_user(binding.user)
    checked_name(binding.agent, what="agent")
    checked_name(binding.role, what="role")
    for action in binding.actions:
        checked_name(action, what="action")
    return binding
