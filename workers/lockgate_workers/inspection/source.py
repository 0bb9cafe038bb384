"""What the inspection gate decides with under one content policy. Built beside the event loop (`scanning.reloading`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lockgate_ledger.records import ContentRecord
from lockgate_workers.scanning.content import TunedScanners
from lockgate_workers.scanning.reloading import ScannerSource, read_content


@dataclass(frozen=True, slots=True)
class InspectionContent:
    """Everything that holds for requests under one content policy. ``salt`` is that of what was asked, for the gate that sees the answer."""

    scanners: TunedScanners
    salt: bytes = b""


class InspectionSource:
    """Builds an `InspectionContent`. What did not change is not built again."""

    def __init__(self, rules: ScannerSource, *, salt: bytes) -> None:
        self._rules: Final = rules
        self._salt: Final = salt

    def __call__(self, record: ContentRecord | None) -> InspectionContent:
        """Build; may take seconds. Raises `ConfigurationError`, which names what is wrong and no value."""
        policy = read_content(record)
        digest = "" if record is None else record.digest
        return InspectionContent(TunedScanners(self._rules.scanner(policy), policy, digest), self._salt)
