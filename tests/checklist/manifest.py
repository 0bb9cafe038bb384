"""The requirements, each with an id, a sentence, and, where it is not met yet, why.

A test names the requirement it shows with ``@pytest.mark.requirement("C01")``. `test_manifest` fails when a requirement that is not a gap
has no test, when a test names one that does not exist, and when a gap has acquired a test and should no longer be one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Requirement:
    """One line of the checklist. ``gap`` says why no test shows it; empty when tests do."""

    id: str
    sentence: str
    gap: str = ""


REQUIREMENTS: Final = (
    Requirement("C01", "Unauthenticated requests get 401 before they reach any agent."),
    Requirement("C02", "Slack requests are rejected if the platform's signature fails.", gap="there is no Slack door yet"),
    Requirement(
        "C03",
        "mTLS clients with expired or unknown certificates are rejected at the handshake.",
        gap="there is no mTLS door yet; clients authenticate by signed envelopes only",
    ),
    Requirement("C04", "A user without a binding gets 403 for any agent."),
    Requirement("C05", "Removing a binding stops the very next request."),
    Requirement("C06", "Agents are addressed by logical name only; addresses are rejected."),
    Requirement("C07", "Oversized payloads get 413 before they are forwarded."),
    Requirement("C08", "Known injection patterns are blocked or flagged."),
    Requirement("C09", "Secrets such as AKIA… are redacted before delivery."),
    Requirement("C10", "DLP triggers are logged with request, agent and rule."),
    Requirement("C11", "Agent A reaches agent B only through authz and DLP."),
    Requirement("C12", "Unregistered agents receive nothing."),
    Requirement("C13", "Agents cannot reach the admin API or the policy store."),
    Requirement("C14", "Agent credentials never appear in logs or errors."),
    Requirement(
        "C15",
        "Credentials are rotated with no downtime.",
        gap="a client can hold several keys, but rotation under load, and of stage keys and broker users, is not built",
    ),
    Requirement("C16", "Every allow and deny is logged with user, agent, action and rule."),
    Requirement("C17", "Every DLP result is logged."),
    Requirement("C18", "An alert fires when one user triggers more than N DLP blocks within a window."),
    Requirement("P1", "Every request answered 202 reaches exactly one terminal outcome, within its deadline plus one sweep."),
    Requirement("P2", "Nothing reaches an agent unless the stamps before it verify over these very bytes."),
    Requirement("P3", "No response reaches a client unless a DLP stamp verifies over these very bytes."),
    Requirement("P4", "Every decision and every outcome is in the audit log, in order, without a gap, provable offline."),
    Requirement("P5", "What cannot be checked is refused."),
    Requirement(
        "P6", "An agent can neither read, acknowledge, forge nor suppress another's messages: the broker itself refuses."
    ),
    Requirement("P7", "A revocation takes effect on the next message, also on messages already queued."),
    Requirement("P8", "A poisoned message ends in quarantined after N deliveries and delays nobody else."),
)
