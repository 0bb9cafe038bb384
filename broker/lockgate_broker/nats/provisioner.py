"""The provisioner: the only identity that creates streams, registers parties, and changes who may do what.

It works on the broker's folder and on the running server together, under a lock over all processes, and in an order in which every
interruption leaves less access than intended, never more: queues before keys on the way in, keys before queues on the way
out. Half-done work is written down first and finished by the next `assert_topology`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Self

import nats.errors
from nats.aio.msg import Msg

from lockgate_broker.limits import DEFAULT_LIMITS, DEFAULT_TIMING, Limits, Timing
from lockgate_broker.nats import admin_api
from lockgate_broker.nats.accounts import account_name, inbox, next_subject
from lockgate_broker.nats.folder import BrokerFolder, Entry, State
from lockgate_broker.nats.keys import new_seed, public_key
from lockgate_broker.nats.reload import reload_server
from lockgate_broker.nats.topology import party_topology, whole_topology
from lockgate_broker.nats.wire import Wire
from lockgate_broker.port import Credential
from lockgate_schemas.errors import BrokerError
from lockgate_schemas.names import Role
from lockgate_schemas.topics import NOTICE_EPOCH, Party, Queue

PROOF_ROUNDS: Final = 5
PROOF_PULL: Final = b'{"batch":1,"no_wait":true}'
PROVEN: Final = frozenset({"404", "408"})

Reload = Callable[[BrokerFolder], Awaitable[None]]


class NatsProvisioner:
    """See `lockgate_broker.port.Provisioner`. Open one with `NatsProvisioner.open` on the folder of a running server."""

    def __init__(self, folder: BrokerFolder, wire: Wire, limits: Limits, reload: Reload) -> None:
        self._folder = folder
        self._wire = wire
        self._limits = limits
        self._reload_once = reload

    @classmethod
    async def open(
        cls, root: Path, *, limits: Limits = DEFAULT_LIMITS, timing: Timing = DEFAULT_TIMING, reload: Reload = reload_server
    ) -> Self:
        """Connect with the provisioner's own credential from the folder."""
        folder = BrokerFolder.at(root)
        wire = Wire(folder.role_credential(Role.PROVISIONER), "provisioner", timing)
        await wire.open()
        return cls(folder, wire, limits, reload)

    async def assert_topology(self, parties: Sequence[Party]) -> None:
        """See the port. ``parties`` is the truth about who is registered.

        1. Revocations that were begun are finished.
        2. A party that is not named keeps its queues and loses its access until it is named again.
        3. Streams and consumers are created or compared.
        4. Accounts are derived from the result; only if that changed anything, the server reloads.
        """
        async with self._folder.locked():
            entries = self._folder.entries()
            leaving = [party for party, entry in entries.items() if entry.state is State.LEAVING]
            for party in leaving:
                del entries[party]
            entries |= {party: _restated(entry, parties) for party, entry in entries.items()}
            entries |= {party: Entry(party.kind, party.name, "", State.ACTIVE) for party in parties if party not in entries}
            await admin_api.ensure(self._wire, whole_topology(parties, self._limits))
            if self._folder.write_accounts(entries, self._limits):
                await self._reload()
            for party in leaving:
                if party not in entries:
                    await admin_api.delete(self._wire, party_topology(party, self._limits))
            self._folder.save_entries(entries)

    async def grant(self, party: Party) -> Credential:
        """See the port. A party that has a credential gets a new one, and the old one ends.

        1. Its queues, so that it never connects to nothing.
        2. The record, then the accounts derived from it.
        3. Two reloads: after one, a new account connects and its pulls are not answered.
        4. A pull as that party; without that proof the grant has failed.
        """
        seed = new_seed()
        async with self._folder.locked():
            await admin_api.ensure(self._wire, party_topology(party, self._limits))
            entries = self._folder.entries()
            entries[party] = Entry(party.kind, party.name, public_key(seed), State.ACTIVE)
            self._folder.save_entries(entries)
            self._folder.write_accounts(entries, self._limits)
            credential = Credential(self._servers(), account_name(party), seed, inbox(party))
            await self._reload()
            await self._prove(party, credential)
        return credential

    async def revoke(self, party: Party) -> None:
        """See the port: first the access, then the queues."""
        async with self._folder.locked():
            entries = self._folder.entries()
            if party in entries:
                entries[party] = Entry(party.kind, party.name, "", State.LEAVING)
                self._folder.save_entries(entries)
                self._folder.write_accounts(entries, self._limits)
                await self._reload()
                del entries[party]
            await admin_api.delete(self._wire, party_topology(party, self._limits))
            self._folder.save_entries(entries)

    async def depth(self, queue: Queue) -> int:
        """See the port."""
        return await admin_api.waiting(self._wire, queue)

    async def announce(self, body: bytes = b"") -> None:
        """Tell the workers that parties or policies changed."""
        await self._wire.send(NOTICE_EPOCH, body)

    async def close(self) -> None:
        """Disconnect."""
        await self._wire.close()

    async def __aenter__(self) -> Self:
        """Already connected."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Disconnect."""
        await self.close()

    def _servers(self) -> tuple[str, ...]:
        return self._folder.role_credential(Role.PROVISIONER).servers

    async def _reload(self) -> None:
        await self._reload_once(self._folder)
        await self._reload_once(self._folder)

    async def _prove(self, party: Party, credential: Credential) -> None:
        """Pull once as ``party``; reload again while the new account is not served."""
        for _ in range(PROOF_ROUNDS):
            async with self._as_party(credential) as wire:
                if await _pull_answered(wire, party.inbound):
                    return
            await self._reload_once(self._folder)
        raise BrokerError(f"the broker does not serve {account_name(party)} after {PROOF_ROUNDS} reloads")

    @asynccontextmanager
    async def _as_party(self, credential: Credential) -> AsyncIterator[Wire]:
        wire = Wire(credential, "provisioner-proof", self._wire.timing)
        await wire.open()
        try:
            yield wire
        finally:
            await wire.close()


def _restated(entry: Entry, parties: Sequence[Party]) -> Entry:
    state = State.ACTIVE if entry.party in parties else State.PARKED
    return Entry(entry.kind, entry.name, entry.nkey, state)


async def _pull_answered(wire: Wire, queue: Queue) -> bool:
    """Ask for one message without waiting: any answer of the consumer will do, and a message is given back."""
    answer: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()

    async def take(message: Msg) -> None:
        if not answer.done():
            answer.set_result(message)

    reply = f"{wire.inbox}.proof"
    await wire.subscribe(reply, take)
    await wire.send(next_subject(queue), PROOF_PULL, reply)
    try:
        async with asyncio.timeout(wire.timing.publish):
            message = await answer
    except (TimeoutError, nats.errors.Error):
        return False
    if message.reply:
        await wire.send(message.reply, b"-NAK")
        await wire.round_trip()
        return True
    return (message.headers or {}).get("Status") in PROVEN
