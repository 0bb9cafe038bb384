"""The texts inside the columns: stamps, acceptances and lists as JSON in their exact bytes. What does not parse is a damaged ledger, not an empty value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

import msgspec

from lockgate_schemas.errors import LedgerError
from lockgate_schemas.passage import NOTHING, Acceptance, Stamp, encode

T = TypeVar("T")

_encoder: Final = msgspec.json.Encoder()
_stamps: Final = msgspec.json.Decoder(tuple[Stamp, ...])
_acceptance: Final = msgspec.json.Decoder(Acceptance)
_words: Final = msgspec.json.Decoder(tuple[str, ...])


def _decoded(decoder: msgspec.json.Decoder[T], raw: bytes | str) -> T:
    try:
        return decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeError):
        raise LedgerError("a record of the ledger does not parse") from None


def write_stamps(stamps: Sequence[Stamp]) -> bytes:
    """A chain as it is stored."""
    return _encoder.encode(stamps)


def read_stamps(raw: bytes) -> tuple[Stamp, ...]:
    """A stored chain. Raises `LedgerError`."""
    return _decoded(_stamps, raw)


def write_acceptance(acceptance: Acceptance) -> bytes:
    """An acceptance as it is stored."""
    return encode(acceptance)


def read_acceptance(raw: bytes) -> Acceptance:
    """A stored acceptance. Raises `LedgerError`."""
    return _decoded(_acceptance, raw)


def write_words(words: Sequence[str]) -> str:
    """A list of names as it is stored."""
    return _encoder.encode(tuple(words)).decode()


def read_words(raw: str) -> tuple[str, ...]:
    """A stored list of names. Raises `LedgerError`."""
    return _decoded(_words, raw)


def read_response(raw: bytes | None) -> msgspec.Raw:
    """A stored response; nothing is always the same object, because it is by identity that an absent member is left out."""
    return msgspec.Raw(raw) if raw else NOTHING
