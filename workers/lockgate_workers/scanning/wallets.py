"""Addresses of crypto currencies: the checksums that make a typing error visible also tell an address from any other run of letters.

Base58Check (Bitcoin and most of its kin), Bech32 and Bech32m (BIP 173, BIP 350), and the form of Ethereum's. Addresses of other kinds are
left to the words that stand beside them, which is a matter of the rules.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

_BASE58: Final = {one: index for index, one in enumerate("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")}
_BASE58_LONGEST: Final = 60
_BASE58_BYTES: Final = (25, 26)
# Version bytes: Bitcoin (0, 5), Dash (76, 16), Dogecoin (30, 22), Litecoin (48, 50), Tron (65), Zcash (28), test networks (111, 196).
_VERSIONS: Final = frozenset({0, 5, 16, 22, 28, 30, 48, 50, 65, 76, 111, 196})
_BECH32: Final = {one: index for index, one in enumerate("qpzry9x8gf2tvdw0s3jn54khce6mua7l")}
_BECH32_PREFIXES: Final = frozenset({"bc", "tb", "ltc", "addr", "stake", "cosmos", "osmo", "terra", "lnbc"})
_BECH32_SUMS: Final = frozenset({1, 0x2BC830A3})
_BECH32_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32_LONGEST: Final = 120
_HEX: Final = frozenset("0123456789abcdef")
_ETHEREUM_DIGITS: Final = 40
_DISTINCT: Final = 5


def base58check(text: str) -> bool:
    """An address whose last four bytes are the double SHA-256 of the rest, with the version byte of a currency in use."""
    if len(text) > _BASE58_LONGEST or any(one not in _BASE58 for one in text):
        return False
    number = 0
    for one in text:
        number = number * 58 + _BASE58[one]
    zeros = len(text) - len(text.lstrip("1"))
    data = bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
    if len(data) not in _BASE58_BYTES or data[0] not in _VERSIONS:
        return False
    return hashlib.sha256(hashlib.sha256(data[:-4]).digest()).digest()[:4] == data[-4:]


def bech32(text: str) -> bool:
    """An address in one case whose checksum is that of Bech32 or Bech32m, for a currency in use."""
    lowered = text.lower()
    prefix, mark, data = lowered.rpartition("1")
    if not mark or prefix not in _BECH32_PREFIXES or len(text) > _BECH32_LONGEST or text not in {lowered, text.upper()}:
        return False
    if any(one not in _BECH32 for one in data):
        return False
    spread = [ord(one) >> 5 for one in prefix] + [0] + [ord(one) & 31 for one in prefix]
    return _polymod([*spread, *(_BECH32[one] for one in data)]) in _BECH32_SUMS


def _polymod(values: list[int]) -> int:
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for index, generator in enumerate(_BECH32_GENERATOR):
            checksum ^= generator if top >> index & 1 else 0
    return checksum


def ethereum(text: str) -> bool:
    """Forty hex digits after ``0x`` that are no ruler, and not all in capitals, as fingerprints of keys are written.

    The mixed case of EIP-55 is not checked: it would cost a Keccak-256 in Python.
    """
    if text[2:].isupper():
        return False
    body = text[2:].lower()
    return len(body) == _ETHEREUM_DIGITS and _HEX.issuperset(body) and len(set(body)) > _DISTINCT


WALLETS: Final[Mapping[str, Callable[[str], bool]]] = MappingProxyType(
    {"base58check": base58check, "bech32": bech32, "ethereum": ethereum}
)
"""Checks by the names under which rule packs ask for them."""
