"""The policy decision point: denied unless permitted, sliced soundly, closed when anything fails."""

from __future__ import annotations

import pytest

from lockgate_ledger.records import AgentRecord, Binding, ClientRecord, Directory, KeyRecord, PolicyRecord
from lockgate_schemas.errors import ConfigurationError
from lockgate_schemas.passage import Decision, Door, Facts
from lockgate_schemas.principal import Principal
from lockgate_workers.authz.decide import decide
from lockgate_workers.authz.policy import PolicyDecisionPoint, check_policy, default_policy

ALICE = Principal(tenant="acme", client="app", user="alice", method="signed-envelope", kid="k1")
NOW = 1_000


def directory(text: str | None, *bindings: Binding, **changes) -> Directory:
    held: dict = {}
    for binding in bindings:
        held.setdefault((binding.tenant, binding.user, binding.agent), []).append(binding)
    members = {
        "epoch": 7,
        "clients": {"app": ClientRecord("app", "acme", "alice")},
        "keys": {"k1": KeyRecord("k1", "app", b"")},
        "agents": {"echo": AgentRecord("echo", "acme", ("say", "shout"))},
        "bindings": {key: tuple(value) for key, value in held.items()},
        "policy": None if text is None else PolicyRecord(text, 1, "d1"),
    }
    return Directory(**{**members, **changes})


def facts(agent: str = "echo", action: str = "say", principal: Principal = ALICE) -> Facts:
    return Facts(
        request_id="r",
        dispatch_id="d",
        gateway="g",
        agent=agent,
        action=action,
        principal=principal,
        envelope="",
        event_id="e",
        accepted=0,
        deadline=9_999,
        door=Door.HTTP,
    )


def ruled(view: Directory, **changes) -> tuple[Decision, str]:
    ruling = decide(facts(**changes), view, PolicyDecisionPoint(view), NOW)
    assert ruling.epoch == view.epoch
    return ruling.decision, ruling.rule


GRANT = Binding("acme", "alice", "echo")


@pytest.mark.parametrize("text", [None, "", "// only a comment"])
def test_no_policy_means_deny(text):
    assert ruled(directory(text, GRANT)) == (Decision.DENY, "no-policy")


def test_the_default_policy_permits_what_was_granted_and_nothing_else():
    assert ruled(directory(default_policy(), GRANT)) == (Decision.ALLOW, "granted-callers")
    assert ruled(directory(default_policy())) == (Decision.DENY, "default-deny")


@pytest.mark.parametrize(
    "binding",
    [
        Binding("acme", "alice", "other"),
        Binding("acme", "bob", "echo"),
        Binding("rival", "alice", "echo"),
        Binding("acme", "alice", "echo", role="reader"),
        Binding("acme", "alice", "echo", actions=("shout",)),
    ],
)
def test_a_grant_of_something_else_permits_nothing(binding):
    assert ruled(directory(default_policy(), binding)) == (Decision.DENY, "default-deny")


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"clients": {}}, "client-revoked"),
        ({"clients": {"app": ClientRecord("app", "acme", "alice", active=False)}}, "client-revoked"),
        ({"clients": {"app": ClientRecord("app", "rival", "alice")}}, "client-revoked"),
        ({"clients": {"app": ClientRecord("app", "acme", "mallory")}}, "client-revoked"),
        ({"keys": {}}, "key-revoked"),
        ({"keys": {"k1": KeyRecord("k1", "app", b"", revoked=True)}}, "key-revoked"),
        ({"keys": {"k1": KeyRecord("k1", "app", b"", ends=NOW)}}, "key-revoked"),
        ({"keys": {"k1": KeyRecord("k1", "another", b"")}}, "key-revoked"),
        ({"agents": {}}, "default-deny"),
        ({"agents": {"echo": AgentRecord("echo", "acme", ("say",), active=False)}}, "default-deny"),
        ({"agents": {"echo": AgentRecord("echo", "acme", ("other",))}}, "unknown-action"),
    ],
)
def test_whatever_is_gone_refuses(change, rule):
    assert ruled(directory(default_policy(), GRANT, **change)) == (Decision.DENY, rule)


def test_an_unknown_agent_and_a_forbidden_one_have_the_same_rule():
    view = directory(default_policy())
    assert ruled(view, agent="echo") == ruled(view, agent="nobody")


def test_forbid_wins_and_names_itself():
    text = default_policy() + '@id("frozen") forbid (principal, action, resource == Agent::"echo");'
    assert ruled(directory(text, GRANT)) == (Decision.DENY, "frozen")


def test_policies_of_other_agents_are_left_out_and_change_nothing():
    text = default_policy() + "".join(
        f'@id("other{n}") forbid (principal, action, resource == Agent::"agent{n}");' for n in range(50)
    )
    view = directory(text, GRANT)
    assert ruled(view) == (Decision.ALLOW, "granted-callers")
    point = PolicyDecisionPoint(view)
    assert len(point._slice("echo")) == 1
    assert len(point._slice("agent7")) == 2


@pytest.mark.parametrize(
    "scope",
    [
        "resource",
        'resource == Agent::"echo"',
        'resource in Agent::"echo"',
        "resource is Agent",
        'resource is Agent in Agent::"echo"',
    ],
)
def test_a_forbid_is_never_sliced_away_from_the_agent_it_concerns(scope):
    text = default_policy() + f'@id("no") forbid (principal, action, {scope});'
    assert ruled(directory(text, GRANT)) == (Decision.DENY, "no")


def test_a_policy_that_fails_while_evaluated_denies_even_beside_a_permit():
    text = default_policy() + '@id("broken") forbid (principal, action, resource) when { context.missing == 1 };'
    assert ruled(directory(text, GRANT)) == (Decision.DENY, "policy-error")


def test_a_policy_set_that_does_not_parse_denies():
    assert ruled(directory("permit (", GRANT)) == (Decision.DENY, "policy-error")


@pytest.mark.parametrize("text", ["permit (", "nonsense", "permit (principal == ?principal, action, resource);"])
def test_what_could_not_be_evaluated_is_not_accepted(text):
    with pytest.raises(ConfigurationError):
        check_policy(text)


def test_attributes_and_context_can_be_asked_about():
    text = """
    @id("own-tenant") permit (principal, action == Action::"say", resource)
    when { principal.tenant == resource.tenant && context.method == "signed-envelope" && principal.client == "app" };
    """
    assert ruled(directory(text)) == (Decision.ALLOW, "own-tenant")
    assert ruled(directory(text), action="shout") == (Decision.DENY, "default-deny")
