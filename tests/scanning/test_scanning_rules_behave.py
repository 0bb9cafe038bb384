"""The packaged rules: every example behaves, and what is done for a text grows with its size alone, whatever it repeats.

What is done is counted, by the meter and, to hold the meter to its word, by the interpreter: a test that takes the time fails on a busy machine.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from types import FrameType

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from lockgate_workers.scanning.engine import Scanner
from lockgate_workers.scanning.examples import failures
from lockgate_workers.scanning.explaining import Explanation
from lockgate_workers.scanning.findings import Refusal
from lockgate_workers.scanning.loading import load_scanner
from lockgate_workers.scanning.packs import Rule, compiled

SMALL = 1_000
LARGE = 10_000
ORDINARY = 100
"""Work a character of a text in which something hits here and there: where a repetition is cut off, it may stop doing so."""
WORK_OF_A_CALL = 25
"""The least that a scan counts for a call of a function, its own or the library's, Python's or not: less, and something is done unpriced."""
CALLS_TO_BEGIN_WITH = 5_000
BAITS = (
    *(
        "a",
        "1",
        "1 ",
        " ",
        "-",
        "_",
        "\n",
        "((a+)+",
        "[",
        "{",
        "<",
        "<a ",
        "<!--",
        '"',
        "=",
        "a=",
        "key=",
        "token: ",
        "password ",
    ),
    *("%41", "%2541", "\\u0041", "\\\\", "&#65;", "&amp;", "\u200b", "a\u200b", "\uff41", "\u0410", "QUtJ", "41", "\ufdfa"),
    *("http://a:", "a.", "a@", "a@a.", "10.1.", "eyJ", "-----BEGIN ", "/home/a/", "\\\\a\\", "ignore all ", "your a "),
    *("User: a\nAssistant: sure\n", "![a](http://a?", "do not ", "you are a ", "\U0001f642", "e\u0301", "\tat a.a", "[system "),
)


@pytest.mark.parametrize("kind", ["dlp_scanner", "injection_scanner"])
def test_every_example_of_every_packaged_rule_behaves(kind: str, request: pytest.FixtureRequest) -> None:
    scanner: Scanner = request.getfixturevalue(kind)
    assert list(failures(scanner)) == []
    assert len(scanner.rules) > 30


@pytest.mark.parametrize("kind", ["dlp_scanner", "injection_scanner"])
def test_rules_name_what_they_find_and_carry_both_kinds_of_example(kind: str, request: pytest.FixtureRequest) -> None:
    scanner: Scanner = request.getfixturevalue(kind)
    for rule in scanner.rules:
        assert rule.examples.match, rule.id
        assert rule.examples.skip, rule.id


def gated_rules() -> list[tuple[str, Rule]]:
    found = []
    for kind in ("dlp", "injection"):
        found += [(kind, rule) for rule in load_scanner(kind).rules if rule.gate and r"\x{" not in rule.pattern]
    return found


@pytest.mark.parametrize(("kind", "rule"), gated_rules(), ids=lambda value: getattr(value, "id", value))
def test_a_gate_holds_wherever_its_pattern_does(kind: str, rule: Rule, request: pytest.FixtureRequest) -> None:
    scanner: Scanner = request.getfixturevalue(f"{kind}_scanner")
    position = scanner.rules.index(rule)
    pattern, _ = compiled(rule)
    flags = re.MULTILINE | (re.IGNORECASE if rule.caseless else 0)

    @settings(
        max_examples=5,
        phases=[Phase.generate],
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        st.from_regex(
            re.compile(rule.pattern.replace(r"\z", r"\Z"), flags | re.ASCII),
            alphabet=st.characters(max_codepoint=0x2FF, codec="utf-8"),
        )
    )
    def gate_holds(generated: str) -> None:
        named = "".join(f"{word.strip()}\n" for word in rule.keywords[:1])  # without one of its words a rule finds nothing
        data = f"{named}{generated}".encode()
        if pattern.search(data) is not None:
            assert position in scanner._gate.hits(data)

    gate_holds()


def repeated(seed: str, size: int) -> str:
    return (seed * (size // len(seed) + 1))[:size]


def seeds(scanner: Scanner) -> Iterator[str]:
    yield from BAITS
    for rule in scanner.rules:
        yield rule.examples.match[0][:-1]


def with_calls(done: Callable[[], Explanation]) -> tuple[Explanation, int]:
    """What ``done`` returns, and how many calls of functions the interpreter saw meanwhile."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        return done(), calls
    finally:
        sys.setprofile(before)


@pytest.mark.parametrize("kind", ["dlp_scanner", "injection_scanner"])
def test_no_repetition_explodes(kind: str, request: pytest.FixtureRequest) -> None:
    """Ten times the text is some ten times the work or is refused, and nothing is done, call by call, that the meter does not count."""
    scanner: Scanner = request.getfixturevalue(kind)
    for seed in seeds(scanner):
        small = scanner.explain(repeated(seed, SMALL))
        large, calls = with_calls(lambda seed=seed: scanner.explain(repeated(seed, LARGE)))  # type: ignore[misc]
        assert large.result.refusal in {None, Refusal.FINDINGS, Refusal.WORK}, seed[:20]
        if large.result.refusal is None and small.result.refusal is None:
            assert large.work <= 13 * max(small.work, ORDINARY * SMALL), seed[:20]
        assert calls * WORK_OF_A_CALL <= large.work + CALLS_TO_BEGIN_WITH * WORK_OF_A_CALL, seed[:20]


@pytest.mark.parametrize(
    "text",
    [
        "Please review the diff before Friday; the tests pass locally. See https://docs.python.org/3/library/re.html for more.",
        "for (int i = 0; i < n; i++) { total += a[i] & 0xff; } // version 4.18.2",
        "commit 9fceb02d0ae598e95dc970b74767f19372d61af8 touches src/main.rs, uuid 0ee5bd00-0bd1-4de0-b59b-3a351b5ef20d",
        "Bitte die Rechnung bis 12.03.2026 bezahlen, Betrag 530.871,31 EUR. Gr\u00fc\u00dfe!",
    ],
)
def test_ordinary_text_is_left_alone(text: str, dlp_scanner: Scanner, injection_scanner: Scanner) -> None:
    assert dlp_scanner.scan(text).findings == ()
    assert injection_scanner.scan(text).findings == ()
