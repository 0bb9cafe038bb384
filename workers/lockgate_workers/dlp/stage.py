"""The shell of the DLP gate: reads every agent's replies, and asks `lockgate_workers.dlp.decide` what of them may go out.

A reply is believed in nothing but its text: the facts and stamps in it are verified like those of any passage, and must belong to the agent
whose topic it came in on and to the dispatch it answers. When the policy epoch has moved on since authz decided, the same
policies are asked again; here they can only refuse. A draft of an answer is verified the same way, and is never one (`drafts`). The content policy is the one of that same epoch, read after the pull.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final

from lockgate_broker.port import Delivery
from lockgate_ledger.port import DirectoryPort
from lockgate_ledger.records import Directory
from lockgate_schemas.errors import ChainRefusedError, MalformedError
from lockgate_schemas.names import Role
from lockgate_schemas.passage import (
    NOTHING,
    Convoy,
    Decision,
    Passage,
    Response,
    ResponseStatus,
    raw,
    read_facts,
    read_reply,
    read_response,
)
from lockgate_schemas.stamping import Chain, ChainVerifier
from lockgate_schemas.topics import Queue, agent
from lockgate_workers.authz.decide import decide as authorise
from lockgate_workers.authz.policy import PolicyDecisionPoint
from lockgate_workers.authz.stage import DecisionPoints
from lockgate_workers.dlp.decide import DlpOutcome, Question, decide
from lockgate_workers.dlp.drafts import RULE_TOO_LARGE, of_draft
from lockgate_workers.dlp.source import DlpContent
from lockgate_workers.dlp.terms import asked, terms_for
from lockgate_workers.ruling import Held, Opened, Ruling, Verdict, Withheld
from lockgate_workers.scanning.content import day
from lockgate_workers.scanning.findings import summary
from lockgate_workers.scanning.reloading import InForce
from lockgate_workers.stage import Drafted

_DECISIONS: Final = {
    DlpOutcome.PASS: Decision.ALLOW,
    DlpOutcome.REDACT: Decision.REDACT,
    DlpOutcome.BLOCK: Decision.BLOCK,
}


TOO_LARGE: Final = RULE_TOO_LARGE
_DRAFT: Final = b'"draft":'
_TAIL: Final = 16
"""Where a draft's number stands in a reply as the SDK writes it. Nothing but a short wait hangs on that."""
_REMEMBERED: Final = 4_096
"""Dispatches of which the newest draft is remembered."""


