"""The shell of the inspection gate: checks that the policy epoch still holds, and asks `lockgate_workers.inspection.gate`.

A passage that was authorised under an older policy epoch goes back to authz: a grant that was revoked while it waited refuses it
there. The epoch is read after the batch was pulled, so a change that was made before the pull is always seen, the content policy included: it is
the one of that epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from lockgate_broker.port import Delivery
from lockgate_ledger.port import DirectoryPort
from lockgate_ledger.records import Directory
from lockgate_schemas.envelope import event_of
from lockgate_schemas.errors import ChainRefusedError, LockgateError
from lockgate_schemas.names import Role
from lockgate_schemas.passage import STREAMED, Convoy, Decision, Facts, Passage
from lockgate_schemas.stamping import Chain, ChainVerifier
from lockgate_schemas.topics import INSPECTION, OUTCOMES, Queue
from lockgate_workers.dlp import shapes
from lockgate_workers.dlp.terms import asked, terms_for
from lockgate_workers.inspection.decide import InspectionDecision, InspectionOutcome
from lockgate_workers.inspection.source import InspectionContent
from lockgate_workers.ruling import TO_AGENT, Opened, Return, Ruling, Verdict
from lockgate_workers.scanning.content import TunedScanner, day
from lockgate_workers.scanning.findings import summary
from lockgate_workers.scanning.reloading import InForce
from lockgate_workers.stage import open_inbound

_DECISIONS: Final = {
    InspectionOutcome.PASS: Decision.ALLOW,
    InspectionOutcome.FLAG: Decision.FLAG,
    InspectionOutcome.BLOCK: Decision.BLOCK,
}

TAINTED: Final = "tainted"
"""The obligation that goes with a flag: agent and tools treat the content as coming from somebody who may want to misuse them."""


@dataclass(frozen=True, slots=True)
class _Readable:
    """A request that could be read: its place in the batch, its data, the scanner that holds for it, and what the answer is bound to."""

    place: int
    data: Any
    scanner: TunedScanner
    obliges: tuple[str, ...]


class InspectionStage:
    """Reads the inspection queue; hands on to the agent, or blocks."""

    role = Role.INSPECTION

    def __init__(self, ledger: DirectoryPort, content: InForce[InspectionContent], clock: Callable[[], int]) -> None:
        """``clock`` tells milliseconds since 1970."""
        self._ledger = ledger
        self._content = content
        self._clock = clock

    async def queues(self) -> Sequence[Queue]:
        """Its one queue."""
        return (INSPECTION,)

    def may_wait(self, delivery: Delivery) -> bool:
        """Nothing waits here."""
        del delivery
        return False

    def open(self, delivery: Delivery) -> Convoy:
        """See `open_inbound`."""
        return open_inbound(delivery)

    def verify(self, passage: Passage, verifier: ChainVerifier, now: int) -> Chain:
        """The stamps of the ingress and of authz must be on it."""
        return verifier.verify(passage, through=Role.AUTHZ, now=now)

    async def rule(self, batch: Sequence[Opened]) -> Sequence[Verdict]:
        """Decide each under the directory of the moment."""
        directory = await self._ledger.directory()
        content = await self._content.current(directory.content)
        today = day(self._clock())
        verdicts: list[Verdict] = [Return()] * len(batch)
        readable: list[_Readable] = []
        for place, opened in enumerate(batch):
            if opened.chain.last.epoch != directory.epoch:
                continue
            facts = opened.chain.facts
            scanner = content.scanners.tuned(facts.principal.tenant, facts.agent, today)
            try:
                data = msgspec.json.decode(event_of(opened.passage.envelope).data)
            except (LockgateError, msgspec.MsgspecError, RecursionError):
                # The door parsed it; that it does not parse here means that nobody has seen what the agent would read.
                verdicts[place] = Ruling(Decision.BLOCK, "unreadable", epoch=directory.epoch, rules=scanner.digest)
            else:
                readable.append(_Readable(place, data, scanner, _obliges(data, facts, directory, content)))
        decided = await content.gate.rule_many([(one.data, one.scanner) for one in readable])
        for one, found in zip(readable, decided, strict=True):
            verdicts[one.place] = _ruling(one, found, directory.epoch)
        return verdicts

    async def report(self, convoy: Convoy, verifier: ChainVerifier) -> None:
        """No incident is reported to this gate."""
        del convoy, verifier
        raise ChainRefusedError("incidents are the outcome stage's")


def _ruling(one: _Readable, found: InspectionDecision, epoch: int) -> Ruling:
    decision = _DECISIONS[found.decision]
    return Ruling(
        decision,
        found.rule,
        next=OUTCOMES if decision is Decision.BLOCK else TO_AGENT,
        rules=one.scanner.digest,
        epoch=epoch,
        findings=summary(found.findings),
        obligations=((TAINTED,) if decision is Decision.FLAG else ()) + one.obliges,
        score=round(1_000 * found.score),
    )


def _obliges(data: Any, facts: Facts, directory: Directory, content: InspectionContent) -> tuple[str, ...]:
    """What the question is about, where a shape ties answers to it: the gate that sees the answer does not see the question.

    And whether the agent may send drafts of its answer, which it learns from nothing else.
    """
    terms = terms_for(content.scanners.policy, asked(facts, directory))
    found: set[str] = set()
    for shape in terms.shapes:
        found.update(shapes.asked(data, shape, content.salt))
    return ((STREAMED,) if terms.streams else ()) + tuple(sorted(found))
