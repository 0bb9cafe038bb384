"""Any Presidio recogniser as a further engine of the DLP gate: `PresidioEngine`, behind the interface of `scanning.engines`.

1. A message over its byte budget is refused before anything runs.
2. Each recogniser sees each text, under the message's time and match budget (`bounds`); Presidio's own context rules then raise scores.
3. What reaches the least score is a finding, under the rule id ``presidio-`` and the entity.

Whatever a recogniser raises, and whatever it returns that is no list of results within the text, is a refusal: never "nothing found".
What was raised is not passed on, for Presidio quotes the text in its errors. Which recognisers there are is decided by `loading`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from lockgate_schemas.errors import ConfigurationError
from lockgate_workers.dlp.presidio.bounds import Meter, OverBudgetError, RecognizerLimits, cover, metered
from lockgate_workers.dlp.presidio.entities import RECOGNISED, rule_of
from lockgate_workers.dlp.presidio.extra import needed
from lockgate_workers.dlp.presidio.words import Words
from lockgate_workers.scanning.findings import Action, Category, Finding, Refusal, ScanResult, Severity

if TYPE_CHECKING:
    from presidio_analyzer import EntityRecognizer, RecognizerResult
    from presidio_analyzer.nlp_engine import NlpArtifacts

LIMITS: Final = RecognizerLimits()
LEAST_SCORE: Final = 0.5
"""Presidio's weak patterns score below this, and most of them also with a context word beside them (0.4)."""
_PURPOSE: Final = "a Presidio recogniser"


class PresidioEngine:
    """Presidio recognisers, as one engine. Construct it once; threads may share it if the recognisers allow that, as Presidio's own do.

    ``action`` and ``severity`` hold for all findings; a rule change of the content policy names ``presidio-us-ssn`` and the like.
    """

    name: Final = "presidio"
    repeats: Final = True

    def __init__(
        self,
        recognizers: Sequence[EntityRecognizer],
        *,
        clock: Callable[[], float],
        evidence_key: bytes,
        limits: RecognizerLimits = LIMITS,
        least_score: float = LEAST_SCORE,
        action: Action = Action.REDACT,
        severity: Severity = Severity.MEDIUM,
    ) -> None:
        _check(recognizers)
        self._recognizers = tuple(recognizers)
        self._compile: Callable[[str, int], Any] = needed("regex", _PURPOSE).compile
        self._enhancer = needed("presidio_analyzer", _PURPOSE).LemmaContextAwareEnhancer()
        self._clock = clock
        self._key = evidence_key
        self._limits = limits
        self._least = least_score
        self._action = action
        self._severity = severity
        self.digest: Final = _digest(recognizers, f"{least_score} {action} {severity}")

    @property
    def reports(self) -> tuple[str, ...]:
        """The rule ids that its findings can carry."""
        entities = {entity for one in self._recognizers for entity in one.supported_entities}
        return tuple(sorted(rule_of(RECOGNISED, entity) for entity in entities))

    def scan_all(self, texts: Sequence[str]) -> tuple[ScanResult, ...]:
        """Scan the texts of one message under one budget. When one is refused, all are."""
        meter = Meter(self._limits, self._clock)
        try:
            with metered(meter):
                meter.admit(sum(len(text.encode("utf-8", "replace")) for text in texts))
                return tuple(ScanResult(self._scan(text, meter)) for text in texts)
        except OverBudgetError as over:
            refusal = over.refusal
        except Exception:  # noqa: BLE001 - recognisers are anybody's code; whatever goes wrong in one lets nothing through
            refusal = Refusal.ENGINE
        return (ScanResult(refusal=refusal),) * len(texts)

    def _scan(self, text: str, meter: Meter) -> tuple[Finding, ...]:
        words = cast("NlpArtifacts", Words(text))
        found: dict[str, list[RecognizerResult]] = {}
        for recognizer in self._recognizers:
            meter.left()
            cover(recognizer, self._compile)
            results = _sound(recognizer.analyze(text, recognizer.supported_entities, words), len(text))
            if results:
                found[recognizer.id] = _signed(results, recognizer, meter)
        scored = self._in_context(text, found, words) if found else ()
        meter.left()
        return tuple(sorted(self._findings(text, scored), key=lambda one: (one.start, one.end, one.rule)))

    def _in_context(
        self, text: str, found: dict[str, list[RecognizerResult]], words: NlpArtifacts
    ) -> Sequence[RecognizerResult]:
        """Raise scores by what stands around, as Presidio's analyzer does: each recogniser its own first, then the common rule."""
        enhanced: list[RecognizerResult] = []
        for recognizer in self._recognizers:
            own = found.get(recognizer.id)
            if own:
                others = [one for key, results in found.items() if key != recognizer.id for one in results]
                enhanced += recognizer.enhance_using_context(text, own, others, words)
        scored: Sequence[RecognizerResult] = self._enhancer.enhance_using_context(text, enhanced, words, self._recognizers)
        return scored

    def _findings(self, text: str, results: Sequence[RecognizerResult]) -> Iterator[Finding]:
        best: dict[tuple[str, int, int], float] = {}
        for result in results:
            key = (rule_of(RECOGNISED, result.entity_type), result.start, result.end)
            best[key] = max(best.get(key, 0.0), result.score)
        for (rule, start, end), score in best.items():
            if score >= self._least:
                evidence = hmac.new(self._key, text[start:end].encode("utf-8", "replace"), hashlib.sha256).hexdigest()
                yield Finding(rule, start, end, self._severity, self._action, evidence, score, Category.PII)


def _check(recognizers: Sequence[EntityRecognizer]) -> None:
    """Refuse what could only ever find nothing here."""
    by_model = needed("presidio_analyzer.predefined_recognizers", _PURPOSE).SpacyRecognizer
    if not recognizers:
        raise ConfigurationError("a Presidio engine without recognisers would pass everything: give it at least one")
    for one in recognizers:
        if isinstance(one, by_model):
            raise ConfigurationError(
                f"the recogniser {one.name} only reads what a language model found: set 'names' in the content policy"
            )


def _sound(results: Any, length: int) -> list[RecognizerResult]:
    """The results, if they are such: a list, each within the text, with a score from 0 to 1."""
    if not isinstance(results, list):
        raise TypeError
    for one in results:
        if not (0 <= one.start <= one.end <= length and 0 <= one.score <= 1 and isinstance(one.entity_type, str)):
            raise ValueError
    return results


def _signed(results: list[RecognizerResult], recognizer: EntityRecognizer, meter: Meter) -> list[RecognizerResult]:
    """Put the recogniser's name on its results where it did not: Presidio's context rule looks it up there."""
    name = str(cast("Any", recognizer).name)
    for one in results:
        meter.match()
        metadata = one.recognition_metadata or {}
        one.recognition_metadata = {"recognizer_name": name, "recognizer_identifier": recognizer.id, **metadata}
    return results


def _digest(recognizers: Sequence[EntityRecognizer], settings: str) -> str:
    """Over what each recogniser says of itself, and its class; objects in it count by their class, for they have no text of their own."""
    lines = [settings]
    for one in recognizers:
        kind = f"{type(one).__module__}.{type(one).__qualname__}"
        said = json.dumps(one.to_dict(), sort_keys=True, default=lambda value: type(value).__qualname__)
        lines.append(f"{kind} {said}")
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