class DlpStage:
    """Reads the reply queue of every active agent; lets out, redacts, or blocks."""

    role = Role.DLP

    def __init__(self, ledger: DirectoryPort, content: InForce[DlpContent], clock: Callable[[], int], *, most: int) -> None:
        """``clock`` tells milliseconds since 1970; ``most`` is how many bytes a response may have."""
        self._most = most
        self._ledger = ledger
        self._points = DecisionPoints(ledger)
        self._content = content
        self._clock = clock
        self._seen = _Seen()

    async def queues(self) -> Sequence[Queue]:
        """One queue for each active agent."""
        directory = await self._ledger.directory()
        return [agent(record.name).outbound for record in directory.agents.values() if record.active]

    def may_wait(self, delivery: Delivery) -> bool:
        """Drafts may: the next one says what they say, and more. Answers do not wait for them."""
        return _DRAFT in delivery.body[-_TAIL:]

    def open(self, delivery: Delivery) -> Convoy:
        """The passage in a reply, if topic, dispatch and facts name the same agent and the same dispatch."""
        reply = read_reply(delivery.body)
        facts = read_facts(reply.passage.facts)
        if delivery.queue != agent(facts.agent).outbound or delivery.topic != f"{delivery.queue.topic}.{facts.dispatch_id}":
            raise ChainRefusedError("a reply on another topic than its own")
        if reply.dispatch_id != facts.dispatch_id:
            raise ChainRefusedError("a reply to another dispatch than its facts'")
        if not bytes(reply.passage.response):
            raise MalformedError("a reply without a response")
        return Drafted(passages=(reply.passage,), number=reply.draft) if reply.draft else Convoy(passages=(reply.passage,))

    def verify(self, passage: Passage, verifier: ChainVerifier, now: int) -> Chain:
        """The stamps that the agent was given must be on it: an agent cannot answer what it was never asked."""
        return verifier.verify(passage, through=Role.INSPECTION, now=now)

    async def rule(self, batch: Sequence[Opened]) -> Sequence[Verdict]:
        """Decide each under the directory of the moment. Of the drafts of one answer only the newest is looked at."""
        directory, point = await self._points.current()
        content = await self._content.current(directory.content)
        now = self._clock()
        newest = self._seen.newest(batch)

        def decided() -> list[Verdict]:
            return [
                Held() if opened.draft and place not in newest else self._one(opened, directory, point, content, now)
                for place, opened in enumerate(batch)
            ]

        verdicts = await asyncio.to_thread(decided) if content.slow else decided()
        self._seen.note(batch)
        return verdicts

    def _one(self, opened: Opened, directory: Directory, point: PolicyDecisionPoint, content: DlpContent, now: int) -> Verdict:
        authorised = opened.chain.by(Role.AUTHZ)
        if authorised is None or authorised.epoch != directory.epoch:
            again = authorise(opened.chain.facts, directory, point, now)
            if again.decision is not Decision.ALLOW:
                if opened.draft:
                    return Withheld(again.rule, rules=again.rules, epoch=directory.epoch)
                return Ruling(Decision.DENY, again.rule, rules=again.rules, epoch=directory.epoch)
        return (self._draft if opened.draft else self._looked_at)(opened, directory, content, now)

    def _draft(self, opened: Opened, directory: Directory, content: DlpContent, now: int) -> Verdict:
        facts = opened.chain.facts
        return of_draft(
            opened.passage.response,
            content.scanners.tuned(facts.principal.tenant, facts.agent, day(now)),
            terms_for(content.scanners.policy, asked(facts, directory)),
            content.replacement,
            epoch=directory.epoch,
            most=self._most,
            settles=content.settles,
        )

    def _looked_at(self, opened: Opened, directory: Directory, content: DlpContent, now: int) -> Ruling:
        facts, epoch = opened.chain.facts, directory.epoch
        scanner = content.scanners.tuned(facts.principal.tenant, facts.agent, day(now))
        try:
            response = read_response(opened.passage.response)
        except MalformedError:
            return Ruling(Decision.BLOCK, "malformed-response", rules=scanner.digest, epoch=epoch)
        # As raw JSON it is never smaller, so the exact size is only looked at when that is too large.
        if len(opened.passage.response) > self._most and len(response.body.encode(errors="surrogatepass")) > self._most:
            return Ruling(Decision.BLOCK, TOO_LARGE, rules=scanner.digest, epoch=epoch)
        terms = terms_for(content.scanners.policy, asked(facts, directory))
        question = Question(_obligations(opened), content.salt, failed=response.status is ResponseStatus.ERROR)
        found = decide(response.body, response.content_type, scanner, terms, question, content.replacement)
        decision = _DECISIONS[found.decision]
        blocked = decision is Decision.BLOCK
        out = Response(status=response.status, body=found.body, content_type=found.content_type)
        return Ruling(
            decision,
            found.rule,
            rules=scanner.digest,
            epoch=epoch,
            findings=summary(found.findings),
            response=NOTHING if blocked else raw(out),
        )

    async def report(self, convoy: Convoy, verifier: ChainVerifier) -> None:
        """No incident is reported to this gate."""
        del convoy, verifier
        raise ChainRefusedError("incidents are the outcome stage's")


class _Seen:
    """The newest draft of each dispatch that this worker has looked at: an older one says nothing new. Forgetting one costs a scan."""

    def __init__(self) -> None:
        self._numbers: OrderedDict[str, int] = OrderedDict()

    def newest(self, batch: Sequence[Opened]) -> frozenset[int]:
        """The places in ``batch`` of drafts that are worth a look: of each dispatch the highest number, and only if it is new."""
        best: dict[str, tuple[int, int]] = {}
        for place, opened in enumerate(batch):
            if not opened.draft:
                continue
            dispatch = opened.chain.facts.dispatch_id
            if opened.draft > max(self._numbers.get(dispatch, 0), best.get(dispatch, (0, 0))[0]):
                best[dispatch] = opened.draft, place
        return frozenset(place for _, place in best.values())

    def note(self, batch: Sequence[Opened]) -> None:
        """These were decided about."""
        for opened in batch:
            if opened.draft:
                dispatch = opened.chain.facts.dispatch_id
                self._numbers[dispatch] = max(opened.draft, self._numbers.pop(dispatch, 0))
        while len(self._numbers) > _REMEMBERED:
            self._numbers.popitem(last=False)


def _obligations(opened: Opened) -> tuple[str, ...]:
    """What the gate that saw the question says about it."""
    inspected = opened.chain.by(Role.INSPECTION)
    return () if inspected is None else inspected.obligations
