"""Whether every rule does what its own examples say, judged by the scanner itself.

Run over the packaged packs by the tests, and over an operator's packs when they are loaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lockgate_schemas.errors import ConfigurationError

if TYPE_CHECKING:
    from lockgate_workers.scanning.engine import Scanner


def failures(scanner: Scanner, ids: frozenset[str] | None = None) -> Iterator[str]:
    """Yield a sentence for each example that does not behave, of all rules or of those with ``ids``."""
    for rule in scanner.rules:
        if ids is not None and rule.id not in ids:
            continue
        for number, text in enumerate(rule.examples.match, 1):
            if not _found(scanner, rule.id, text):
                yield f"rule {rule.id}: example {number} of 'match' is not found"
        for number, text in enumerate(rule.examples.skip, 1):
            if _found(scanner, rule.id, text):
                yield f"rule {rule.id}: example {number} of 'skip' is found"


def verify(scanner: Scanner, ids: frozenset[str] | None = None) -> None:
    """Refuse rules whose examples do not behave.

    Raises:
        ConfigurationError: names the first rule and example.
    """
    for failure in failures(scanner, ids):
        raise ConfigurationError(failure)


def _found(scanner: Scanner, rule: str, text: str) -> bool:
    result = scanner.scan(text)
    return any(finding.rule == rule for finding in result.findings)
