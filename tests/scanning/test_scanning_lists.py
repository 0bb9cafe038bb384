"""Values side by side with one sign between them: each of them is found, though a rule asks for a sign before and behind its value."""

from __future__ import annotations

import pytest

from lockgate_workers.scanning.engine import Scanner
from lockgate_workers.scanning.exact import ExactRule

VALUES = (
    ("10.60.45.86", "10.60.45.87", "172.20.7.9", "192.168.44.17:8080", "10.181.176.0/24"),
    ("gitlab-33.intra.acme.net", "ldap26.intranet", "db7.acme.corp"),
    ("4111111111111111", "5555-5555-5555-4444", "371449635398431"),
    ("536-22-8726", "536-22-8727", "536-22-8728", "536-22-8729"),
    ("3c:22:fb:9a:10:7e", "3c:22:fb:9a:10:7f", "3C-22-FB-9A-10-7D"),
    ("2a01:4f8:2569:5849::7", "2a01:4f8:2569:5849::8", "2a01:4f8:2569:5849::9"),
)


@pytest.mark.parametrize("between", [" ", ",", "\n", ";", "|", "\uff0c"])
@pytest.mark.parametrize("values", VALUES, ids=lambda values: str(values[0]))
def test_every_value_of_a_list_is_found(dlp_scanner: Scanner, values: tuple[str, ...], between: str) -> None:
    text = between.join(values)
    found = dlp_scanner.scan(text).findings
    at = 0
    for value in values:
        assert any(one.start <= at and at + len(value) <= one.end for one in found), value
        at += len(value) + len(between)


def test_a_long_list_is_found_to_its_end(dlp_scanner: Scanner) -> None:
    values = [f"10.60.{third}.{fourth}" for third in range(20, 30) for fourth in range(30, 50)]
    found = dlp_scanner.scan(" ".join(values)).findings
    assert sum(one.rule == "private-address" for one in found) == len(values)


def test_what_reaches_over_the_end_of_a_place_is_not_read_again_in_the_next(dlp_scanner: Scanner) -> None:
    rule = next(one for one in dlp_scanner.rules if one.id == "email")
    data = b"to anna.berg@lockgate-mail.org and otto@lockgate-mail.org"
    at = data.index(b"berg")
    whole = list(ExactRule(rule).candidates(data, [(0, len(data))], 1_024))
    assert len(whole) == 2
    assert list(ExactRule(rule).candidates(data, [(0, at), (at, len(data))], 1_024)) == whole
