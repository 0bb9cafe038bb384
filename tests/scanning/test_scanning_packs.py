"""Rule packs: everything that would make a rule silently do nothing is refused, with the file and the rule in the message."""

from __future__ import annotations

import hashlib

import pytest

from lockgate_schemas.errors import ConfigurationError
from lockgate_workers.scanning.engine import Scanner
from lockgate_workers.scanning.examples import verify
from lockgate_workers.scanning.expressions import widened
from lockgate_workers.scanning.findings import Category
from lockgate_workers.scanning.packs import parse_pack

GOOD = """rules:
  - id: canary
    description: a made-up secret
    severity: high
    action: redact
    pattern: 'canary-[0-9]{4}'
    examples: {match: ['can\u00a6ary-1234'], skip: ['canary-bird']}
"""


def scanner(text: str) -> Scanner:
    return Scanner([parse_pack("own.yaml", text.encode())], clock=lambda: 0.0, evidence_key=b"k")


def test_a_good_pack_is_read_and_its_digest_is_that_of_its_bytes() -> None:
    pack = parse_pack("own.yaml", GOOD.encode())
    assert pack.digest == hashlib.sha256(GOOD.encode()).hexdigest()
    assert [rule.id for rule in pack.rules] == ["canary"]


def test_the_cut_is_taken_out_of_examples() -> None:
    (rule,) = parse_pack("own.yaml", GOOD.encode()).rules
    assert rule.examples.match == ("canary-1234",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "own.yaml"),
        ("rules: []", "holds no rule"),
        ("rules: {}", "own.yaml: Expected"),
        ("- a", "own.yaml"),
        ("rules: [", "cannot be read"),
        (GOOD + "more: 1\n", "own.yaml"),
        ("rules: [1]", "rule 0"),
        (GOOD.replace("severity: high", "severity: awful"), "rule canary"),
        (GOOD + "    confidence: 1.5\n", "rule canary"),
        (GOOD + "    confidence: sure\n", "rule canary"),
        (GOOD + "    entity: a bird\n", "rule canary"),
        ("version: 1\n" + GOOD, "own.yaml"),
        ("category: zoo\n" + GOOD, "own.yaml"),
        (GOOD.replace("action: redact", "action: shout"), "rule canary"),
        (GOOD.replace("    severity: high\n", ""), "rule canary"),
        (GOOD + "    colour: red\n", "rule canary"),
        (GOOD.replace("id: canary", "id: Canary Bird"), "Canary Bird"),
        (GOOD.replace("skip: ['canary-bird']", "skip: []"), "rule canary"),
        (GOOD.replace("match: ['can\u00a6ary-1234']", "match: []"), "rule canary"),
        (GOOD.replace("[0-9]{4}'", "([0-9]'"), "rule canary"),
        (GOOD.replace("[0-9]{4}'", "(?=x)'"), "rule canary"),
        (GOOD.replace("'canary-[0-9]{4}'", "'(?:abc)*'"), "empty text"),
        (GOOD.replace("'canary-[0-9]{4}'", "'(?:[a-z]{900}){9}'"), "rule canary"),
        (GOOD + "    validators: [oracle]\n", "oracle"),
        (GOOD + GOOD.removeprefix("rules:\n"), "two rules"),
        ("rules: !!python/object/apply:os.getcwd []", "cannot be read"),
        ("[" * 5000, "cannot be read"),
    ],
)
def test_a_bad_pack_is_refused_by_name(text: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        parse_pack("own.yaml", text.encode())


def test_what_a_rule_leaves_out_comes_from_its_pack_and_from_what_it_says() -> None:
    head = "version: 2.1.0\ntitle: House rules\ncategory: infra\n"
    pack = parse_pack("own.yaml", (head + GOOD + "    validators: [mixed]\n").encode())
    (rule,) = pack.rules
    assert (pack.version, pack.title, pack.category) == ("2.1.0", "House rules", Category.INFRA)
    assert (rule.title, rule.category, rule.confidence, rule.entity) == ("canary", Category.INFRA, 0.9, "")


def test_a_pack_without_a_head_is_somebody_s_own() -> None:
    pack = parse_pack("house.yaml", GOOD.encode())
    assert (pack.version, pack.title, pack.rules[0].category, pack.rules[0].confidence) == ("0.0.0", "house", Category.OWN, 0.6)


@pytest.mark.parametrize(("written", "meant"), [("low", 0.3), ("high", 0.9), ("0.25", 0.25), ("1", 1.0)])
def test_a_rule_says_how_often_it_is_right(written: str, meant: float) -> None:
    own = "    title: A canary\n    category: pii\n    entity: BIRD\n"
    (rule,) = parse_pack("own.yaml", f"{GOOD}    confidence: {written}\n{own}".encode()).rules
    assert (rule.confidence, rule.title, rule.category, rule.entity) == (meant, "A canary", Category.PII, "BIRD")


def test_a_pack_that_is_too_large_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="larger"):
        parse_pack("own.yaml", GOOD.encode() + b"#" * 1_048_577)


