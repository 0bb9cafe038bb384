"""Corpora for the two content gates: JSON lines, gzipped or not, told apart by what their rows say."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Final

import msgspec

from lockgate_cli.bench.content_accuracy import DlpRow
from lockgate_schemas.errors import ConfigurationError
from lockgate_workers.scanning.loading import ScannerKind

_SHOWN: Final = 200


def kind_of(path: Path) -> ScannerKind:
    """Whether the rows are for the DLP scanner (they belong to a ``set``) or for the injection score (they are of a ``cls``).

    Raises:
        ConfigurationError: the file cannot be read, is empty, or holds something else.
    """
    first = _read(path).partition(b"\n")[0]
    try:
        row = msgspec.json.decode(first, type=dict)
    except msgspec.MsgspecError as error:
        raise ConfigurationError(f"the corpus {path.name} does not begin with a row in JSON") from error
    if "set" in row:
        return "dlp"
    if "cls" in row:
        return "injection"
    raise ConfigurationError(f"the rows of {path.name} have neither a set, as those for the DLP scanner do, nor a class")


def dlp_rows(path: Path) -> list[DlpRow]:
    """Read rows for the DLP scanner.

    Raises:
        ConfigurationError: the file cannot be read, is empty, or a row is not as expected.
    """
    try:
        rows = msgspec.json.Decoder(DlpRow).decode_lines(_read(path))
    except msgspec.MsgspecError as error:
        raise ConfigurationError(f"the corpus {path.name} is not as expected: {str(error)[:_SHOWN]}") from error
    if not rows:
        raise ConfigurationError(f"the corpus {path.name} is empty")
    return rows


def _read(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if path.suffix == ".gz" else data
    except (OSError, EOFError) as error:
        raise ConfigurationError(f"the corpus {path.name} cannot be read: {type(error).__name__}") from error
