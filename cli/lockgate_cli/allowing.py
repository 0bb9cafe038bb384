"""Entries of the list of allowed values: made from a value, and put into the text of a content policy without touching the rest of it.

The value is hashed under the installation's salt and is in no entry. Where a rule finds something narrower in what was typed (the
password in a whole line), that is what the entry allows, because that is what a scan will compare.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

import msgspec
import yaml

from lockgate_schemas.content import AllowedValue, ContentPolicy, parse_content
from lockgate_schemas.errors import ConfigurationError
from lockgate_workers.scanning.allowing import value_digest
from lockgate_workers.scanning.content import Scans

_MEMBER: Final = "allowed"


def entries_for(
    value: str,
    scanner: Scans,
    salt: bytes,
    *,
    rule: str,
    reason: str,
    tenant: str = "",
    agent: str = "",
    until: date | None = None,
) -> tuple[AllowedValue, ...]:
    """The entries by which ``rule`` lets ``value`` through; one, unless the rule finds several things in it."""
    found = [finding.evidence for finding in scanner.scan(value).findings if finding.rule == rule]
    digests = list(dict.fromkeys(found)) or [value_digest(salt, value)]
    return tuple(
        AllowedValue(digest=digest, reason=reason, rule=rule, tenant=tenant, agent=agent, until=until) for digest in digests
    )


def written(entries: Sequence[AllowedValue]) -> str:
    """The entries as a list in YAML; members that are not set are left out."""
    return str(yaml.safe_dump([_members(entry) for entry in entries], sort_keys=False, allow_unicode=True, width=160))


def added(text: str, entries: Sequence[AllowedValue]) -> str:
    """The text of a content policy with more entries in its list; comments and order stay.

    Raises:
        ConfigurationError: the list is written in a way that nothing can be put into without rewriting it.
    """
    before = parse_content(text)
    new = _with(text, entries)
    if not _reads_as(new, msgspec.structs.replace(before, allowed=(*before.allowed, *entries))):
        raise ConfigurationError(
            "the content policy's list of allowed values is written in a way that cannot be added to: do it by hand"
        )
    return new


def _reads_as(text: str, policy: ContentPolicy) -> bool:
    try:
        return parse_content(text) == policy
    except ConfigurationError:
        return False


def _with(text: str, entries: Sequence[AllowedValue]) -> str:
    ended = text if text.endswith("\n") or not text else text + "\n"
    place = _end_of_list(ended)
    if place is None:
        return f"{ended}{_MEMBER}:\n{_indented(written(entries), 2)}"
    line, indent = place
    lines = ended.splitlines(keepends=True)
    return "".join((*lines[:line], _indented(written(entries), indent), *lines[line:]))


def _end_of_list(text: str) -> tuple[int, int] | None:
    """The line after the last entry, and how far entries are indented; nothing when there is no such list."""
    document = yaml.compose(text, Loader=yaml.SafeLoader)
    if document is None:
        return None
    for key, value in document.value:
        if key.value == _MEMBER and isinstance(value, yaml.SequenceNode) and not value.flow_style:
            lines = text.splitlines()
            end = min(value.end_mark.line, len(lines)) if value.end_mark.column == 0 else value.end_mark.line + 1
            while end and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
                end -= 1  # blank lines and comments after the list belong to what follows
            return end, value.start_mark.column
    return None


def _indented(block: str, indent: int) -> str:
    return "".join(f"{' ' * indent}{line}" for line in block.splitlines(keepends=True))


def _members(entry: AllowedValue) -> dict[str, Any]:
    return {name: value for name, value in msgspec.structs.asdict(entry).items() if value not in {"", None}}
