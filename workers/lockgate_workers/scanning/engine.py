"""The scanner: which rules hold, and where, in one text or in all texts of a message.

1. All texts of the message go through the gate together; a clean message ends here.
2. Where the gate hits, each text goes through it alone, in each of its views (`normalise`), and the rules that hit are run exactly
   with RE2; keywords, validators, entropy, allow-list and placeholder check decide whether a candidate is a finding.
3. Runs that decode to text (`decode`) are scanned in the same way, twice deep at most.

Size, time and the number of findings are bounded over the whole message. Past a bound, or when an engine fails, the answer is a
refusal and never a shorter list of findings; what a stage then does is its own decision (it blocks). The scanner does no IO, and the
clock is passed in. A secret split over two texts of one message is out of scope: each text stands for itself.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import re2

from lockgate_schemas.errors import ConfigurationError
from lockgate_workers.scanning.decode import DECODE_DEPTH, decoded
from lockgate_workers.scanning.findings import Finding, Refusal, ScanResult
from lockgate_workers.scanning.gate import CANDIDATE, Gate, GateError
from lockgate_workers.scanning.normalise import View, derived, views
from lockgate_workers.scanning.packs import SECRET_GROUP, Pack, Rule, all_rules, compiled, digest_of
from lockgate_workers.scanning.placeholders import is_placeholder
from lockgate_workers.scanning.validators import VALIDATORS, entropy

_ESCAPE_SIGNS: Final = "\\&%"
_WORD_ENDS: Final = {code: " " for code in range(128) if not chr(code).isalnum()}
_CLEAN: Final = ScanResult()
_MOST_PASSES: Final = 12
"""An honest message of full size goes through the gate some eight times: its texts together and alone, each in up to four views."""
_FEW: Final = 4
"""So many views go through the gate one by one at once; more of them go through it together first, as most messages are clean."""


@dataclass(frozen=True, slots=True)
class ScanLimits:
    """What one message may cost. Past any of these the scan is refused."""

    max_bytes: int = 4_194_304
    max_seconds: float = 1.0
    max_findings: int = 2_000


class _RefusedError(Exception):
    """Carries the reason out of the depth of a scan; never leaves this module."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(refusal.value)


