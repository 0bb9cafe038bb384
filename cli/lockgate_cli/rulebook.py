"""The rules as they hold in one home: shipped packs, those of the configured folder, and the content policy's; and whether a policy can hold.

Both scanners are built here as the gates build them. Applying a policy is the operator's door's matter, showing rules the commands'.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lockgate_cli.home import Home
from lockgate_ledger.records import ContentRecord
from lockgate_schemas.content import ContentPolicy, content_digest, parse_content
from lockgate_workers.scanning.content import TunedScanners
from lockgate_workers.scanning.loading import ScannerKind
from lockgate_workers.scanning.overrides import check_rule_names
from lockgate_workers.scanning.reloading import ScannerSource

KINDS: Final[tuple[ScannerKind, ...]] = ("injection", "dlp")
RULE_FOLDERS: Final[Mapping[ScannerKind, str]] = {"injection": "inspection", "dlp": "dlp"}
"""Each scanner, and the folder below the configured one that has more packs for it."""


@dataclass(frozen=True, slots=True)
class Rulebook:
    """Where the rules of a home come from. ``folders`` is empty without one: then the shipped packs are all there is."""

    folders: Mapping[ScannerKind, Path]
    salt: bytes | None = None

    @classmethod
    def of(cls, home: Home | None) -> Rulebook:
        """That of a home, or the shipped one. Raises `ConfigurationError` when the home's salt is missing."""
        if home is None:
            return cls({})
        folders = {kind: home.rules_folder(RULE_FOLDERS[kind]) for kind in KINDS}
        return cls({kind: folder for kind, folder in folders.items() if folder is not None}, home.content_salt())

    def source(self, kind: ScannerKind) -> ScannerSource:
        """What builds one gate's scanner."""
        return ScannerSource(kind, self.folders.get(kind), salt=self.salt)

    def scanners(self, kind: ScannerKind, record: ContentRecord | None = None) -> TunedScanners:
        """One gate's scanner under a content policy. Raises `ConfigurationError`, which names pack and rule."""
        return self.source(kind)(record)

    def check(self, text: str) -> ContentPolicy:
        """Build everything that a content policy asks for, and let it go again; return the policy. Takes seconds.

        Raises:
            ConfigurationError: it does not parse, a pack cannot be used, an example does not behave, or it names a rule nobody has.
        """
        policy = parse_content(text)
        record = ContentRecord(text, 0, content_digest(text))
        scanners = [self.scanners(kind, record) for kind in KINDS]
        check_rule_names(policy, {rule.id for one in scanners for rule in one.scanner.rules})
        return policy
