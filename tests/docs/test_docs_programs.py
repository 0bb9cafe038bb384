"""Every Python program in the documentation runs as it stands there, against a real gateway, and says what it should."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest
from docs_reading import all_blocks

from lockgate import Client, Result, save_receipt
from lockgate.credentials import ClientCredentials
from lockgate_schemas.passage import Outcome

SENTENCE = "All work and no play makes a very long sentence."
SHORT = SENTENCE[:40]

SERVED = {("README.md", "agent.py"), ("docs/agents.md", "reports.py")}
"""Agents: the desk starts them because the pages say so."""
TESTED = {("docs/agents.md", "test_reports.py")}
RUN = {
    ("README.md", "client.py"): f"delivered {SHORT}",
    ("docs/alerts.md", "receive.py"): "leaks: 3 within 600 s",
    ("docs/clients.md", "one.py"): SHORT,
    ("docs/clients.md", "along.py"): f"{SHORT}\ndelivered",
    ("docs/clients.md", "again.py"): "True",
    ("docs/clients.md", "many.py"): "batch-7-19 delivered",
    ("docs/clients.md", "by_broker.py"): f"delivered {SHORT}",
    ("docs/pii.md", "plug_recognisers.py"): 'redact {"note":"badge [REDACTED:presidio-badge]"}',
    ("docs/pii.md", "in_presidio.py"): "email 9 36",
    ("docs/pii.md", "mask_and_encrypt.py"): "***************1111\nanna.berg@lockgate-mail.org\n",
    ("docs/wire.md", "check_receipt.py"): "['ingress', 'authz', 'inspection', 'dlp', 'outcome']",
    ("docs/wire.md", "check_entry.py"): "of the log of lockgate.local/audit",
}
"""What each prints, among other things."""


@pytest.fixture(scope="module")
def credentials(desk) -> ClientCredentials:
    return ClientCredentials.load(desk.folder / "billing.json")


@pytest.fixture(scope="module")
def evidence(desk, credentials: ClientCredentials) -> Path:
    """What the programs that check things find on the desk: a receipt, the trust file, an audit proof and its key."""
    result = asyncio.run(_asked(credentials))
    save_receipt(desk.folder / "receipt.json", result.receipt)
    trust = (desk.home / "trust.json").read_bytes()
    (desk.folder / "trust.json").write_bytes(trust)
    key = next(one["key"] for one in json.loads(trust)["keys"] if one["role"] == "audit")
    (desk.folder / "audit.key").write_text(key)
    desk.run(_command(), "audit", "prove", result.request_id, "--out", "proof")
    entry = min((desk.folder / "proof").glob("*.json"))
    entry.with_suffix(".tlog-proof").rename(desk.folder / "proof" / "entry.tlog-proof")
    return entry.rename(desk.folder / "proof" / "entry.json")


async def _asked(credentials: ClientCredentials) -> Result:
    async with Client(credentials) as client:
        return await client.call("summary", "shorten", SENTENCE)


def _command() -> Path:
    return Path(sys.executable).parent / "lockgate"


def test_no_program_is_left_out() -> None:
    found = [(block.page, block.name) for block in all_blocks("python")]
    assert set(found) == {*SERVED, *TESTED, *RUN}
    assert len(found) == len(set(found))
    assert len({name for _, name in found}) == len(found), "two programs of one name would overwrite each other"


@pytest.mark.parametrize(("program", "said"), [(name, said) for (_, name), said in RUN.items()])
def test_the_program_does_what_its_page_says(desk, evidence: Path, program: str, said: str) -> None:
    assert evidence.exists()
    assert said in desk.run(sys.executable, "-W", "error", program)


def test_the_tests_in_the_agents_page_pass(desk) -> None:
    options = ("-q", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function")
    assert "4 passed" in desk.run(sys.executable, "-m", "pytest", *options, "-W", "error", "test_reports.py")


async def test_the_agent_of_the_agents_page_answers(desk, credentials: ClientCredentials) -> None:
    del desk
    async with Client(credentials) as client:
        summary = await client.call("reports", "summary", {"text": "a long text", "most": 6})
        slow = await client.call("reports", "slow", 2)
        late = await client.call("reports", "slow", 1000, lifetime=4)
        order = await client.call("reports", "order", "two chairs")
        wrong = await client.call("reports", "summary", {"words": 1})
        story = await client.call("reports", "story", 3)
    assert summary.json() == {"for": "billing", "summary": "a long"}
    assert slow.expect().text == "finished"
    assert late.outcome is Outcome.FAILED
    assert late.text.startswith("stopped after")
    assert order.content_type.startswith("text/html")
    assert "ordered two chairs" in order.text
    assert story.content_type.startswith("text/markdown")
    assert story.expect().text.count("# Chapter") == 3
    assert wrong.outcome is Outcome.FAILED
    assert "words" in wrong.text


def test_an_entry_is_checked_with_the_command_of_the_wire_page(desk, evidence: Path) -> None:
    key = (desk.folder / "audit.key").read_text()
    assert "this is entry" in desk.run(_command(), "audit", "check", evidence, "--key", key)
