"""How much of what a corpus marks the DLP scanner finds, and how much it takes for something that it is not. Pure: rows and a scanner in.

A row is *found* when something that would be redacted or blocked overlaps one of its marked spans, and *covered* when every marked span
is covered by 90 % at least, which is what redaction needs. Findings that let a text pass are counted apart, as *noted*. A row in
chunks goes through a stream; it is found when the marked value is not in what came out and something was withheld. In sets
without anything to find every row with such a finding counts as *flagged*.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from lockgate_cli.bench.content_report import Part, Table, at_least, at_most, percent, with_interval
from lockgate_cli.bench.report import Target
from lockgate_workers.dlp.stream import StreamBlockedError, StreamGate
from lockgate_workers.scanning.content import Scans
from lockgate_workers.scanning.findings import Finding

COVERED: Final = 0.9
"""The share of a span that has to be covered: less, and the rest of a secret tells what it was."""
NOTHING: Final = "none"
"""The label of a row in which there is nothing to find."""
HONEST_SETS: Final = frozenset({"infra_docpath"})
"""Sets whose rows have a label and a span, and nothing to hide: paths that every documentation names."""

LEFT_TO_A_MODEL: Final[Mapping[str, str]] = {
    "PERSON": "a name has no shape",
    "TITLE": "a part of a name",
    "ORGANIZATION": "a name has no shape",
    "GPE": "names of places have no shape",
    "LOCATION": "names of places have no shape",
    "NRP": "a word: nationality, religion or politics",
    "ADDRESS": "an address is words in an order of its own in every country",
    "STREET_ADDRESS": "an address is words in an order of its own in every country",
    "ZIP_CODE": "five digits, which mean something in an address alone",
    "AGE": "a small number, which means something to a reader alone",
    "DATE_TIME": "any date or weekday, of anything",
    "DOMAIN_NAME": "a public name",
}
"""Labels that no rule can find and names by a language model may (`names` in the content policy), and why. All others are structured."""

LEAST: Final[Mapping[str, float]] = {
    "secrets_upstream": 0.85,
    "secrets_synth": 0.97,
    "infra": 0.97,
    "evasion": 0.92,
    "pii_synth": 0.95,
    "pii_upstream": 0.95,
    "pii_presidio_research": 0.95,
}
MOST: Final[Mapping[str, float]] = {"secrets_hardneg": 0.02, "evasion_hardneg": 0.0, "pii_hardneg": 0.04}
"""What is asked for: at least this share found, at most this share flagged."""


class DlpRow(msgspec.Struct, frozen=True):
    """One row. ``spans`` are character offsets of what is to be found; without one the whole text is. ``ctx`` is how it is wrapped or hidden."""

    text: str
    label: str
    set: str
    spans: tuple[tuple[int, int], ...] = ()
    span_labels: tuple[str, ...] = ()
    chunks: tuple[str, ...] = ()
    ctx: str = ""

    @property
    def honest(self) -> bool:
        """Whether there is nothing to find."""
        return self.label == NOTHING or self.set in HONEST_SETS

    @property
    def sought(self) -> tuple[tuple[int, int], ...]:
        """The spans that rules have to find."""
        if self.span_labels:
            pairs = zip(self.spans, self.span_labels, strict=True)
            return tuple(span for span, label in pairs if label not in LEFT_TO_A_MODEL)
        if self.label in LEFT_TO_A_MODEL:
            return ()
        return self.spans or ((0, len(self.text)),)

    @property
    def group(self) -> str:
        """What it is counted under in its set: how it is hidden where that is the question, else what it is."""
        labels = [label for label in self.span_labels if label not in LEFT_TO_A_MODEL]
        return self.ctx if self.set.startswith("evasion") else labels[0] if labels else self.label


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of one row. ``rules`` are those that withheld something; ``refused`` is whether there was no answer at all."""

    row: DlpRow
    found: bool = False
    covered: bool = False
    noted: bool = False
    rules: frozenset[str] = frozenset()
    refused: bool = False


@dataclass(slots=True)
class Tally:
    """Counts over rows. ``coverable`` are those with marked spans."""

    rows: int = 0
    found: int = 0
    covered: int = 0
    coverable: int = 0
    noted: int = 0
    refused: int = 0
    rules: Counter[str] = field(default_factory=Counter)

    def add(self, seen: Seen) -> None:
        """Count one row."""
        self.rows += 1
        self.found += seen.found
        self.covered += seen.covered
        self.coverable += bool(seen.row.spans)
        self.noted += seen.noted
        self.refused += seen.refused
        self.rules.update(seen.rules)

    @property
    def share(self) -> float:
        """The share that was found, or flagged."""
        return self.found / self.rows if self.rows else float("nan")


def seen(row: DlpRow, scanner: Scans) -> Seen:
    """Scan one row."""
    if row.chunks and not row.honest:
        return _streamed(row, scanner)
    result = scanner.scan(row.text)
    if result.refusal is not None:
        return Seen(row, refused=True)
    withheld = [one for one in result.findings if not one.action.passes]
    noted = [one for one in result.findings if one.action.passes]
    rules = frozenset(one.rule for one in withheld)
    if row.honest:
        return Seen(row, bool(withheld), noted=bool(noted), rules=rules)
    spans = row.sought
    covered = bool(row.spans) and all(_covered(span, withheld) for span in spans)
    return Seen(row, _overlap(spans, withheld), covered, _overlap(spans, noted), rules)


