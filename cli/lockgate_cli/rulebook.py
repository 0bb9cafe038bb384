"""The rules as they hold in one home: shipped packs, those of the configured folder, and the content policy's; and whether a policy can hold.

Both scanners are built here as the gates build them. Applying a policy is the operator's door's matter, showing rules the commands'.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lockgate_cli.home import Home
from lockgate_ledger.records import ContentRecord
from lockgate_schemas.content import ContentPolicy, content_digest, parse_content
from lockgate_schemas.errors import ConfigurationError
from lockgate_workers.dlp import decide as dlp_decide
from lockgate_workers.dlp import links, shapes
from lockgate_workers.dlp.presidio.further import check_required
from lockgate_workers.dlp.source import DlpSource, no_keys
from lockgate_workers.inspection import decide as inspection_decide
from lockgate_workers.inspection import judge
from lockgate_workers.inspection.source import InspectionSource
from lockgate_workers.scanning.content import TunedScanners
from lockgate_workers.scanning.engines import reported
from lockgate_workers.scanning.loading import ScannerKind, folder_packs, packaged_packs
from lockgate_workers.scanning.overrides import check_rule_names
from lockgate_workers.scanning.packs import Pack
from lockgate_workers.scanning.reloading import ScannerSource, own_packs

KINDS: Final[tuple[ScannerKind, ...]] = ("injection", "dlp")
RULE_FOLDERS: Final[Mapping[ScannerKind, str]] = {"injection": "inspection", "dlp": "dlp"}
"""Each scanner, and the folder below the configured one that has more packs for it."""
RECOGNIZERS: Final = "presidio"
"""The folder beside them that has Presidio recognisers, where an installation has any."""


_DECIDERS: Final = (dlp_decide, links, shapes, inspection_decide, judge)
DECISIVE: Final = frozenset(rule for part in _DECIDERS for name, rule in vars(part).items() if name.startswith("RULE_"))
"""What stands on a stamp as the rule that decided, and is none of a scanner's."""


@dataclass(frozen=True, slots=True)
class Rulebook:
    """Where the rules of a home come from. ``folders`` is empty without one: then the shipped packs are all there is.

    ``cache`` is where compiled rules are kept: what the operator's door compiled to check a policy, the gates only have to load.
    """

    folders: Mapping[ScannerKind, Path]
    salt: bytes | None = None
    cache: Path | None = None
    keys: Callable[[str], bytes] = no_keys
    recognizers: Path | None = None
    destinations: frozenset[str] | None = None

    @classmethod
    def of(cls, home: Home | None) -> Rulebook:
        """That of a home, or the shipped one. Raises `ConfigurationError` when the home's salt is missing."""
        if home is None:
            return cls({})
        folders = {kind: home.rules_folder(RULE_FOLDERS[kind]) for kind in KINDS}
        return cls(
            {kind: folder for kind, folder in folders.items() if folder is not None},
            home.content_salt(),
            home.compiled,
            home.content_secret,
            _if_there(home.rules_folder(RECOGNIZERS)),
            frozenset(one.name for one in home.config.alerts.destinations),
        )

    def source(self, kind: ScannerKind) -> ScannerSource:
        """What builds one gate's scanner."""
        return ScannerSource(kind, self.folders.get(kind), salt=self._evidence, cache=self.cache)

    def packs(self, kind: ScannerKind, policy: ContentPolicy) -> list[Pack]:
        """The packs of one gate, read and not compiled. Raises `ConfigurationError`, which names pack and rule."""
        return [*packaged_packs(kind), *folder_packs(self.folders.get(kind)), *own_packs(policy, kind)]

    def scanners(self, kind: ScannerKind, record: ContentRecord | None = None) -> TunedScanners:
        """One gate's scanner under a content policy. Raises `ConfigurationError`, which names pack and rule."""
        return self.source(kind)(record)

    def check(self, text: str) -> ContentPolicy:
        """Build everything that a content policy asks for, and let it go again; return the policy. Takes seconds.

        Raises:
            ConfigurationError: it does not parse, a pack cannot be used, an example does not behave, or it names a rule nobody has.
        """
        policy = parse_content(text)
        links.check_hosts(policy.links)
        record = ContentRecord(text, 0, content_digest(text))
        requests, answers = self.inspection()(record), self.dlp()(record)
        check_required(answers.scanners.scanner, policy)
        check_rule_names(policy, reported(requests.scanners.scanner) | reported(answers.scanners.scanner), DECISIVE)
        self._check_destinations(policy)
        return policy

    def _check_destinations(self, policy: ContentPolicy) -> None:
        if self.destinations is None:
            return
        for alert in policy.alerts:
            for name in alert.to:
                if name not in self.destinations:
                    raise ConfigurationError(
                        f"content policy: alert {alert.name} is to be told to {name}, which gateway.toml does not name"
                    )

    def inspection(self) -> InspectionSource:
        """What builds all that the inspection gate decides with."""
        return InspectionSource(self.source("injection"), salt=self._evidence, secrets=self.keys)

    def dlp(self) -> DlpSource:
        """What builds all that the DLP gate decides with."""
        return DlpSource(self.source("dlp"), salt=self._evidence, keys=self.keys, recognizers=self.recognizers)

    @property
    def _evidence(self) -> bytes:
        """Without a home nothing outlives this process, so any key will do."""
        return self.salt or secrets.token_bytes(32)


def _if_there(folder: Path | None) -> Path | None:
    return folder if folder is not None and folder.is_dir() else None


def chosen_kinds(only: str) -> tuple[ScannerKind, ...]:
    """The scanners to look at: all, or the one that is named. Raises `ConfigurationError`."""
    if only and only not in KINDS:
        raise ConfigurationError(f"there is no such scanner: {' and '.join(KINDS)} are the ones there are")
    return tuple(kind for kind in KINDS if only in {"", kind})


async def content_in_force(home: Home | None) -> ContentRecord | None:
    """The content policy in force in a home, read from its ledger; nothing without a home, or before a gateway ran in it."""
    if home is None:
        return None
    from lockgate_cli.process import open_ledger  # noqa: PLC0415 - what the shipped rules can answer needs no database

    async with AsyncExitStack() as stack:
        ledger = await open_ledger(home, stack, appends=False)
        return (await ledger.directory()).content
