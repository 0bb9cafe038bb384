"""The shell of the outcome gate: writes what the chains amount to into the ledger, then announces it.

Outcome, stamps and audit entries of a batch are one transaction, and the first outcome of a request wins. Only after that commit is anybody told. That a
request is with its agent is written a moment later, and not at all when its end was written meanwhile.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final

from lockgate_broker.port import Delivery
from lockgate_ledger.port import OutcomePort
from lockgate_schemas.audit import decision_entry, incident_entry
from lockgate_schemas.envelope import digest_of
from lockgate_schemas.errors import ChainRefusedError, MalformedError
from lockgate_schemas.names import Role
from lockgate_schemas.passage import PASSING, Convoy, Outcome, Passage, Receipt, read_convoy, read_statement
from lockgate_schemas.signing import NoteSigner
from lockgate_schemas.stamping import ORDER, Chain, ChainVerifier, statement_digest
from lockgate_schemas.topics import OUTCOMES, Queue
from lockgate_workers.outcome.announce import Announcer, News
from lockgate_workers.outcome.classify import Dispatched, classify
from lockgate_workers.outcome.recording import ToEnd, endings, progress_of
from lockgate_workers.ruling import Opened, Settled, Verdict

_REMEMBERED: Final = 16_384
"""Digests of statements that are in the log, so that a report of them need not be written again; forgetting one costs a write."""


class OutcomeStage:
    """Reads the outcomes queue; records."""

    role = Role.OUTCOME

    def __init__(self, ledger: OutcomePort, announcer: Announcer, signer: NoteSigner, clock: Callable[[], int]) -> None:
        """``clock`` tells milliseconds since 1970."""
        self._ledger = ledger
        self._announcer = announcer
        self._signer = signer
        self._clock = clock
        self._written: OrderedDict[str, None] = OrderedDict()

    async def queues(self) -> Sequence[Queue]:
        """Its one queue."""
        return (OUTCOMES,)

    def may_wait(self, delivery: Delivery) -> bool:
        """Reports of a dispatch may: the agent's answer, if it comes at once, says the same and more."""
        try:
            convoy = read_convoy(delivery.body)
            return not (convoy.incidents or convoy.releases) and all(_is_report(passage) for passage in convoy.passages)
        except MalformedError:
            return False

    def open(self, delivery: Delivery) -> Convoy:
        """Passages, and reports of incidents and of drafts.

        Left out is a report of a dispatch whose facts and statements, byte for byte, are in the log already: it says nothing new, so it is not worth
        its verification. Anything else in it, and it is verified like every message.
        """
        convoy = read_convoy(delivery.body)
        if convoy.incidents or convoy.releases or not self._written:
            return convoy
        return Convoy(passages=tuple(p for p in convoy.passages if not (_is_report(p) and self._is_written(p))))

    def verify(self, passage: Passage, verifier: ChainVerifier, now: int) -> Chain:
        """A chain of any length from the ingress's stamp on, whose last statement means something here."""
        if not 0 < len(passage.stamps) <= len(ORDER):
            raise ChainRefusedError("a passage without stamps, or with too many")
        chain = verifier.verify(passage, through=ORDER[len(passage.stamps) - 1], now=now, ended=True)
        classify(passage, chain.last)
        return chain

    async def rule(self, batch: Sequence[Opened]) -> Sequence[Verdict]:
        """Record the whole batch. Raises `LedgerError`, upon which nothing of it was recorded or it can be recorded again."""
        to_end: list[ToEnd] = []
        reports: list[Opened] = []
        for opened in batch:
            meaning = classify(opened.passage, opened.chain.last)
            if isinstance(meaning, Dispatched):
                reports.append(opened)
            else:
                passage, chain = opened.passage, opened.chain
                to_end.append(ToEnd(chain.facts, passage.facts, passage.stamps, chain.statements, meaning, passage.response))
        if to_end:
            await end(self._ledger, self._announcer, self._signer, to_end, self._clock())
            self._remember(to_end)
        progress = [progress_of(opened) for opened in reports if opened.chain.last_digest not in self._written]
        if progress:
            await self._ledger.progress(progress)
        return [Settled()] * len(batch)

    def _is_written(self, passage: Passage) -> bool:
        """Whether the newest statement is in the log, is about these facts, and leads back through exactly these statements."""
        statements = [read_statement(stamp.statement) for stamp in passage.stamps]
        digests = [statement_digest(stamp) for stamp in passage.stamps]
        return (
            digests[-1] in self._written
            and not passage.envelope
            and statements[-1].facts == digest_of(bytes(passage.facts))
            and [s.previous for s in statements] == ["", *digests[:-1]]
        )

    def _remember(self, written: Sequence[ToEnd]) -> None:
        """Each statement names the one before it by its digest, so these stand for whole chains up to there."""
        for one in written:
            self._written.update((statement.previous, None) for statement in one.statements[1:])
        while len(self._written) > _REMEMBERED:
            self._written.popitem(last=False)

    async def report(self, convoy: Convoy, verifier: ChainVerifier) -> None:
        """Put incidents into the audit log, and what was said of drafts. They end nothing: whoever sent the message would then decide that."""
        entries = [incident_entry(verifier.incident(one), one.stamp) for one in convoy.incidents]
        entries += [decision_entry(*verifier.release(one), one.stamp) for one in convoy.releases]
        await self._ledger.incidents(entries)


def _is_report(passage: Passage) -> bool:
    if not passage.stamps or bytes(passage.response):
        return False
    last = read_statement(passage.stamps[-1].statement)
    return last.stage == Role.INSPECTION and last.decision in PASSING


async def end(ledger: OutcomePort, announcer: Announcer, signer: NoteSigner, to_end: Sequence[ToEnd], now: int) -> int:
    """Write outcomes, then announce those that were the first; return how many. Raises `LedgerError`."""
    records = endings(to_end, signer, now)
    won = await ledger.end(records)
    ended = [(one, record) for one, record, first in zip(to_end, records, won, strict=True) if first]
    await announcer.tell(
        [News(one.facts, Receipt(facts=one.facts_raw, stamps=record.stamps, response=record.response)) for one, record in ended]
    )
    await announcer.stop_agents(
        (one.facts, one.facts_raw, record.stamps[-1])
        for one, record in ended
        if record.outcome in {Outcome.CANCELLED, Outcome.EXPIRED}
    )
    return len(ended)
