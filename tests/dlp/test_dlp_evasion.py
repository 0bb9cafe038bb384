"""Secrets in disguise: zero-width, fullwidth, look-alikes, base64, hex, URL and HTML escapes. Split over two fields is out of scope."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable

import pytest

from lockgate_workers.dlp.decide import DlpOutcome, decide
from lockgate_workers.scanning.engine import Scanner

SECRETS = {
    "aws-access-key": "AKIA" + "QX7MZ2K4T6B3W5YD",
    "github-token": "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8",
    "stripe-key": "sk_live_" + "9aB8cD7eF6gH5iJ4kL3mN2oP",
    "email": "anna.berg@lockgate-mail.org",
    "iban": "DE89370400440532013000",
}
LOOK_ALIKE = str.maketrans(
    "aeopcABEKMHOPCTX", "\u0430\u0435\u043e\u0440\u0441\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0425"
)

DISGUISES: dict[str, Callable[[str], str]] = {
    "plain": lambda text: text,
    "zero-width": "\u200b".join,
    "soft-hyphen": "\u00ad".join,
    "word-joiner": "\u2060".join,
    "combining": "\u0336".join,
    "fullwidth": lambda text: "".join(chr(ord(one) + 0xFEE0) for one in text),
    "look-alikes": lambda text: text.translate(LOOK_ALIKE),
    "base64": lambda text: base64.b64encode(f"value {text}".encode()).decode(),
    "base64url": lambda text: base64.urlsafe_b64encode(f"value {text}".encode()).decode().rstrip("="),
    "base64 twice": lambda text: base64.b64encode(base64.b64encode(f"value {text}".encode())).decode(),
    "gzip": lambda text: base64.b64encode(gzip.compress(f"value {text}".encode())).decode(),
    "hex": lambda text: f"value {text}".encode().hex(),
    "url": lambda text: "".join(f"%{one:02X}" for one in text.encode()),
    "url twice": lambda text: "".join(f"%25{one:02X}" for one in text.encode()),
    "html decimal": lambda text: "".join(f"&#{ord(one)};" for one in text),
    "html hex": lambda text: "".join(f"&#x{ord(one):x};" for one in text),
    "json escape": lambda text: "".join(f"\\u{ord(one):04x}" for one in text),
    "hex escape": lambda text: "".join(f"\\x{ord(one):02x}" for one in text),
    "coloured": lambda text: f"\x1b[1;31m{text}\x1b[0m",
    "coloured within": lambda text: f"\x1b[01;31m\x1b[K{text[:6]}\x1b[m\x1b[K{text[6:]}",
    "coloured, escaped": lambda text: f"\\u001b[31m{text}\\u001b[0m",
}


@pytest.mark.parametrize("rule", SECRETS)
@pytest.mark.parametrize("disguise", DISGUISES)
def test_a_disguised_secret_is_redacted_whole(rule: str, disguise: str, scanner: Scanner) -> None:
    written = DISGUISES[disguise](SECRETS[rule])
    found = decide(f"it is ( {written} ) here", "text/plain", scanner)
    assert found.decision is DlpOutcome.REDACT
    assert rule in {one.rule for one in found.findings}
    assert written not in found.body
    assert found.body.startswith("it is (")
    assert found.body.endswith("here")


@pytest.mark.parametrize("disguise", DISGUISES)
def test_the_same_in_a_json_string(disguise: str, scanner: Scanner) -> None:
    written = DISGUISES[disguise](SECRETS["aws-access-key"])
    found = decide(json.dumps({"note": f"( {written} )"}), "application/json", scanner)
    assert json.loads(found.body)["note"].count("[REDACTED:aws-access-key]") == 1