def _streamed(row: DlpRow, scanner: Scans) -> Seen:
    gate = StreamGate(scanner)
    released = ""
    findings: tuple[Finding, ...]
    try:
        released = "".join(gate.feed(chunk) for chunk in row.chunks)
        released += gate.close()
        findings = gate.findings
    except StreamBlockedError as blocked:
        findings = blocked.findings
    rules = frozenset(one.rule for one in findings if not one.action.passes)
    kept = all(row.text[start:end] not in released for start, end in row.sought)
    found = bool(rules) and kept
    return Seen(row, found, found, rules=rules)


def _overlap(spans: Iterable[tuple[int, int]], findings: Sequence[Finding]) -> bool:
    return any(one.start < end and start < one.end for one in findings for start, end in spans)


def _covered(span: tuple[int, int], findings: Sequence[Finding]) -> bool:
    start, end = span
    place, covered = start, 0
    for first, last in sorted((one.start, one.end) for one in findings):
        first, last = max(first, place), min(last, end)  # noqa: PLW2901 - what of it is new and lies within
        if last > first:
            covered += last - first
            place = last
    return covered >= COVERED * (end - start)


def measured(rows: Sequence[DlpRow], scanner: Scans, told: Callable[[], None] = lambda: None) -> list[Seen]:
    """Scan all rows. ``told`` is called after each."""
    found = []
    for row in rows:
        found.append(seen(row, scanner))
        told()
    return found


def accuracy(found: Sequence[Seen], *, labels: bool = False) -> Part:
    """The tables: by set, and with ``labels`` by what is found least."""
    sought = _tallies((one for one in found if not one.row.honest and one.row.sought), lambda one: one.row.set)
    honest = _tallies((one for one in found if one.row.honest), lambda one: one.row.set)
    left = Counter(one.row.set for one in found if not one.row.honest and not one.row.sought)
    tables = [_found_table(sought, left), _flagged_table(honest)]
    if labels:
        grouped = _tallies(
            (one for one in found if not one.row.honest and one.row.sought), lambda one: f"{one.row.set}: {one.row.group}"
        )
        tables.append(_label_table(grouped))
    return Part(
        name="accuracy",
        tables=tuple(one for one in tables if one.rows),
        targets=tuple(_targets(sought, honest)),
        figures={
            "sought": {name: _figures(tally) for name, tally in sought.items()},
            "honest": {name: _figures(tally) for name, tally in honest.items()},
            "left_to_a_model": dict(left),
        },
    )


def _tallies(found: Iterable[Seen], key: Callable[[Seen], str]) -> dict[str, Tally]:
    tallies: dict[str, Tally] = defaultdict(Tally)
    for one in found:
        tallies[key(one)].add(one)
    return dict(sorted(tallies.items()))


def _targets(sought: Mapping[str, Tally], honest: Mapping[str, Tally]) -> Iterable[Target]:
    for name, goal in LEAST.items():
        if name in sought:
            yield at_least(f"{name}, found", sought[name].share, goal, f"{goal:.0%}")
    for name, goal in MOST.items():
        if name in honest:
            yield at_most(f"{name}, flagged", honest[name].share, goal, f"{goal:.0%}")


def _found_table(tallies: Mapping[str, Tally], left: Mapping[str, int]) -> Table:
    rows = tuple(
        (
            name,
            str(one.rows),
            with_interval(one.found, one.rows),
            percent(one.covered / one.coverable) if one.coverable else "-",
            percent(one.noted / one.rows),
            str(one.refused),
        )
        for name, one in tallies.items()
    )
    apart = ", ".join(f"{count} of {name}" for name, count in sorted(left.items()))
    note = "Covered is of the rows that mark where it stands."
    if apart:
        note += f" Not counted, because all that they mark is left to a language model: {apart}."
    return Table("What is found", ("Set", "Rows", "Found (95 %)", "Covered", "Noted only or too", "Refused"), rows, note)


def _flagged_table(tallies: Mapping[str, Tally]) -> Table:
    rows = tuple(
        (name, str(one.rows), with_interval(one.found, one.rows), percent(one.noted / one.rows), _most(one.rules))
        for name, one in tallies.items()
    )
    return Table("What is taken for something that it is not", ("Set", "Rows", "Flagged (95 %)", "Noted", "By"), rows)


def _label_table(tallies: Mapping[str, Tally]) -> Table:
    worst = sorted(((one.rows - one.found, name) for name, one in tallies.items() if one.found < one.rows), reverse=True)
    rows = tuple(
        (name, str(tallies[name].rows), str(missed), with_interval(tallies[name].found, tallies[name].rows))
        for missed, name in worst
    )
    return Table("What is missed most", ("Set and label", "Rows", "Missed", "Found (95 %)"), rows)


def _most(rules: Counter[str], count: int = 4) -> str:
    return ", ".join(f"{rule} {times}" for rule, times in rules.most_common(count))


def _figures(tally: Tally) -> dict[str, object]:
    return {
        "rows": tally.rows,
        "found": tally.found,
        "covered": tally.covered,
        "coverable": tally.coverable,
        "noted": tally.noted,
        "refused": tally.refused,
        "rules": dict(tally.rules.most_common()),
    }
