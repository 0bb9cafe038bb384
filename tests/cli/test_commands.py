"""The command line as people use it: real commands in processes of their own, against a gateway that `lockgate up` started."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

from cli_shell import BOUND, LOCKGATE, Shell


def test_a_request_is_answered_and_its_way_can_be_drawn(shell: Shell) -> None:
    answer = shell.json("submit", "ops", "list", "--client", "alice")
    assert answer["outcome"] == "delivered"
    drawn = shell("requests", "show", answer["request_id"])
    for gate in ("ingress", "authz", "inspection", "dlp", "outcome", "all 5 stamps verified", "granted-callers"):
        assert gate in drawn
    shown = shell.json("requests", "show", answer["request_id"])
    assert shown["verified"] is True
    assert [g["stage"] for g in shown["gates"]] == ["ingress", "authz", "inspection", "dlp", "outcome"]


def test_a_denied_request_exits_with_one_and_says_so(shell: Shell) -> None:
    assert "denied" in shell("submit", "ops", "list", "--client", "bob", code=1)


def test_grants_can_be_given_and_taken(shell: Shell) -> None:
    shell("grant", "bob", "ops", "--action", "list")
    assert "delivered" in shell("submit", "ops", "list", "--client", "bob")
    assert "denied" in shell("submit", "ops", "read", "--client", "bob", "--data", '{"path":"README"}', code=1)
    shell("revoke", "bob", "ops")
    shell("submit", "ops", "list", "--client", "bob", code=1)
    shell("revoke", "bob", "ops", code=1)


def test_files_and_standard_input_are_sent(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "data.txt"
    file.write_text("not what the agent expects")
    assert "failed" in shell("submit", "ops", "read", "--client", "alice", "--file", str(file), code=1)
    assert "failed" in shell("submit", "ops", "read", "--client", "alice", "--file", "-", code=1, text="neither is this")
    shell("submit", "ops", "read", "--client", "alice", "--file", str(file), "--data", "both", code=2)


def test_an_answer_can_be_read_along(shell: Shell) -> None:
    whole = shell.json("submit", "ops", "list", "--client", "alice")["content"]
    streamed = shell("submit", "ops", "list", "--client", "alice", "--stream")
    assert streamed.startswith(whole)
    assert streamed.count(whole) == 1
    assert "delivered" in streamed
    assert "failed" in shell("submit", "ops", "read", "--client", "alice", "--stream", "--data", "1", code=1)
    shell("submit", "ops", "list", "--client", "alice", "--stream", "--json", code=2)


def test_several_clients_have_to_be_chosen_from(shell: Shell) -> None:
    assert "--client" in shell("submit", "ops", "list", code=2)


def test_names_that_are_addresses_are_refused_with_advice(shell: Shell) -> None:
    refused = shell("agent", "add", "http://169.254.169.254", "--action", "x", code=1)
    assert "logical name" in refused


def test_agents_and_clients_are_listed_and_removed(shell: Shell) -> None:
    shell("agent", "add", "passing", "--action", "run")
    assert "passing" in shell("agent", "list")
    shell("agent", "add", "passing", "--action", "run", code=1)
    shell("agent", "remove", "passing")
    states = {a["name"]: a["active"] for a in shell.json("agent", "list")}
    assert states == {"ops": True, "passing": False}
    shell("client", "add", "carol")
    shell("client", "remove", "carol")
    states = {c["name"]: c["active"] for c in shell.json("client", "list")}
    assert states["alice"]
    assert not states["carol"]
    shell("submit", "ops", "list", "--client", "carol", code=1)


def test_policies_are_shown_and_applied_and_checked(shell: Shell, tmp_path: Path) -> None:
    before = shell.json("policy", "show")
    broken, frozen = tmp_path / "broken.cedar", tmp_path / "frozen.cedar"
    broken.write_text("permit (")
    frozen.write_text('@id("frozen") forbid (principal, action, resource);')
    shell("policy", "apply", str(broken), code=2)
    assert shell.json("policy", "show") == before
    shell("policy", "apply", str(frozen))
    shell("submit", "ops", "list", "--client", "alice", code=1)
    original = tmp_path / "before.cedar"
    original.write_text(before["text"])
    shell("policy", "apply", str(original))
    assert "delivered" in shell("submit", "ops", "list", "--client", "alice")


def test_the_audit_log_is_verified_searched_and_proved_offline(shell: Shell, tmp_path: Path) -> None:
    answer = shell.json("submit", "ops", "list", "--client", "alice")
    assert shell.json("audit", "verify")["intact"] is True
    kept = tmp_path / "kept.checkpoint"
    kept.write_text(shell("audit", "checkpoint"))
    assert "nothing missing" in shell("audit", "verify", "--witness", str(kept))
    kept.write_text(kept.read_text().replace("\n", "\n1", 1))
    shell("audit", "verify", "--witness", str(kept), code=4)
    found = shell.json("audit", "search", "--request", answer["request_id"])
    assert {e["stage"] for e in found} == {"ingress", "authz", "inspection", "dlp", "outcome"}
    assert "granted-callers" in shell("audit", "search", "--stage", "authz", "--decision", "allow")
    shell("audit", "prove", answer["request_id"], "--out", str(tmp_path))
    entries = sorted(tmp_path.glob("*.json"))
    assert len(entries) == 5
    key = next(k["key"] for k in json.loads((shell.home / "trust.json").read_text())["keys"] if k["role"] == "audit")
    assert "this is entry" in shell("audit", "check", str(entries[0]), "--key", key)
    entries[0].write_bytes(entries[0].read_bytes().replace(b"allow", b"denyy"))
    shell("audit", "check", str(entries[0]), "--key", key, code=4)


def test_a_client_changes_its_key_without_a_pause(shell: Shell) -> None:
    shell("client", "add", "dave")
    shell("grant", "dave", "ops")
    before = json.loads((shell.home / "clients" / "dave.json").read_text())["kid"]
    shell("client", "add-key", "dave", "--out", str(shell.home / "new.json"))
    shell("submit", "ops", "list", "--client", "dave")
    (shell.home / "new.json").replace(shell.home / "clients" / "dave.json")
    shell("submit", "ops", "list", "--client", "dave")
    shell("client", "revoke-key", before)
    shell("submit", "ops", "list", "--client", "dave")


def test_requests_are_listed(shell: Shell) -> None:
    shell("submit", "ops", "list", "--client", "alice")
    found = shell.json("requests", "list", "--client", "alice", "--limit", "1")
    assert [r["agent"] for r in found] == ["ops"]
    assert "delivered" in shell("requests", "list", "--outcome", "delivered")
    assert "no request" in shell("requests", "show", "req_nothing", code=1)


def test_a_second_worker_of_a_stage_shares_its_queue(shell: Shell) -> None:
    worker = subprocess.Popen([*LOCKGATE, "worker", "dlp"], env=shell.environment, stdout=subprocess.PIPE, text=True)
    try:
        assert worker.stdout is not None
        assert "at work" in worker.stdout.readline()
        for _ in range(5):
            shell("submit", "ops", "list", "--client", "alice")
    finally:
        worker.terminate()
        assert worker.wait(BOUND) == 0
        worker.stdout.close()
    shell("worker", "ingress", code=2)


def test_without_a_gateway_the_error_names_the_fix(tmp_path: Path) -> None:
    shell = Shell(tmp_path / "nowhere")
    assert "lockgate up" in shell("client", "add", "x", code=2)
    assert "lockgate up" in shell("audit", "verify", code=2)


def test_a_wrong_configuration_names_the_member(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "gateway.toml").write_text("prot = 1\n")
    assert "prot" in Shell(home)("up", code=2)
    (home / "gateway.toml").write_text('gateway = "g"\nport = "x"\n')
    assert "port" in Shell(home)("up", code=2)
    home.chmod(0o777)
    assert "chmod" in Shell(home)("up", code=2)


def test_a_port_that_is_taken_is_named_at_once(tmp_path: Path, compiled_home: Callable[[Path], Path]) -> None:
    home = compiled_home(tmp_path / "home")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (home / "gateway.toml").write_text(f"port = {port}\n")
        refused = Shell(home)("up", code=2)
    assert str(port) in refused
    assert "another port" in refused
