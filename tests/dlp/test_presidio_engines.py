"""Further engines beside the rules: everything found counts, any failure refuses, and a model is not asked about its own outcome."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from lockgate_workers.dlp.decide import DlpOutcome, decide
from lockgate_workers.scanning.content import TunedScanners
from lockgate_workers.scanning.engines import Known, Several, repeatable, reported
from lockgate_workers.scanning.findings import Action, Finding, Refusal, ScanResult, Severity

TEXT = "Write to anna.berg@lockgate-mail.org about Zanzibar."
PLACE = Finding("known-place", 0, 0, Severity.LOW, Action.REDACT, "")


def test_the_findings_of_all_engines_stand_in_order_of_place(scanner) -> None:
    several = Several(scanner, (Known({"Zanzibar": PLACE}), Known({"Write": PLACE})))
    assert [one.rule for one in several.scan(TEXT).findings] == ["known-place", "email", "known-place"]
    assert several.scan_all(["nothing", TEXT])[0] == ScanResult()


def test_a_refusal_of_any_engine_refuses_every_text(scanner) -> None:
    several = Several(scanner, (Known({"Zanzibar": PLACE}), Known({}, refusal=Refusal.TIME)))
    assert several.scan_all(["nothing", TEXT]) == (ScanResult(refusal=Refusal.TIME),) * 2


@pytest.mark.parametrize(
    "answer", [RuntimeError("a name in here"), (), (ScanResult(), ScanResult())], ids=["raises", "few", "many"]
)
def test_an_engine_that_breaks_is_a_refusal(scanner, answer) -> None:
    class Broken(Known):
        def scan_all(self, texts):
            del texts
            if isinstance(answer, Exception):
                raise answer
            return answer

    assert Several(scanner, (Broken({}),)).scan(TEXT) == ScanResult(refusal=Refusal.ENGINE)


def test_the_digest_is_the_first_scanners_own_until_another_engine_decides_too(scanner) -> None:
    assert Several(scanner).digest == scanner.digest
    one, other = Several(scanner, (Known({}),)), Several(scanner, (Known({}, digest="1" * 64),))
    assert len({one.digest, other.digest, scanner.digest}) == 3
    assert one.digest == Several(scanner, (Known({}),)).digest


def test_what_can_be_reported_are_the_rules_and_what_engines_say(scanner) -> None:
    rules = {rule.id for rule in scanner.rules}
    assert reported(Several(scanner, (Known({"x": PLACE}),))) == rules | {"known-place"}
    assert reported(scanner) == rules


def test_only_repeatable_engines_look_at_what_goes_out(scanner) -> None:
    model, rules = Known({"Zanzibar": PLACE}, repeats=False), Known({"Write": PLACE})
    assert Several(scanner, (model, rules)).repeatable == Several(scanner, (rules,))
    assert repeatable(scanner) is scanner
    tuned = TunedScanners(Several(scanner, (model,))).tuned("acme", "reports", date(2026, 11, 1))
    assert tuned.scan(TEXT).findings != tuned.repeatable.scan(TEXT).findings
    assert tuned.repeatable.digest == tuned.digest


def test_the_gate_redacts_what_a_further_engine_found(scanner) -> None:
    found = decide(TEXT, "text/plain", Several(scanner, (Known({"Zanzibar": PLACE}),)))
    assert (found.decision, found.body) == (DlpOutcome.REDACT, "Write to [REDACTED:email] about [REDACTED:known-place].")


def test_the_gate_blocks_what_a_further_engine_says_to_block(scanner) -> None:
    blocking = Known({"Zanzibar": replace(PLACE, action=Action.BLOCK)})
    found = decide(TEXT, "text/plain", Several(scanner, (blocking,)))
    assert (found.decision, found.rule, found.body) == (DlpOutcome.BLOCK, "known-place", "")
