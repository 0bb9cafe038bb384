"""What the page on alerts states is what the code says: kinds, shipped alerts, pauses, reasons, members."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import get_args, get_type_hints

from docs_reading import code_words, read, table

import lockgate_workers.alerts
from lockgate_ledger.alert_outbox import UNKNOWN
from lockgate_ledger.alerting import MOST_REQUESTS
from lockgate_schemas.alerts import OVER_BUDGET, SEVERITIES, SHIPPED
from lockgate_schemas.content import Alert
from lockgate_workers.alerts.backoff import Backoff
from lockgate_workers.alerts.destinations import AlertSettings, Email, Slack, Webhook
from lockgate_workers.alerts.posting import SECONDS

PAGE = "docs/alerts.md"


def test_every_kind_of_alert_is_explained() -> None:
    kinds = get_args(get_type_hints(Alert)["on"])
    assert {code_words(row[0])[0] for row in table(PAGE, "`on`")} == set(kinds)
    [budget] = [row for row in table(PAGE, "`on`") if "scanner-over-budget" in row[0]]
    assert set(code_words(budget[1])) == OVER_BUDGET


def test_the_shipped_alerts_are_these() -> None:
    rows = [(code_words(row[0])[0], code_words(row[1])[0], int(row[2]), int(row[3])) for row in table(PAGE, "Alert")]
    assert rows == [(alert.name, alert.on, alert.count, alert.window) for alert in SHIPPED]


def test_every_kind_of_destination_is_explained() -> None:
    kinds = {one.__struct_config__.tag for one in (Webhook, Slack, Email)}
    assert {code_words(row[0])[0] for row in table(PAGE, "Kind")} == kinds
    assert AlertSettings.__struct_fields__ == ("destinations", "keep_days", "keep_open_days")
    for member in ("keep_days", "keep_open_days"):
        assert f"`{member}` ({getattr(AlertSettings(), member)})" in read(PAGE)
    metrics = {tuple(row[0].strip("`").split()[0:1] + code_words(row[1])) for row in table(PAGE, "`kind`")}
    assert metrics == set(SEVERITIES.items())
    for one in (Webhook, Slack, Email):
        for member in one.__struct_encode_fields__:
            assert re.search(rf"\b{member}\b = ", read(PAGE)), member


def test_every_reason_is_explained() -> None:
    explained = {word.removesuffix("…") for row in table(PAGE, "Reason") for word in code_words(row[0])}
    raised = {UNKNOWN, "smtp-"}
    for path in Path(lockgate_workers.alerts.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "DeliveryError" and node.args:
                raised |= {str(part.value) for part in ast.walk(node.args[0]) if isinstance(part, ast.Constant)}
    assert raised - {"internal"} <= explained | {"code"}


def test_the_numbers_are_those_of_the_code() -> None:
    text, backoff = " ".join(read(PAGE).split()), Backoff()
    assert f"after {backoff.first // 1000} seconds" in text
    assert f"up to {backoff.longest // 3_600_000} hours" in text
    assert (backoff.factor, backoff.attempts) == (4, 9)
    assert "four times as long" in text
    assert "After nine attempts" in text
    assert f"up to {MOST_REQUESTS} request ids" in text
    assert f"each attempt has {SECONDS:g} seconds" in text