def test_no_packs_means_no_scanner() -> None:
    with pytest.raises(ConfigurationError, match="without rules"):
        Scanner([], clock=lambda: 0.0, evidence_key=b"k")


def test_the_same_rule_in_two_packs_is_refused() -> None:
    packs = [parse_pack("a.yaml", GOOD.encode()), parse_pack("b.yaml", GOOD.encode())]
    with pytest.raises(ConfigurationError, match="two rules"):
        Scanner(packs, clock=lambda: 0.0, evidence_key=b"k")


def test_an_example_that_must_match_and_does_not_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="rule canary: example 1 of 'match'"):
        verify(scanner(GOOD.replace("ary-1234", "ary-12")))


def test_an_example_that_must_not_match_and_does_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="rule canary: example 1 of 'skip'"):
        verify(scanner(GOOD.replace("canary-bird", "canary-4321")))


def test_a_gate_that_misses_what_the_pattern_finds_is_noticed_by_the_examples() -> None:
    with pytest.raises(ConfigurationError, match="example 1 of 'match'"):
        verify(scanner(GOOD + "    gate: 'zebra'\n"))


@pytest.mark.parametrize(
    "pattern", [r"\Acanary-[0-9]{4}", r"canary-[0-9]{4}\z", r"\Acanary-[0-9]{4}\z|canary-12", "(?-m)canary-[0-9]{4}$"]
)
def test_an_end_of_the_text_where_the_rule_is_not_about_all_of_it_is_refused(pattern: str) -> None:
    with pytest.raises(ConfigurationError, match=r"canary: .*the whole of it"):
        scanner(GOOD.replace("canary-[0-9]{4}", pattern))


def test_a_rule_about_a_whole_text_holds_in_each_text_for_itself() -> None:
    whole = scanner(GOOD.replace("canary-[0-9]{4}", r"\Acanary-[0-9]{4}\z"))
    texts = ["clean", "canary-1234", "a canary-1234", "canary-12345", "clean\ncanary-1234"]
    assert [bool(one.findings) for one in whole.scan_all(texts)] == [False, True, False, False, False]


@pytest.mark.parametrize(
    ("pattern", "wider"),
    [
        ("a{3}", "a{3}"),
        ("a{36}b", "a{16,}b"),
        ("a{2,255}", "a{2,}"),
        ("a{2,}", "a{2,}"),
        (r"[{5,99}]\{70}", r"[{5,99}]\{70}"),
        (r"\x{2066}{40}", r"\x{2066}{16,}"),
        (r"[\]{9,99}]{0,99}?", r"[\]{9,99}]{0,}?"),
    ],
)
def test_the_gate_widens_repeats_and_nothing_else(pattern: str, wider: str) -> None:
    assert widened(pattern) == wider
