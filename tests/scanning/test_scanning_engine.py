"""The scanner: exact spans, budgets over the whole message, refusal instead of a shorter answer, no secret in what it returns."""

from __future__ import annotations

import base64
import hmac
import itertools
import re
import threading
from collections.abc import Callable, Iterator

import pytest

from lockgate_schemas.errors import ConfigurationError
from lockgate_workers.scanning import gate
from lockgate_workers.scanning.decode import DECODE_DEPTH, Decoder
from lockgate_workers.scanning.engine import ScanLimits, Scanner
from lockgate_workers.scanning.findings import Action, Finding, Refusal, ScanResult, Severity, strongest, summary
from lockgate_workers.scanning.view import View

Build = Callable[..., Scanner]
AWS = "AKIA" + "Q7SJ4DNN7TZRMB2K"


def rules(result: ScanResult) -> list[str]:
    return [finding.rule for finding in result.findings]


def test_clean_text_has_no_findings(small: Build) -> None:
    assert small().scan("nothing to see") == ScanResult()


def test_the_span_is_that_of_the_secret_group(small: Build) -> None:
    (finding,) = small().scan("a canary-abcd1234!").findings
    assert (finding.start, finding.end, finding.severity, finding.action) == (9, 17, Severity.HIGH, Action.REDACT)


def test_offsets_count_characters_of_the_original(small: Build) -> None:
    text = "\u00e9\u00e9 canary-abcd1234 \U0001f642 canary-abcd\u200b1234 \u00fc"
    found = small().scan(text).findings
    assert [text[one.start : one.end] for one in found] == ["abcd1234", "abcd\u200b1234"]


def test_no_part_of_the_secret_is_in_the_finding(small: Build) -> None:
    (finding,) = small().scan("canary-abcd1234").findings
    assert "abcd" not in repr(finding)
    assert re.fullmatch("[0-9a-f]{64}", finding.evidence)


def test_the_same_value_has_the_same_evidence_under_one_key_only(small: Build) -> None:
    first, second, other = small().scan("canary-abcd1234 canary-abcd1234 canary-wxyz1234").findings
    assert first.evidence == second.evidence != other.evidence
    keyed = small()
    keyed._key = b"another"
    assert keyed.scan("canary-abcd1234").findings[0].evidence != first.evidence


def test_as_deep_as_is_decoded_it_is_found_and_deeper_is_not_followed(small: Build) -> None:
    run = "x canary-abcd1234 x"
    for depth in range(1, DECODE_DEPTH + 2):
        run = base64.b64encode(f"say {run}".encode()).decode()
        findings = small().scan(f"look: {run}").findings
        assert [(one.start, one.end) for one in findings] == ([(6, 6 + len(run))] if depth <= DECODE_DEPTH else [])


def test_texts_are_scanned_each_for_itself(small: Build) -> None:
    results = small().scan_all(["canary-", "abcd1234", "canary-abcd1234", "psst", "detonate", "now"])
    assert [rules(one) for one in results] == [[], [], ["canary"], ["rumour"], [], []]


def test_many_clean_texts_beside_one_that_is_not(small: Build) -> None:
    texts = ["clean"] * 50 + ["canary-abcd1234"] + ["clean"] * 50
    results = small().scan_all(texts)
    assert [index for index, one in enumerate(results) if one.findings] == [50]


def test_the_same_characters_in_other_texts_are_looked_at_anew(dlp_scanner: Scanner) -> None:
    number, filler = "85073003328", "x " * 8_185
    whole = f"{number}\n{filler}"  # fills a group; and the two after it, put together, are the same
    assert [rules(one) for one in dlp_scanner.scan_all([whole, number, filler])] == [[], ["number-alone"], []]


def test_no_texts_is_no_result(small: Build) -> None:
    assert small().scan_all([]) == ()


def test_a_lone_surrogate_is_scanned_around(small: Build) -> None:
    (finding,) = small().scan("\ud800 canary-abcd1234").findings
    assert (finding.start, finding.end) == (9, 17)


def test_too_long_is_refused_even_when_clean(small: Build) -> None:
    scanner = small(ScanLimits(max_bytes=100))
    assert scanner.scan("a" * 100).refusal is None
    assert scanner.scan("a" * 101).refusal is Refusal.SIZE
    assert [one.refusal for one in scanner.scan_all(["a" * 60, "b" * 60])] == [Refusal.SIZE, Refusal.SIZE]


def test_size_is_counted_in_bytes(small: Build) -> None:
    assert small(ScanLimits(max_bytes=100)).scan("\u00e9" * 60).refusal is Refusal.SIZE


