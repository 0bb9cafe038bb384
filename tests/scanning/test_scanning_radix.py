"""Text as a number in a large base is read; identifiers, hashes and random tokens are not."""

from __future__ import annotations

import base64
import hashlib
import random
import string
from collections.abc import Callable

import pytest

from lockgate_workers.scanning.engine import Scanner
from lockgate_workers.scanning.packs import parse_pack
from lockgate_workers.scanning.radix import READERS

PACK = """
rules:
  - id: canary
    description: a made-up secret with a head of its own
    severity: high
    action: redact
    pattern: '\\b(?P<secret>cnry_[A-Za-z0-9]{20})\\b'
    examples: {match: ['cnry_aB1cD2eF3gH4iJ5kL6mN'], skip: ['cnry_bird']}
"""
SECRET = "cnry_aB1cD2eF3gH4iJ5kL6mN"
B85 = string.digits + string.ascii_uppercase + string.ascii_lowercase + "!#$%&()*+-;<=>?@^_`{|}~"
Z85 = string.digits + string.ascii_lowercase + string.ascii_uppercase + ".-:+=^!/*?&<>()[]{}@%$#"
BITCOIN = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
B45 = string.digits + string.ascii_uppercase + " $%*+-./:"


def number(text: str, alphabet: str) -> str:
    left, found = int.from_bytes(text.encode(), "big"), ""
    while left:
        left, digit = divmod(left, len(alphabet))
        found = alphabet[digit] + found
    return found


def in_45(text: str) -> str:
    found = ""
    data = text.encode()
    for at in range(0, len(data), 2):
        left = int.from_bytes(data[at : at + 2], "big")
        for _ in range(len(data[at : at + 2]) + 1):
            left, digit = divmod(left, 45)
            found += B45[digit]
    return found


ENCODINGS: dict[str, tuple[str, Callable[[str], str]]] = {
    "base85": ("base85", lambda text: base64.b85encode(text.encode()).decode()),
    "z85": ("base85", lambda text: base64.b85encode(text.encode()).decode().translate(str.maketrans(B85, Z85))),
    "ascii85": ("base85", lambda text: base64.a85encode(text.encode()).decode()),
    "base58": ("numbers", lambda text: number(text, BITCOIN)),
    "base62": ("numbers", lambda text: number(text, string.digits + string.ascii_uppercase + string.ascii_lowercase)),
    "base62, small letters first": (
        "numbers",
        lambda text: number(text, string.digits + string.ascii_lowercase + string.ascii_uppercase),
    ),
    "base36": ("numbers", lambda text: number(text, string.digits + string.ascii_lowercase)),
    "decimal": ("numbers", lambda text: str(int.from_bytes(text.encode(), "big"))),
    "base45": ("base45", in_45),
}


@pytest.fixture(scope="module")
def scanner() -> Scanner:
    return Scanner([parse_pack("radix.yaml", PACK.encode())], clock=lambda: 0.0, evidence_key=b"k" * 32)


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("around", ["{}", "the value is {} and no more", '"{}"', "key:\n{}\n"])
def test_text_in_a_large_base_is_read_where_it_stands(name: str, around: str) -> None:
    reader, encode = ENCODINGS[name]
    run = encode(SECRET)
    text = around.format(run)
    (part,) = READERS[reader](text)
    assert part.text.rstrip("\0") == SECRET
    assert text[part.first : part.last].strip(" `") == run.strip(" `")


@pytest.mark.parametrize("name", ENCODINGS)
def test_a_secret_in_a_large_base_is_found_over_its_whole_run(name: str, scanner: Scanner) -> None:
    run = ENCODINGS[name][1](f"the key is {SECRET} now")
    text = f"as {name.replace('z85', 'base85')}: {run}\n"
    assert [(one.rule, text[one.start : one.end].strip()) for one in scanner.scan(text).findings] == [("canary", run.strip())]


def test_tokens_hashes_and_names_are_dropped() -> None:
    draw = random.Random(3)  # noqa: S311 - a fixed sequence
    letters = string.ascii_letters + string.digits
    tokens = ["".join(draw.choices(letters, k=draw.randrange(20, 90))) for _ in range(120)]
    hashes = [hashlib.sha256(one.encode()).hexdigest() for one in tokens]
    signs = ["".join(draw.choices(B85, k=40)) for _ in range(120)]
    text = "\n".join(
        [*tokens, *hashes, *signs, "UnauthenticatedErrorHandlerForTheSecondTime", "function(a,b){return a?b:a&&b}" * 3]
    )
    assert [part for reader in READERS.values() for part in reader(text)] == []
