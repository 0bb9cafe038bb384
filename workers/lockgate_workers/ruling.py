"""What a gate says about one passage, as data. The runner turns it into a signed statement and a message.

No IO here. A ruling names where the passage goes next; the effects other than a ruling (drop, send back, try again) are types of
their own, so that a gate can never do by accident what only the runner may do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import msgspec

from lockgate_schemas.passage import NOTHING, Decision, FindingSummary, Passage
from lockgate_schemas.stamping import Chain
from lockgate_schemas.topics import OUTCOMES, Queue


@dataclass(frozen=True, slots=True)
class Opened:
    """A passage whose chain verified, as a gate sees it. ``draft`` is its number where it carries a draft and not an answer (dlp alone)."""

    passage: Passage
    chain: Chain
    draft: int = 0


@dataclass(frozen=True, slots=True)
class ToAgent:
    """Next comes the agent that the facts name."""


TO_AGENT: Final = ToAgent()


@dataclass(frozen=True, slots=True)
class Ruling:
    """A decision, to be stamped. ``response`` replaces the agent's (dlp alone); ``next`` is a queue, or the agent.

    ``score`` is in thousandths (inspection alone).
    """

    decision: Decision
    rule: str
    next: Queue | ToAgent = OUTCOMES
    rules: str = ""
    epoch: int = 0
    findings: tuple[FindingSummary, ...] = ()
    obligations: tuple[str, ...] = ()
    score: int = 0
    response: msgspec.Raw = field(default_factory=lambda: NOTHING)


@dataclass(frozen=True, slots=True)
class Return:
    """The policy epoch has moved on: back to authz with the ingress's stamp alone. Nothing is stamped."""


@dataclass(frozen=True, slots=True)
class Expired:
    """The deadline is past: nothing more is done. The sweeper ends it."""


@dataclass(frozen=True, slots=True)
class Faulty:
    """The gate itself failed on this passage. It is tried again, alone, and after enough attempts quarantined."""

    error: str


@dataclass(frozen=True, slots=True)
class Settled:
    """It is in the ledger, and there is nothing to pass on (the outcome stage alone says this)."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Of a draft: ``text``, the beginning of what the whole will be redacted to, may be shown. Only ever said of drafts, and no outcome."""

    text: str = field(repr=False)
    rule: str
    rules: str = ""
    epoch: int = 0
    findings: tuple[FindingSummary, ...] = ()


@dataclass(frozen=True, slots=True)
class Withheld:
    """Of a draft: refused, and audited. ``told`` says whether those who were shown earlier ones hear of it."""

    rule: str
    rules: str = ""
    epoch: int = 0
    findings: tuple[FindingSummary, ...] = ()
    told: bool = True


@dataclass(frozen=True, slots=True)
class Held:
    """Of a draft: nothing in it can be shown yet, or it says nothing new. Nothing is stamped."""


OfDraft = Shown | Withheld | Held
"""Everything a gate can say about a draft that it could look at."""

Verdict = Ruling | Return | Expired | Faulty | Settled | OfDraft
"""Everything a gate can say about one passage."""
