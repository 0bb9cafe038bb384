"""Heads of patterns: what every match begins with, and none where there is no such thing."""

from __future__ import annotations

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from lockgate_workers.scanning.anchors import heads


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"\b(?P<secret>ghp_[A-Za-z0-9]{36})\b", ("ghp_",)),
        (r"gh[po]_[a-z]+", ("gho_", "ghp_")),
        (r"(?:sk|rk)_(?:live|test)_\d+", ("rk_live_", "rk_test_", "sk_live_", "sk_test_")),
        (r"key\s*=\s*(?P<secret>SG\.[a-z]+)", ("SG.",)),
        (r"xox[a-z]-", ("xox",)),
        (r"colou?rs", ("colors", "colours")),
        (r"abc(?:def)?", ("abc", "abcdef")),
        (r"(?P<secret>AKIA[A-Z]{16}|\d{40})", ()),
        (r"[A-Z]{4}", ()),
        (r"(?:abc)*x", ()),
        (r"ab\d", ()),
        (r".*secret", ()),
        (r"-----BEGIN [A-Z ]+", ("-----BEGIN",)),
    ],
)
def test_heads_are_read_off_a_pattern(pattern: str, expected: tuple[str, ...]) -> None:
    assert heads(pattern) == expected


@given(st.text(st.sampled_from(list("abc_-()[]{}|?*+\\.^$:P<>1")), max_size=20))
def test_no_pattern_makes_it_fail(pattern: str) -> None:
    heads(pattern)


@pytest.mark.parametrize("text", ["gho_x", "rk_test_12", "xoxb-", "colours"])
def test_every_match_begins_with_a_head(text: str) -> None:
    for pattern in (r"gh[po]_[a-z]+", r"(?:sk|rk)_(?:live|test)_\d+", r"xox[a-z]-", r"colou?rs"):
        if re2.match(pattern, text) is not None:
            assert text.startswith(heads(pattern))
