"""What an installation's content policy makes of a rule's action, for one tenant and one agent on one day. Pure.

The most specific change decides: one for the agent goes before one for the tenant, and that before one for everybody. Of equally
specific ones the strictest decides, and one whose last day is past says nothing: a rule that was off is then on again. What the
resulting action means for a message is left to the stages.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Final, Protocol

from lockgate_schemas.content import ContentPolicy, RuleChange
from lockgate_schemas.errors import ConfigurationError
from lockgate_workers.scanning.findings import ACTION_RANK, Action, Finding

_ALERT: Final = "alert "
OFF: Final = "off"
"""The one action that is not a finding's: there is no finding."""


class _Scoped(Protocol):
    @property
    def tenant(self) -> str: ...

    @property
    def agent(self) -> str: ...

    @property
    def until(self) -> date | None: ...


def holds(entry: _Scoped, tenant: str, agent: str, today: date) -> bool:
    """Whether an entry of the policy is about this tenant and agent, and its last day is not past."""
    return entry.tenant in {"", tenant} and entry.agent in {"", agent} and (entry.until is None or today <= entry.until)


def actions_for(changes: Iterable[RuleChange], tenant: str, agent: str, today: date) -> Mapping[str, str]:
    """What each changed rule does for this tenant and agent today; rules that are as their pack says are left out."""
    decisive: dict[str, tuple[tuple[bool, bool, int], str]] = {}
    for change in changes:
        if holds(change, tenant, agent, today):
            rank = (bool(change.agent), bool(change.tenant), _strictness(change.action))
            if change.rule not in decisive or rank > decisive[change.rule][0]:
                decisive[change.rule] = rank, change.action
    return {rule: action for rule, (_, action) in decisive.items()}


def changed(
    findings: Iterable[Finding], changes: Iterable[RuleChange], tenant: str, agent: str, today: date
) -> tuple[Finding, ...]:
    """The findings with the actions that hold for this tenant and agent today, without those of rules that are off."""
    return acted(findings, actions_for(changes, tenant, agent, today))


def acted(findings: Iterable[Finding], actions: Mapping[str, str]) -> tuple[Finding, ...]:
    """As `changed`, with the actions looked up before."""
    kept = []
    for finding in findings:
        action = actions.get(finding.rule)
        if action is None:
            kept.append(finding)
        elif action != OFF:
            kept.append(replace(finding, action=Action(action)))
    return tuple(kept)


def check_rule_names(policy: ContentPolicy, known: Collection[str], decisive: Collection[str] = ()) -> None:
    """Refuse a policy that speaks of a rule nobody has: a change that changes nothing is believed to hold.

    ``known`` are the scanners' rules. ``decisive`` are further names that stand on a stamp as what decided: alerts may ask for them too.

    Raises:
        ConfigurationError: names the first such rule, and where it stands.
    """
    for member, names in _rule_names(policy):
        for name in names:
            if name not in known and not (member.startswith(_ALERT) and name in decisive):
                raise ConfigurationError(
                    f"content policy: no rule is named {name} ({member}); `lockgate rules list` shows them"
                )


def _rule_names(policy: ContentPolicy) -> Iterable[tuple[str, Sequence[str]]]:
    yield "rules", [change.rule for change in policy.rules]
    yield "allowed", [entry.rule for entry in policy.allowed if entry.rule]
    # An entity of the language model is written in capitals, a rule is not.
    yield "operators", [operator.finds for operator in policy.operators if not operator.finds.isupper()]
    for alert in policy.alerts:
        yield f"{_ALERT}{alert.name}", alert.rules


def _strictness(action: str) -> int:
    return -1 if action == OFF else ACTION_RANK[Action(action)]
