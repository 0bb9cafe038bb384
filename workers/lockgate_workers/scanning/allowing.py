"""Values that an installation knows and lets through, kept as keyed hashes: whoever reads the list learns none of them. Pure.

A finding carries the HMAC-SHA256 of its value under the installation's salt, and so does an entry of the list; the two are compared,
and the value itself is not needed. An allowed value is no finding at all, for the rules, tenants and agents that the entry names.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from datetime import date
from typing import Final

from lockgate_schemas.content import AllowedValue
from lockgate_workers.scanning.findings import Finding
from lockgate_workers.scanning.overrides import holds

_BUCKET: Final = 8
"""Hex digits by which entries are found; the rest is compared in constant time. Without the salt nobody can aim at either."""


def value_digest(salt: bytes, value: str) -> str:
    """What stands in the list for ``value``, and in a finding of it (`Finding.evidence`): 64 hex digits."""
    return hmac.new(salt, value.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


class Allowance:
    """The entries that hold for one tenant and agent on one day."""

    def __init__(self, entries: Iterable[AllowedValue], tenant: str, agent: str, today: date) -> None:
        self._entries: dict[str, list[AllowedValue]] = {}
        for entry in entries:
            if holds(entry, tenant, agent, today):
                self._entries.setdefault(entry.digest[:_BUCKET], []).append(entry)

    def __bool__(self) -> bool:
        return bool(self._entries)

    def admits(self, finding: Finding) -> bool:
        """Whether the finding is of an allowed value, by a rule for which it is allowed."""
        admitted = False
        for entry in self._entries.get(finding.evidence[:_BUCKET], ()):
            same = hmac.compare_digest(entry.digest, finding.evidence)
            admitted |= same and entry.rule in {"", finding.rule}
        return admitted

    def without(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        """The findings that are of no allowed value."""
        return tuple(one for one in findings if not self.admits(one))
