"""What it costs who does not use it: nothing of Presidio and spaCy is imported, and without the extra a policy that needs it is refused."""

from __future__ import annotations

import subprocess
import sys

HEAVY = "{'presidio_analyzer', 'presidio_anonymizer', 'spacy', 'thinc', 'tldextract', 'torch'}"

WITHOUT = f"""
import sys
import lockgate_cli.process
import lockgate_workers.dlp.stage, lockgate_workers.inspection.stage, lockgate_workers.outcome.stage, lockgate_workers.authz.stage
import lockgate_workers.dlp.presidio.entities, lockgate_workers.dlp.presidio.names, lockgate_workers.dlp.presidio.prose
import lockgate_workers.dlp.presidio.bridge, lockgate_workers.dlp.presidio.loading, lockgate_workers.dlp.presidio.model
from lockgate_schemas.content import Names, Operator
from lockgate_workers.dlp.presidio.model import load_names
from lockgate_workers.dlp.presidio.operators import operated, prepared
from lockgate_workers.scanning.findings import Action, Finding, Severity
policy = [Operator(finds="email", operator="redact"), Operator(finds="iban", operator="replace", replacement="(account)")]
operators = prepared(policy, {{}}, ())
assert operated("ab", [Finding("email", 0, 1, Severity.LOW, Action.REDACT, "")], operators) == "b"
assert load_names(Names(), clock=lambda: 0.0, evidence_key=b"k") is None
print(sorted(set(sys.modules) & {HEAVY}))
"""

MISSING = """
import sys
sys.modules |= {"presidio_analyzer": None, "presidio_anonymizer": None, "spacy": None, "presidio_anonymizer.operators": None}
from pathlib import Path
from lockgate_schemas.content import Names, Operator
from lockgate_schemas.errors import ConfigurationError
from lockgate_workers.dlp.presidio.bridge import PresidioEngine
from lockgate_workers.dlp.presidio.loading import from_registry, named
from lockgate_workers.dlp.presidio.model import check_names, load_names
from lockgate_workers.dlp.presidio.operators import prepared

def refused(make):
    try:
        make()
    except ConfigurationError as error:
        return "pip install 'lockgate[gateway,ner]'" in error.detail
    return False

keys = {"k": bytes(16)}
for operator in (Operator(finds="email", operator="mask"), Operator(finds="email", operator="hash"),
                 Operator(finds="email", operator="encrypt", key="k")):
    assert refused(lambda: prepared([operator], keys, ())), operator.operator
assert refused(lambda: named(["presidio_analyzer.predefined_recognizers.EmailRecognizer"]))
assert refused(lambda: from_registry(Path("registry.yaml")))
assert refused(lambda: PresidioEngine([object()], clock=lambda: 0.0, evidence_key=b"k"))
assert refused(lambda: check_names(Names(mode="required")))
engine = load_names(Names(mode="required"), clock=lambda: 0.0, evidence_key=b"k")
assert "pip install" in engine.problem
print(engine.scan_all(["Please ask Anna Berg in Oslo."])[0].refusal.value)
"""


def run(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_gate_that_does_not_use_it_imports_nothing_of_it() -> None:
    assert run(WITHOUT) == "[]"


def test_without_the_extra_what_needs_it_is_refused_and_what_is_required_blocks() -> None:
    assert run(MISSING) == "scan-engine"
