"""Admission: from the bytes of a dispatch to a `Dispatch` whose stamps verified, or a refusal. Pure.

`Gate.admit` is the only way to make a `Dispatch`, and it looks at the envelope only after the stamps over it verified. It leaves to
the caller: whether this dispatch was seen before, what to run, and what to do with what was refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from lockgate_schemas.envelope import Event, digest_of, event_of
from lockgate_schemas.errors import ChainRefusedError, DeadlineError
from lockgate_schemas.names import Role
from lockgate_schemas.passage import (
    STREAMED,
    Cancel,
    Convoy,
    Decision,
    Facts,
    Passage,
    Reply,
    encode,
    read_cancel,
    read_convoy,
)
from lockgate_schemas.stamping import Chain, ChainVerifier

_ENDED: Final = frozenset({Decision.RECORD, Decision.CANCEL})


@dataclass(frozen=True, slots=True)
class Dispatch:
    """A verified request to this agent. Made by `Gate.admit` only."""

    passage: Passage
    chain: Chain
    event: Event

    @property
    def facts(self) -> Facts:
        """What the ingress established."""
        return self.chain.facts

    @property
    def streamed(self) -> bool:
        """Whether the gateway takes drafts of the answer: its inspection gate says so on its stamp."""
        inspected = self.chain.by(Role.INSPECTION)
        return inspected is not None and STREAMED in inspected.obligations

    def reply(self, response: msgspec.Raw, draft: int = 0) -> bytes:
        """The bytes of the reply: the passage as it came, without the envelope, with ``response`` in it; or of a draft of it, by its number."""
        passage = Passage(facts=self.passage.facts, stamps=self.passage.stamps, response=response)
        return encode(Reply(dispatch_id=self.facts.dispatch_id, passage=passage, draft=draft))


@dataclass(frozen=True, slots=True)
class Gate:
    """What stands between the queue and the handlers of one agent."""

    agent: str
    verifier: ChainVerifier

    def admit(self, body: bytes, now: int) -> Dispatch:
        """Verify one dispatch message at ``now`` (milliseconds). The first failure wins.

        1. It parses as a convoy of exactly one passage.
        2. The envelope is there, and the stamps verify through inspection over these bytes, with the pinned keys.
        3. The facts name this agent, and their deadline has not passed.
        4. Only then the envelope is opened, and it names the same agent and action as the facts.

        Raises a `LockgateError`; nothing that was not verified is in its detail.
        """
        passage = _only(read_convoy(body))  # 1
        if not passage.envelope:  # 2
            raise ChainRefusedError("a dispatch without an envelope")
        chain = self.verifier.verify(passage, through=Role.INSPECTION, now=now)
        facts = chain.facts
        if facts.agent != self.agent:  # 3
            raise ChainRefusedError("the dispatch is another agent's")
        if facts.deadline <= now:
            raise DeadlineError("the deadline of this dispatch has passed")
        event = event_of(passage.envelope)  # 4
        if event.agent != facts.agent or event.action != facts.action:
            raise ChainRefusedError("the envelope names another agent or action than the facts")
        return Dispatch(passage, chain, event)

    def cancelled(self, body: bytes) -> tuple[str, str]:
        """Verify a cancel notice; return the dispatch id and the digest of the facts it is about.

        It counts only as the outcome role's statement that the request of these very facts has ended. Left to the caller: that a dispatch with
        this id and this digest is running here. Raises a `LockgateError`.
        """
        notice: Cancel = read_cancel(body)
        statement = self.verifier.statement_of(notice.stamp, Role.OUTCOME)
        digest = digest_of(bytes(notice.facts))
        if statement.facts != digest or statement.decision not in _ENDED:
            raise ChainRefusedError("the notice's stamp does not end this dispatch")
        return notice.dispatch_id, digest


def _only(convoy: Convoy) -> Passage:
    if len(convoy.passages) != 1 or convoy.incidents or convoy.releases:
        raise ChainRefusedError("a dispatch is a convoy of exactly one passage")
    return convoy.passages[0]
