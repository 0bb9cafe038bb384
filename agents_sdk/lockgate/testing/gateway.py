"""A gateway of throw-away keys: it stamps whatever it is told to. It is for tests: it decides nothing.

Each instance makes fresh keys, so that what one stamps, another refuses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from secrets import token_bytes, token_hex
from typing import Any, Final

import msgspec

from lockgate.clock import Clock, system_clock
from lockgate.credentials import AgentCredentials, ClientCredentials
from lockgate.envelopes import Signed, sign_request
from lockgate_broker.port import Credential
from lockgate_schemas.envelope import digest_of
from lockgate_schemas.limits import Limits
from lockgate_schemas.names import Role
from lockgate_schemas.passage import (
    NOTHING,
    STREAMED,
    Acceptance,
    Cancel,
    Convoy,
    Decision,
    Door,
    Facts,
    FindingSummary,
    Outcome,
    Passage,
    Receipt,
    Response,
    Stamp,
    Statement,
    encode,
    raw,
)
from lockgate_schemas.principal import Principal
from lockgate_schemas.signing import NoteSigner
from lockgate_schemas.stamping import NO_BYTES, stamp_batch, statement_digest
from lockgate_schemas.trust import STAMPING_ROLES, Trust, TrustedKey, signing_name

ANYBODY: Final = Principal(tenant="test-tenant", client="test-client", user="test-user", method="ed25519")
"""The principal of requests that name none."""

_ON_THE_WAY: Final = (Role.INGRESS, Role.AUTHZ, Role.INSPECTION)


@dataclass(frozen=True, slots=True)
class Stamped:
    """A request as the inspection gate sends it on: the envelope, the facts in their bytes, and the stamps so far."""

    signed: Signed
    facts: Facts
    facts_raw: msgspec.Raw
    stamps: tuple[Stamp, ...]

    @property
    def passage(self) -> Passage:
        """What travels to the agent."""
        return Passage(facts=self.facts_raw, stamps=self.stamps, envelope=self.signed.compact)

    @property
    def dispatch(self) -> bytes:
        """The message on the agent's queue."""
        return encode(Convoy(passages=(self.passage,)))