def test_what_unfolds_is_held_to_the_size_of_what_it_unfolds_from(small: Build) -> None:
    plain = small().explain("plain words, no more.\n" * 1_363)
    for sign in ("\ufdfa", "\ufdfb", "\u3316"):
        unfolded = small().explain(sign * 9_999)
        assert plain.work < unfolded.work <= 20 * plain.work
        tight = ScanLimits(max_work=0, work_per_byte=unfolded.work // 29_997 - 1)
        assert small(tight).scan(sign * 9_999).refusal is Refusal.WORK


def test_work_grows_with_what_is_done_and_the_allowance_with_the_size(small: Build) -> None:
    clean, full = small().explain("plain words " * 100), small().explain("canary-abcd1234 " * 100)
    assert 0 < clean.work < full.work <= full.allowed
    assert small().explain("plain words " * 200).allowed > clean.allowed


def test_time_is_allowed_by_size(small: Build) -> None:
    limits = ScanLimits(max_seconds=4, seconds_per_mb=1_000)
    for size, refusal in ((1, Refusal.TIME), (1_000, None)):
        ticks = itertools.count()
        scanner = small(limits, clock=lambda ticks=ticks: float(next(ticks)))
        assert scanner.scan("canary-abcd1234 " * 100 + " " * size * 100).refusal is refusal


def test_too_many_candidates_are_refused(small: Build) -> None:
    scanner = small(ScanLimits(max_findings=10, findings_per_kb=0))
    assert scanner.scan("canary-abcd1234 " * 10).refusal is None
    refused = scanner.scan("canary-abcd1234 " * 11)
    assert (refused.refusal, refused.findings) == (Refusal.FINDINGS, ())


def test_out_of_time_is_refused_and_nothing_found_is_shown(small: Build) -> None:
    ticks = itertools.count()
    scanner = small(ScanLimits(max_seconds=4), clock=lambda: float(next(ticks)))
    assert scanner.scan("psst").refusal is None
    refused = scanner.scan("canary-abcd1234 " * 30)
    assert (refused.refusal, refused.findings) == (Refusal.TIME, ())


def test_a_failing_gate_is_a_refusal(small: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    scanner = small()

    class Broken:
        def scan(self, *_args: object, **_kwargs: object) -> None:
            raise gate.hyperscan.ScratchInUseError

    assert scanner.scan("clean").refusal is None  # takes its scratch space from the real ones
    monkeypatch.setattr(scanner._gate, "_databases", [Broken()] * len(scanner._gate._databases))
    assert scanner.scan("clean").refusal is Refusal.ENGINE


def test_without_hyperscan_no_scanner_is_built(small: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "hyperscan", None)
    with pytest.raises(ConfigurationError, match="Hyperscan cannot be imported"):
        small()


def test_one_scanner_serves_many_threads(dlp_scanner: Scanner) -> None:
    text = ("plain words " * 200) + f"key {AWS} and anna@lockgate-mail.org " + base64.b64encode(f"b {AWS}".encode()).decode()
    expected = dlp_scanner.scan(text)
    assert {"aws-access-key", "email"} <= set(rules(expected))
    wrong: list[ScanResult] = []

    def work() -> None:
        for number in range(100):
            clean = dlp_scanner.scan(f"nothing {number}")
            full = dlp_scanner.scan(text)
            if clean.findings or clean.refusal is not None or full != expected:
                wrong.append(full)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_the_digest_changes_with_the_rules(small: Build, dlp_scanner: Scanner, injection_scanner: Scanner) -> None:
    assert small().digest == small().digest
    assert len({small().digest, dlp_scanner.digest, injection_scanner.digest}) == 3
    assert re.fullmatch("[0-9a-f]{64}", dlp_scanner.digest)


def test_a_summary_counts_by_rule_strongest_first_and_is_bounded(small: Build) -> None:
    findings = small().scan("psst canary-abcd1234 detonate now canary-abcd1234").findings
    assert [(one.rule, one.action, one.severity, one.count) for one in summary(findings)] == [
        ("bomb", "block", "critical", 1),
        ("canary", "redact", "high", 2),
        ("rumour", "flag", "low", 1),
    ]
    assert [one.rule for one in summary(findings, limit=1)] == ["bomb"]
    assert summary(()) == ()


def test_the_evidence_is_the_keyed_hash_of_the_value(small: Build) -> None:
    (finding,) = small().scan("canary-abcd1234").findings
    assert finding.evidence == hmac.new(b"k" * 32, b"abcd1234", "sha256").hexdigest()


def test_an_alert_lets_pass_and_weighs_more_than_a_flag() -> None:
    assert Action.FLAG.passes
    assert Action.ALERT.passes
    assert not Action.REDACT.passes
    assert not Action.BLOCK.passes
    flag = Finding("quiet", 0, 1, Severity.CRITICAL, Action.FLAG, "")
    alert = Finding("loud", 0, 1, Severity.LOW, Action.ALERT, "")
    assert strongest([flag, alert]) is alert


def test_the_action_weighs_more_than_the_severity() -> None:
    flag = Finding("loud", 0, 1, Severity.CRITICAL, Action.FLAG, "")
    block = Finding("quiet", 0, 1, Severity.LOW, Action.BLOCK, "")
    assert strongest([flag, block]) is block
    assert strongest([]) is None


def test_a_list_of_numbers_is_not_looked_into_number_by_number(dlp_scanner: Scanner, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def noting(_decoder: Decoder, view: View, _fired: object) -> Iterator[View]:
        read.append(view.text)
        return iter(())

    monkeypatch.setattr(Decoder, "decoded", noting)
    results = dlp_scanner.scan_all([str(number % 10) for number in range(20_000)])
    assert not read
    assert all(one.refusal is None for one in results)
