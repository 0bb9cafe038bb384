"""The packaged rules: every example behaves, and no input of 100 KB takes long, whatever it repeats."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from lockgate_workers.scanning.engine import Scanner
from lockgate_workers.scanning.examples import failures
from lockgate_workers.scanning.findings import Refusal
from lockgate_workers.scanning.loading import load_scanner
from lockgate_workers.scanning.packs import Rule, compiled

SIZE = 100_000
CPU_SECONDS = 0.8
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


def repeated(seed: str) -> str:
    return (seed * (SIZE // len(seed) + 1))[:SIZE]


def seeds(scanner: Scanner) -> Iterator[str]:
    yield from BAITS
    for rule in scanner.rules:
        yield rule.examples.match[0][:-1]


@pytest.mark.parametrize("kind", ["dlp_scanner", "injection_scanner"])
def test_no_repetition_explodes(kind: str, request: pytest.FixtureRequest) -> None:
    scanner: Scanner = request.getfixturevalue(kind)
    for seed in seeds(scanner):
        text = repeated(seed)
        begun = time.process_time()
        result = scanner.scan(text)
        spent = time.process_time() - begun
        assert spent < CPU_SECONDS, seed[:20]
        assert result.refusal in {None, Refusal.FINDINGS, Refusal.WORK}, seed[:20]


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