class ThrowawayGateway:
    """Keys for every role, made for one test."""

    def __init__(self, name: str = "test-gateway", *, clock: Clock = system_clock, limits: Limits | None = None) -> None:
        self.name = name
        self.clock = clock
        self.limits = limits or Limits()
        self.signers = {role: NoteSigner(signing_name(name, role), token_bytes(32)) for role in STAMPING_ROLES}
        self.trust = Trust(name, tuple(TrustedKey(str(role), str(key.verifier)) for role, key in self.signers.items()))

    def agent_credentials(self, name: str, broker: Credential | None = None) -> AgentCredentials:
        """Credentials of an agent that trusts this gateway."""
        return AgentCredentials(name, self.name, broker or Credential(("memory://",), name, ""), self.trust)

    def client_credentials(
        self, name: str = ANYBODY.client, *, url: str = "http://gateway.invalid", broker: Credential | None = None
    ) -> ClientCredentials:
        """Credentials of a client that trusts this gateway, with a fresh key."""
        return ClientCredentials(
            name=name,
            tenant=ANYBODY.tenant,
            gateway=self.name,
            url=url,
            kid=token_hex(8),
            seed=token_bytes(32),
            trust=self.trust,
            broker=broker,
        )

    def request(
        self,
        agent: str,
        action: str,
        data: Any = None,
        *,
        principal: Principal = ANYBODY,
        lifetime: float = 30.0,
        flagged: bool = False,
        streamed: bool = False,
    ) -> Stamped:
        """Sign a request as a client of a fresh key, accept it, and stamp it through inspection; ``streamed`` asks for drafts of the answer."""
        credentials = self.client_credentials(principal.client)
        signed = sign_request(credentials, agent, action, data, now=self.clock(), lifetime=lifetime, limits=self.limits)
        last = Decision.FLAG if flagged else Decision.ALLOW
        obligations = (STREAMED,) if streamed else ()
        return self.stamped(signed, principal, lifetime, (Decision.ALLOW, Decision.ALLOW, last), obligations)

    def stamped(
        self,
        signed: Signed,
        principal: Principal = ANYBODY,
        lifetime: float = 30.0,
        decisions: Sequence[Decision] = (Decision.ALLOW,) * 3,
        obligations: tuple[str, ...] = (),
    ) -> Stamped:
        """Accept an envelope that is signed already, and stamp it with as many gates as there are ``decisions``.

        ``obligations`` are the inspection gate's.
        """
        now = self.clock()
        facts = Facts(
            request_id=token_hex(16),
            dispatch_id=token_hex(16),
            gateway=self.name,
            agent=signed.agent,
            action=signed.action,
            principal=principal,
            envelope=signed.digest,
            event_id=signed.event_id,
            accepted=now,
            deadline=now + int(lifetime * 1000),
            door=Door.HTTP,
        )
        stamped = Stamped(signed, facts, raw(facts), ())
        for role, decision in zip(_ON_THE_WAY, decisions, strict=False):
            own = obligations if role is Role.INSPECTION else ()
            stamped = self.pass_on(stamped, self.statement(role, decision, stamped, signed.digest, obligations=own))
        return stamped

    def pass_on(self, stamped: Stamped, statement: Statement) -> Stamped:
        """Add the stamp of one more gate."""
        stamp = self.stamp(Role(statement.stage), statement)
        return replace(stamped, stamps=(*stamped.stamps, stamp))

    def acceptance(self, stamped: Stamped) -> Acceptance:
        """What goes with a 202."""
        return Acceptance(facts=stamped.facts_raw, stamp=stamped.stamps[0])

    def cancel(self, stamped: Stamped) -> bytes:
        """The notice that the request has ended."""
        end = self.statement(Role.OUTCOME, Decision.RECORD, stamped, NO_BYTES, outcome=Outcome.CANCELLED)
        notice = Cancel(dispatch_id=stamped.facts.dispatch_id, facts=stamped.facts_raw, stamp=self.stamp(Role.OUTCOME, end))
        return encode(notice)

    def receipt(
        self,
        stamped: Stamped,
        response: Response | None = None,
        *,
        outcome: Outcome = Outcome.DELIVERED,
        code: str = "",
        decision: Decision = Decision.ALLOW,
        findings: tuple[FindingSummary, ...] = (),
    ) -> Receipt:
        """End the request: with a ``response`` the dlp gate stamps it with ``decision``, then the outcome is stamped."""
        body = NOTHING if response is None else raw(response)
        digest = digest_of(bytes(body))
        if response is not None:
            released = self.statement(Role.DLP, decision, stamped, digest, findings=findings)
            stamped = self.pass_on(stamped, released)
        end = self.statement(Role.OUTCOME, Decision.RECORD, stamped, digest, outcome=outcome, code=code)
        return Receipt(facts=stamped.facts_raw, stamps=self.pass_on(stamped, end).stamps, response=body)

    def statement(
        self,
        role: Role,
        decision: Decision,
        stamped: Stamped,
        digest: str,
        *,
        outcome: Outcome | None = None,
        code: str = "",
        findings: tuple[FindingSummary, ...] = (),
        obligations: tuple[str, ...] = (),
    ) -> Statement:
        """The statement that follows the stamps so far, about the bytes with this ``digest``."""
        return Statement(
            stage=str(role),
            decision=decision,
            request_id=stamped.facts.request_id,
            facts=digest_of(bytes(stamped.facts_raw)),
            input=digest,
            output=digest,
            previous=statement_digest(stamped.stamps[-1]) if stamped.stamps else "",
            at=self.clock(),
            outcome=outcome,
            code=code,
            findings=findings,
            obligations=obligations,
        )

    def stamp(self, role: Role, statement: Statement) -> Stamp:
        """Sign one statement with the key of ``role``."""
        return stamp_batch(self.signers[role], [statement])[0]
