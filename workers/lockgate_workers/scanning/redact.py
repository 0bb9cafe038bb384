"""Apply findings to a text: every span that must not go out is replaced by the name of the rule that found it.

Overlapping spans become one. Flags and alerts change nothing. Whether the result is fit to go out is decided by the stage, which scans it once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from lockgate_workers.scanning.findings import Finding

Replacement = Callable[[str, str], str]
"""From a rule's id and what it found to what is put there instead."""


def marker(rule: str) -> str:
    """What stands in the place of a redacted span."""
    return f"[REDACTED:{rule}]"


def redact(text: str, findings: Iterable[Finding], replacement: Replacement | None = None) -> str:
    """Return the text with every span of a ``redact`` or ``block`` finding replaced, by its marker unless ``replacement`` says otherwise."""
    pieces: list[str] = []
    position = 0
    for start, end, rule in unions(findings):
        pieces += (text[position:start], replacement(rule, text[start:end]) if replacement else marker(rule))
        position = end
    pieces.append(text[position:])
    return "".join(pieces)


def unions(findings: Iterable[Finding]) -> list[tuple[int, int, str]]:
    """Unite overlapping spans; the strongest finding of a union names it."""
    spans: list[tuple[int, int, Finding]] = []
    for finding in sorted(findings, key=lambda one: (one.start, -one.end)):
        if finding.action.passes:
            continue
        if spans and finding.start < spans[-1][1]:
            start, end, named = spans[-1]
            spans[-1] = (start, max(end, finding.end), max(named, finding, key=lambda one: one.weight))
        else:
            spans.append((finding.start, finding.end, finding))
    return [(start, end, named.rule) for start, end, named in spans]
