"""The broker's folder: where each file lies, and the record of who is registered.

``parties.json`` is what the configuration is derived from, so a process that died half-way through a grant or a revocation
leaves something the next start can finish. It holds public keys only; the seed of a party is handed out once and not kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

from lockgate_broker.credentials import load_credential, save_credential
from lockgate_broker.limits import Limits
from lockgate_broker.nats.accounts import Plan, inbox, plan, render
from lockgate_broker.nats.keys import new_seed, public_key
from lockgate_broker.port import Credential
from lockgate_broker.private_files import make_private_folder, read_private, write_private
from lockgate_schemas.errors import BrokerError, ConfigurationError
from lockgate_schemas.names import PartyKind, Role
from lockgate_schemas.topics import Party

LOCK_POLL: Final = 0.02


class State(StrEnum):
    """How far a party's registration has come."""

    ACTIVE = "active"
    PARKED = "parked"  # known here, not to whoever asserted the topology: its credential opens nothing until it is back
    LEAVING = "leaving"  # a revocation began: it is finished before anything else


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One registered party; ``nkey`` is empty where it has queues and no credential."""

    kind: PartyKind
    name: str
    nkey: str
    state: State

    @property
    def party(self) -> Party:
        """Whose entry this is; the name is checked again, since it came from a file."""
        return Party(self.kind, self.name)


Entries = Mapping[Party, Entry]


@dataclass(frozen=True, slots=True)
class BrokerFolder:
    """The files of one broker."""

    root: Path

    @classmethod
    def at(cls, root: Path) -> BrokerFolder:
        """The folder at ``root``, wherever this process goes later."""
        return cls(root.absolute())

    @property
    def server_conf(self) -> Path:
        """What the server is started with; it includes the accounts."""
        return self.root / "server.conf"

    @property
    def accounts_conf(self) -> Path:
        """Users and permissions, rewritten by the provisioner."""
        return self.root / "accounts.conf"

    @property
    def parties_json(self) -> Path:
        """The record of registered parties."""
        return self.root / "parties.json"

    @property
    def store(self) -> Path:
        """The server's own data."""
        return self.root / "store"

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.root / "server.log"

    @property
    def pid(self) -> Path:
        """The process id of the running server."""
        return self.root / "server.pid"

    def role_file(self, role: Role) -> Path:
        """The credential of one role."""
        return self.root / "credentials" / f"{role}.json"

    def prepare(self, servers: tuple[str, ...]) -> None:
        """Make the folder, the key of every role, and a first configuration; keep the keys that are there."""
        make_private_folder(self.root)
        make_private_folder(self.root / "credentials")
        make_private_folder(self.store)
        for role in Role:
            path = self.role_file(role)
            seed = load_credential(path).seed if path.exists() else new_seed()
            wanted = Credential(servers, str(role), seed, inbox(role))
            if not path.exists() or load_credential(path) != wanted:
                save_credential(path, wanted)

    def role_credential(self, role: Role) -> Credential:
        """Read the credential of ``role``."""
        return load_credential(self.role_file(role))

    def entries(self) -> dict[Party, Entry]:
        """Read the registered parties; none before the first one."""
        if not self.parties_json.exists():
            return {}
        try:
            found = msgspec.json.decode(read_private(self.parties_json), type=tuple[Entry, ...])
        except msgspec.MsgspecError as error:
            raise ConfigurationError(f"{self.parties_json} is not a list of parties") from error
        return {entry.party: entry for entry in found}

    def save_entries(self, entries: Entries) -> None:
        """Replace the record of registered parties."""
        write_private(self.parties_json, msgspec.json.format(msgspec.json.encode(list(entries.values()))) + b"\n")

    def layout(self, entries: Entries) -> Plan:
        """Derive the accounts from the keys of the roles and from who is registered and active."""
        active = [entry for entry in entries.values() if entry.state is State.ACTIVE]
        keys = {entry.party: entry.nkey for entry in active if entry.nkey}
        role_keys = {role: public_key(self.role_credential(role).seed) for role in Role}
        return plan(role_keys, [entry.party for entry in active], keys)

    def write_accounts(self, entries: Entries, limits: Limits) -> bool:
        """Write the accounts that follow from ``entries``; say whether that changed the file."""
        text = render(self.layout(entries), limits).encode()
        if self.accounts_conf.exists() and read_private(self.accounts_conf) == text:
            return False
        write_private(self.accounts_conf, text)
        return True

    @asynccontextmanager
    async def locked(self, bound: float = 60.0) -> AsyncIterator[None]:
        """Hold the folder for one change at a time, over all processes; raise `BrokerError` after ``bound`` seconds."""
        handle = os.open(self.root / "provisioner.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            await _wait_for_lock(handle, bound)
            yield
        finally:
            with contextlib.suppress(OSError):
                os.close(handle)  # closing releases the lock, as does the end of the process


async def _wait_for_lock(handle: int, bound: float) -> None:
    try:
        async with asyncio.timeout(bound):
            while not _try_lock(handle):  # noqa: ASYNC110  # another process holds it
                await asyncio.sleep(LOCK_POLL)
    except TimeoutError as error:
        raise BrokerError("another change of the broker's parties did not end in time") from error


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in {errno.EWOULDBLOCK, errno.EACCES}:
            return False
        raise
    return True
