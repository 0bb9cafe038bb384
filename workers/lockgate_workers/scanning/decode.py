"""Bounded decoding of runs that look encoded: base64, base64url, hex and gzip inside either.

Only runs whose bytes turn out to be mostly text are handed on; everything else (hashes, images, keys in binary form) costs one
decoding and is dropped. A decoded text has no offsets of its own: a finding in it covers the whole encoded run. Escapes (JSON,
HTML, URL) are the work of `normalise`. Not handled: runs broken over several lines, encodings of other bases, ciphers.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Iterator
from typing import Final

from lockgate_workers.scanning.normalise import View

DECODE_DEPTH: Final = 2
CANDIDATE_PATTERN: Final = r"[A-Za-z0-9+/_\-]{16}"
"""What the engine's one pass looks for in order to know whether decoding is worth a try."""

_RUN: Final = re.compile(r"(?<![A-Za-z0-9+/_\-])[A-Za-z0-9+/_\-]{16,}={0,2}")
_PART: Final = re.compile(r"[/_\-]")
_HEX: Final = re.compile(r"(?:0[xX])?((?:[0-9a-fA-F]{2}){9,})")
_MIN_RUN: Final = 16
_NAME_LENGTH: Final = 24
_MIN_DISTINCT: Final = 6
_DIGIT: Final = re.compile("[0-9]")
_PRINTABLE: Final = bytes(range(0x20, 0x7F)) + b"\t\n\r"
_MOST_BINARY: Final = 0.1
_GZIP_MAGIC: Final = b"\x1f\x8b"
_GZIP_MOST: Final = 65_536
_GZIP_RATIO: Final = 64
_TO_STANDARD: Final = str.maketrans("-_", "+/")


def decoded(view: View) -> Iterator[View]:
    """Yield a view for each run of ``view`` which decodes to text."""
    for match in _RUN.finditer(view.text):
        for start, run in _attempts(match):
            if _is_name(run):
                continue
            text = _text(_bytes(run))
            if text:
                yield View(text, whole=view.span(start, start + len(run)))
                break


def _attempts(match: re.Match[str]) -> Iterator[tuple[int, str]]:
    """The run itself, then its parts: a path or a dashed name around an encoded piece shifts the alignment."""
    run = match.group()
    yield match.start(), run
    start = 0
    for part in _PART.split(run):
        if _MIN_RUN <= len(part) < len(run):
            yield match.start() + start, part
        start += len(part) + 1


def _is_name(run: str) -> bool:
    """Identifiers and rulers are the common case: short and without a digit, or of very few different characters."""
    return (len(run) < _NAME_LENGTH and _DIGIT.search(run) is None) or len(set(run)) < _MIN_DISTINCT


def _bytes(run: str) -> bytes:
    """Decode a run as hex when it is hex, else as base64 in either alphabet; nothing when it is neither."""
    hexadecimal = _HEX.fullmatch(run)
    if hexadecimal is not None:
        return bytes.fromhex(hexadecimal.group(1))
    body = run.rstrip("=").translate(_TO_STANDARD)
    if len(body) % 4 == 1:
        body = body[:-1]  # no encoder ends like this; a character of what follows was taken along
    try:
        return base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
    except binascii.Error:
        return b""


def _text(data: bytes) -> str:
    """Return the bytes as text when they are mostly that."""
    if data.startswith(_GZIP_MAGIC):
        data = _gunzip(data)
    if len(data.translate(None, _PRINTABLE)) <= len(data) * _MOST_BINARY:
        return data.decode("utf-8", "replace")
    try:
        text = data.decode()  # other scripts: strict, as bytes that are no text hardly ever pass
    except UnicodeDecodeError:
        return ""
    return text if text.replace("\n", "").isprintable() else ""


def _gunzip(data: bytes) -> bytes:
    """Inflate what there is, up to a bound: a bomb is cut, not followed."""
    try:
        return zlib.decompressobj(wbits=31).decompress(data, min(_GZIP_MOST, len(data) * _GZIP_RATIO))
    except zlib.error:
        return b""
