"""The provisioner of the in-memory broker."""

from __future__ import annotations

from collections.abc import Sequence
from secrets import token_hex

from lockgate_broker.memory.server import MemoryServer
from lockgate_broker.port import Credential
from lockgate_schemas.errors import BrokerError
from lockgate_schemas.names import Role
from lockgate_schemas.topics import NOTICE_EPOCH, Party, Queue


class MemoryProvisioner:
    """See `lockgate_broker.port.Provisioner`."""

    def __init__(self, server: MemoryServer) -> None:
        self._server = server

    async def assert_topology(self, parties: Sequence[Party]) -> None:
        """See the port."""
        self._server.create_gateway()
        for party in parties:
            self._server.create_party(party)
            self._server.register(party, self._server.parties.get(party, ""))

    async def grant(self, party: Party) -> Credential:
        """See the port; a party that has a credential gets a new one."""
        seed = token_hex(16)
        self._server.create_party(party)
        self._server.register(party, seed)
        return Credential(("memory://",), f"{party.kind}-{party.name}", seed)

    async def revoke(self, party: Party) -> None:
        """See the port."""
        self._server.remove(party)

    async def depth(self, queue: Queue) -> int:
        """See the port."""
        store = self._server.stores.get(queue.stream)
        if store is None:
            raise BrokerError("there is no such queue")
        return len(store.messages)

    async def announce(self, body: bytes = b"") -> None:
        """Tell the workers that parties or policies changed."""
        self._server.notify(Role.PROVISIONER, NOTICE_EPOCH, body)
