"""Words beside a candidate: whole words where a rule asks for whole words, whatever stands between them."""

from __future__ import annotations

import pytest

from lockgate_workers.scanning.engine import Scanner
from lockgate_workers.scanning.packs import parse_pack

PACK = r"""
rules:
  - id: short-word
    description: a number by a name that stands inside of other words
    severity: low
    action: flag
    pattern: '\b\d{4}\b'
    keywords: [' sin ', 'insurance']
    window: 12
    examples: {match: ['SIN 1234'], skip: ['using 1234']}
"""


@pytest.mark.parametrize(
    "text", ["SIN: 1234", '{"sin": "1234"}', "id,SIN\n1,1234", "1234 is my sin", "my_sin=1234", "reinsurance 1234"]
)
def test_a_word_with_spaces_is_bounded_by_anything_but_letters_and_digits(text: str) -> None:
    scanner = Scanner([parse_pack("own.yaml", PACK.encode())], clock=lambda: 0.0, evidence_key=b"k" * 32)
    assert [text[one.start : one.end] for one in scanner.scan(text).findings] == ["1234"]


@pytest.mark.parametrize("text", ["using 1234", "sinus 1234", "1234 sins", "a sin, many words away from 1234"])
def test_a_word_with_spaces_is_not_found_inside_of_others(text: str) -> None:
    scanner = Scanner([parse_pack("own.yaml", PACK.encode())], clock=lambda: 0.0, evidence_key=b"k" * 32)
    assert scanner.scan(text).findings == ()
