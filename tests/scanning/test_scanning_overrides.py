"""What a content policy makes of findings: which change decides, when an exception ends, which values are let through, what is stamped."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from lockgate_schemas.content import EMPTY, Alert, AllowedValue, ContentPolicy, Operator, RuleChange
from lockgate_schemas.errors import ConfigurationError
from lockgate_workers.scanning.allowing import Allowance, value_digest
from lockgate_workers.scanning.content import TunedScanner, TunedScanners, day, rules_digest
from lockgate_workers.scanning.findings import Action, Finding, Refusal, ScanResult, Severity
from lockgate_workers.scanning.overrides import changed, check_rule_names

TODAY = date(2026, 3, 14)
YESTERDAY, TOMORROW = TODAY - timedelta(1), TODAY + timedelta(1)
SALT = b"a salt that is kept in the home folder"


def finding(rule: str = "some-key", value: str = "a value", action: Action = Action.REDACT) -> Finding:
    return Finding(rule, 0, len(value), Severity.HIGH, action, value_digest(SALT, value))


def off(rule: str = "some-key", until: date | None = TOMORROW, **where: str) -> RuleChange:
    return RuleChange(rule=rule, action="off", reason="known", until=until, **where)


def actions(changes: list[RuleChange], tenant: str = "acme", agent: str = "echo", today: date = TODAY) -> list[str]:
    return [str(one.action) for one in changed([finding()], changes, tenant, agent, today)]


class Told:
    """A scanner that says what it is told to say."""

    digest = "packs"
    rules = ()

    def __init__(self, *results: ScanResult) -> None:
        self.results = results

    def scan(self, text: str) -> ScanResult:
        del text
        return self.results[0]

    def scan_all(self, texts: object) -> tuple[ScanResult, ...]:
        del texts
        return self.results


# --- overrides ----------------------------------------------------------------------------------------------------------


def test_without_changes_a_rule_does_what_its_pack_says() -> None:
    assert actions([]) == ["redact"]
    assert actions([RuleChange(rule="another", action="block")]) == ["redact"]


@pytest.mark.parametrize("action", ["redact", "block", "flag", "alert"])
def test_every_action_is_taken_on(action: str) -> None:
    assert actions([RuleChange(rule="some-key", action=action)]) == [action]


def test_a_rule_that_is_off_finds_nothing() -> None:
    assert actions([off()]) == []


@pytest.mark.parametrize(("until", "left"), [(YESTERDAY, ["redact"]), (TODAY, []), (TOMORROW, [])])
def test_an_exception_ends_after_its_last_day(until: date, left: list[str]) -> None:
    assert actions([off(until=until)]) == left


def test_the_day_is_that_of_greenwich() -> None:
    midnight = 1_773_446_400_000  # 2026-03-14T00:00:00Z
    assert (day(midnight - 1), day(midnight)) == (YESTERDAY, TODAY)


def test_the_most_specific_change_decides_whatever_their_order() -> None:
    everybody = RuleChange(rule="some-key", action="block")
    tenant = RuleChange(rule="some-key", action="flag", tenant="acme")
    agent = RuleChange(rule="some-key", action="alert", agent="echo")
    both = off(tenant="acme", agent="echo")
    for given in ([everybody, tenant, agent, both], [both, agent, tenant, everybody]):
        assert actions(given) == []
        assert actions(given, tenant="other") == ["alert"]
        assert actions(given, agent="other") == ["flag"]
        assert actions(given, tenant="other", agent="other") == ["block"]


def test_one_for_the_agent_goes_before_a_stricter_one_for_the_tenant() -> None:
    tenant = RuleChange(rule="some-key", action="block", tenant="acme")
    agent = RuleChange(rule="some-key", action="flag", agent="echo")
    assert actions([tenant, agent]) == actions([agent, tenant]) == ["flag"]


def test_an_ended_exception_gives_way_to_the_next_less_specific_change() -> None:
    assert actions([RuleChange(rule="some-key", action="block"), off(until=YESTERDAY, agent="echo")]) == ["block"]


def test_of_equally_specific_changes_the_strictest_decides() -> None:
    weak, strong = RuleChange(rule="some-key", action="flag"), RuleChange(rule="some-key", action="block")
    assert actions([weak, strong, off()]) == actions([off(), strong, weak]) == ["block"]


@pytest.mark.parametrize(
    "policy",
    [
        ContentPolicy(rules=(RuleChange(rule="nobodys-rule", action="flag"),)),
        ContentPolicy(allowed=(AllowedValue(digest="0" * 64, reason="r", rule="nobodys-rule"),)),
        ContentPolicy(operators=(Operator(finds="nobodys-rule", operator="mask"),)),
        ContentPolicy(alerts=(Alert(name="a-name", on="rule-trigger", rules=("nobodys-rule",)),)),
    ],
)
def test_a_policy_that_speaks_of_no_rule_is_refused_and_named(policy: ContentPolicy) -> None:
    with pytest.raises(ConfigurationError, match="nobodys-rule"):
        check_rule_names(policy, {"some-key"})
    check_rule_names(policy, {"some-key", "nobodys-rule"})


def test_alerts_may_ask_for_what_decides_without_being_a_scanners_rule_and_changes_may_not() -> None:
    check_rule_names(
        ContentPolicy(alerts=(Alert(name="a-name", on="rule-trigger", rules=("residue",)),)), {"some-key"}, {"residue"}
    )
    with pytest.raises(ConfigurationError, match="residue"):
        check_rule_names(ContentPolicy(rules=(RuleChange(rule="residue", action="flag"),)), {"some-key"}, {"residue"})


def test_entities_of_the_language_model_are_no_rules() -> None:
    check_rule_names(ContentPolicy(operators=(Operator(finds="PERSON", operator="mask"),)), {"some-key"})


# --- allowed values -----------------------------------------------------------------------------------------------------


def admitted(entry: AllowedValue, one: Finding, tenant: str = "acme", agent: str = "echo") -> bool:
    return not Allowance([entry], tenant, agent, TODAY).without([one])


def allowed(value: str = "a value", salt: bytes = SALT, **members: object) -> AllowedValue:
    return AllowedValue(digest=value_digest(salt, value), reason="harmless", **members)


def test_an_allowed_value_is_no_finding() -> None:
    assert admitted(allowed(), finding())
    assert not admitted(allowed("another value"), finding())
    assert not admitted(allowed(salt=b"another installation's"), finding())


def test_an_allowed_value_is_allowed_where_the_entry_says_and_as_long() -> None:
    assert admitted(allowed(rule="some-key"), finding())
    assert not admitted(allowed(rule="other-key"), finding())
    assert not admitted(allowed(tenant="globex"), finding())
    assert not admitted(allowed(agent="other"), finding())
    assert admitted(allowed(until=TODAY), finding())
    assert not admitted(allowed(until=YESTERDAY), finding())


def test_two_entries_that_begin_alike_are_told_apart() -> None:
    real = value_digest(SALT, "a value")
    alike = real[:8] + "0" * 56
    assert not admitted(AllowedValue(digest=alike, reason="r"), finding())
    assert admitted(allowed(), finding())


# --- the tuned scanner --------------------------------------------------------------------------------------------------


def tuned(policy: ContentPolicy, *results: ScanResult) -> TunedScanner:
    return TunedScanner(Told(*results), policy, "acme", "echo", TODAY, digest="d")


def test_both_ways_to_scan_are_under_the_policy() -> None:
    policy = ContentPolicy(rules=(RuleChange(rule="some-key", action="flag"),), allowed=(allowed("known"),))
    found = ScanResult((finding(), finding(value="known"), finding("other-key")))
    scanner = tuned(policy, found, ScanResult())
    expected = ScanResult((finding(action=Action.FLAG), finding("other-key")))
    assert scanner.scan("text") == expected
    assert scanner.scan_all(("text", "")) == (expected, ScanResult())


def test_a_refusal_stays_one() -> None:
    refused = ScanResult((), Refusal.TIME)
    policy = ContentPolicy(rules=(off(),), allowed=(allowed(),))
    assert tuned(policy, refused).scan("text") == refused
    assert tuned(policy, refused).scan_all(("text",)) == (refused,)


def test_each_tenant_and_agent_has_its_own_scanner_for_a_day() -> None:
    scanners = TunedScanners(Told(ScanResult((finding(),))), ContentPolicy(rules=(off(tenant="acme", until=TODAY),)), "content")
    assert scanners.tuned("acme", "echo", TODAY).scan("") == ScanResult()
    assert scanners.tuned("globex", "echo", TODAY).scan("").findings
    assert scanners.tuned("acme", "echo", TODAY) is scanners.tuned("acme", "echo", TODAY)
    assert scanners.tuned("acme", "echo", TOMORROW).scan("").findings


def test_the_stamped_digest_is_of_everything_that_decides() -> None:
    plain, policed = TunedScanners(Told(), EMPTY), TunedScanners(Told(), EMPTY, "content")
    assert plain.digest == plain.tuned("acme", "echo", TODAY).digest == "packs"
    digests = {plain.digest, policed.digest, rules_digest("packs", "other"), rules_digest("packs", "content", "weights")}
    assert len(digests) == 4
    assert policed.tuned("acme", "echo", TODAY).digest == policed.digest
