"""A pattern looked for in many texts at once: every text that holds a match is told, wherever its neighbours lead the search."""

from __future__ import annotations

from itertools import accumulate

import pytest

from lockgate_workers.scanning.places import AnyOf, Spread


def told(pattern: str, *texts: str) -> list[int]:
    parts = [text.encode() for text in texts]
    return list(Spread(pattern).texts(b"\n".join(parts), tuple(accumulate(len(part) + 1 for part in parts))))


@pytest.mark.parametrize(
    ("pattern", "texts", "expected"),
    [
        (r"\bkey-[0-9]{3}\b", ("none", "key-123 key-456", "key-12", "ä key-789"), [1, 3]),
        (r"\Aid[0-9]+\z", ("id7", "an id7", "id8", "id9 "), [0, 2]),
        (r"a\s+b", ("a", "b", "a b"), [0, 1, 2]),
        (r"b[^z]*", ("ab", "b", "c", "zb"), [0, 1, 2, 3]),
        (r"^x$", ("x", "", "x", "xx"), [0, 2]),
        (r"x", (), []),
    ],
)
def test_no_text_that_holds_a_match_is_left_out(pattern: str, texts: tuple[str, ...], expected: list[int]) -> None:
    assert told(pattern, *texts) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", []), ("none", []), ("a key", [0]), ("abc", [1, 2]), ("abc key", [0, 1, 2]), ("äbc", [2])],
)
def test_all_patterns_that_match_somewhere_are_told_also_where_they_overlap(text: str, expected: list[int]) -> None:
    assert AnyOf([r"\bkey\b", "ab", "bc"]).within(text) == expected
