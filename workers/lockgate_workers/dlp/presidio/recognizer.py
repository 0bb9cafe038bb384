"""Our rules as a recogniser in Presidio: put it into the registry of a stock ``AnalyzerEngine``, and it finds what the gate finds.

Presidio takes an empty list for "nothing found", so a text that could not be scanned to the end raises. Who imports this module has
Presidio; nothing in the gateway imports it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from presidio_analyzer import AnalysisExplanation, EntityRecognizer, RecognizerResult

from lockgate_schemas.errors import UnavailableError
from lockgate_workers.dlp.presidio.entities import entities_of, entity_of_category

if TYPE_CHECKING:
    from presidio_analyzer.nlp_engine import NlpArtifacts

    from lockgate_workers.scanning.content import Scans
    from lockgate_workers.scanning.findings import Finding

NAME: Final = "LockgateRecognizer"


class LockgateRecognizer(EntityRecognizer):
    """A recogniser around a scanner. A result's score is the confidence of the rule, and its explanation names the rule.

    ``language`` is the one that the analyzer asks for; the rules are the same for all.
    """

    def __init__(self, scanner: Scans, *, language: str = "en") -> None:
        self._scanner: Final = scanner
        self._entities: Final = entities_of(scanner.rules)
        super().__init__(
            sorted(set(self._entities.values())), name=NAME, supported_language=language, version=scanner.digest[:16]
        )

    def load(self) -> None:
        """Nothing to load: the scanner was compiled before."""

    def analyze(self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None) -> list[RecognizerResult]:
        """Find what was asked for.

        Raises:
            UnavailableError: the scan was refused (size, time, or an engine); what was not seen is not clean.
        """
        del nlp_artifacts
        result = self._scanner.scan(text)
        if result.refusal is not None:
            raise UnavailableError(f"the text was not scanned to the end: {result.refusal.value}")
        return [self._result(one) for one in result.findings if self._entity(one) in entities]

    def _entity(self, finding: Finding) -> str:
        """A further engine beside the rules may report what no rule is named after."""
        return self._entities.get(finding.rule) or entity_of_category(finding.category)

    def _result(self, finding: Finding) -> RecognizerResult:
        explanation = AnalysisExplanation(recognizer=NAME, original_score=finding.confidence, pattern_name=finding.rule)
        metadata = {
            RecognizerResult.RECOGNIZER_NAME_KEY: NAME,
            RecognizerResult.RECOGNIZER_IDENTIFIER_KEY: self.id,
            "rule": finding.rule,
            "action": finding.action.value,
            "severity": finding.severity.value,
        }
        return RecognizerResult(self._entity(finding), finding.start, finding.end, finding.confidence, explanation, metadata)
