"""Check digits inside tokens: a token that carries the right one is real beyond doubt, whatever stands around it.

GitHub and npm end their tokens with the CRC32 of the random part in base 62, six characters, padded with zeros ("Behind GitHub's new
authentication token formats", GitHub engineering, 2021; npm's announcement of the same year says the same of its own). A wrong one does
not clear a token: examples are edited by hand, and an altered character is a way to hide. So the rules ask for both, apart.
"""

from __future__ import annotations

import re
import zlib
from typing import Final

_BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_TOKEN: Final = re.compile(r"(?:gh[pousr]_|npm_)([0-9A-Za-z]{30})([0-9A-Za-z]{6})")
_CHECK_LENGTH: Final = 6


def checksum62(body: str) -> str:
    """The CRC32 of ``body`` in base 62, six characters."""
    number = zlib.crc32(body.encode())
    written = ""
    while number:
        number, digit = divmod(number, len(_BASE62))
        written = _BASE62[digit] + written
    return written.rjust(_CHECK_LENGTH, "0")


def token_checksum(text: str) -> bool:
    """A GitHub or npm token whose last six characters are the checksum of the thirty before."""
    token = _TOKEN.fullmatch(text)
    return token is not None and checksum62(token.group(1)) == token.group(2)


def token_checksum_off(text: str) -> bool:
    """The other case, so that one token is one finding."""
    return not token_checksum(text)
