"""What a value in a JSON document is called, where it is not simply its member's name. Pure; whether a name matters is the scanner's to say.

Settings are lists of pairs (``{"name": "DB_PASSWORD", "value": …}``), or have what belongs to them beside the value
(``{"db_password": {"sensitive": true, "value": …}}``, as Terraform writes its outputs and DynamoDB, with the type for a name, its items), and tables have their names
in a row of their own (``{"columns": ["user", "password"], "rows": [[…]]}``), or a row for each name and its value. A command in words has its options before their values. A rule that asks for a word before the value
finds it only if that word is put there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

LONGEST: Final = 100
"""Characters of what counts as a name."""

_NAMES: Final = tuple(
    variant
    for word in ("name", "key", "field", "label", "variable", "parameter", "property", "setting", "attribute", "option", "env")
    for variant in (word, word.capitalize(), word.upper(), f"Parameter{word.capitalize()}", f"{word}_name")
)
_VALUES: Final = frozenset(
    variant
    for word in ("value", "val", "content", "data", "default", "text")
    for variant in (word, word.capitalize(), word.upper(), f"Parameter{word.capitalize()}", f"string{word.capitalize()}")
)
_WRAPPED: Final = _VALUES | {
    "S",
    "N",
    "SS",
    "NS",
    "old",
    "new",
    "before",
    "after",
    "current",
    "previous",
    "plain",
    "plaintext",
    "raw",
}
"""Members that say nothing of a value but which of several it is, or of which type: it is called what they are in."""
_HEADS: Final = ("columns", "column_names", "columnNames", "headers", "header", "fields", "Columns", "Headers", "Fields")
_HEADED: Final = frozenset(_HEADS)
_NAME: Final = re.compile(r"[^\W\d][\w .\-/]*")
_LEADS: Final = re.compile(r"--?[A-Za-z][\w\-]*|[^\W\d][\w .\-/]*[:=]")


def of_pair(members: Mapping[str, Any]) -> str:
    """The name that stands beside a member like ``value``; nothing where there is no such pair."""
    if _VALUES.isdisjoint(members):
        return ""
    return next((str(members[key]) for key in _NAMES if key in members and is_name(members[key])), "")


def is_value(member: str) -> bool:
    """Whether a member of such a pair is the value."""
    return member in _VALUES


def is_wrapped(member: str) -> bool:
    """Whether a member that is in another one is called like that one."""
    return member in _WRAPPED


def of_columns(members: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of a table's columns that stand beside its rows."""
    if _HEADED.isdisjoint(members):
        return ()
    for key in _HEADS:
        names = _row(members.get(key))
        if names:
            return names
    return ()


def of_first_row(rows: Sequence[Any]) -> tuple[str, ...]:
    """The names of a table's columns where they are its first row."""
    return _row(rows[0]) if len(rows) > 1 else ()


def of_row(row: Any) -> str:
    """The name in a row that is a name and a value; nothing when it is anything else."""
    pair = isinstance(row, list) and len(row) == len(("name", "value")) and is_name(row[0])
    return str(row[0]) if pair else ""


def leads(item: Any) -> bool:
    """Whether an item of a list says what the next one is: an option of a command, or a name with its colon."""
    return isinstance(item, str) and len(item) <= LONGEST and _LEADS.fullmatch(item) is not None


def _row(row: Any) -> tuple[str, ...]:
    """A row of names: texts, or objects that have a name each; nothing when it is anything else."""
    if not isinstance(row, list) or not row:
        return ()
    names = [one.get("name") if isinstance(one, dict) else one for one in row]
    return tuple(map(str, names)) if all(map(is_name, names)) else ()


def is_name(value: Any) -> bool:
    """Whether a value may be what another one is called."""
    return isinstance(value, str) and len(value) <= LONGEST and _NAME.fullmatch(value) is not None
