"""Presidio's recognisers in the DLP gate: what they find counts, and whatever goes wrong in them lets nothing through."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import pytest
import spacy
import tldextract
from presidio_analyzer import AnalyzerEngine, EntityRecognizer, Pattern, PatternRecognizer, RecognizerRegistry, RecognizerResult
from presidio_analyzer.nlp_engine import SpacyNlpEngine
from presidio_analyzer.predefined_recognizers import CreditCardRecognizer, EmailRecognizer, SpacyRecognizer, UsSsnRecognizer

from lockgate_schemas.content import ContentPolicy, Names
from lockgate_schemas.errors import ConfigurationError
from lockgate_workers.dlp.decide import DlpOutcome, decide
from lockgate_workers.dlp.presidio.bounds import Covered, RecognizerLimits
from lockgate_workers.dlp.presidio.bridge import PresidioEngine
from lockgate_workers.dlp.presidio.further import check_required, further_engines
from lockgate_workers.dlp.presidio.loading import from_folder, from_registry, named
from lockgate_workers.scanning.engines import Several
from lockgate_workers.scanning.findings import Action, Category, Refusal, Severity

BADGE = Pattern("badge", r"\bB-\d{4}\b", 0.6)
WEAK = Pattern("weak", r"\b\d{6}\b", 0.1)
REGISTRY = """
supported_languages: [en]
recognizers:
  - name: badges
    supported_language: en
    supported_entity: BADGE
    patterns: [{name: badge, regex: '\\bB-[0-9]{4}\\b', score: 0.7}]
  - name: CreditCardRecognizer
    supported_languages: [en]
    type: predefined
"""


class Odd(EntityRecognizer):
    """A recogniser that answers, or raises, what it is told."""

    def __init__(self, answer) -> None:
        self.answer = answer
        super().__init__(["ODD"])

    def load(self) -> None: ...

    def analyze(self, text, entities, nlp_artifacts=None):
        del text, entities, nlp_artifacts
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def badges() -> PatternRecognizer:
    return PatternRecognizer("BADGE", patterns=[Pattern("badge", BADGE.regex, BADGE.score)])


def slow() -> PatternRecognizer:
    """Two to the power of the length."""
    return PatternRecognizer("SLOW", patterns=[Pattern("slow", r"(?:a|a)+b", 0.9)])


def odd() -> Odd:
    return Odd([])


def engine(*recognizers, limits=None, clock=time.monotonic, **more) -> PresidioEngine:
    limits = limits or RecognizerLimits(max_bytes=10_000, max_seconds=60.0, max_matches=100)
    return PresidioEngine(recognizers, clock=clock, evidence_key=b"k" * 32, limits=limits, **more)


def found(result, text) -> dict[str, str]:
    assert result.refusal is None
    return {one.rule: text[one.start : one.end] for one in result.findings}


def test_patterns_find_under_the_name_of_their_entity() -> None:
    text = "badge B-1234, card 4111 1111 1111 1111, not 4111 1111 1111 1112"
    own = engine(badges(), CreditCardRecognizer(), action=Action.BLOCK, severity=Severity.HIGH)
    clean, result = own.scan_all(["nothing", text])
    assert clean.findings == ()
    assert found(result, text) == {"presidio-badge": "B-1234", "presidio-credit-card": "4111 1111 1111 1111"}
    assert {(one.action, one.severity, one.category) for one in result.findings} == {
        (Action.BLOCK, Severity.HIGH, Category.PII)
    }
    assert set(own.reports) == {"presidio-badge", "presidio-credit-card"}


def test_a_word_beside_it_raises_a_weak_match_over_the_least_score() -> None:
    own = engine(PatternRecognizer("PIN", patterns=[WEAK], context=["postcode"]), least_score=0.4)
    with_word, without = own.scan_all(["his postcodes: 123456", "he said 123456"])
    assert [one.confidence for one in with_word.findings] == [pytest.approx(0.45)]
    assert without.findings == ()


def test_the_evidence_is_that_of_the_rules_so_that_one_allow_list_serves_both(scanner) -> None:
    text = "anna.berg@lockgate-mail.org"
    (ours,) = scanner.scan(text).findings
    (theirs,) = engine(EmailRecognizer()).scan_all([text])[0].findings
    assert ours.evidence == theirs.evidence


def test_the_email_recogniser_asks_nobody_on_the_network(monkeypatch) -> None:
    own = engine(EmailRecognizer())

    def refuse(*arguments, **more):
        raise AssertionError(arguments, more)

    monkeypatch.setattr("socket.getaddrinfo", refuse)
    assert found(own.scan_all(["a.b@lockgate-mail.org"])[0], "a.b@lockgate-mail.org")
    assert tldextract.tldextract.TLD_EXTRACTOR.suffix_list_urls == ()


@pytest.mark.parametrize(
    "answer",
    [
        RuntimeError("Anna Berg"),
        ValueError("Anna Berg"),
        TimeoutError(),
        None,
        "text",
        [RecognizerResult("ODD", 2, 99, 0.9)],
        [RecognizerResult("ODD", -1, 2, 0.9)],
        [RecognizerResult("ODD", 0, 2, float("nan"))],
        [RecognizerResult("ODD", 0, 2, None)],
        [object()],
    ],
)
def test_whatever_goes_wrong_in_a_recogniser_is_a_refusal(answer, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    results = engine(badges(), Odd(answer)).scan_all(["B-1234 there", "more"])
    assert [one.refusal for one in results] == [Refusal.ENGINE] * 2
    assert all(one.findings == () for one in results)
    assert "Anna Berg" not in caplog.text


def test_a_result_without_a_recognisers_name_counts() -> None:
    own = engine(Odd([RecognizerResult("ODD_ONE", 0, 3, 0.9)]))
    assert found(own.scan_all(["abcdef"])[0], "abcdef") == {"presidio-odd-one": "abc"}


def test_a_pattern_without_end_is_stopped_at_the_messages_deadline() -> None:
    """Presidio gives a pattern 60 seconds, and then goes on as if nothing had been there. This clock stands: only the pattern's own can tell."""
    own = engine(slow(), limits=RecognizerLimits(max_seconds=0.05), clock=lambda: 0.0)
    assert own.scan_all(["a" * 60])[0].refusal is Refusal.TIME


