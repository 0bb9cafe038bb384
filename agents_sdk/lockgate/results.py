"""What a client gets back, and only if it verifies: `Submission`, `Progress`, `Result`.

`Verification` holds the pinned keys and is the one place where acceptances and receipts become believed. It refuses what does not
verify, what belongs to another client, and what is about another envelope than ours. What an outcome means for the
caller is left to the caller.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Self

import msgspec

from lockgate.clock import Clock
from lockgate.credentials import ClientCredentials
from lockgate.envelopes import Signed
from lockgate_schemas.errors import ChainRefusedError, DeadlineError, ForbiddenError, LockgateError
from lockgate_schemas.limits import Limits
from lockgate_schemas.names import Role
from lockgate_schemas.passage import (
    Acceptance,
    Decision,
    Facts,
    FindingSummary,
    Outcome,
    Passage,
    Receipt,
    Release,
    Response,
    Statement,
    read_response,
)
from lockgate_schemas.stamping import Chain, ChainVerifier

_REFUSING: Final = frozenset({Outcome.DENIED, Outcome.BLOCKED})


@dataclass(frozen=True, slots=True)
class Result:
    """How a request ended, proved by its receipt. Made by a verifier only."""

    receipt: Receipt = field(repr=False)
    """The proof; keep it with `lockgate.save_receipt`."""
    chain: Chain = field(repr=False)
    """The verified facts and the statement of every gate."""
    response: Response | None = field(repr=False)
    """What the last gate let out; absent unless the agent's answer got that far."""
    outcome: Outcome
    """One of the seven ways a request can end."""
    code: str
    """The stable code of the reason; empty when it was delivered."""

    @classmethod
    def of(cls, receipt: Receipt, chain: Chain) -> Self:
        """Read what ``chain``, the verified chain of ``receipt``, proves."""
        if chain.last.outcome is None:
            raise ChainRefusedError("a receipt without an outcome")
        response = read_response(receipt.response) if bytes(receipt.response) else None
        return cls(receipt, chain, response, chain.last.outcome, chain.last.code)

    @property
    def request_id(self) -> str:
        """The gateway's id of the request."""
        return self.chain.facts.request_id

    @property
    def ok(self) -> bool:
        """Whether the agent's answer was delivered."""
        return self.outcome is Outcome.DELIVERED

    @property
    def text(self) -> str:
        """The answer as text, or the agent's sentence when it failed; empty when there is none."""
        return "" if self.response is None else self.response.body

    @property
    def content_type(self) -> str:
        """The media type of the answer; empty when there is none."""
        return "" if self.response is None else self.response.content_type

    def json(self, type: Any = Any) -> Any:  # noqa: A002 - as msgspec calls it
        """The answer parsed as JSON, into ``type`` if given. Raises `msgspec.DecodeError` or `msgspec.ValidationError`."""
        return msgspec.json.decode(self.expect().text, type=type)

    def expect(self) -> Self:
        """Itself if delivered; otherwise raise `ForbiddenError` (denied, blocked), `DeadlineError` (expired) or `LockgateError`."""
        if self.ok:
            return self
        sentence = f"the request was {self.outcome}" + (
            f": {self.text}" if self.text else f" ({self.code})" if self.code else ""
        )
        if self.outcome in _REFUSING:
            raise ForbiddenError(sentence)
        if self.outcome is Outcome.EXPIRED:
            raise DeadlineError(sentence)
        raise LockgateError(sentence)

    @property
    def flagged(self) -> bool:
        """Whether inspection let the request pass with a warning."""
        return self.chain.flagged

    @property
    def findings(self) -> tuple[FindingSummary, ...]:
        """Which rules fired on the way in and out, how often: never what they found."""
        return tuple(finding for statement in self.chain.statements for finding in statement.findings)

    @property
    def redactions(self) -> tuple[FindingSummary, ...]:
        """Those of the findings for which something was taken out of the answer."""
        last_gate: Statement | None = self.chain.by(Role.DLP)
        if last_gate is None or last_gate.decision is not Decision.REDACT:
            return ()
        return last_gate.findings


@dataclass(frozen=True, slots=True)
class Submission:
    """A request that the gateway accepted, which is proved by its stamp; ``result`` is there already if it was waited for."""

    signed: Signed
    facts: Facts = field(repr=False)
    acceptance: Acceptance | None = field(repr=False, default=None)
    result: Result | None = None

    @property
    def request_id(self) -> str:
        """The gateway's id of the request."""
        return self.facts.request_id


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of a request: ``accepted``, ``dispatched``, or the outcome's name with its ``result``.

    Only the result is proved; the steps before it are what the gateway says.
    """

    request_id: str
    status: str
    code: str = ""
    result: Result | None = None


class Verification:
    """Believes acceptances and receipts for one client, by the trust in its credentials."""

    def __init__(self, credentials: ClientCredentials, *, limits: Limits, clock: Clock) -> None:
        self._verifier = ChainVerifier(credentials.trust, clock_skew=limits.clock_skew)
        self._name = credentials.name
        self._tenant = credentials.tenant
        self._clock = clock

    def acceptance(self, acceptance: Acceptance, signed: Signed) -> Facts:
        """The facts the ingress stamped over our very envelope. Raises `ChainRefusedError`."""
        passage = Passage(facts=acceptance.facts, stamps=(acceptance.stamp,), envelope=signed.compact)
        facts = self._verifier.verify(passage, through=Role.INGRESS, now=self._clock()).facts
        self._ours(facts)
        return facts

    def receipt(self, receipt: Receipt, *, digest: str = "", request_id: str = "") -> Result:
        """The result a receipt proves, if it is about our envelope (``digest``) or our request. Raises `ChainRefusedError`."""
        chain = self._verifier.verify_end(receipt.facts, receipt.stamps, receipt.response, now=self._clock())
        if digest and chain.facts.envelope != digest:
            raise ChainRefusedError("the receipt is about another envelope")
        if request_id and chain.facts.request_id != request_id:
            raise ChainRefusedError("the receipt is about another request")
        self._ours(chain.facts)
        return Result.of(receipt, chain)

    def beginning(self, release: Release, *, digest: str = "", request_id: str = "") -> None:
        """Refuse a release whose text the last gate did not let be shown of the answer to our envelope, or our request. Raises `ChainRefusedError`."""
        facts, statement = self._verifier.shown_text(release)
        if statement.decision is not Decision.SHOW:
            raise ChainRefusedError("a text that the last gate did not let be shown")
        if (digest and facts.envelope != digest) or (request_id and facts.request_id != request_id):
            raise ChainRefusedError("the release is about another request")
        self._ours(facts)

    def _ours(self, facts: Facts) -> None:
        if facts.principal.client != self._name or facts.principal.tenant != self._tenant:
            raise ChainRefusedError("the facts are about another client")
