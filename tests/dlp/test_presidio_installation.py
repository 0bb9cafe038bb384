"""What an installation's folder and content policy make of the DLP gate: recognisers beside the rules, operators, and names that are required."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from lockgate_ledger.records import ContentRecord
from lockgate_schemas.content import content_digest
from lockgate_workers.dlp.decide import DlpOutcome, decide
from lockgate_workers.dlp.source import DlpSource
from lockgate_workers.scanning.engines import reported
from lockgate_workers.scanning.findings import Refusal

REGISTRY = r"""
supported_languages: [en]
recognizers:
  - {name: badges, supported_language: en, supported_entity: BADGE, patterns: [{name: badge, regex: '\bB-[0-9]{4}\b', score: 0.7}]}
"""
POLICY = """
rules: [{rule: presidio-badge, action: block, tenant: strict}]
operators:
  - {finds: BADGE, operator: mask, keep: 2}
  - {finds: email, operator: hash, key: pii-key}
"""
TODAY = date(2026, 11, 1)
TEXT = "B-1234 wrote from anna.berg@lockgate-mail.org"


class Rules:
    """Stands for what compiles the rules: they are compiled already."""

    def __init__(self, scanner) -> None:
        self._scanner = scanner

    def scanner(self, policy):
        del policy
        return self._scanner


def built(scanner, folder: Path, policy: str):
    (folder / "badges.yaml").write_text(REGISTRY)
    source = DlpSource(Rules(scanner), salt=b"k" * 32, keys={"pii-key": bytes(16)}.__getitem__, recognizers=folder)
    return source(ContentRecord(policy, 0, content_digest(policy)))


def test_recognisers_operators_and_rule_changes_hold_together(scanner, tmp_path: Path) -> None:
    content = built(scanner, tmp_path, POLICY)
    anybody, strict = (content.scanners.tuned(tenant, "reports", TODAY) for tenant in ("acme", "strict"))
    outcome = decide(TEXT, "text/plain", anybody, replacement=content.replacement)
    assert outcome.decision is DlpOutcome.REDACT
    assert outcome.body.startswith("****34 wrote from [HASHED:")
    assert decide(TEXT, "text/plain", strict, replacement=content.replacement).rule == "presidio-badge"
    assert "presidio-badge" in reported(content.scanners.scanner)
    assert not content.slow
    assert content.scanners.digest != built(scanner, tmp_path, "{}").scanners.digest


def test_names_that_are_required_and_cannot_be_looked_for_block_prose_off_the_loop(scanner, tmp_path: Path) -> None:
    content = built(scanner, tmp_path, "names: {mode: required, model: xx_no_such}")
    tuned = content.scanners.tuned("acme", "reports", TODAY)
    assert content.slow
    assert decide("Please ask Anna Berg there.", "text/plain", tuned).rule == Refusal.ENGINE.value
    assert decide('{"id": "0f3a9c0ffee"}', "application/json", tuned).decision is DlpOutcome.PASS
