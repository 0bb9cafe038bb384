"""Apply findings to a text: every span that must not go out is replaced by the name of the rule that found it.

Overlapping spans become one. Flags and alerts change nothing. Whether the result is fit to go out is decided by the stage, which scans it once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from lockgate_workers.scanning.findings import Finding

Replacement = Callable[[str, Sequence[Finding]], str]
"""From what stands at a place, and the overlapping findings that found it, to what is put there instead."""


def marker(rule: str) -> str:
    """The name of what stood there."""
    return f"[REDACTED:{rule}]"


def marker_of(_value: str, found: Sequence[Finding]) -> str:
    """The marker of the strongest finding: what stands there unless an operator says otherwise."""
    return marker(max(found, key=lambda one: one.weight).rule)


def redact(text: str, findings: Iterable[Finding], replacement: Replacement = marker_of) -> str:
    """Return the text with every span of a ``redact`` or ``block`` finding replaced."""
    pieces: list[str] = []
    position = 0
    for start, end, found in unions(findings):
        pieces += (text[position:start], replacement(text[start:end], found))
        position = end
    pieces.append(text[position:])
    return "".join(pieces)


def unions(findings: Iterable[Finding]) -> list[tuple[int, int, tuple[Finding, ...]]]:
    """Unite overlapping spans of findings that do not let the text pass, in order of place."""
    spans: list[tuple[int, int, tuple[Finding, ...]]] = []
    for finding in sorted(findings, key=lambda one: (one.start, -one.end)):
        if finding.action.passes:
            continue
        if spans and finding.start < spans[-1][1]:
            start, end, found = spans[-1]
            spans[-1] = (start, max(end, finding.end), (*found, finding))
        else:
            spans.append((finding.start, finding.end, (finding,)))
    return spans
