"""The audit entry: one line of the log, and the leaf of the tree that makes the log tamper-evident.

An entry's exact JSON bytes are the leaf; its place in the tree is its sequence number. Which entries a statement or a refusal
turns into is decided here, without IO, so that every writer of the log (the ingress, the outcome role, the provisioner) says
the same thing in the same words. Entries name rules, principals and digests, never content.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from lockgate_schemas.names import Role
from lockgate_schemas.passage import ABOUT_DRAFTS, NOTHING, Facts, FindingSummary, Stamp, Statement, Wire


class EntryKind(StrEnum):
    """What an entry is about."""

    DECISION = "decision"
    """A gate decided about a request; its signed statement is in the entry."""
    OUTCOME = "outcome"
    """A request ended."""
    REFUSAL = "refusal"
    """The door turned something away; there is no request."""
    INCIDENT = "incident"
    """A stage met a message that no honest party can have sent."""
    CHANGE = "change"
    """An operator changed a policy, a grant, a key or a party."""
    DRAFT = "draft"
    """Something of an answer that was still being written was shown, or a draft was refused; the last gate's signed statement is in the entry."""
    ALERT = "alert"
    """An alert was raised or acknowledged."""


class AuditEntry(Wire, frozen=True):
    """One entry. ``at`` is milliseconds since 1970; for a change, ``rule`` says what was done and ``code`` to what; for an alert, ``rule`` is its name and ``code`` its number."""

    kind: EntryKind
    at: int
    stage: str
    decision: str
    rule: str = ""
    code: str = ""
    request_id: str = ""
    tenant: str = ""
    client: str = ""
    user: str = ""
    agent: str = ""
    action: str = ""
    epoch: int = 0
    findings: tuple[FindingSummary, ...] = ()
    statement: msgspec.Raw = NOTHING


def decision_entry(facts: Facts, statement: Statement, stamp: Stamp) -> AuditEntry:
    """The entry for one gate's verified statement about a request, for the outcome's, or for the last gate's about a draft."""
    outcome = statement.stage == Role.OUTCOME
    kind = EntryKind.DRAFT if statement.decision in ABOUT_DRAFTS else EntryKind.OUTCOME if outcome else EntryKind.DECISION
    return AuditEntry(
        kind=kind,
        at=statement.at,
        stage=statement.stage,
        decision=str(statement.outcome) if outcome and statement.outcome else str(statement.decision),
        rule=statement.rule,
        code=statement.code,
        request_id=facts.request_id,
        tenant=facts.principal.tenant,
        client=facts.principal.client,
        user=facts.principal.user,
        agent=facts.agent,
        action=facts.action,
        epoch=statement.epoch,
        findings=statement.findings,
        statement=stamp.statement,
    )


def incident_entry(statement: Statement, stamp: Stamp) -> AuditEntry:
    """The entry for a message that a stage put into quarantine. Who sent it is unknown, so no principal is named."""
    return AuditEntry(
        kind=EntryKind.INCIDENT,
        at=statement.at,
        stage=statement.stage,
        decision=str(statement.decision),
        rule=statement.rule,
        request_id=statement.request_id,
        statement=stamp.statement,
    )


def refusal_entry(*, at: int, code: str, rule: str = "", client: str = "", tenant: str = "", user: str = "") -> AuditEntry:
    """The entry for something the door turned away; a client is named only once its key has verified."""
    return AuditEntry(
        kind=EntryKind.REFUSAL,
        at=at,
        stage=str(Role.INGRESS),
        decision="deny",
        rule=rule,
        code=code,
        client=client,
        tenant=tenant,
        user=user,
    )


def change_entry(
    *, at: int, what: str, target: str, epoch: int, tenant: str = "", client: str = "", agent: str = ""
) -> AuditEntry:
    """The entry for an operator's change."""
    return AuditEntry(
        kind=EntryKind.CHANGE,
        at=at,
        stage=str(Role.PROVISIONER),
        decision="allow",
        rule=what,
        code=target,
        epoch=epoch,
        tenant=tenant,
        client=client,
        agent=agent,
    )


def alert_entry(
    *, at: int, decision: str, name: str, number: int, tenant: str = "", user: str = "", agent: str = ""
) -> AuditEntry:
    """The entry for an alert: ``decision`` is ``raise`` or ``acknowledge``."""
    return AuditEntry(
        kind=EntryKind.ALERT,
        at=at,
        stage=str(Role.OUTCOME if decision == "raise" else Role.PROVISIONER),
        decision=decision,
        rule=name,
        code=str(number),
        tenant=tenant,
        user=user,
        agent=agent,
    )


SEARCHABLE: Final = ("kind", "stage", "decision", "rule", "request_id", "tenant", "client", "user", "agent", "action")
"""The members by which the log can be searched."""
