"""Texts to measure on: clean answers of three kinds from a seed, and pieces of the documentation and code of installed packages."""

from __future__ import annotations

import itertools
import json
import random
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Final

SIZE: Final = 10_000
KINDS: Final = ("prose", "json", "code")

_SUBJECTS: Final = (
    "the report", "our team", "a customer", "the warehouse", "this release", "the second supplier", "nobody", "the new label",
    "every order", "the summary", "an auditor", "the night shift", "their manager", "the old printer", "one of the drivers",
)  # fmt: skip
_VERBS: Final = (
    "shows", "explains", "delays", "describes", "compares", "replaces", "improves", "confirms", "repeats", "changes", "misses",
    "collects", "returns", "postpones", "simplifies",
)  # fmt: skip
_OBJECTS: Final = (
    "the figures of last quarter", "a list of open questions", "what was agreed in spring", "the delivery to the harbour",
    "three of the seven boxes", "most of the remaining budget", "a shorter way through the building", "the colour of the cover",
    "the order of the chapters", "an answer within two working days", "the temperature of the cooling room", "a second opinion",
)  # fmt: skip
_ENDS: Final = (
    "because the weather was bad", "as soon as everybody is back", "although it took longer than planned", "before the week ends",
    "and nobody was surprised", "which saves an hour a day", "so the next step is smaller", "without any further cost",
    "while the lift was being repaired", "unless the price goes up again",
)  # fmt: skip
_NOUNS: Final = (
    "order", "item", "price", "weight", "colour", "status", "region", "title", "amount", "branch", "shelf", "window", "margin",
    "column", "vector", "record", "buffer", "offset", "counter", "layout",
)  # fmt: skip
_STATES: Final = ("open", "late", "done", "returned", "in transit", "cancelled", "on hold")


def answers(kind: str, count: int, seed: int = 1, size: int = SIZE) -> list[str]:
    """So many texts of a kind, with nothing in them that any rule is about; the same ones for the same seed."""
    draw = random.Random(f"{kind} {seed}")  # noqa: S311 - filler text, and the same one on every machine
    make = {"prose": _prose, "json": _json, "code": _code}[kind]
    return [make(draw, size) for _ in range(count)]


def _prose(draw: random.Random, size: int) -> str:
    paragraphs: list[str] = []
    while sum(map(len, paragraphs)) < size:
        sentences = [
            f"{draw.choice(_SUBJECTS)} {draw.choice(_VERBS)} {draw.choice(_OBJECTS)} {draw.choice(_ENDS)}".capitalize()
            for _ in range(draw.randint(3, 7))
        ]
        paragraphs.append(". ".join(sentences) + f". It is number {draw.randint(1, 40)} of {draw.randint(41, 90)}.\n\n")
    return "".join(paragraphs)[:size]


def _json(draw: random.Random, size: int) -> str:
    """A whole document, so that it may be a little shorter or longer than ``size``."""
    records: list[dict[str, object]] = []
    length = 0
    while length < size:
        record: dict[str, object] = {
            "number": draw.randint(1, 9999),
            "status": draw.choice(_STATES),
            draw.choice(_NOUNS): round(draw.uniform(0.5, 900), 2),
            "note": f"{draw.choice(_SUBJECTS)} {draw.choice(_VERBS)} {draw.choice(_OBJECTS)}",
            "gift": draw.random() < 0.5,
            "lines": [draw.randint(1, 12) for _ in range(draw.randint(1, 5))],
        }
        records.append(record)
        length += len(json.dumps(record)) + 2
    return json.dumps({"records": records, "more": False})


def _code(draw: random.Random, size: int) -> str:
    functions: list[str] = []
    while sum(map(len, functions)) < size:
        one, two, three = draw.sample(_NOUNS, 3)
        functions.append(
            f"def {draw.choice(_VERBS)}_{one}({two}s: list[int], {three}: int = {draw.randint(1, 64)}) -> int:\n"
            f'    """{draw.choice(_SUBJECTS).capitalize()} {draw.choice(_VERBS)} {draw.choice(_OBJECTS)}."""\n'
            f"    total = {draw.randint(0, 9)}\n"
            f"    for index, {two} in enumerate({two}s):\n"
            f"        if {two} % {three} == {draw.randint(0, 3)} and index < {draw.randint(2, 99)}:\n"
            f"            total += {two} * {draw.randint(2, 9)}  # {draw.choice(_ENDS)}\n"
            f"        elif {two} > {three} << 2:\n"
            f"            total -= len({two}s) // ({three} + 1)\n"
            f"    return max(total, {draw.randint(1, 9)})\n\n\n"
        )
    return "".join(functions)[:size]


MADE_OF_FINDINGS: Final = frozenset({"detect_secrets", "presidio_analyzer", "kingfisher", "stdnum", "phonenumbers", "faker"})
"""Packages whose own code and data are examples of what is to be found, or numbers of that kind; rules were written with them at hand."""
_DOCUMENTATION: Final = frozenset({".md", ".rst", ".txt"})
_METADATA: Final = "METADATA"


def packages() -> Path:
    """The folder of the packages that are installed beside this interpreter."""
    return Path(sysconfig.get_paths()["purelib"])


def pieces(folder: Path, most: int, seed: int = 1, size: int = SIZE) -> Iterator[tuple[str, str]]:
    """At most so many pieces of ``size`` of the documentation and code below a folder, each once, with the kind of file that each is from.

    Files are shuffled by the seed, the kinds of files take turns, and no more than eight pieces are taken from one file, so that neither code
    nor one large file is the whole answer.
    """
    kinds: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        if _kind(path) and not any(_made_of_findings(part) for part in path.relative_to(folder).parts):
            kinds.setdefault(_kind(path), []).append(path)
    draw = random.Random(seed)  # noqa: S311 - a repeatable choice
    for files in kinds.values():
        draw.shuffle(files)
    seen: set[str] = set()
    for path in _in_turn(list(kinds.values())):
        for piece in _cut(path, size):
            if len(seen) >= most:
                return
            if piece not in seen:
                seen.add(piece)
                yield _kind(path), piece


def _in_turn(groups: list[list[Path]]) -> Iterator[Path]:
    return (one for turn in itertools.zip_longest(*groups) for one in turn if one is not None)


def _made_of_findings(part: str) -> bool:
    """Whether a folder is that of such a package, or of its metadata."""
    return part.partition("-")[0] in MADE_OF_FINDINGS


def _cut(path: Path, size: int) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return []
    return [text[start : start + size] for start in range(0, min(len(text), 8 * size), size)]


def _kind(path: Path) -> str:
    if path.name == _METADATA:
        return "package metadata"
    if path.suffix in _DOCUMENTATION:
        return "documentation"
    return "code" if path.suffix == ".py" else ""
