"""Further engines behind the scanner's interface: texts of one message in, findings or a refusal for each out.

The rule scanner runs first, and everything else only on a message that it could scan to the end. All findings count: an engine can
add to what was found and never take away. An engine that fails, whatever it raises and whatever it returns, is a refusal for the
whole message. Pure: which engines there are, and what a finding means, is decided by others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from lockgate_workers.scanning.findings import Finding, Refusal, ScanResult

if TYPE_CHECKING:
    from lockgate_workers.scanning.content import Scans
    from lockgate_workers.scanning.packs import Rule


class Engine(Protocol):
    """A further engine, asked after the rules: texts of one message in, a result for each out, all refused or none. It keeps to its own bounds in bytes and time, and says so with a refusal.

    ``repeats`` is whether it finds in a changed text just what it would have found there anyway. A language model does not: with
    its neighbour redacted a word may become a name. Such an engine is asked once, and not when the outcome is looked at again.
    """

    @property
    def name(self) -> str:
        """A word for logs and digests."""
        ...

    @property
    def digest(self) -> str:
        """Identifies everything that decides what it finds, in hex; it goes into the digest on the stamp."""
        ...

    @property
    def repeats(self) -> bool:
        """Whether it can be asked about its own outcome."""
        ...

    @property
    def reports(self) -> tuple[str, ...]:
        """The rule ids that its findings can carry."""
        ...

    def scan_all(self, texts: Sequence[str]) -> tuple[ScanResult, ...]:
        """Scan the texts of one message; the results stand in the same order."""
        ...


@dataclass(frozen=True)
class Several:
    """The rule scanner first, then each further engine; as one scanner."""

    first: Scans
    further: tuple[Engine, ...] = ()
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", _digest(self.first, self.further))

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules of the first; for what all can report see `reported`."""
        return self.first.rules

    @property
    def repeatable(self) -> Scans:
        """The scanner for what is about to go out, after redaction."""
        return Several(self.first, tuple(one for one in self.further if one.repeats))

    def scan(self, text: str) -> ScanResult:
        """Scan one text."""
        return self.scan_all((text,))[0]

    def scan_all(self, texts: Sequence[str]) -> tuple[ScanResult, ...]:
        """Scan with every engine. The first refusal ends it, and holds for every text."""
        answers = []
        for answer in self._answers(texts):
            refusal = _refusal(answer)
            if refusal is not None:
                return (ScanResult(refusal=refusal),) * len(texts)
            answers.append(answer)
        return tuple(_merged(results) for results in zip(*answers, strict=True))

    def _answers(self, texts: Sequence[str]) -> Iterator[Sequence[ScanResult]]:
        yield self.first.scan_all(texts)
        for engine in self.further:
            yield _asked(engine, texts)


@dataclass(frozen=True)
class Known:
    """An engine in memory that finds given words: the twin for tests, and the shortest example of the interface."""

    words: dict[str, Finding]
    name: str = "known"
    repeats: bool = True
    refusal: Refusal | None = None
    digest: str = "0" * 64

    @property
    def reports(self) -> tuple[str, ...]:
        """The rules of the given findings."""
        return tuple(sorted({one.rule for one in self.words.values()}))

    def scan_all(self, texts: Sequence[str]) -> tuple[ScanResult, ...]:
        """Find the first occurrence of each word."""
        if self.refusal is not None:
            return (ScanResult(refusal=self.refusal),) * len(texts)
        return tuple(ScanResult(tuple(self._found(text))) for text in texts)

    def _found(self, text: str) -> Iterator[Finding]:
        for word, one in self.words.items():
            start = text.find(word)
            if start >= 0:
                yield Finding(one.rule, start, start + len(word), one.severity, one.action, one.evidence)


def reported(scanner: Scans) -> frozenset[str]:
    """The ids of all rules that a scanner's findings can carry, those of further engines included."""
    further: tuple[Engine, ...] = getattr(scanner, "further", ())
    return frozenset(rule.id for rule in scanner.rules).union(*(engine.reports for engine in further))


def repeatable(scanner: Scans) -> Scans:
    """The part of a scanner that may be asked about its own outcome: all of it, unless it says otherwise."""
    part: Scans = getattr(scanner, "repeatable", scanner)
    return part


_BROKEN: Final = (ScanResult(refusal=Refusal.ENGINE),)


def _asked(engine: Engine, texts: Sequence[str]) -> Sequence[ScanResult]:
    try:
        answer = engine.scan_all(texts)
    except Exception:  # noqa: BLE001 - anything at all that goes wrong in there lets nothing through: the text counts as not scanned
        return _BROKEN
    return answer if len(answer) == len(texts) else _BROKEN


def _refusal(answer: Iterable[ScanResult]) -> Refusal | None:
    return next((result.refusal for result in answer if result.refusal is not None), None)


def _merged(results: Sequence[ScanResult]) -> ScanResult:
    found = [finding for result in results for finding in result.findings]
    if len(found) == len(results[0].findings):
        return results[0]
    return ScanResult(tuple(sorted(found, key=lambda one: (one.start, one.end, one.rule))))


def _digest(first: Scans, further: Sequence[Engine]) -> str:
    """The first scanner's own digest when it is alone: then nothing else decides."""
    if not further:
        return first.digest
    lines = [first.digest, *(f"{engine.digest}  {engine.name}" for engine in further)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
