"""Redaction: no found text survives, doing it twice changes nothing, overlaps become one."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockgate_workers.scanning.engine import Scanner
from lockgate_workers.scanning.findings import Action, Finding, Severity
from lockgate_workers.scanning.redact import redact

SECRETS = (
    "AKIA" + "Q7SJ4DNN7TZRMB2K",
    "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8",
    "anna.berg@lockgate-mail.org",
    "5555 5555 5555 4444",
    "536-22-8726",
    "DE89 3704 0044 0532 0130 00",
    "sk_live_" + "9aB8cD7eF6gH5iJ4kL3mN2oP",
    "10.20.30.40:5432",
    "password=uvK7#pq2mW9z",
)
FILLER = st.text(st.sampled_from(list("abc XYZ 019.,:;-_/<>\"'\n\\%&=\u00e9\u200b\uff41\u0441")), max_size=30)
PIECES = st.lists(st.tuples(FILLER, st.sampled_from(SECRETS)), min_size=1, max_size=4)


def finding(start: int, end: int, rule: str, action: Action = Action.REDACT) -> Finding:
    return Finding(rule, start, end, Severity.HIGH, action, "")


def test_overlapping_spans_become_one_named_by_the_strongest() -> None:
    found = [finding(2, 5, "weak"), finding(4, 8, "strong", Action.BLOCK), finding(8, 9, "next")]
    assert redact("0123456789", found) == "01[REDACTED:strong][REDACTED:next]9"


def test_a_span_inside_another_does_not_cut_it_short() -> None:
    assert redact("0123456789", [finding(1, 9, "outer"), finding(3, 4, "inner")]) == "0[REDACTED:outer]9"


def test_flags_change_nothing() -> None:
    assert redact("0123", [finding(1, 3, "note", Action.FLAG)]) == "0123"


def test_no_findings_no_change() -> None:
    assert redact("0123", []) == "0123"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PIECES)
def test_nothing_found_survives_and_twice_is_once(dlp_scanner: Scanner, pieces: list[tuple[str, str]]) -> None:
    text = "".join(f"{filler} {secret} " for filler, secret in pieces)
    found = dlp_scanner.scan(text).findings
    released = redact(text, found)
    again = dlp_scanner.scan(released)
    if any(not one.action.passes for one in again.findings):
        return  # the stage blocks what is not at rest; what is released is at rest
    assert redact(released, again.findings) == released
    for one in found:
        if not one.action.passes:
            assert text[one.start : one.end] not in released.replace(f"[REDACTED:{one.rule}]", "")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 10), st.sampled_from(list(Action))), max_size=8))
def test_exactly_the_characters_outside_all_spans_remain(
    small: Callable[..., Scanner], spans: list[tuple[int, int, Action]]
) -> None:
    del small
    text = "".join(chr(0x4E00 + index) for index in range(45))
    found = [finding(start, start + length, "x", action) for start, length, action in spans]
    hidden = {index for one in found if not one.action.passes for index in range(one.start, one.end)}
    remaining = redact(text, found).replace("[REDACTED:x]", "")
    assert remaining == "".join(one for index, one in enumerate(text) if index not in hidden)
