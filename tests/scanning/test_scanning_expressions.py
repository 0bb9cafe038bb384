"""What Hyperscan is given: together as wide as the pattern it was made from, or wider."""

from __future__ import annotations

import re

import pytest

from lockgate_workers.scanning.expressions import expressions

WORDS = [f"word{number}" for number in range(60)]


def test_one_of_many_words_at_the_beginning_is_asked_for_in_several_expressions() -> None:
    found = list(expressions(rf"(?:{'|'.join(WORDS)})\s=\s[a-z]{{4}}"))
    assert len(found) > 1
    for word in WORDS:
        assert any(re.search(one, f"{word} = abcd") for one in found), word
    assert not any(re.search(one, "word = abcd") for one in found)


@pytest.mark.parametrize(
    "pattern",
    [
        "(?:a|b)c",
        rf"(?:{'|'.join(WORDS)})?x",
        rf"(?:{'|'.join(WORDS)}){{2}}x",
        rf"(?:(?:a|b)|{'|'.join(WORDS)})x",
        rf"\b(?:{'|'.join(WORDS)})x",
        rf"(?:\Qa|b\E|{'|'.join(WORDS)})x",
    ],
)
def test_what_may_be_left_out_or_is_not_plain_stays_in_one(pattern: str) -> None:
    assert list(expressions(pattern)) == [pattern]


def test_brackets_and_bars_inside_of_classes_and_escapes_part_nothing() -> None:
    odd = [r"a[|)]b", r"c\|d", r"e\)f", r"g[\]|]h", *WORDS]
    found = list(expressions(f"(?:{'|'.join(odd)})=1"))
    assert len(found) > 1
    for text in ("a|b=1", "a)b=1", "c|d=1", "e)f=1", "g]h=1", "word59=1"):
        assert any(re.search(one, text) for one in found), text
