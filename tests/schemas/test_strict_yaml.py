"""YAML from operators has one meaning or is refused, and no document ends the process or unfolds without end."""

from __future__ import annotations

from datetime import date

import pytest

from lockgate_schemas.content import parse_content
from lockgate_schemas.errors import ConfigurationError, MalformedError
from lockgate_schemas.strict_yaml import MAX_DEPTH, loads
from lockgate_workers.scanning.packs import parse_pack

NESTED = {
    "lists": "[" * 100_000,
    "mappings": "{a: " * 100_000,
    "sequences on a line": "- " * 20_000 + "x",
    "keys on a line": "? " * 20_000 + "x",
    "lines": "\n".join(f"{' ' * depth}a:" for depth in range(2_000)),
}
REFUSED = {
    "a key twice": "rules: []\nlinks: []\nrules: []",
    "a key twice, quoted": "a: {b: 1, 'b': 2}",
    "an alias": "a: &x [1]\nb: *x",
    "a list that holds itself": "&x [*x]",
    "an object": "a: !!python/object/apply:os.getcwd []",
    "two documents": "a: 1\n---\na: 2",
    "a control character": "a: \x00",
    "no YAML": "a: [",
    "a date that is none": "a: 2026-02-31",
}


@pytest.mark.parametrize("text", [*NESTED.values(), *REFUSED.values()], ids=[*NESTED, *REFUSED])
def test_what_has_no_one_meaning_or_no_bound_is_refused_wherever_it_is_read(text: str) -> None:
    with pytest.raises(MalformedError):
        loads(text)
    with pytest.raises(ConfigurationError):
        parse_content(text)
    with pytest.raises(ConfigurationError, match="mine"):
        parse_pack("mine", text.encode())


def test_as_deep_as_may_be_is_read() -> None:
    assert loads("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    with pytest.raises(MalformedError, match="deep"):
        loads("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))


def test_words_stay_words_and_bytes_are_read_too() -> None:
    assert loads("a: off\nb: no\nc: true\nd: 2026-01-31\ne: '12'") == {
        "a": "off",
        "b": "no",
        "c": True,
        "d": date(2026, 1, 31),
        "e": "12",
    }
    assert loads("a: ä".encode()) == {"a": "ä"}
    assert loads("# nothing") is None


def test_an_error_quotes_nothing() -> None:
    with pytest.raises(MalformedError) as caught:
        loads("password: hunter-two: oops")
    assert "hunter" not in str(caught.value)
