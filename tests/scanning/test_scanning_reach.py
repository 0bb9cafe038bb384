"""Reach: how much a stream holds back is read off the patterns, never too little, and for the shipped rules not much."""

from __future__ import annotations

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate_workers.scanning.findings import Action, Severity
from lockgate_workers.scanning.loading import packaged_packs
from lockgate_workers.scanning.packs import Rule, RuleExamples
from lockgate_workers.scanning.reach import FARTHEST, RUN, Far, Reach, reach_of


def rule(pattern: str, **more: object) -> Rule:
    return Rule(
        id="one",
        description="a rule of a test",
        severity=Severity.LOW,
        action=Action.REDACT,
        pattern=pattern,
        examples=RuleExamples(match=("x",), skip=("y",)),
        **more,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("pattern", "near"),
    [
        ("abc", 3),
        (r"\bAKIA[A-Z0-9]{16}\b", 20),
        (r"(?:ab|abcd) [0-9]{2,4}", 9),
        (r"tok_[A-Za-z0-9]{20,}", RUN),
        (r"key: \S{8,}", 5 + RUN),
        (r"a[^\n]{0,100}b", 102),
        (r"(?i)p\s{0,3}=\s{0,3}x", 9),
        (r"\pL{3} \p{Lu}", 5),
    ],
)
def test_the_longest_match_is_waited_for(pattern: str, near: int) -> None:
    assert reach_of([rule(pattern)]) == Reach(near, ())


def test_context_is_waited_for_as_well() -> None:
    assert reach_of([rule("abc", keywords=("key",), window=200)]) == Reach(203, ())


def test_what_reaches_far_is_waited_for_where_it_begins() -> None:
    assert reach_of([rule(r"-----BEGIN KEY-----[^-]*-----END")]) == Reach(0, (Far("-----begin key-----", FARTHEST),))


@pytest.mark.parametrize("pattern", [r"[a-z ]*end", r"(?:a|b)[^z]*z", r"x[^\n]*\n{3,}"])
def test_what_reaches_far_and_begins_with_nothing_of_its_own_holds_everything(pattern: str) -> None:
    assert reach_of([rule(pattern)]).near == FARTHEST


def test_the_shipped_rules_hold_back_about_a_thousand_characters() -> None:
    reach = reach_of(one for pack in packaged_packs("dlp") for one in pack.rules)
    assert reach.near <= 1_024
    assert all(len(far.opener) >= 4 for far in reach.far)


_parts = st.sampled_from(["a", "[a-c ]", r"\d", "(?:ab|c d)", r"\s", "[^x]", "(b c)"])
_counts = st.sampled_from(["", "?", "{2}", "{0,3}", "{1,4}"])
_patterns = st.lists(st.builds(str.__add__, _parts, _counts), min_size=1, max_size=5).map("".join)


@settings(max_examples=200)
@given(_patterns, st.text(alphabet="abcd 12x\n", max_size=60))
def test_no_match_is_longer_than_said(pattern: str, text: str) -> None:
    reach = reach_of([rule(pattern)])
    assert all(len(match.group()) <= reach.near for match in re2.finditer(pattern, text))
