"""Whether a value is one that somebody chose to be secret, and whether a table or a row of words is made of such values. Pure.

People mix cases, digits and signs because they are made to; words, names and paths do it rarely. Beside the words that announce a
password that is enough to tell one, and nowhere else: which words these are is a matter of the rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Final

from lockgate_workers.scanning.placeholders import is_placeholder
from lockgate_workers.scanning.randomness import secret_like

_SHORTEST: Final = 8
_KINDS: Final = 3
_SEALS: Final = re.compile(r"[!@#$%^&*?~+=_.\-]")
_HEADER: Final = re.compile(
    r"(?i)\W*(?:(?:\w{1,20}[ _\-])?(?:password|passwd|passwort|kennwort|pwd|contraseña|senha)|api[ _\-]?key|(?:client|api|app)[ _\-]secret|(?:access|api|auth)[ _\-]token)\W*"
)
_RULE: Final = frozenset(" :-+|=\t")
_MOST_COLUMNS: Final = 40
_PROGRAM: Final = frozenset("(={[")
# Words of every sentence; no list of words for wallets (BIP 39) has any of them.
_FILLING: Final = frozenset(
    {"the", "and", "for", "are", "was", "from", "which", "you", "your", "has", "not", "write", "them", "into", "its"}
)
_DISTINCT: Final = 9


def chosen(text: str) -> bool:
    """Eight characters or more of three kinds (capitals, small letters, digits, signs), a digit among them, or drawn at random."""
    text = text.strip("\"'`*,.;:!?)")
    kinds = (any(map(str.isupper, text)), any(map(str.islower, text)), _SEALS.search(text[1:-1]) is not None)
    mixed = any("0" <= one <= "9" for one in text) and sum(kinds) >= _KINDS - 1
    return len(text) >= _SHORTEST and any(map(str.isalpha, text)) and (mixed or secret_like(text))


def table_of_secrets(text: str) -> bool:
    """A head with a column for secrets that is no line of a program, and in this column of some row below it a value that is one."""
    rows = [line for line in text.splitlines() if line.strip()]
    if len(rows) <= 1 or ("|" not in rows[0] and not _PROGRAM.isdisjoint(rows[0])):
        return False
    split = _splitter(rows[0])
    head = split(rows[0])
    columns = [at for at, cell in enumerate(head[:_MOST_COLUMNS]) if _HEADER.fullmatch(cell.strip())]
    cells = (split(row) for row in rows[1:] if not set(row) <= _RULE)
    return sum(bool(cell.strip()) for cell in head) > 1 and any(
        len(row) == len(head) and any(_counts(row[at]) for at in columns) for row in cells
    )


def _splitter(head: str) -> Callable[[str], list[str]]:
    for mark in ("|", "\t", ";", ","):
        if mark in head:
            return lambda row: row.strip().strip("|").split(mark)
    return lambda row: re.split(r"[ \t]{2,}", row.strip())


def _counts(cell: str) -> bool:
    value = cell.strip().strip("\"'`")
    return " " not in value and chosen(value) and not is_placeholder(value)


def seed_words(text: str) -> bool:
    """Words of no sentence, hardly one of them twice, and no two alike side by side."""
    words = re.findall(r"[a-z]{3,8}", text)
    return (
        len(set(words)) >= _DISTINCT
        and not _FILLING.intersection(words)
        and all(one != other for one, other in pairwise(words))
    )


CHOSEN: Final[Mapping[str, Callable[[str], bool]]] = MappingProxyType(
    {"chosen": chosen, "table-of-secrets": table_of_secrets, "seed-words": seed_words}
)
