"""From verdicts to messages: the statements of a batch, their stamps, and where each passage goes. Pure but for the clock handed in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from lockgate_broker.port import Delivery, Outbound
from lockgate_schemas.envelope import digest_of
from lockgate_schemas.limits import Limits
from lockgate_schemas.names import Role
from lockgate_schemas.passage import NOTHING, Decision, Incident, Passage, Release, Stamp, Statement, encode
from lockgate_schemas.signing import NoteSigner
from lockgate_schemas.stamping import NO_BYTES, stamp_batch
from lockgate_schemas.topics import AUTHZ, NOTICE_RELEASES, OUTCOMES, QUARANTINE_TOPIC, agent
from lockgate_workers.convoys import convoys, incident_report, lone, release_report
from lockgate_workers.ruling import Faulty, Opened, Return, Ruling, Shown, ToAgent, Verdict, Withheld


@dataclass(slots=True)
class Item:
    """One verified passage of a batch, the delivery it came in, and, once there is one, the verdict on it.

    ``lone`` says that the delivery holds nothing else; ``took`` is the deciding time in microseconds; ``stamped`` the passage with this
    gate's stamp, or, of a draft, ``release`` what may be shown.
    """

    opened: Opened
    delivery: Delivery
    lone: bool = True
    verdict: Verdict = field(default_factory=lambda: Faulty("not decided"))
    took: int = 0
    stamped: Passage | None = None
    release: Release | None = None


class Outgoing:
    """Writes what one stage sends."""

    gates = frozenset({Role.AUTHZ, Role.INSPECTION, Role.DLP})
    """The stages at which a request can still expire; the outcome stage records whatever has happened."""

    def __init__(self, role: Role, signer: NoteSigner, limits: Limits, clock: Callable[[], int]) -> None:
        """``clock`` tells milliseconds since 1970: a statement says when it was made."""
        self._role = role
        self._signer = signer
        self._limits = limits
        self._clock = clock

    def messages(self, items: Sequence[Item]) -> list[Outbound]:
        """The messages for a batch of verdicts, with every ruling of it signed at once."""
        # A draft is no answer, whatever was said of it: a ruling on one would end its request.
        ruled = [(item, item.verdict) for item in items if isinstance(item.verdict, Ruling) and not item.opened.draft]
        drafts = [(item, item.verdict) for item in items if isinstance(item.verdict, Shown | Withheld) and item.opened.draft]
        statements = [self._statement(item, ruling) for item, ruling in ruled] + [
            self._about(item, said) for item, said in drafts
        ]
        stamps = stamp_batch(self._signer, statements)
        messages: list[Outbound] = []
        by_topic: dict[str, list[Passage]] = defaultdict(list)
        for (item, said), stamp in zip(drafts, stamps[len(ruled) :], strict=True):
            text = said.text if isinstance(said, Shown) else ""
            item.release = Release(facts=item.opened.passage.facts, stamp=stamp, text=text)
            messages.append(release_report(OUTCOMES.topic, item.release))
        for (item, ruling), stamp in zip(ruled, stamps[: len(ruled)], strict=True):
            item.stamped = _stamped(item.opened.passage, stamp, ruling)
            facts = item.opened.chain.facts
            if isinstance(ruling.next, ToAgent):
                messages.append(lone(agent(facts.agent).inbound.topic, item.stamped, facts.dispatch_id))
            else:
                by_topic[ruling.next.topic].append(item.stamped)
        for item in items:
            passage = item.opened.passage
            if isinstance(item.verdict, Return):
                by_topic[AUTHZ.topic].append(Passage(facts=passage.facts, stamps=passage.stamps[:1], envelope=passage.envelope))
            elif isinstance(item.verdict, Faulty) and not item.lone:
                # The broker counts a message's attempts: one of several goes on alone, to be counted for itself.
                messages.append(lone(item.delivery.queue.topic, passage))
        for topic, passages in by_topic.items():
            messages += convoys(topic, passages, limit=self._limits.convoy_bytes)
        return messages

    def dispatch_reports(self, items: Sequence[Item], unsent: Collection[str]) -> list[Outbound]:
        """Tell the ledger what was handed to agents, all but the dispatches in ``unsent``: the chain so far, without the envelope."""
        sent = [
            Passage(facts=item.stamped.facts, stamps=item.stamped.stamps)
            for item in items
            if item.stamped is not None
            and isinstance(item.verdict, Ruling)
            and isinstance(item.verdict.next, ToAgent)
            and item.opened.chain.facts.dispatch_id not in unsent
        ]
        return list(convoys(OUTCOMES.topic, sent, limit=self._limits.convoy_bytes))

    def notices(self, items: Sequence[Item]) -> list[Outbound]:
        """For those who follow an answer: what of it may be shown now, or that no more will be. To be sent once it is recorded."""
        return [
            Outbound(NOTICE_RELEASES, encode(item.release))
            for item in items
            if item.release is not None and not (isinstance(item.verdict, Withheld) and not item.verdict.told)
        ]

    def quarantined(self, delivery: Delivery, reason: str) -> list[Outbound]:
        """The signed report of a message that no honest party sent, and its bytes for the operator to look at."""
        digest = digest_of(delivery.body)
        statement = Statement(
            stage=str(self._role),
            decision=Decision.QUARANTINE,
            request_id="",
            facts="",
            input=digest,
            output=NO_BYTES,
            previous="",
            at=self._clock(),
            rule=reason,
        )
        incident = Incident(stamp=stamp_batch(self._signer, [statement])[0])
        return [Outbound(f"{QUARANTINE_TOPIC}.{self._role}", delivery.body), incident_report(OUTCOMES.topic, incident)]

    def _about(self, item: Item, said: Shown | Withheld) -> Statement:
        """The statement about a draft: ``output`` is the digest of the characters that may be shown."""
        chain = item.opened.chain
        return Statement(
            stage=str(self._role),
            decision=Decision.SHOW if isinstance(said, Shown) else Decision.WITHHOLD,
            request_id=chain.facts.request_id,
            facts=chain.facts_digest,
            input=digest_of(bytes(item.opened.passage.response)),
            output=digest_of(said.text.encode()) if isinstance(said, Shown) else NO_BYTES,
            previous=chain.last_digest,
            at=self._clock(),
            epoch=said.epoch,
            rule=said.rule,
            rules=said.rules,
            findings=said.findings,
            took=item.took,
        )

    def _statement(self, item: Item, ruling: Ruling) -> Statement:
        chain, passage = item.opened.chain, item.opened.passage
        seen = out = chain.facts.envelope
        if self._role is Role.DLP:
            seen, out = digest_of(bytes(passage.response)), digest_of(bytes(ruling.response))
        return Statement(
            stage=str(self._role),
            decision=ruling.decision,
            request_id=chain.facts.request_id,
            facts=chain.facts_digest,
            input=seen,
            output=out,
            previous=chain.last_digest,
            at=self._clock(),
            epoch=ruling.epoch,
            rule=ruling.rule,
            rules=ruling.rules,
            findings=ruling.findings,
            obligations=ruling.obligations,
            took=item.took,
            score=ruling.score,
        )


def _stamped(passage: Passage, stamp: Stamp, ruling: Ruling) -> Passage:
    # What ends here travels without its envelope: the ledger has it, and the facts name its digest.
    ends = not isinstance(ruling.next, ToAgent) and ruling.next == OUTCOMES
    return Passage(
        facts=passage.facts,
        stamps=(*passage.stamps, stamp),
        envelope="" if ends else passage.envelope,
        response=ruling.response if bytes(ruling.response) else NOTHING,
    )