def test_time_that_a_recogniser_took_is_noticed_after_it() -> None:
    ticks = iter([0.0, *[0.1] * 1, *[5.0] * 50])
    own = engine(Odd([]), limits=RecognizerLimits(max_seconds=1.0), clock=lambda: next(ticks))
    assert own.scan_all(["text"])[0].refusal is Refusal.TIME


def test_bytes_and_matches_are_bounded() -> None:
    limits = RecognizerLimits(max_bytes=100, max_seconds=60.0, max_matches=3)
    own = engine(badges(), limits=limits)
    assert own.scan_all(["é" * 30, "é" * 21])[0].refusal is Refusal.SIZE
    assert own.scan_all(["B-1234 B-1235", "B-1236 B-1237"])[0].refusal is Refusal.FINDINGS
    assert engine(Odd([RecognizerResult("ODD", 0, 1, 0.9)] * 4), limits=limits).scan_all(["x"])[0].refusal is Refusal.FINDINGS


def test_patterns_stay_bounded_after_an_analyzer_compiled_them_anew() -> None:
    recognizer = slow()
    own = engine(recognizer, limits=RecognizerLimits(max_seconds=0.05))
    recognizer.analyze("no match", ["SLOW"], regex_flags=8)
    assert not isinstance(recognizer.patterns[0].compiled_regex, Covered)
    assert own.scan_all(["a" * 60])[0].refusal is Refusal.TIME


def test_a_covered_recogniser_still_serves_presidios_own_analyzer() -> None:
    recognizer, text = badges(), "badge B-1234"
    assert engine(recognizer).scan_all([text])[0].findings
    nlp = SpacyNlpEngine()
    nlp.nlp = {"en": spacy.blank("en")}
    analyzer = AnalyzerEngine(registry=RecognizerRegistry(recognizers=[recognizer]), nlp_engine=nlp)
    assert [one.entity_type for one in analyzer.analyze(text, language="en")] == ["BADGE"]


def test_what_could_only_find_nothing_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="without recognisers"):
        engine()
    with pytest.raises(ConfigurationError, match="names"):
        engine(SpacyRecognizer())


def test_the_digest_follows_patterns_settings_and_classes() -> None:
    digests = {
        engine(badges()).digest,
        engine(PatternRecognizer("BADGE", patterns=[Pattern("badge", r"B-\d{5}", 0.6)])).digest,
        engine(badges(), least_score=0.9).digest,
        engine(badges(), odd()).digest,
        engine(UsSsnRecognizer()).digest,
    }
    assert len(digests) == 5
    assert engine(badges(), odd()).digest == engine(badges(), odd()).digest


