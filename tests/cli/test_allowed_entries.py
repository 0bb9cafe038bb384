"""Entries of the list of allowed values are put into a policy's text and change nothing else; masked excerpts show nothing that was found."""

from __future__ import annotations

import pytest

from lockgate_cli.allowing import added, entries_for, written
from lockgate_cli.explaining import MASK, excerpt
from lockgate_schemas.content import AllowedValue, ContentPolicy, parse_content
from lockgate_schemas.errors import ConfigurationError
from lockgate_workers.scanning.allowing import value_digest
from lockgate_workers.scanning.findings import Action, Finding, ScanResult, Severity

SALT = b"the salt of these tests"
ENTRIES = (AllowedValue(digest="1" * 64, reason="ours: a 'sample'", rule="some-key"),)
ITEM = "{digest: " + "2a" * 32 + ", reason: before}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# only a comment",
        "links: [a.example]\n",
        "links: [a.example]",
        f"allowed:\n- {ITEM}\n",
        f"allowed:\n  - {ITEM}\nlinks: [a.example]\n",
        f"links: [a.example]\nallowed:\n    - {ITEM}",
        f"allowed:\n  - {ITEM}\n\n# about links\nlinks: [a.example]\n",
        f"allowed:\n  -   digest: {'2a' * 32}\n      reason: |\n        before\n        and after\nlinks: [a.example]\n",
    ],
)
def test_an_entry_is_added_and_every_line_stays(text: str) -> None:
    new = added(text, ENTRIES)
    before, after = parse_content(text), parse_content(new)
    assert after.allowed == (*before.allowed, *ENTRIES)
    assert after.links == before.links
    assert [line for line in new.splitlines() if line in text.splitlines()] == text.splitlines()


@pytest.mark.parametrize("text", [f"allowed: [{ITEM}]", f'"allowed": [{ITEM}]\n'])
def test_a_list_that_cannot_be_added_to_is_left_to_people(text: str) -> None:
    with pytest.raises(ConfigurationError, match="by hand"):
        added(text, ENTRIES)


def test_an_entry_is_written_as_it_is_read() -> None:
    assert parse_content(f"allowed:\n{written(ENTRIES)}") == ContentPolicy(allowed=ENTRIES)


class Narrow:
    """Finds what stands after the equals sign."""

    digest, rules = "d", ()

    def scan(self, text: str) -> ScanResult:
        value = text.partition("=")[2]
        found = Finding("some-key", 0, 1, Severity.HIGH, Action.REDACT, value_digest(SALT, value))
        return ScanResult((found,) if value else ())

    def scan_all(self, texts: list[str]) -> tuple[ScanResult, ...]:
        return tuple(map(self.scan, texts))


@pytest.mark.parametrize(
    ("rule", "typed", "allowed"), [("some-key", "key=abc", "abc"), ("some-key", "abc", "abc"), ("other", "k=a", "k=a")]
)
def test_what_is_allowed_is_what_the_rule_would_find(rule: str, typed: str, allowed: str) -> None:
    (entry,) = entries_for(typed, Narrow(), SALT, rule=rule, reason="r")
    assert (entry.digest, entry.rule) == (value_digest(SALT, allowed), rule)


def test_nothing_that_was_found_is_in_an_excerpt() -> None:
    text = "first line\nthe key abc and the key defg of ours\nlast line"
    start = text.index("defg")
    shown = excerpt(text, start, start + 4, [(text.index("abc"), text.index("abc") + 3), (start, start + 4)])
    assert shown == f"the key {MASK * 3} and the key {MASK * 4} of ours"
