"""The commands for content policies and rules: what they put in force, what they refuse, what they print, and what they never print."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from cli_shell import Shell

from lockgate_schemas.content import parse_content

KEY = "AKIA" + "Q7XWZ2M4PLKJ3RTY"
RULE = "aws-access-key"
PACK = """
rules:
  - id: acme-badge
    description: A badge number of Acme.
    severity: high
    action: redact
    pattern: '\\bACME-[0-9]{6}\\b'
    examples: {match: ["badge ACME-123456"], skip: ["ACME-12"]}
"""
BROKEN = yaml.safe_dump({"packs": [{"name": "badges", "scanner": "dlp", "text": PACK.replace("ACME-123456", "ACME-1")}]})
POLICY = """
# what our people agreed on
rules:
  - {rule: aws-access-key, action: block}
  - {rule: email, action: "off", agent: mailer, reason: it writes mails, until: 2999-12-31}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "content.yaml"


@pytest.fixture
def restored(shell: Shell, tmp_path: Path) -> Iterator[Shell]:
    yield shell
    empty = tmp_path / "empty.yaml"
    empty.write_text("# nothing\n")
    shell("content", "apply", str(empty))


@pytest.fixture
def nowhere(tmp_path: Path) -> Shell:
    """No gateway and no home: what is shipped is all there is."""
    return Shell(tmp_path / "nowhere")


def test_a_policy_is_checked_applied_and_shown(restored: Shell, file: Path) -> None:
    file.write_text(POLICY)
    before = restored.json("content", "show")["version"]
    assert restored.json("content", "check", str(file))["rules"] == 2
    assert restored.json("content", "show")["version"] == before
    assert f"version {before + 1}" in restored("content", "apply", str(file))
    shown = restored.json("content", "show")
    assert (shown["version"], shown["text"]) == (before + 1, POLICY)
    assert "what our people agreed on" in restored("content", "show")
    assert "delivered" in restored("submit", "ops", "list", "--client", "alice")
    (entry,) = [
        one for one in restored.json("audit", "search", "--rule", "content-apply") if one["code"].startswith(f"{before + 1} ")
    ]
    assert entry["epoch"] == shown["epoch"]


REFUSED = {
    "rules: [{rule: nobodys-rule, action: block}]": "nobodys-rule",
    "rules: [{rule: aws-access-key, action: 'off'}]": "aws-access-key",
    "lynx: []": "lynx",
    BROKEN: "rule pack content/badges, rule acme-badge",
    "alerts: [{name: leaks, on: dlp-block, to: [nobodys-pager]}]": "nobodys-pager",
    "links: [example.org, 'https://user:pw@example.org/']": "links[1]",
    "alerts: [{name: leaks, on: rule-trigger, rules: [nobodys-rule]}]": "nobodys-rule",
}


def test_what_cannot_be_used_is_refused_by_name_and_changes_nothing(restored: Shell, file: Path) -> None:
    before = restored.json("content", "show")
    for text, said in REFUSED.items():
        file.write_text(text)
        assert said in restored("content", "apply", str(file), code=2)
    assert restored.json("content", "show") == before
    file.write_text(BROKEN)
    assert "acme-badge" in restored("content", "check", str(file), code=2)


def test_rules_are_listed_as_they_hold(restored: Shell, file: Path) -> None:
    file.write_text(POLICY)
    restored("content", "apply", str(file))
    rules = {one["rule"]: one for one in restored.json("rules", "list", "--agent", "mailer")}
    assert (rules[RULE]["pack_action"], rules[RULE]["action"]) == ("redact", "block")
    assert rules["email"]["action"] == "off"
    plain = {one["rule"]: one for one in restored.json("rules", "list", "--scanner", "dlp", "--category", "pii")}
    assert plain["email"]["action"] == plain["email"]["pack_action"]
    assert RULE not in plain
    assert "block (not redact)" in restored("rules", "list", "--category", "secrets")


