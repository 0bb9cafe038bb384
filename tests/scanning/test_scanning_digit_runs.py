"""Counting digits: no rule may be spared a text in which its pattern matches."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate_workers.scanning.digit_runs import least_run, longest_run
from lockgate_workers.scanning.loading import packaged_packs
from lockgate_workers.scanning.packs import all_rules, compiled
from lockgate_workers.scanning.tiers import digits_of, parsed


@pytest.mark.parametrize(
    ("text", "run"),
    [
        ("", 0),
        ("no digit", 0),
        ("room 12, floor 3", 2),
        ("4111 1111-1111.1111", 16),
        ("12a34", 2),
        ("12\u00a034\u201356", 6),
        ("1\n2\t3/4", 4),
        ("1,2", 1),
    ],
)
def test_a_text_is_asked_for_its_longest_run(text: str, run: int) -> None:
    assert longest_run(text.encode()) == run


@pytest.mark.parametrize(
    ("pattern", "run"),
    [
        (r"\d{4}", 4),
        (r"\b\d{4}[ \-]?\d{4}\b", 8),
        (r"\d{3}(?:\s\d{2})?", 3),
        (r"(?:\d{2}-){3}\d", 7),
        (r"[A-Z]\d{3}[A-Z]\d{5}", 5),
        (r"\d{9}|\d{4}-\d{4}", 8),
        (r"\d{9}|[a-z]+", 0),
        (r"[0-9A-F]{8}", 0),
        (r"\d+[\u2013-]\d+", 2),
        (r"\d.\d", 1),
        (r"[^a]\d", 1),
        (r"(?P<secret>\d{3}(?:\d{2}|-\d{4})) x \d", 5),
    ],
)
def test_a_pattern_is_asked_for_what_every_match_has(pattern: str, run: int) -> None:
    assert least_run(parsed(pattern)) == run


def test_no_match_of_a_packaged_rule_has_fewer_digits_than_its_rule_asks_for() -> None:
    for kind in ("dlp", "injection"):
        for rule in all_rules(packaged_packs(kind)):
            pattern, _ = compiled(rule)
            for example in rule.examples.match:
                for match in pattern.finditer(example.encode("utf-8", "replace")):
                    assert longest_run(match.group()) >= digits_of(rule), rule.id


PIECES = (
    r"\d",
    r"\d{2,3}",
    "[ -]?",
    r"\s",
    r"[.\-/]",
    "x",
    "[0-9x]",
    r"(?:\d{2}-?)",
    r"(?:\d|y)",
    "\u2013",
    "7",
    "(?:3 )?",
    r"(?:ab|\d\d)",
)


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join), st.data())
def test_what_a_pattern_matches_has_at_least_the_digits_it_promises(pattern: str, data: st.DataObject) -> None:
    text = data.draw(st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True))
    assert longest_run(text.encode()) >= least_run(parsed(pattern))
