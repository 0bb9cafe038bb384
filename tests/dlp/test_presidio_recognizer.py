"""Our rules in Presidio's own analyzer, beside its recognisers."""

from __future__ import annotations

import pytest
import spacy
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
from presidio_analyzer.nlp_engine import SpacyNlpEngine
from presidio_analyzer.predefined_recognizers import IpRecognizer

from lockgate_schemas.errors import UnavailableError
from lockgate_workers.dlp.presidio.recognizer import LockgateRecognizer
from lockgate_workers.scanning.engines import Known, Several
from lockgate_workers.scanning.findings import Action, Finding, Refusal, Severity

TEXT = "Write to anna.berg@lockgate-mail.org from 192.0.2.17, password: " + "tr0ub4dor&3xyz" + "."


@pytest.fixture(scope="module")
def analyzer(scanner) -> AnalyzerEngine:
    nlp = SpacyNlpEngine()
    nlp.nlp = {"en": spacy.blank("en")}
    registry = RecognizerRegistry(recognizers=[LockgateRecognizer(scanner), IpRecognizer()])
    return AnalyzerEngine(registry=registry, nlp_engine=nlp)


def test_the_analyzer_finds_what_the_gate_finds_and_what_its_own_find(analyzer, scanner) -> None:
    results = analyzer.analyze(TEXT, language="en")
    found = {
        TEXT[one.start : one.end]: one for one in results if one.recognition_metadata["recognizer_name"] == "LockgateRecognizer"
    }
    gate = scanner.scan(TEXT).findings
    assert set(found) == {TEXT[one.start : one.end] for one in gate} >= {"anna.berg@lockgate-mail.org"}
    for value, one in found.items():  # two rules may find the same value: the analyzer keeps one of them
        assert (one.recognition_metadata["rule"], one.score) in {
            (own.rule, own.confidence) for own in gate if TEXT[own.start : own.end] == value
        }
    assert "192.0.2.17" in {TEXT[one.start : one.end] for one in results if one.entity_type == "IP_ADDRESS"}


def test_a_secret_goes_under_the_name_of_its_category(analyzer) -> None:
    results = analyzer.analyze(TEXT, language="en", entities=["LOCKGATE_SECRET"])
    assert ["tr0ub4dor" in TEXT[one.start : one.end] for one in results] == [True]


def test_entities_are_the_packs_or_else_the_categorys(scanner) -> None:
    entities = set(LockgateRecognizer(scanner).supported_entities)
    assert {rule.entity for rule in scanner.rules if rule.entity} <= entities
    assert "LOCKGATE_SECRET" in entities
    assert all(one.isupper() for one in entities)


def test_only_what_is_asked_for_is_returned(scanner) -> None:
    recognizer = LockgateRecognizer(scanner, language="de")
    assert recognizer.analyze(TEXT, ["NOBODY_HAS_THIS"]) == []
    assert recognizer.supported_language == "de"


def test_a_refused_scan_raises_instead_of_finding_nothing(scanner) -> None:
    refused = Several(scanner, (Known({}, refusal=Refusal.SIZE),))
    with pytest.raises(UnavailableError, match="scan-size"):
        LockgateRecognizer(refused).analyze(TEXT, ["LOCKGATE_SECRET"])


def test_what_a_further_engine_found_goes_under_its_category(scanner) -> None:
    odd = Finding("no-rule-of-ours", 0, 0, Severity.LOW, Action.REDACT, "")
    recognizer = LockgateRecognizer(Several(scanner, (Known({"192.0.2.17": odd}),)))
    assert [one.recognition_metadata["rule"] for one in recognizer.analyze(TEXT, ["LOCKGATE_OWN"])] == ["no-rule-of-ours"]
