"""What the DLP gate decides with under one content policy: rules, further engines, and what stands in the place of a finding.

Built by `DlpSource` beside the event loop (`scanning.reloading`). It says whether a look at a text is slow; where a decision then
runs, and what it is, is left to the stage and to `decide`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lockgate_ledger.records import ContentRecord
from lockgate_schemas.content import ContentPolicy, Operator
from lockgate_schemas.errors import ConfigurationError
from lockgate_workers.dlp.presidio.further import further_engines
from lockgate_workers.dlp.presidio.operators import prepared
from lockgate_workers.scanning.content import Scans, TunedScanners
from lockgate_workers.scanning.engines import Several
from lockgate_workers.scanning.redact import Replacement, marker_of
from lockgate_workers.scanning.reloading import ScannerSource, read_content


@dataclass(frozen=True, slots=True)
class DlpContent:
    """Everything that holds for answers under one content policy.

    ``salt`` is that of what was asked; ``slow`` means: not on the event loop. ``settles`` says that nothing but the rules looks at an answer, and
    that the same finding is always replaced by the same text: only then what its beginning goes out as is known before its end.
    """

    scanners: TunedScanners
    replacement: Replacement = marker_of
    salt: bytes = b""
    slow: bool = False
    settles: bool = True


def _repeats(operator: Operator) -> bool:
    """Whether it makes the same of the same each time: a cipher does not, nor a hash that is salted at random."""
    return operator.operator in {"redact", "replace", "mask"} or (operator.operator == "hash" and bool(operator.key))


def no_keys(name: str) -> bytes:
    """There are no key files where there is no home. Raises `ConfigurationError`."""
    raise ConfigurationError(f"content policy: there is no key file {name}")


class DlpSource:
    """Builds a `DlpContent`. What did not change is not built again."""

    def __init__(
        self,
        rules: ScannerSource,
        *,
        salt: bytes,
        keys: Callable[[str], bytes] = no_keys,
        recognizers: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``keys`` reads the key file of a name; ``recognizers`` is the folder of an installation's own Presidio recognisers."""
        self._rules: Final = rules
        self._salt: Final = salt
        self._keys: Final = keys
        self._recognizers: Final = recognizers
        self._clock: Final = clock

    def __call__(self, record: ContentRecord | None) -> DlpContent:
        """Build; may take seconds. Raises `ConfigurationError`, which names what is wrong and no value."""
        policy = read_content(record)
        rules = self._rules.scanner(policy)
        further = further_engines(policy, self._recognizers, clock=self._clock, evidence_key=self._salt)
        whole: Scans = Several(rules, further) if further else rules
        return DlpContent(
            TunedScanners(whole, policy, "" if record is None else record.digest),
            self._replacement(policy, rules),
            self._salt,
            slow=any(not engine.repeats for engine in further),
            settles=not further and all(map(_repeats, policy.operators)),
        )

    def _replacement(self, policy: ContentPolicy, rules: Scans) -> Replacement:
        if not policy.operators:
            return marker_of
        keys = {one.key: self._keys(one.key) for one in policy.operators if one.key}
        return prepared(policy.operators, keys, rules.rules).replaced
