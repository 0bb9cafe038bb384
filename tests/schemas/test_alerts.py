"""Which decisions are occurrences of what, and when occurrences are an alert: the pure half of alerts."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate_schemas.alerts import (
    OVER_BUDGET,
    SHIPPED,
    Event,
    Subject,
    event_occurrences,
    in_force,
    notable,
    occurrences,
    run_of,
)
from lockgate_schemas.audit import AuditEntry, EntryKind
from lockgate_schemas.content import EMPTY, Alert, parse_content
from lockgate_schemas.errors import ConfigurationError
from lockgate_schemas.passage import FindingSummary
from lockgate_workers.scanning.findings import Action, Refusal

BLOCKS = Alert(name="blocks", on="dlp-block", count=3)
TRIGGERS = Alert(name="triggers", on="rule-trigger", count=3)
BUDGET = Alert(name="budget", on="scanner-over-budget")
PACKS = Alert(name="packs", on="broken-pack")
ALL = (BLOCKS, TRIGGERS, BUDGET, PACKS)


def entry(stage: str = "dlp", decision: str = "block", rule: str = "aws-key", *findings: str, **changes: object) -> AuditEntry:
    given: dict[str, object] = {
        "kind": EntryKind.DECISION,
        "at": 1_000,
        "stage": stage,
        "decision": decision,
        "rule": rule,
        "request_id": "r1",
        "tenant": "acme",
        "client": "shop",
        "user": "alice",
        "agent": "writer",
        "findings": tuple(FindingSummary(found, "high", "block", 2) for found in findings),
        **changes,
    }
    return AuditEntry(**given)  # type: ignore[arg-type]


def counted(one: AuditEntry, *alerts: Alert) -> dict[str, str]:
    """The alerts that count it, with their subjects."""
    return {found.alert.name: found.subject.key for found in occurrences([one], alerts or ALL)}


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (entry(), {"blocks": "user:acme/alice", "triggers": "agent:writer"}),
        (entry("dlp", "redact", "aws-key", "aws-key"), {"triggers": "agent:writer"}),
        (entry("dlp", "allow", "clean", "low-one"), {"triggers": "agent:writer"}),
        (entry("inspection", "flag", "override"), {"triggers": "agent:writer"}),
        (entry("inspection", "block", "override"), {"triggers": "agent:writer"}),
        (entry("dlp", "block", "scan-time"), {"budget": "gateway:dlp"}),
        (entry("inspection", "block", "scan-size"), {"budget": "gateway:inspection"}),
        (entry("dlp", "allow", "clean"), {}),
        (entry("dlp", "deny", "default-deny"), {}),
        (entry("dlp", "quarantine", "too-many-attempts"), {}),
        (entry("authz", "deny", "default-deny"), {}),
        (entry("outcome", "blocked", "", kind=EntryKind.OUTCOME), {}),
        (entry("inspection", "block", "x", kind=EntryKind.INCIDENT), {}),
    ],
)
def test_what_counts_for_what(one: AuditEntry, expected: dict[str, str]) -> None:
    assert counted(one) == expected
    assert notable(one) or not expected


def test_a_rule_that_only_adds_to_a_score_has_not_fired() -> None:
    weighed = (FindingSummary("imperative", "low", "score", 1),)
    assert not notable(entry("inspection", "allow", "clean", findings=weighed))
    [found] = occurrences([entry("inspection", "flag", "injection-score", findings=weighed)], [TRIGGERS])
    assert found.rules == ("injection-score",)


def test_an_alert_about_some_rules_counts_those_alone() -> None:
    alert = Alert(name="keys", on="dlp-block", rules=("aws-key", "private-key"))
    assert counted(entry(), alert)
    assert counted(entry("dlp", "block", "other", "private-key"), alert)
    assert not counted(entry("dlp", "block", "other", "another"), alert)


def test_a_message_counts_once_however_much_was_found_in_it() -> None:
    [found] = occurrences([entry("dlp", "block", "a", "a", "b", "a")], [TRIGGERS])
    assert (found.rules, found.request_id, found.at) == (("a", "b"), "r1", 1_000)


def test_the_cause_is_the_request_and_the_gate_so_that_deciding_again_is_the_same() -> None:
    first, again = occurrences([entry(at=1), entry(at=2, epoch=2)], [BLOCKS])
    [other] = occurrences([entry("inspection", "flag")], [TRIGGERS])
    assert first.cause == again.cause != other.cause


def test_a_rule_that_alerts_does_so_at_once_whatever_alerts_there_are() -> None:
    loud = FindingSummary("canary", "high", str(Action.ALERT), 1)
    [found] = occurrences([entry("dlp", "allow", "clean", findings=(loud,))], [])
    assert (found.alert.name, found.alert.count, found.subject) == ("rule:canary", 1, Subject(agent="writer"))


def test_the_refusals_of_a_scanner_have_the_names_that_are_known_here() -> None:
    assert {str(refusal) for refusal in Refusal} - OVER_BUDGET == {str(Refusal.ENCODING)}


def test_reports_count_for_alerts_of_their_kind() -> None:
    [found] = event_occurrences([Event("broken-pack", "dlp", 5, "pack x")], ALL)
    assert (found.alert, found.subject.key, found.at, found.detail) == (PACKS, "gateway:dlp", 5, "pack x")
    assert event_occurrences([Event("dlp-block", "dlp", 5)], [BUDGET]) == []


def test_no_two_subjects_share_a_key() -> None:
    subjects = [Subject(tenant="a", user="b/c"), Subject(tenant="a", user="b"), Subject(agent="b"), Subject(part="b")]
    assert len({one.key for one in subjects}) == 4


def test_the_shipped_alerts_hold_until_the_policy_names_its_own() -> None:
    assert in_force(EMPTY) == SHIPPED
    own = parse_content("alerts:\n- {name: mine, on: dlp-block, count: 2}\n")
    assert [alert.name for alert in in_force(own)] == ["mine"]
    assert msgspec.convert(msgspec.to_builtins(SHIPPED), tuple[Alert, ...]) == SHIPPED, "they are such as a policy could hold"


@pytest.mark.parametrize(
    ("times", "at", "count", "span", "run"),
    [
        ([5], 5, 1, 10, (5, 5)),
        ([1, 5], 5, 2, 10, (1, 5)),
        ([1, 11], 11, 2, 10, None),  # half-open: what is exactly one window ago is over
        ([1, 10], 10, 2, 10, (1, 10)),
        ([1, 5, 9], 5, 3, 10, (1, 9)),
        ([1, 2, 3], 1, 2, 10, (1, 2)),
        ([0, 8, 16], 8, 3, 10, None),
        ([4, 4, 4], 4, 3, 10, (4, 4)),
        ([1, 2, 50], 50, 2, 10, None),
    ],
)
def test_a_run(times: list[int], at: int, count: int, span: int, run: tuple[int, int] | None) -> None:
    assert run_of(times, at, count, span) == run


@given(st.lists(st.integers(0, 60), min_size=1, max_size=12), st.data(), st.integers(1, 5), st.integers(1, 30))
def test_a_run_is_found_exactly_when_there_is_one(values: list[int], data: st.DataObject, count: int, span: int) -> None:
    times = sorted(values)
    at = data.draw(st.sampled_from(times))
    runs = [times[i : i + count] for i in range(len(times) - count + 1)]
    fitting = [(run[0], run[-1]) for run in runs if at in run and run[-1] - run[0] < span]
    found = run_of(times, at, count, span)
    assert found in fitting if fitting else found is None


def test_two_alerts_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="same name"):
        parse_content("alerts:\n- {name: a, on: dlp-block}\n- {name: a, on: broken-pack}\n")
