"""Checks beyond a pattern: check digits, number ranges, structure, randomness.

Each takes the candidate text of a finding and says whether it can be what the rule claims. They are named in rule packs; a name
that is not in the table is refused when the pack is read.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Final

from lockgate_workers.scanning.addresses import ADDRESSES
from lockgate_workers.scanning.checksums import token_checksum, token_checksum_off
from lockgate_workers.scanning.chosen import CHOSEN
from lockgate_workers.scanning.national import NATIONAL
from lockgate_workers.scanning.national_further import FURTHER
from lockgate_workers.scanning.randomness import generated, secret_like, worded
from lockgate_workers.scanning.wallets import WALLETS

Validator = Callable[[str], bool]

_SSN_ADVERTISED: Final = frozenset({"078051120", "219099999", "457555462", "123456789"})
_ITIN_FIRST: Final = "9"
_LUHN_MAX_DIGIT: Final = 9
_CARD_DISTINCT: Final = 2
_WRAPPED_ENTROPY: Final = 4.4
_WRAPPED_SLASHES: Final = 6
_ALPHABET: Final = "ABCDEFGHIJKLM"
_SIGNS: Final = "!@#$%^&*?~+"
_IBAN_LENGTHS: Final = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29, "BY": 28, "CH": 21,
    "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "ES": 24, "FI": 18, "FO": 18, "FR": 27, "GB": 22,
    "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27,
    "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "MC": 27, "MD": 24, "ME": 22, "MK": 19,
    "MR": 27, "MT": 31, "MU": 30, "NL": 18, "NO": 15, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22,
    "SA": 24, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
    "BI": 27, "DJ": 27, "EG": 29, "FK": 18, "HN": 28, "LY": 25, "MN": 20, "NI": 28, "OM": 23, "RU": 33, "SC": 31, "SD": 18,
    "SO": 23, "ST": 25, "TL": 23, "YE": 30,
}  # fmt: skip


def digits(text: str) -> str:
    """Return the ASCII digits of a text."""
    return "".join(one for one in text if "0" <= one <= "9")


def luhn(text: str) -> bool:
    """Card numbers: the Luhn check digit, not one digit repeated, and no groups that count up as the rows of a table do."""
    groups = re.findall(r"[0-9]+", text)
    if len(groups) > 1 and all(int(later) - int(earlier) == 1 for earlier, later in pairwise(groups)):
        return False
    number = digits(text)
    total = 0
    for index, one in enumerate(reversed(number)):
        value = int(one) * (2 if index % 2 else 1)
        total += value - 9 if value > _LUHN_MAX_DIGIT else value
    return total % 10 == 0 and len(set(number)) >= _CARD_DISTINCT


def iban(text: str) -> bool:
    """ISO 13616: the country's length, and modulo 97."""
    account = "".join(text.replace("-", "").split()).upper()
    expected = _IBAN_LENGTHS.get(account[:2])
    if expected is None or len(account) != expected or not account.isascii() or not account.isalnum():
        return False
    number = "".join(str(int(one, 36)) for one in account[4:] + account[:4])
    return int(number) % 97 == 1


def ssn(text: str) -> bool:
    """US social security numbers: area, group and serial in the ranges ever issued, and not one from an advertisement."""
    number = digits(text)
    area, group, serial = number[:3], number[3:5], number[5:]
    refused = area in {"000", "666"} or area[0] == _ITIN_FIRST or group == "00" or serial == "0000"
    return not refused and number not in _SSN_ADVERTISED and len(set(number)) > 1


def jwt(text: str) -> bool:
    """A JOSE header that decodes to an object naming an algorithm."""
    head = text.split(".", 1)[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return False
    return isinstance(header, dict) and ("alg" in header or "enc" in header)


def mixed(text: str) -> bool:
    """Looks chosen or generated: letters, and digits or signs as well. Words and numbers alone are not secrets."""
    return any(one.isalpha() for one in text) and any(one.isdigit() or one in _SIGNS for one in text)


def basic_credentials(text: str) -> bool:
    """Base64 of ``user:password``, which is text."""
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        return False
    return ":" in decoded and decoded.isprintable()


def wrapped_base64(text: str) -> bool:
    """A full line of binary data in base64: every kind of character, no path no words and no alphabet. Hexadecimal and names are not."""
    kinds = (str.isupper, str.islower, str.isdigit)
    return (
        all(any(kind(one) for one in text) for kind in kinds)
        and entropy(text) >= _WRAPPED_ENTROPY
        and text.count("/") <= _WRAPPED_SLASHES
        and _ALPHABET not in text.upper()
        and not worded(text)
    )


def entropy(text: str) -> float:
    """Shannon entropy in bits a character, over the characters of the text itself."""
    if not text:
        return 0.0
    size = len(text)
    return -sum(count / size * math.log2(count / size) for count in Counter(text).values())


VALIDATORS: Final[Mapping[str, Validator]] = MappingProxyType(
    {
        **ADDRESSES,
        **CHOSEN,
        **NATIONAL,
        **FURTHER,
        **WALLETS,
        "luhn": luhn,
        "iban": iban,
        "ssn": ssn,
        "jwt": jwt,
        "mixed": mixed,
        "basic-credentials": basic_credentials,
        "generated": generated,
        "secret-like": secret_like,
        "wrapped-base64": wrapped_base64,
        "token-checksum": token_checksum,
        "token-checksum-off": token_checksum_off,
    }
)