class _Meter:
    """What a message has used up."""

    def __init__(self, limits: ScanLimits, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        self._deadline = clock() + limits.max_seconds
        self._bytes = 0
        self._findings = 0

    def read(self, size: int) -> None:
        """Count bytes that are about to be scanned. Views and decoded runs count too, so that nothing can unfold without end."""
        self._bytes += size
        if self._bytes > _MOST_PASSES * self._limits.max_bytes:
            raise _RefusedError(Refusal.SIZE)
        self.tick()

    def admit(self, size: int) -> None:
        """Refuse a message that is too long before anything is done with it."""
        if size > self._limits.max_bytes:
            raise _RefusedError(Refusal.SIZE)

    def candidate(self) -> None:
        """Count a candidate, whether or not it becomes a finding: both cost time."""
        self._findings += 1
        if self._findings > self._limits.max_findings:
            raise _RefusedError(Refusal.FINDINGS)
        self.tick()

    def tick(self) -> None:
        """Look at the clock."""
        if self._clock() > self._deadline:
            raise _RefusedError(Refusal.TIME)


class _Exact:
    """A rule with its compiled expressions."""

    __slots__ = ("_allow", "_group", "_pattern", "rule")

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._pattern, self._allow = compiled(rule)
        self._group = SECRET_GROUP if SECRET_GROUP in self._pattern.groupindex else 0

    def candidates(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Yield the byte spans of all candidates."""
        group = self._pattern.groupindex[SECRET_GROUP] if self._group else 0
        for match in self._pattern.finditer(data):
            start, end = match.span(group)
            yield (start, end) if start >= 0 else match.span()

    def holds(self, value: str, text: str, start: int, end: int) -> bool:
        """Whether a candidate is a finding: everything that a pattern cannot say."""
        rule = self.rule
        return (
            self._context_fits(text, start, end)
            and all(VALIDATORS[name](value) for name in rule.validators)
            and (not rule.entropy or entropy(value) >= rule.entropy)
            and not any(one.fullmatch(value) is not None for one in self._allow)
            and not (rule.placeholder == "skip" and is_placeholder(value))
        )

    def _context_fits(self, text: str, start: int, end: int) -> bool:
        rule = self.rule
        if not rule.keywords and not rule.unless:
            return True
        around = text[max(0, start - rule.window) : end + rule.window].lower()
        around = f"{around} {around.translate(_WORD_ENDS)} "
        needed = not rule.keywords or any(word in around for word in rule.keywords)
        return needed and not any(word in around for word in rule.unless)


class Scanner:
    """Rule packs, compiled. Construct it once; share it between threads; it keeps nothing of what it scans.

    ``digest`` identifies the packs (it is stamped as the version of the rules). ``evidence_key`` keys the evidence hashes.
    """

    def __init__(
        self,
        packs: Sequence[Pack],
        *,
        clock: Callable[[], float],
        evidence_key: bytes,
        limits: ScanLimits | None = None,
        gate: Gate | None = None,
    ) -> None:
        """``gate`` is one over the very same rules, compiled before; without it one is compiled here.

        Raises:
            ConfigurationError: there is no rule, a pattern is wrong, or the gate is another's.
        """
        rules = all_rules(packs)
        if not rules:
            raise ConfigurationError("a scanner without rules would pass everything: give it at least one rule pack")
        self.digest: Final = digest_of(packs)
        self.rules: Final = rules
        self._limits = limits or ScanLimits()
        self._clock = clock
        self._key = evidence_key
        self._exact = tuple(_Exact(rule) for rule in rules)
        self._gate = Gate(rules) if gate is None else gate
        if self._gate.rules != rules:
            raise ConfigurationError("a gate that was compiled from other rules would let pass what these rules find")

    def scan(self, text: str) -> ScanResult:
        """Scan one text."""
        return self.scan_all((text,))[0]

    def scan_all(self, texts: Sequence[str]) -> tuple[ScanResult, ...]:
        """Scan the texts of one message under one budget; the results stand in the same order.

        When anything is refused, everything is: each result then carries the refusal and no findings.
        """
        meter = _Meter(self._limits, self._clock)
        try:
            found = self._scan(texts, meter)
        except _RefusedError as refused:
            return (ScanResult(refusal=refused.refusal),) * len(texts)
        except (GateError, re2.error):
            return (ScanResult(refusal=Refusal.ENGINE),) * len(texts)
        if not found:
            return (_CLEAN,) * len(texts)
        return tuple(ScanResult(_unique(found[index])) if index in found else _CLEAN for index in range(len(texts)))

    def _scan(self, texts: Sequence[str], meter: _Meter) -> dict[int, list[Finding]]:
        """Return the findings by position of the text; texts without any are left out."""
        joined = "\n".join(texts)
        data = _encoded(joined)
        meter.admit(len(data))
        found: dict[int, list[Finding]] = {}
        if not self._gated(data, meter) and joined.isascii() and not any(sign in joined for sign in _ESCAPE_SIGNS):
            return found
        layer = [(index, view) for index, text in enumerate(texts) for view in views(text)]
        for depth in range(DECODE_DEPTH + 1):
            candidates = self._layer(layer, meter, found)
            if depth == DECODE_DEPTH or not candidates:
                break
            layer = [(index, inner) for index, outer in candidates for view in decoded(outer) for inner in derived(view)]
        return found

    def _layer(
        self, layer: Sequence[tuple[int, View]], meter: _Meter, found: dict[int, list[Finding]]
    ) -> list[tuple[int, View]]:
        """Scan views that lie equally deep; return those in which something may be encoded, the last view of each text alone."""
        candidates: dict[tuple[int, tuple[int, int] | None], tuple[int, View]] = {}
        if len(layer) > _FEW and not self._gated(_encoded("\n".join(view.text for _, view in layer)), meter):
            return []
        for index, view in layer:
            data = _encoded(view.text)
            hits = self._gated(data, meter)
            if CANDIDATE in hits:
                candidates[index, view.whole] = (index, view)
            for hit in hits:
                if hit != CANDIDATE:
                    found.setdefault(index, []).extend(self._confirm(self._exact[hit], view, data, meter))
        return list(candidates.values())

    def _confirm(self, exact: _Exact, view: View, data: bytes, meter: _Meter) -> Iterable[Finding]:
        """Run one rule exactly over one view."""
        text = view.text
        plain = len(data) == len(text)
        counted = characters = 0
        for first, last in exact.candidates(data):
            meter.candidate()
            start, end = first, last
            if not plain:  # candidates come in order: count characters from the last one on, not from the beginning each time
                characters += _characters(data, counted, first)
                start, end, counted = characters, characters + _characters(data, first, last), first
            value = text[start:end]
            if start < end and exact.holds(value, text, start, end):
                yield self._finding(exact.rule, value, view.span(start, end))

    def _finding(self, rule: Rule, value: str, span: tuple[int, int]) -> Finding:
        evidence = hmac.new(self._key, value.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
        return Finding(rule.id, *span, rule.severity, rule.action, evidence, rule.confidence, rule.category)

    def _gated(self, data: bytes, meter: _Meter) -> list[int]:
        meter.read(len(data))
        return self._gate.hits(data)


def _encoded(text: str) -> bytes:
    """UTF-8; a lone surrogate becomes a question mark, one character for one, so that offsets stay."""
    return text.encode("utf-8", "replace")


def _characters(data: bytes, start: int, end: int) -> int:
    return len(data[start:end].decode("utf-8", "replace"))


def _unique(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Views overlap: keep one finding for each rule and place, in order of place."""
    kept: dict[tuple[str, int, int], Finding] = {}
    for finding in findings:
        kept.setdefault((finding.rule, finding.start, finding.end), finding)
    return tuple(sorted(kept.values(), key=lambda one: (one.start, one.end, one.rule)))
