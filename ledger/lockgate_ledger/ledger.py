"""The ledger: every port of `lockgate_ledger.port` over one database. It wires; what each transaction does stands in the module named for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Sequence
from functools import partial
from types import TracebackType
from typing import Final, Self

from sqlalchemy import Connection

from lockgate_ledger import acceptance, admin, leasing, outcomes, proofs, reading
from lockgate_ledger.alert_desk import AlertDesk
from lockgate_ledger.audit import AuditKeys, AuditWriter
from lockgate_ledger.directory import read_directory, read_epoch
from lockgate_ledger.engine import Store, open_store
from lockgate_ledger.gathering import Gathering
from lockgate_ledger.records import (
    AcceptResult,
    AgentRecord,
    Binding,
    ClientRecord,
    Directory,
    Ending,
    KeyRecord,
    LoggedEntry,
    NewRequest,
    Progress,
    RequestRecord,
    Verification,
)
from lockgate_ledger.schema import check_version, migrate_database
from lockgate_ledger.verification import Recomputation
from lockgate_schemas.audit import AuditEntry
from lockgate_schemas.errors import ConfigurationError
from lockgate_schemas.limits import Limits
from lockgate_schemas.passage import Outcome
from lockgate_schemas.signing import NoteSigner
from lockgate_schemas.trust import Trust

_PAGE: Final = 1024
"""Entries read at once when the whole log is gone through: about 1.5 MB of memory, and a lock held for milliseconds."""

_TOGETHER: Final = 256
"""Requests that are looked up in one read, when that many connections wait for their outcomes."""


class Opening:
    """What `Ledger.open` returns: to be awaited for a ledger that the caller closes, or entered for one that closes by itself."""

    def __init__(self, start: Callable[[], Generator[None, None, Ledger]]) -> None:
        self._start = start
        self._ledger: Ledger | None = None

    def __await__(self) -> Generator[None, None, Ledger]:
        return self._start()

    async def __aenter__(self) -> Ledger:
        self._ledger = await self
        return self._ledger

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._ledger is not None:
            await self._ledger.close()


class Ledger:
    """Requests, outcomes, parties, policies and the audit log of one gateway. Made by `Ledger.open`."""

    def __init__(self, store: Store, *, signer: NoteSigner | None, keys: AuditKeys, clock: Callable[[], int]) -> None:
        self._store = store
        self._keys = keys
        self._log = AuditWriter(signer, keys)
        self._signs = signer is not None
        self._clock = clock
        self._directory: Directory | None = None
        self.alerts: Final = AlertDesk(store, self._log, self.directory, clock, self._check_signer)
        """Alerts: what counts, what was raised, to whom it is sent, who has seen it."""
        self._requests: Gathering[str, RequestRecord] = Gathering(self._by_ids, _TOGETHER)

    @classmethod
    def open(
        cls,
        url: str,
        *,
        audit_signer: NoteSigner | None = None,
        audit_trust: Trust | None = None,
        clock: Callable[[], int],
        limits: Limits,
        create: bool = False,
    ) -> Opening:
        """Open the ledger at ``url``: ``sqlite:///path/to/file`` or ``postgresql://host/name``. Await it, or use it with ``async with``.

        ``audit_signer`` is for who writes what must be audited; ``audit_trust`` pins the keys by which the log is verified (the signer's own where it is absent).
        ``create`` creates and migrates the database first. Raises `ConfigurationError` when the database is not there, has not this release's schema,
        or the signer is not one that the trust names.
        """
        keys = AuditKeys(audit_trust, audit_signer)
        if audit_signer is not None and audit_signer.verifier not in keys:
            raise ConfigurationError("the audit key is not one that the trust file names")

        async def start() -> Ledger:
            if create:
                await migrate(url, limits=limits)
            store = open_store(url, timeout=limits.ledger_timeout)
            try:
                await store.read(check_version)
            except BaseException:  # whatever it was, cancellation too: the store must not stay open
                await store.close()
                raise
            return cls(store, signer=audit_signer, keys=keys, clock=clock)

        return Opening(lambda: start().__await__())

    async def close(self) -> None:
        """Let running transactions finish, then close. Whatever is asked afterwards is a `LedgerError`."""
        await self._store.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self.close()

    # --- directory ------------------------------------------------------------------------------------------------

    async def epoch(self) -> int:
        """See `DirectoryPort.epoch`."""
        found = self._store.glance()
        return await self._store.read(read_epoch) if found is None else found

    async def directory(self) -> Directory:
        """See `DirectoryPort.directory`."""
        cached = self._directory
        if cached is not None and self._store.glance() == cached.epoch:
            return cached
        found = await self._store.read(partial(read_directory, cached=cached))
        if self._directory is None or found.epoch > self._directory.epoch:
            self._directory = found
        return found

    # --- acceptance -----------------------------------------------------------------------------------------------

    async def accept(self, batch: Sequence[NewRequest], *, open_limit: int) -> list[AcceptResult]:
        """See `AcceptancePort.accept`."""
        self._check_signer()
        if not batch:
            return []
        return await self._store.write(partial(acceptance.accept, log=self._log, batch=batch, open_limit=open_limit))

    async def refuse(self, entries: Sequence[AuditEntry]) -> None:
        """See `AcceptancePort.refuse`."""
        await self._append(entries)

    async def request(self, request_id: str) -> RequestRecord | None:
        """See `AcceptancePort.request`."""
        return await self._requests.ask(request_id)

    # --- outcomes -------------------------------------------------------------------------------------------------

    async def progress(self, batch: Sequence[Progress]) -> None:
        """See `OutcomePort.progress`."""
        self._check_signer()
        if batch:
            alerts = await self.alerts.rules_for(entry for report in batch for entry in report.entries)
            record = partial(outcomes.record_progress, log=self._log, batch=batch, now=self._clock(), alerts=alerts)
            await self._store.write(record)

    async def end(self, batch: Sequence[Ending]) -> list[bool]:
        """See `OutcomePort.end`."""
        self._check_signer()
        if not batch:
            return []
        alerts = await self.alerts.rules_for(entry for ending in batch for entry in ending.entries)
        record = partial(outcomes.record_endings, log=self._log, batch=batch, now=self._clock(), alerts=alerts)
        return await self._store.write(record)

    async def incidents(self, entries: Sequence[AuditEntry]) -> None:
        """See `OutcomePort.incidents`."""
        await self._append(entries)

    async def overdue(self, now: int, most: int) -> list[RequestRecord]:
        """See `OutcomePort.overdue`."""
        return await self._store.read(partial(reading.overdue, now=now, most=most))

    async def stalled(self, *, accepted_before: int, dispatched_before: int, most: int) -> list[RequestRecord]:
        """See `OutcomePort.stalled`."""
        look = partial(reading.stalled, accepted_before=accepted_before, dispatched_before=dispatched_before, most=most)
        return await self._store.read(look)

    async def resent(self, request_ids: Sequence[str], now: int) -> None:
        """See `OutcomePort.resent`."""
        if request_ids:
            await self._store.write(partial(reading.mark_resent, request_ids=request_ids, now=now))

    async def unannounced(self, most: int) -> list[RequestRecord]:
        """See `OutcomePort.unannounced`."""
        return await self._store.read(partial(reading.unannounced, most=most))

    async def announced(self, request_ids: Sequence[str]) -> None:
        """See `OutcomePort.announced`."""
        if request_ids:
            await self._store.write(partial(reading.mark_announced, request_ids=request_ids))

    async def lease(self, name: str, holder: str, *, now: int, until: int) -> bool:
        """See `OutcomePort.lease`."""
        return await self._store.write(partial(leasing.take_lease, name=name, holder=holder, now=now, until=until))

    # --- administration -------------------------------------------------------------------------------------------

    async def add_client(self, client: ClientRecord, key: KeyRecord, now: int) -> None:
        """See `AdminPort.add_client`."""
        self._check_signer()
        await self._store.write(partial(admin.add_client, log=self._log, client=client, key=key, now=now))

    async def remove_client(self, name: str, now: int) -> None:
        """See `AdminPort.remove_client`."""
        self._check_signer()
        await self._store.write(partial(admin.remove_client, log=self._log, name=name, now=now))

    async def add_key(self, key: KeyRecord, now: int) -> None:
        """See `AdminPort.add_key`."""
        self._check_signer()
        await self._store.write(partial(admin.add_key, log=self._log, key=key, now=now))

    async def revoke_key(self, kid: str, now: int) -> None:
        """See `AdminPort.revoke_key`."""
        self._check_signer()
        await self._store.write(partial(admin.revoke_key, log=self._log, kid=kid, now=now))

    async def add_agent(self, agent: AgentRecord, now: int) -> None:
        """See `AdminPort.add_agent`."""
        self._check_signer()
        await self._store.write(partial(admin.add_agent, log=self._log, agent=agent, now=now))

    async def remove_agent(self, name: str, now: int) -> None:
        """See `AdminPort.remove_agent`."""
        self._check_signer()
        await self._store.write(partial(admin.remove_agent, log=self._log, name=name, now=now))

    async def grant(self, binding: Binding, now: int) -> None:
        """See `AdminPort.grant`."""
        self._check_signer()
        await self._store.write(partial(admin.grant, log=self._log, binding=binding, now=now))

    async def revoke(self, binding: Binding, now: int) -> None:
        """See `AdminPort.revoke`."""
        self._check_signer()
        await self._store.write(partial(admin.revoke, log=self._log, binding=binding, now=now))

    async def apply_policy(self, text: str, digest: str, now: int) -> int:
        """See `AdminPort.apply_policy`."""
        self._check_signer()
        return await self._store.write(partial(admin.apply_policy, log=self._log, text=text, digest=digest, now=now))

    async def apply_content(self, text: str, digest: str, now: int) -> int:
        """See `AdminPort.apply_content`."""
        self._check_signer()
        return await self._store.write(partial(admin.apply_content, log=self._log, text=text, digest=digest, now=now))

    # --- audit ----------------------------------------------------------------------------------------------------

    async def requests(
        self, *, limit: int, client: str = "", agent: str = "", outcome: Outcome | None = None
    ) -> list[RequestRecord]:
        """See `AuditPort.requests`."""
        return await self._store.read(partial(reading.newest, limit=limit, client=client, agent=agent, outcome=outcome))

    async def search(self, *, limit: int, since: int = 0, until: int = 0, **members: str) -> list[LoggedEntry]:
        """See `AuditPort.search`. A member that is given empty is not searched by; ``until`` is exclusive."""
        return await self._store.read(partial(proofs.search, limit=limit, since=since, until=until, members=members))

    async def entries(self, start: int = 0) -> AsyncIterator[LoggedEntry]:
        """See `AuditPort.entries`."""
        while page := await self._store.read(partial(proofs.page, start=start, most=_PAGE)):
            for entry in page:
                yield entry
            start = page[-1].sequence + 1

    async def prove(self, request_id: str) -> list[tuple[LoggedEntry, str]]:
        """See `AuditPort.prove`."""
        return await self._store.read(partial(proofs.prove, keys=self._keys, request_id=request_id))

    async def checkpoint(self) -> str:
        """The newest signed checkpoint, empty for an empty log: what to keep outside of this machine, and to hand to `verify` as witnessed."""
        return await self._store.read(proofs.newest_note)

    async def verify(self, witnessed: Sequence[str] = ()) -> Verification:
        """See `AuditPort.verify`. ``witnessed`` are checkpoints that were kept outside the database; the log must contain them."""
        self._keys.check_pinned()
        recomputation = Recomputation(self._keys, witnessed)
        extent = await self._store.read(proofs.extent)
        while recomputation.size < extent.head.size and not recomputation.failed:
            end = min(recomputation.size + _PAGE, extent.head.size)
            await self._store.read(partial(_recompute, recomputation=recomputation, end=end))
        return recomputation.finish(extent.head, extent.beyond)

    # --- within ---------------------------------------------------------------------------------------------------

    async def _by_ids(self, request_ids: Sequence[str]) -> dict[str, RequestRecord]:
        return await self._store.read(partial(reading.by_ids, request_ids=request_ids))

    async def _append(self, entries: Sequence[AuditEntry]) -> None:
        self._check_signer()
        if entries:
            await self._store.write(partial(_append, log=self._log, entries=entries))

    def _check_signer(self) -> None:
        if not self._signs:
            raise ConfigurationError("this part of the gateway holds no audit key, so it may not write what must be audited")


def _append(connection: Connection, log: AuditWriter, entries: Sequence[AuditEntry]) -> None:
    log.append(connection, entries)


def _recompute(connection: Connection, recomputation: Recomputation, end: int) -> None:
    """One page, recomputed on the reading thread, so that the event loop stays free."""
    recomputation.feed(end, *proofs.stretch(connection, recomputation.size, end))


async def migrate(url: str, *, limits: Limits) -> None:
    """Create the database at ``url`` where it may be created, and bring it to the newest schema. Raises `ConfigurationError`.

    It is as patient as ``limits.migration_timeout`` says, not as a request is: of processes that start together one migrates, and the others wait for all of it.
    """
    store = open_store(url, timeout=limits.migration_timeout, create=True)
    try:
        await store.write(migrate_database)
    finally:
        await store.close()
