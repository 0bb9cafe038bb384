"""What the documentation states in tables and examples is what the code says: limits, settings, outcomes, policies, rules, formats."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest
from docs_reading import Block, all_blocks, blocks, code_words, read, table

from lockgate.drafts import LEAST_STEP
from lockgate.request import Request
from lockgate.settings import AgentSettings
from lockgate_broker.limits import DEFAULT_LIMITS
from lockgate_cli.config import Config, load_config
from lockgate_ingress.http.problems import ENDINGS
from lockgate_ledger.records import AgentRecord, Binding, Directory, PolicyRecord
from lockgate_schemas.content import EMPTY, ContentPolicy, parse_content
from lockgate_schemas.envelope import ALGORITHM, REQUEST_TYPE, parse_event
from lockgate_schemas.limits import Limits
from lockgate_schemas.passage import MOST_DRAFTS, Decision, Outcome, Statement
from lockgate_schemas.principal import Principal
from lockgate_workers.authz.policy import PolicyDecisionPoint, check_policy, default_policy
from lockgate_workers.scanning.loading import load_scanner
from lockgate_workers.scanning.packs import Rule


def test_every_limit_is_documented_with_its_default_and_no_other() -> None:
    documented = {code_words(row[0])[0]: int(row[1]) for row in table("docs/operations.md", "Limit")}
    assert documented == msgspec.structs.asdict(Limits())


def test_every_setting_is_documented_and_no_other() -> None:
    documented = [word for row in table("docs/operations.md", "Member") for word in code_words(row[0])]
    assert sorted(documented) == sorted(Config.__struct_fields__)


def test_the_defaults_of_the_documented_settings() -> None:
    config = Config()
    row = {word: cells for cells in table("docs/operations.md", "Member") for word in code_words(cells[0])}
    assert code_words(row["gateway"][1]) == [config.gateway]
    assert code_words(row["host"][1]) == [config.host, str(config.port)]
    assert code_words(row["admin_port"][1]) == [str(config.admin_port)]
    assert code_words(row["ack_wait"][1]) == [str(config.ack_wait)]


@pytest.mark.parametrize("block", all_blocks("toml"), ids=lambda block: block.page)
def test_settings_in_examples_are_taken(block: Block, tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text(block.text)
    assert load_config(tmp_path) != Config()


def test_the_outcomes_and_their_statuses() -> None:
    rows = {code_words(row[0])[0]: row for row in table("docs/wire.md", "Outcome")}
    assert set(rows) == {str(outcome) for outcome in Outcome}
    for outcome, face in ENDINGS.items():
        row = rows[str(outcome)]
        assert (int(row[1]), code_words(row[2])) == (face.status, [face.code])


def test_the_readme_names_every_outcome() -> None:
    assert all(f"`{outcome}`" in read("README.md") for outcome in Outcome)


def test_every_member_of_a_statement_and_every_decision_is_explained() -> None:
    text = read("docs/wire.md").split("## Statements")[1].split("## Messages")[0]
    named = set(re.findall(r"`(\w+)`", text))
    assert {*Statement.__struct_fields__, *map(str, Decision)} <= named


def test_every_member_of_a_request_is_explained() -> None:
    documented = {word for row in table("docs/agents.md", "Member") for word in code_words(row[0])}
    members = {name for name in (*Request.__dataclass_fields__, "remaining") if not name.startswith("_")}
    assert members <= documented


def test_the_numbers_in_the_agents_page() -> None:
    settings, text = AgentSettings(), read("docs/agents.md")
    assert f"`cancel_grace` ({settings.cancel_grace:g} s)" in text
    assert f"`drain` ({settings.drain:g} s)" in text
    assert f"the last {settings.remembered:,} answers" in text
    assert f"at least {LEAST_STEP} characters" in text
    assert f"`draft` (1 to {MOST_DRAFTS})" in read("docs/wire.md")


def test_the_numbers_about_quarantine() -> None:
    text = read("docs/operations.md")
    assert f"kept for {DEFAULT_LIMITS.quarantine_age / 86_400:g} days" in text
    assert f"up to {DEFAULT_LIMITS.quarantine_bytes >> 20} MiB" in text


def test_the_envelope_in_the_wire_page_is_one() -> None:
    header, event = (json.loads(block.text) for block in blocks("docs/wire.md", "json"))
    assert header.keys() == {"alg", "kid", "typ"}
    assert (header["alg"], header["typ"]) == (ALGORITHM, REQUEST_TYPE)
    assert parse_event(json.dumps(event).encode()).action == "shorten"


@pytest.mark.parametrize(
    "block", [block for block in all_blocks("yaml") if "examples:" in block.text], ids=lambda block: block.page
)
def test_rules_in_examples_load_and_hold(block: Block, tmp_path: Path) -> None:
    (tmp_path / "extra.yaml").write_text(block.text)
    assert any(rule.id == "acme-badge" for rule in load_scanner("dlp", tmp_path).rules)


_PARTS = ContentPolicy.__struct_fields__


@pytest.mark.parametrize(
    "block",
    [block for block in all_blocks("yaml") if block.text.partition(":")[0] in _PARTS and "examples:" not in block.text],
    ids=lambda block: block.page,
)
def test_content_policies_in_examples_are_taken(block: Block) -> None:
    assert parse_content(block.text) != EMPTY


def test_every_member_of_a_rule_is_explained() -> None:
    documented = {word for row in table("CONTRIBUTING.md", "Member") for word in code_words(row[0])}
    assert documented | {"id", "description", "examples"} == set(Rule.__struct_fields__)


# --- policies ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(len(blocks("docs/policies.md", "cedar"))))
def test_policies_parse(number: int) -> None:
    check_policy(blocks("docs/policies.md", "cedar")[number].text)


def test_the_first_policy_is_the_one_a_new_gateway_has() -> None:
    plain = "\n".join(line for line in default_policy().splitlines() if not line.startswith("//"))
    assert blocks("docs/policies.md", "cedar")[0].text.strip() == plain.strip()


@pytest.mark.parametrize(
    ("who", "role", "agent", "action", "rule"),
    [
        ("acme/shop", "caller", "ops", "restart", "granted-callers"),
        ("acme/shop", "reader", "ops", "list", "readers"),
        ("acme/shop", "reader", "ops", "restart", "default-deny"),
        ("other/shop", "caller", "ops", "list", "own-tenant-only"),
        ("acme/billing", "caller", "ops", "list", "ops-is-not-for-billing"),
        ("acme/billing", "caller", "reporting", "list", "granted-callers"),
    ],
)
def test_what_the_example_policies_decide(who: str, role: str, agent: str, action: str, rule: str) -> None:
    tenant, client = who.split("/")
    text = blocks("docs/policies.md", "cedar")[1].text
    agents = {name: AgentRecord(name, "acme", ("list", "restart")) for name in ("ops", "reporting")}
    held = {(tenant, "anna", agent): (Binding(tenant, "anna", agent, role),)}
    directory = Directory(1, {}, {}, agents, held, PolicyRecord(text, 1, ""))
    decided = PolicyDecisionPoint(directory).evaluate(Principal(tenant, client, "anna", "signed-envelope"), agent, action)
    assert decided.rule == rule
    assert decided.permitted == (rule in {"granted-callers", "readers"})
