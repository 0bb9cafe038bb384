"""What the doors turned away, on its way into the audit log: in batches, bounded, and never dropped without a trace.

The first refusals between two flushes become entries of their own; beyond that they are counted by code and client, and one entry says how many.
Codes are a closed set and a client is only named once its key has verified, so the counts are bounded too. Flushing is apart from
accepting: a flood of refusals costs one small commit a second and holds nobody up.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol

from lockgate_ingress.faults import described
from lockgate_ledger.records import ClientRecord
from lockgate_schemas.audit import AuditEntry, refusal_entry
from lockgate_schemas.errors import LockgateError

_log = logging.getLogger(__name__)

_Who = tuple[str, str, str, str]  # code, client, tenant, user


class RefusalSink(Protocol):
    """Where entries end up."""

    def refuse(self, entries: Sequence[AuditEntry]) -> Coroutine[Any, Any, None]:
        """Append them to the audit log."""
        ...


class RefusalLog:
    """Collects refusals and writes them behind the doors' back."""

    def __init__(self, sink: RefusalSink, *, clock: Callable[[], int], single: int, every: float) -> None:
        """``single`` entries of their own at most in each flush; a flush ``every`` so many seconds."""
        self._sink = sink
        self._clock = clock
        self._single = single
        self._every = every
        self._entries: list[AuditEntry] = []
        self._counts: Counter[_Who] = Counter()
        self._noted = asyncio.Event()

    def note(self, error: LockgateError, *, rule: str = "", client: ClientRecord | None = None) -> None:
        """Something was turned away. ``rule`` is a constant that says why; by default the error's own sentence."""
        name, tenant, user = (client.name, client.tenant, client.user) if client else ("", "", "")
        self._noted.set()
        if len(self._entries) >= self._single:
            self._counts[(error.code, name, tenant, user)] += 1
            return
        entry = refusal_entry(
            at=self._clock(), code=error.code, rule=rule or error.detail, client=name, tenant=tenant, user=user
        )
        self._entries.append(entry)

    async def run(self) -> None:
        """Flush for ever; when cancelled, once more."""
        try:
            while True:
                await self._noted.wait()
                await self.flush()
                await asyncio.sleep(self._every)
        finally:
            await self.flush()

    async def flush(self) -> None:
        """Write what there is. What the ledger did not take stays, and is counted from then on."""
        entries, counts = self._entries, self._counts
        if not entries and not counts:
            return
        self._entries, self._counts = [], Counter()
        self._noted.clear()
        writing = asyncio.ensure_future(self._sink.refuse([*entries, *self._counted(counts)]))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:  # stopping in the middle: what is being written is neither lost nor written twice
            await asyncio.wait({writing})
            if writing.cancelled() or writing.exception() is not None:
                self._keep(entries, counts)
            raise
        except Exception as error:  # noqa: BLE001 - refusing went on without the ledger; the entries are kept for the next flush
            _log.warning("refusals could not be recorded yet: %s", described(error))
            self._keep(entries, counts)

    def _counted(self, counts: Counter[_Who]) -> list[AuditEntry]:
        now = self._clock()
        return [
            refusal_entry(at=now, code=code, rule=f"{count} more of these", client=client, tenant=tenant, user=user)
            for (code, client, tenant, user), count in counts.items()
        ]

    def _keep(self, entries: list[AuditEntry], counts: Counter[_Who]) -> None:
        kept = [*entries, *self._entries]
        self._entries = kept[: self._single]
        self._counts.update(counts)
        for entry in kept[self._single :]:
            self._counts[(entry.code, entry.client, entry.tenant, entry.user)] += 1
        self._noted.set()
