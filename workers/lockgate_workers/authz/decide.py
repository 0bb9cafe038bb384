"""Who may: the decision of the authorisation gate. Pure; what it needs to know comes in as a directory at one epoch.

An ordered ladder, the first failure wins:

1. The client is registered and active, and the principal is still what the ledger says this client is.
2. The key that signed is still good. A key revoked after the request was accepted refuses it here.
3. Policies permit this principal this action on this agent. An agent that does not exist has the same answer as one that is forbidden.
4. The agent is active and declares the action.
"""

from __future__ import annotations

from typing import Final

from lockgate_ledger.records import Directory
from lockgate_schemas.passage import Decision, Facts
from lockgate_schemas.topics import INSPECTION, OUTCOMES
from lockgate_workers.authz.policy import DEFAULT_DENY, PolicyDecisionPoint
from lockgate_workers.ruling import Ruling

CLIENT_REVOKED: Final = "client-revoked"
KEY_REVOKED: Final = "key-revoked"
UNKNOWN_ACTION: Final = "unknown-action"


def decide(facts: Facts, directory: Directory, point: PolicyDecisionPoint, now: int) -> Ruling:
    """Allow or deny one request at ``now`` (milliseconds)."""
    allowed, rule = _ladder(facts, directory, point, now)
    return Ruling(
        decision=Decision.ALLOW if allowed else Decision.DENY,
        rule=rule,
        next=INSPECTION if allowed else OUTCOMES,
        rules=directory.policy.digest if directory.policy else "",
        epoch=directory.epoch,
    )


def _ladder(facts: Facts, directory: Directory, point: PolicyDecisionPoint, now: int) -> tuple[bool, str]:
    principal = facts.principal
    client = directory.clients.get(principal.client)
    if client is None or not client.active or (client.tenant, client.user) != (principal.tenant, principal.user):
        return False, CLIENT_REVOKED
    key = directory.keys.get(principal.kid)
    if key is None or key.client != client.name or key.revoked or (key.ends and key.ends <= now):
        return False, KEY_REVOKED
    evaluation = point.evaluate(principal, facts.agent, facts.action)
    if not evaluation.permitted:
        return False, evaluation.rule
    agent = directory.agents.get(facts.agent)
    if agent is None or not agent.active:
        return False, DEFAULT_DENY
    if facts.action not in agent.actions:
        return False, UNKNOWN_ACTION
    return True, evaluation.rule
