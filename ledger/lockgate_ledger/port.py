"""The ports of the ledger, one for each kind of user, so that a role can only be handed what it needs.

All of them are implemented by `lockgate_ledger.ledger.Ledger`; each method is one transaction. Any failure to read or write is a `LedgerError`: nobody may
go on as if the answer had been yes. Times are milliseconds since 1970 and are passed in.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from lockgate_ledger.alert_records import AlertRecord, Due, Retention, Tried
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
from lockgate_schemas.audit import AuditEntry
from lockgate_schemas.passage import Outcome


class DirectoryPort(Protocol):
    """Who exists and what they may: read by the ingress and by authz, before each batch."""

    async def epoch(self) -> int:
        """The policy epoch, from the primary."""
        ...

    async def directory(self) -> Directory:
        """Everything decisions rest on, at one epoch. Cached until the epoch moves; the epoch itself is read every time."""
        ...


class AcceptancePort(Protocol):
    """The ingress's side."""

    async def accept(self, batch: Sequence[NewRequest], *, open_limit: int) -> list[AcceptResult]:
        """Record a batch in one transaction with its audit entries; return one result each, in order.

        First write wins on (issuer, event_id), also within the batch. When this returns, what is `Accepted` survives a power loss.
        """
        ...

    async def refuse(self, entries: Sequence[AuditEntry]) -> None:
        """Append refusals to the audit log."""
        ...

    async def request(self, request_id: str) -> RequestRecord | None:
        """One request, or nothing. The caller checks whose it is."""
        ...


class OutcomePort(Protocol):
    """The outcome role's side, and its sweeper's."""

    async def progress(self, batch: Sequence[Progress]) -> None:
        """Record that requests were dispatched, and audit the decisions so far (each statement once, however often it is reported)."""
        ...

    async def end(self, batch: Sequence[Ending]) -> list[bool]:
        """End requests, first write wins; true for each that ended now.

        Outcome, stamps and audit entries are one transaction. An unknown request ends nothing and is false; so is a second ending of the same
        request, within the batch too; the outcome entry of a loser is not audited, its gates' decisions are.
        """
        ...

    async def incidents(self, entries: Sequence[AuditEntry]) -> None:
        """Append incidents to the audit log."""
        ...

    async def overdue(self, now: int, most: int) -> list[RequestRecord]:
        """Requests without an outcome whose deadline has passed, oldest first."""
        ...

    async def stalled(self, *, accepted_before: int, dispatched_before: int, most: int) -> list[RequestRecord]:
        """Requests without an outcome on which nothing was reported since the given times (by whether they were dispatched)."""
        ...

    async def resent(self, request_ids: Sequence[str], now: int) -> None:
        """They were published again: their clock starts anew, and ``sends`` counts up."""
        ...

    async def unannounced(self, most: int) -> list[RequestRecord]:
        """Ended requests that came in over the broker and whose outcome has not been sent to the client's topic."""
        ...

    async def announced(self, request_ids: Sequence[str]) -> None:
        """Their outcomes were sent."""
        ...

    async def lease(self, name: str, holder: str, *, now: int, until: int) -> bool:
        """Take or renew a lease; false while another holder's has not run out. One sweeper sweeps at a time."""
        ...


class EventPort(Protocol):
    """For any part of the gateway that finds something wrong with itself."""

    async def report_event(self, kind: str, subject: str, detail: str = "") -> None:
        """Report that ``subject`` (a gate, a pack) is in trouble. ``kind`` is an alert's ``on``: ``broken-pack`` or ``scanner-over-budget``.

        ``detail`` is a few words for people, without a payload or a secret. Needs no audit key; people are alerted by the outcome role, within seconds. Reports of
        the same kind and subject that nobody has looked at yet are one.
        """
        ...