def test_a_value_is_allowed_without_being_shown_to_anybody(restored: Shell, file: Path) -> None:
    file.write_text("# ours\nallowed: []\nlinks: [a.example]\n")
    restored("content", "apply", str(file))
    arguments = ("rules", "allow", "--rule", RULE, "--reason", "a sample")
    printed = restored(*arguments, "--until", "2999-12-31", text=f"the key {KEY}\n")
    (entry,) = parse_content(printed).allowed
    assert (entry.rule, entry.reason, str(entry.until)) == (RULE, "a sample", "2999-12-31")
    assert KEY not in printed
    file.write_text("# ours\nlinks: [a.example]\n")
    restored("content", "apply", str(file))
    restored(*arguments, "--apply", text=f"{KEY}\n")
    shown = restored.json("content", "show")["text"]
    assert shown.startswith("# ours\n")
    assert parse_content(shown).allowed[0].digest == entry.digest  # the same, from the line and from the bare key
    (said,) = [one for one in restored.json("rules", "explain", f"the key is {KEY}")["dlp"]["said"] if one["rule"] == RULE]
    assert (said["action"], said["evidence"]) == ("allowed", entry.digest)
    assert "nothing was given" in restored(*arguments, text="\n", code=2)
    assert "nobodys-rule" in restored("rules", "allow", "--rule", "nobodys-rule", "--reason", "r", text=f"{KEY}\n", code=2)


def test_a_text_is_explained_from_one_place_and_only_one(nowhere: Shell, tmp_path: Path) -> None:
    text = tmp_path / "answer.txt"
    text.write_text(f"the key is {KEY}")
    for arguments in ((), ("some text", "--file", str(text))):
        assert "only one of them" in nowhere("rules", "explain", *arguments, code=2)
    assert "answer.txt" in nowhere("rules", "explain", "--file", str(tmp_path / "no" / "answer.txt"), code=2)
    told = nowhere("rules", "explain", "--file", str(text), "--scanner", "dlp")
    assert RULE in told
    assert KEY not in told


def test_a_text_is_explained_without_being_echoed(shell: Shell) -> None:
    text = f"mind the key {KEY} and password=changeme2024\n"
    told = shell("rules", "explain", "-", "--scanner", "dlp", text=text)
    assert RULE in told
    assert "1:14" in told
    assert "dropped:" in told
    assert KEY not in told
    assert "changeme2024" not in told


def test_packs_are_tried_on_their_examples(nowhere: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    (folder / "inspection").mkdir(parents=True)
    pack = folder / "inspection" / "badges.yaml"
    pack.write_text(PACK)
    (tried,) = nowhere.json("rules", "test", str(folder))
    assert (tried["scanner"], tried["rules"], tried["examples"], tried["failures"]) == ("injection", 1, 2, [])
    pack.write_text(PACK.replace("skip: [", 'skip: ["ACME-999999", '))
    assert "example 1 of 'skip' is found" in nowhere("rules", "test", str(pack), code=1)
    pack.write_text(PACK.replace("[0-9]{6}", "[0-9{6}"))
    assert "acme-badge" in nowhere("rules", "test", str(pack), code=2)
    pack.write_text(PACK.replace("acme-badge", RULE))
    assert RULE in nowhere("rules", "test", str(pack), code=2)
    assert "scanner" in nowhere("rules", "test", str(pack), "--scanner", "nose", code=2)


def test_the_shipped_rules_behave_and_are_measured(nowhere: Shell) -> None:
    (tried,) = nowhere.json("rules", "test", "--scanner", "injection")
    assert tried["rules"] > 0
    assert tried["failures"] == []
    figures = nowhere.json("rules", "bench", "--rounds", "10", "--scanner", "injection")
    assert set(figures) == {"injection, decoding", "injection, not decoding"}
    assert all(one["megabytes_a_second"] > 0 for one in figures.values())


def test_thresholds_are_set_on_what_the_gateway_has_seen(shell: Shell) -> None:
    answer, _ = (shell.json("submit", "ops", "list", "--client", "alice") for _ in range(2))
    found = shell.json("rules", "calibrate", "--agent", "ops", "--flag-rate", "0.5", "--block-rate", "0.25")
    assert found["scores"] >= 1
    assert 0 < found["flag"] <= found["block"] <= 1
    assert any("too few" in warning for warning in found["warnings"])
    without = shell.json("rules", "calibrate", "--agent", "ops", "--flag-rate", "0.5", "--attack", answer["request_id"])
    assert (without["scores"], without["attacks"]) == (found["scores"] - 1, 1)


def test_without_a_gateway_a_policy_can_be_checked_but_not_applied(nowhere: Shell, file: Path) -> None:
    file.write_text(POLICY + "injection: {block: 0.5}\nlinks: []\n")
    assert "2 rules, injection, no links" in nowhere("content", "check", str(file))
    assert "lockgate up" in nowhere("content", "apply", str(file), code=2)