def test_recognisers_are_made_from_dotted_names_classes_functions_and_objects(monkeypatch) -> None:
    module = "presidio_analyzer.predefined_recognizers"
    assert [type(one).__name__ for one in named([f"{module}.EmailRecognizer", f"{module}.IbanRecognizer"])] == [
        "EmailRecognizer",
        "IbanRecognizer",
    ]
    monkeypatch.setattr("lockgate_workers.dlp.presidio.loading.badges", badges, raising=False)
    assert named(["lockgate_workers.dlp.presidio.loading.badges"])[0].supported_entities == ["BADGE"]


@pytest.mark.parametrize(
    "name", ["nowhere.at.All", "presidio_analyzer.NoSuch", "presidio_analyzer", "builtins.dict", "builtins.exit"]
)
def test_a_name_that_is_no_recogniser_is_refused(name, monkeypatch) -> None:
    monkeypatch.setattr("builtins.exit", int)
    with pytest.raises(ConfigurationError, match=name):
        named([name])


def test_a_registry_in_presidios_yaml(tmp_path: Path) -> None:
    path = tmp_path / "registry.yaml"
    path.write_text(REGISTRY)
    text = "B-1234 and 4111111111111111"
    assert set(found(engine(*from_registry(path)).scan_all([text])[0], text)) == {"presidio-badge", "presidio-credit-card"}


UNKNOWN = "supported_languages: [en]\nrecognizers: [{name: NoSuchRecognizer, type: predefined}]"


@pytest.mark.parametrize("text", [None, "recognizers: 7", UNKNOWN, "][", ""])
def test_a_registry_that_presidio_does_not_take_is_refused(tmp_path: Path, text) -> None:
    path = tmp_path / "registry.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigurationError, match=r"registry\.yaml"):
        from_registry(path)


def test_a_folder_holds_registries_and_dotted_names(tmp_path: Path) -> None:
    (tmp_path / "badges.yaml").write_text(REGISTRY)
    (tmp_path / "recognizers.txt").write_text("# ours\n\npresidio_analyzer.predefined_recognizers.IbanRecognizer\n")
    assert [one.supported_entities for one in from_folder(tmp_path)] == [["CREDIT_CARD"], ["BADGE"], ["IBAN_CODE"]]


@pytest.mark.parametrize("name", ["empty", "absent"])
def test_a_folder_without_a_recogniser_is_refused(tmp_path: Path, name) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigurationError, match="folder of Presidio recognisers"):
        from_folder(tmp_path / name)


def test_an_installations_engines_are_its_recognisers_and_its_policys_names(tmp_path: Path) -> None:
    (tmp_path / "badges.yaml").write_text(REGISTRY)
    clock, key = time.monotonic, b"k" * 32
    assert further_engines(ContentPolicy(), None, clock=clock, evidence_key=key) == ()
    policy = ContentPolicy(names=Names(mode="required", model="xx_no_such"))
    presidio, names = further_engines(policy, tmp_path, clock=clock, evidence_key=key)
    assert (presidio.name, presidio.repeats, names.name, names.repeats) == ("presidio", True, "names", False)


def test_a_policy_that_requires_a_model_which_is_not_there_is_refused_before_it_blocks_everything(scanner) -> None:
    for mode in ("required", "best-effort", "off"):
        policy = ContentPolicy(names=Names(mode=mode, model="xx_no_such"))
        whole = Several(scanner, further_engines(policy, None, clock=time.monotonic, evidence_key=b"k" * 32))
        if mode == "required":
            with pytest.raises(ConfigurationError, match="names are required, and there is no language model xx_no_such"):
                check_required(whole, policy)
        else:
            check_required(whole, policy)
    check_required(scanner, policy)


def test_the_gate_redacts_and_refuses_with_it(scanner) -> None:
    several = Several(scanner, (engine(badges()),))
    outcome = decide('{"note": "badge B-1234"}', "application/json", several)
    assert (outcome.decision, outcome.body) == (DlpOutcome.REDACT, '{"note":"badge [REDACTED:presidio-badge]"}')
    broken = decide('{"note": "hello"}', "application/json", Several(scanner, (engine(Odd(RuntimeError())),)))
    assert (broken.decision, broken.rule) == (DlpOutcome.BLOCK, Refusal.ENGINE.value)