class AlertPort(Protocol):
    """The sender's side of alerts: what is to be told, and to whom it was."""

    async def lease(self, name: str, holder: str, *, now: int, until: int) -> bool:
        """See `OutcomePort.lease`."""
        ...

    async def is_work(self, now: int) -> bool:
        """Whether there are reports, new alerts, or deliveries that are due."""
        ...

    async def prepare(self, destinations: Sequence[str], now: int) -> None:
        """Count the reports that came in, and make a delivery of each new alert for each of the ``destinations`` that it is for."""
        ...

    async def take_due(self, now: int, *, until: int, most: int) -> list[Due]:
        """Take deliveries that are due, counting the attempt. Each is due again at ``until``, unless `settle` says otherwise."""
        ...

    async def settle(self, results: Sequence[Tried], now: int) -> None:
        """Note what became of deliveries."""
        ...

    async def forget(self, now: int) -> int:
        """Drop occurrences that no window reaches back to any more; return how many."""
        ...

    async def prune(self, now: int, retention: Retention) -> int:
        """Drop some of the alerts that are older than that and on which nothing depends any more; return how many, 0 when there are none left."""
        ...


class AlertDeskPort(Protocol):
    """The operator's side of alerts."""

    async def newest(self, limit: int, *, open_only: bool = False) -> list[AlertRecord]:
        """The newest alerts, with their deliveries; with ``open_only`` those that nobody has acknowledged."""
        ...

    async def alert(self, number: int) -> AlertRecord | None:
        """One alert, or nothing."""
        ...

    async def open_by_kind(self) -> Mapping[str, int]:
        """How many alerts nobody has acknowledged, by kind (an alert's ``on``, or ``test``)."""
        ...

    async def acknowledge(self, number: int, *, by: str, note: str, now: int) -> None:
        """Note, and audit, that somebody has seen an alert; the first who says so is kept. Raises `NotFoundError`, `InvalidRequestError`."""
        ...

    async def raise_test(self, destination: str, now: int) -> int:
        """Raise an alert about nothing for one destination; return its number."""
        ...


class AdminPort(Protocol):
    """The operator's side. Each change raises the policy epoch and is audited in the same transaction."""

    async def add_client(self, client: ClientRecord, key: KeyRecord, now: int) -> None:
        """Register a client with its first key. Raises `AlreadyExistsError`."""
        ...

    async def remove_client(self, name: str, now: int) -> None:
        """Deactivate a client; its keys stop verifying. Raises `NotFoundError`."""
        ...

    async def add_key(self, key: KeyRecord, now: int) -> None:
        """Enrol another key of a client. Raises `AlreadyExistsError` or `NotFoundError`."""
        ...

    async def revoke_key(self, kid: str, now: int) -> None:
        """Revoke a key. Raises `NotFoundError`."""
        ...

    async def add_agent(self, agent: AgentRecord, now: int) -> None:
        """Register an agent. Raises `AlreadyExistsError`; a removed agent's name can be registered again."""
        ...

    async def remove_agent(self, name: str, now: int) -> None:
        """Deactivate an agent. Raises `NotFoundError`."""
        ...

    async def grant(self, binding: Binding, now: int) -> None:
        """Bind a user to an agent; granting again replaces the actions. Raises `NotFoundError` for an unknown agent."""
        ...

    async def revoke(self, binding: Binding, now: int) -> None:
        """Remove a binding. Raises `NotFoundError`."""
        ...

    async def apply_policy(self, text: str, digest: str, now: int) -> int:
        """Put a policy set in force; return its version. An empty set is allowed here and denies everything."""
        ...

    async def apply_content(self, text: str, digest: str, now: int) -> int:
        """Put a content policy in force; return its version. Whether it can be used is for the caller to have checked."""
        ...


class AuditPort(Protocol):
    """The auditor's side: reading and proving."""

    async def requests(
        self, *, limit: int, client: str = "", agent: str = "", outcome: Outcome | None = None
    ) -> list[RequestRecord]:
        """The newest requests."""
        ...

    async def search(self, *, limit: int, since: int = 0, until: int = 0, **members: str) -> list[LoggedEntry]:
        """Entries whose members (see `lockgate_schemas.audit.SEARCHABLE`) equal the given ones, newest first."""
        ...

    def entries(self, start: int = 0) -> AsyncIterator[LoggedEntry]:
        """All entries in order from ``start``, read in pages."""
        ...

    async def prove(self, request_id: str) -> list[tuple[LoggedEntry, str]]:
        """Every entry about a request with its proof text against the newest checkpoint."""
        ...

    async def verify(self) -> Verification:
        """Recompute the whole log against every stored checkpoint."""
        ...
