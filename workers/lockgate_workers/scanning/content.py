"""A scanner under a content policy: the same questions, answered with what the installation has changed for this tenant and agent.

Pure: a scan's findings lose what is allowed, then the rest take on the actions that hold (`allowing`, `overrides`). A refused scan
stays refused. The stages decide with the result as they do with a scanner's own, so the second look at what goes out is under the
same policy as the first.
"""

from __future__ import annotations

import copy
import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Final, Protocol

from lockgate_schemas.content import EMPTY, ContentPolicy
from lockgate_workers.scanning.allowing import Allowance
from lockgate_workers.scanning.engines import repeatable
from lockgate_workers.scanning.explaining import Explanation
from lockgate_workers.scanning.findings import Finding, ScanResult
from lockgate_workers.scanning.overrides import acted, actions_for
from lockgate_workers.scanning.packs import Rule

ALLOWED: Final = "allowed"
"""What becomes of a finding whose value is on the list: nothing."""
_CALLERS: Final = 4_096
"""Tenants and agents whose tuned scanner is kept; each is a few small tables."""


class Scans(Protocol):
    """What a decision needs of a scanner: `lockgate_workers.scanning.engine.Scanner`, or one under a content policy."""

    @property
    def digest(self) -> str:
        """Identifies the rules that hold, for the stamp."""
        ...

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All rules."""
        ...

    def scan(self, text: str) -> ScanResult:
        """Scan one text."""
        ...

    def scan_all(self, texts: Sequence[str]) -> tuple[ScanResult, ...]:
        """Scan the texts of one message under one budget; a refusal stands on each."""
        ...


class RuleScans(Scans, Protocol):
    """A scanner that has nothing but rules, and can say why each of them found something or did not."""

    def explain(self, text: str) -> Explanation:
        """What became of every candidate."""
        ...


class TunedScanner:
    """A scanner as it is for one tenant and agent on one day. ``plain`` is the one below it."""

    def __init__(self, scanner: Scans, policy: ContentPolicy, tenant: str, agent: str, today: date, *, digest: str) -> None:
        self.digest: Final = digest
        self.rules: Final = scanner.rules
        self.plain = scanner
        self._actions = actions_for(policy.rules, tenant, agent, today)
        self._allowance = Allowance(policy.allowed, tenant, agent, today)
        self._changes = bool(self._actions) or bool(self._allowance)

    def scan(self, text: str) -> ScanResult:
        """See `Scans.scan`."""
        return self._tuned(self.plain.scan(text))

    def scan_all(self, texts: Sequence[str]) -> tuple[ScanResult, ...]:
        """See `Scans.scan_all`."""
        results = self.plain.scan_all(texts)
        return tuple(map(self._tuned, results)) if self._changes else results

    @property
    def repeatable(self) -> TunedScanner:
        """This scanner for what is about to go out: without engines that cannot be asked about their own outcome."""
        part = repeatable(self.plain)
        if part is self.plain:
            return self
        again = copy.copy(self)
        again.plain = part
        return again

    def action_of(self, finding: Finding) -> str:
        """What becomes of a finding of the plain scanner: its action, or that it is none (`OFF`, `ALLOWED`)."""
        if self._allowance.admits(finding):
            return ALLOWED
        return self._actions.get(finding.rule, finding.action.value)

    def _tuned(self, result: ScanResult) -> ScanResult:
        if not self._changes or not result.findings:
            return result
        return ScanResult(acted(self._allowance.without(result.findings), self._actions), result.refusal)


class TunedScanners:
    """One scanner under one content policy, for whoever asks. Remembers the tuned scanner of each tenant and agent, for one day."""

    def __init__(self, scanner: Scans, policy: ContentPolicy = EMPTY, content_digest: str = "", *parts: str) -> None:
        """``content_digest`` is that of the policy's text, empty without one; ``parts`` are digests of what else decides (weights)."""
        self.policy: Final = policy
        self.scanner: Final = scanner
        self.digest: Final = rules_digest(scanner.digest, content_digest, *parts)
        self._known: OrderedDict[tuple[str, str], TunedScanner] = OrderedDict()
        self._day: date | None = None

    def tuned(self, tenant: str, agent: str, today: date) -> TunedScanner:
        """The scanner for this tenant and agent on this day."""
        if today != self._day:
            self._known.clear()
            self._day = today
        known = self._known.get((tenant, agent))
        if known is None:
            known = TunedScanner(self.scanner, self.policy, tenant, agent, today, digest=self.digest)
            self._known[tenant, agent] = known
            if len(self._known) > _CALLERS:
                self._known.popitem(last=False)
        return known


def day(now: int) -> date:
    """The day, in UTC, of a moment in milliseconds since 1970: last days of a content policy are counted in it."""
    return datetime.fromtimestamp(now / 1000, UTC).date()


def rules_digest(packs: str, content: str = "", *parts: str) -> str:
    """The digest that is stamped: that of the packs alone, or one over packs, content policy and whatever else decides."""
    if not content and not any(parts):
        return packs
    return hashlib.sha256("\n".join((packs, content, *parts)).encode()).hexdigest()
