"""What was cut up is whole again, where it stands; what chance put together counts for nothing without a shape of its own."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from lockgate_workers.scanning.engine import Scanner
from lockgate_workers.scanning.packs import parse_pack

PACK = """
rules:
  - id: canary
    description: a made-up secret with a head of its own
    severity: high
    action: redact
    pattern: '\\b(?P<secret>cnry_[A-Za-z0-9]{20})\\b'
    examples: {match: ['cnry_aB1cD2eF3gH4iJ5kL6mN'], skip: ['cnry_bird']}
  - id: number
    description: a made-up number without any head
    severity: high
    action: redact
    pattern: '(?:^|\\D)(?P<secret>77\\d{14})(?:\\D|$)'
    examples: {match: ['7712345612345678'], skip: ['7712345']}
  - id: address
    description: a made-up address
    severity: low
    action: redact
    pattern: '\\b(?P<secret>[a-z]{3,20}@[a-z]{3,20}\\.test)\\b'
    examples: {match: ['anna@canary.test'], skip: ['anna@canary']}
"""
SECRET = "cnry_aB1cD2eF3gH4iJ5kL6mN"


@pytest.fixture(scope="module")
def scanner() -> Scanner:
    return Scanner([parse_pack("rejoin.yaml", PACK.encode())], clock=lambda: 0.0, evidence_key=b"k" * 32)


def pieces(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def numbered(text: str, size: int) -> str:
    return "\n".join(f"{number}. {piece}" for number, piece in enumerate(pieces(text, size), 1))


CUTS: dict[str, Callable[[str], str]] = {
    "blanks": " ".join,
    "two blanks": "  ".join,
    "dashes": "-".join,
    "dots": ".".join,
    "lines": "\n".join,
    "slashes": " / ".join,
    "a list": lambda text: str(list(text)),
    "a list in JSON": lambda text: '["' + '", "'.join(text) + '"]',
    "a list on lines": lambda text: '[\n  "' + '",\n  "'.join(text) + '"\n]',
    "added characters": lambda text: "'" + "'+'".join(text) + "'",
    "pairs": lambda text: " ".join(pieces(text, 2)),
    "threes": lambda text: " ".join(pieces(text, 3)),
    "fives with dashes": lambda text: "-".join(pieces(text, 5)),
    "sixes with a bar": lambda text: " | ".join(pieces(text, 6)),
    "eights on lines": lambda text: "\n".join(pieces(text, 8)),
    "numbered lines": lambda text: numbered(text, 6),
    "quoted lines": lambda text: "\n".join(f"> {piece}" for piece in pieces(text, 7)),
    "comment lines": lambda text: "\n".join(f"// {piece}" for piece in pieces(text, 7)),
    "table lines": lambda text: "\n".join(f"| {piece}" for piece in pieces(text, 7)),
    "soft line ends": lambda text: "=\n".join(pieces(text, 9)),
    "continued lines": lambda text: "\\\n".join(pieces(text, 9)),
    "added": lambda text: f'"{text[:7]}" + "{text[7:]}"',
    "added thrice": lambda text: f"'{text[:4]}' + '{text[4:9]}' + '{text[9:]}'",
    "side by side": lambda text: f'"{text[:9]}" "{text[9:]}"',
    "on two lines": lambda text: f'"{text[:9]}"\n    "{text[9:]}"',
    "added on two lines": lambda text: f'"{text[:9]}" +\n    "{text[9:]}"',
    "dotted": lambda text: f"'{text[:9]}' . '{text[9:]}'",
    "bars": lambda text: f"'{text[:9]}' || '{text[9:]}'",
    "ampersand": lambda text: f'"{text[:9]}" & "{text[9:]}"',
    "bold": lambda text: f"{text[:6]}**{text[6:12]}**{text[12:]}",
    "code": lambda text: f"{text[:6]}`{text[6:12]}`{text[12:]}",
    "struck": lambda text: f"{text[:6]}~~{text[6:]}",
    "empty tag": lambda text: f"{text[:6]}<b></b>{text[6:]}",
    "span": lambda text: f'{text[:6]}<span class="x">{text[6:]}</span>',
    "comment": lambda text: f"{text[:6]}<!-- x -->{text[6:]}",
    "breaks": lambda text: "<wbr>".join(pieces(text, 5)),
}


@pytest.mark.parametrize("name", CUTS)
@pytest.mark.parametrize("around", ["the key is ( %s ) indeed", "I used the key %s for the request", "```\n%s\n```", "%s"])
def test_a_cut_up_secret_is_found_and_covered(name: str, around: str, scanner: Scanner) -> None:
    written = CUTS[name](SECRET)
    text = around % written
    spans = [(one.start, one.end) for one in scanner.scan(text).findings if one.rule == "canary"]
    assert spans
    first = text.index(written)
    covered = {at for start, end in spans for at in range(start, end)}
    assert len(covered.intersection(range(first, first + len(written)))) >= 0.9 * len(written) - 6
    assert not covered.difference(range(first - 1, first + len(written) + 1))


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("anna [at] canary [dot] test", "anna [at] canary [dot] test"),
        ("anna(at)canary.test", "anna(at)canary.test"),
        ("anna@canary[.]test", "anna@canary[.]test"),
        ("a n n a @ c a n a r y . t e s t", "a n n a @ c a n a r y . t e s t"),
        ("anna@<b>canary</b>.test", "anna@<b>canary</b>.test"),
    ],
)
def test_an_address_in_disguise_is_found(written: str, address: str, scanner: Scanner) -> None:
    text = f"write to {written} soon"
    (finding,) = scanner.scan(text).findings
    assert text[finding.start : finding.end] == address


@pytest.mark.parametrize(
    "text",
    [
        "77123456\n12345678\n",
        "7 7 1 2 3 4 5 6 1 2 3 4 5 6 7 8",
        "771234 561234 5678",
        "head\n7712\n3456\n1234\n5678\ntail",
        "a user anna@canary\n.test is next",
        "all of that was then with them\nthey said that this will work",
        '["cnry_", "aB1cD2eF3gH4iJ5kL6mN"]',
        "cnry_ is the head of our keys, and after it come twenty letters and digits",
        "s o m e   s p a c e d   o u t   t i t l e   o f   a   p o e m",
    ],
)
def test_what_chance_may_have_put_together_is_not_believed(text: str, scanner: Scanner) -> None:
    assert scanner.scan(text).findings == ()


def test_columns_of_numbers_are_no_number(scanner: Scanner) -> None:
    draw = random.Random(7)  # noqa: S311 - a fixed sequence
    text = "\n".join(str(draw.randrange(10**7, 10**8)) for _ in range(400))
    assert scanner.scan(text).findings == ()


@pytest.mark.parametrize(
    "flood", ["cnry_ ", "cnry_", "a-", "a b ", '"a"+"b"', "a*b", "a`b ", "a<b>c", "abcdefgh\n", "1. abcd\n", "a[at]b", "=41"]
)
def test_a_flood_of_signs_is_judged_or_refused(flood: str, scanner: Scanner) -> None:
    result = scanner.scan(flood * (20_000 // len(flood)))
    assert result.findings == ()
