"""What the inspection gate decides with under one content policy. Built beside the event loop (`scanning.reloading`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from lockgate_ledger.records import ContentRecord
from lockgate_schemas.content import ContentPolicy
from lockgate_schemas.errors import ConfigurationError
from lockgate_workers.inspection.gate import InspectionGate
from lockgate_workers.inspection.judge_http import http_judge
from lockgate_workers.inspection.loading import load_scorer
from lockgate_workers.inspection.scoring import Scorer
from lockgate_workers.scanning.content import TunedScanners
from lockgate_workers.scanning.reloading import ScannerSource, read_content


@dataclass(frozen=True, slots=True)
class InspectionContent:
    """Everything that holds for requests under one content policy. ``salt`` is that of what was asked, for the gate that sees the answer."""

    scanners: TunedScanners
    gate: InspectionGate
    salt: bytes = b""


def no_secrets(name: str) -> bytes:
    """There are no files with tokens where there is no home. Raises `ConfigurationError`."""
    raise ConfigurationError(f"content policy: there is no file {name} with the judge's token")


class InspectionSource:
    """Builds an `InspectionContent`. What did not change is not built again."""

    def __init__(
        self,
        rules: ScannerSource,
        *,
        salt: bytes,
        secrets: Callable[[str], bytes] = no_secrets,
        load: Callable[[], Scorer] = load_scorer,
    ) -> None:
        """``secrets`` returns the bytes of a named file in the home, for the judge's token."""
        self._rules: Final = rules
        self._salt: Final = salt
        self._secrets: Final = secrets
        self._load: Final = load
        self._scorer: Scorer | None = None

    def __call__(self, record: ContentRecord | None) -> InspectionContent:
        """Build; may take seconds. Raises `ConfigurationError`, which names what is wrong and no value."""
        policy = read_content(record)
        gate = self._gate(policy)
        digest = "" if record is None else record.digest
        scanners = TunedScanners(self._rules.scanner(policy), policy, digest, gate.scorer.digest)
        return InspectionContent(scanners, gate, self._salt)

    def _gate(self, policy: ContentPolicy) -> InspectionGate:
        if self._scorer is None:
            self._scorer = self._load()
        named = policy.injection.judge
        return InspectionGate(self._scorer, policy.injection, None if named is None else http_judge(named, self._secrets))
