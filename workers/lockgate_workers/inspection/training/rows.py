"""Rows of a corpus: JSON lines, gzipped or not, each with text, label, class, source, licence, group and whether it may be trained on."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from pathlib import Path
from typing import Literal

import msgspec

from lockgate_schemas.errors import ConfigurationError


class CorpusRow(msgspec.Struct, frozen=True, kw_only=True):
    """One row. Near-duplicates share a ``group``, which stands on one side of every split. Only rows that ``may_train`` make weights."""

    text: str
    label: Literal["attack", "benign"]
    cls: str
    source: str
    licence: str = "own"
    may_train: bool = True
    group: str = ""

    @property
    def attack(self) -> bool:
        """Whether it should be found."""
        return self.label == "attack"

    @property
    def ordinary(self) -> bool:
        """Whether it is what an installation sees all day."""
        return self.cls.startswith("ordinary")

    @property
    def hard(self) -> bool:
        """Whether it is a hard negative: honest, and much like an attack."""
        return not self.attack and self.cls.startswith("hn_")


def read_corpus(path: Path) -> tuple[list[CorpusRow], str]:
    """Return the rows and the digest of their bytes.

    Raises:
        ConfigurationError: the file cannot be read, or holds something else.
    """
    try:
        data = path.read_bytes()
        data = gzip.decompress(data) if path.suffix == ".gz" else data
    except (OSError, EOFError) as error:
        raise ConfigurationError(f"the corpus cannot be read: {type(error).__name__}") from error
    decoder = msgspec.json.Decoder(CorpusRow)
    try:
        rows = decoder.decode_lines(data)
    except msgspec.MsgspecError as error:
        raise ConfigurationError(f"the corpus is not as expected: {error}") from error
    return rows, hashlib.sha256(data).hexdigest()


def part(row: CorpusRow, parts: int, salt: str) -> int:
    """Return which of so many parts a row falls into: decided by its group (its text, if it has none) and nothing else."""
    return zlib.crc32(f"{salt}:{row.group or row.text}".encode()) % parts
