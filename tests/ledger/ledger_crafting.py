"""Real requests to put into a ledger: facts, signed chains and their audit entries, made the way the gates make them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from lockgate_ledger.ledger import Ledger
from lockgate_ledger.records import AgentRecord, ClientRecord, Ending, KeyRecord, NewRequest, Progress
from lockgate_schemas.audit import AuditEntry, decision_entry
from lockgate_schemas.envelope import digest_of
from lockgate_schemas.names import Role
from lockgate_schemas.passage import (
    NOTHING,
    Acceptance,
    Decision,
    Door,
    Facts,
    FindingSummary,
    Outcome,
    Stamp,
    Statement,
    raw,
)
from lockgate_schemas.principal import Principal
from lockgate_schemas.signing import NoteSigner, public_key_of
from lockgate_schemas.stamping import NO_BYTES, stamp_batch, statement_digest
from lockgate_schemas.trust import AUDIT, Trust, TrustedKey, signing_name

GATEWAY = "gw.test"
NOW = 1_800_000_000_000
AUDIT_SIGNER = NoteSigner(signing_name(GATEWAY, AUDIT), bytes([9]) * 32)
AUDIT_TRUST = Trust(GATEWAY, (TrustedKey(AUDIT, str(AUDIT_SIGNER.verifier)),))
SIGNERS = {
    role: NoteSigner(signing_name(GATEWAY, role), bytes([seed]) * 32)
    for seed, role in enumerate((Role.INGRESS, Role.AUTHZ, Role.INSPECTION, Role.DLP, Role.OUTCOME), start=1)
}
GATES = (Role.AUTHZ, Role.INSPECTION, Role.DLP)
Reopen = Callable[..., Awaitable[Ledger]]
RESPONSE = msgspec.Raw(b'{"status":"ok","body":"done"}')


@dataclass(frozen=True)
class Case:
    """One request with its chain so far; each step returns the next one."""

    facts: Facts
    envelope: str
    statements: tuple[Statement, ...] = ()
    stamps: tuple[Stamp, ...] = ()
    digest: str = field(default="")

    @property
    def request_id(self) -> str:
        return self.facts.request_id

    def new(self) -> NewRequest:
        facts = self.facts
        return NewRequest(
            request_id=facts.request_id,
            issuer=facts.principal.client,
            event_id=facts.event_id,
            digest=self.digest or facts.envelope,
            tenant=facts.principal.tenant,
            agent=facts.agent,
            action=facts.action,
            door=str(facts.door),
            accepted=facts.accepted,
            deadline=facts.deadline,
            envelope=self.envelope,
            acceptance=Acceptance(facts=raw(facts), stamp=self.stamps[0]),
            entry=decision_entry(facts, self.statements[0], self.stamps[0]),
        )

    def progress(self, *, dispatched: bool = True) -> Progress:
        return Progress(self.request_id, self.stamps, self._entries(), dispatched)

    def ending(self, at: int = NOW + 900) -> Ending:
        last = self.statements[-1]
        assert last.outcome is not None
        response = RESPONSE if last.outcome is Outcome.DELIVERED else NOTHING
        return Ending(self.request_id, last.outcome, last.code, at, self.stamps, self._entries(), response)

    def _entries(self) -> tuple[AuditEntry, ...]:
        return tuple(decision_entry(self.facts, s, t) for s, t in zip(self.statements, self.stamps, strict=True))


def stamped(cases: Sequence[Case], role: Role, **members: Any) -> list[Case]:
    """The cases after ``role`` stamped all of them in one batch."""
    statements = [_statement(case, role, **members) for case in cases]
    stamps = stamp_batch(SIGNERS[role], statements)
    return [
        replace(case, statements=(*case.statements, statement), stamps=(*case.stamps, stamp))
        for case, statement, stamp in zip(cases, statements, stamps, strict=True)
    ]


def accepted(
    count: int = 1,
    *,
    client: str = "shop",
    agent: str = "writer",
    door: Door = Door.HTTP,
    user: str = "alice",
    first: int = 0,
    at: int = NOW,
    deadline: int = NOW + 60_000,
    size: int = 200,
) -> list[Case]:
    """``count`` requests of one client, stamped by the ingress. The numbers from ``first`` on make their ids."""
    return stamped(
        [_case(n, client, agent, door, user=user, times=(at, deadline), size=size) for n in range(first, first + count)],
        Role.INGRESS,
    )


def gated(cases: Sequence[Case], *roles: Role, epoch: int = 1) -> list[Case]:
    """The cases after these gates let them pass."""
    for role in roles:
        cases = stamped(cases, role, epoch=epoch)
    return list(cases)


def blocked(cases: Sequence[Case], rule: str = "aws-key", **members: Any) -> list[Case]:
    """The cases after the last gate blocked the answer, and they ended so."""
    passed = gated(cases, Role.AUTHZ, Role.INSPECTION)
    found = (FindingSummary(rule, "critical", "block", 1),)
    return ended(
        stamped(passed, Role.DLP, decision=Decision.BLOCK, rule=rule, findings=found, **members),
        Outcome.BLOCKED,
        "response-blocked",
    )


def ended(cases: Sequence[Case], outcome: Outcome = Outcome.DELIVERED, code: str = "") -> list[Case]:
    """The cases with the outcome's stamp."""
    return stamped(cases, Role.OUTCOME, outcome=outcome, code=code)


def delivered(cases: Sequence[Case]) -> list[Case]:
    """The cases after every gate, and delivered."""
    return ended(gated(cases, *GATES))


def client_with_key(name: str = "shop", tenant: str = "acme", *, seed: int = 40) -> tuple[ClientRecord, KeyRecord]:
    return ClientRecord(name, tenant, "alice"), KeyRecord(f"{name}-1", name, public_key_of(bytes([seed]) * 32))


def agent_record(name: str = "writer", tenant: str = "acme") -> AgentRecord:
    return AgentRecord(name, tenant, ("draft", "send"))


def _case(number: int, client: str, agent: str, door: Door, *, user: str, times: tuple[int, int], size: int) -> Case:
    envelope = f"{client}-{number}.".ljust(size, "e")
    facts = Facts(
        request_id=f"{client}-{number:032x}",
        dispatch_id=f"{number:032x}",
        gateway=GATEWAY,
        agent=agent,
        action="draft",
        principal=Principal("acme", client, user, "jws"),
        envelope=digest_of(envelope.encode()),
        event_id=f"event-{number}",
        accepted=times[0],
        deadline=times[1],
        door=door,
    )
    return Case(facts, envelope)


def _statement(case: Case, role: Role, *, outcome: Outcome | None = None, **members: Any) -> Statement:
    carried = case.facts.envelope
    output = carried if role is not Role.DLP else digest_of(bytes(RESPONSE))
    if outcome is not None:
        output = digest_of(bytes(RESPONSE)) if outcome is Outcome.DELIVERED else NO_BYTES
    given = {
        "decision": Decision.ALLOW if outcome is None else Decision.RECORD,
        "at": case.facts.accepted + len(case.stamps),
        "epoch": 1,
        "rule": f"{role}-rule",
        **members,
    }
    return Statement(
        stage=str(role),
        request_id=case.request_id,
        facts=digest_of(bytes(raw(case.facts))),
        input=carried,
        output=output,
        previous=statement_digest(case.stamps[-1]) if case.stamps else "",
        outcome=outcome,
        **given,
    )
