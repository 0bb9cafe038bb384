"""Drafts: whatever comes of them in whatever order, what is shown is the beginning of what the answer is redacted to, and nothing decides the answer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate_ingress.showing import Beginning, Delta, Showing, Withdrawn
from lockgate_schemas.content import ContentPolicy, Operator, Shape, Streaming
from lockgate_schemas.passage import Outcome, Response, ResponseStatus, raw
from lockgate_workers.dlp.decide import DlpOutcome, decide
from lockgate_workers.dlp.drafts import RULE_NO_RIGHT, RULE_TOO_LARGE, of_draft
from lockgate_workers.dlp.source import _repeats
from lockgate_workers.dlp.terms import Asked, DlpTerms, terms_for
from lockgate_workers.ruling import Held, OfDraft, Shown, Withheld
from lockgate_workers.scanning.engine import Scanner
from lockgate_workers.scanning.packs import parse_pack

# The keys below are made up; they are put together here so that no leak scanner reports this file.
AWS = "AKIA" + "Q3XJ7WVT5M2N4RKB"
PEM = "-----BEGIN RSA " + "PRIVATE KEY-----\n" + "MIIEpAIBAAKCAQEA7bq9hJ2vV1nJx8kQ\n" * 8 + "-----END RSA " + "PRIVATE KEY-----"
PROSE = "The build went through and the report is in the usual place, nothing else has changed since yesterday.\n"
TERMS = DlpTerms(streams=True, links=("docs.example.org",))
CODEWORD = b"""rules:
  - {id: codeword, description: 'the word that must not get out', severity: critical, action: block, pattern: 'PELICAN',
     examples: {match: ['PELICAN'], skip: ['pelican']}}
"""
PIECES = [
    PROSE,
    PROSE * 12,
    f"key = {AWS}\n",
    PEM,
    "password: ",
    "hunter2-Zq8!vk\n",
    "[d](https://evil.test/a?q=1) ",
    "![x](https://evil.test/?q=1) ",
    "QUtJQVEzWEo3V1ZUNU0yTjRSS0I= ",
    "<script>x()</script> ",
    "x" * 700,
    "é\u200bß ",
]


def draft(text: str, scanner: Scanner, terms: DlpTerms = TERMS, content_type: str = "text/plain", **members: Any) -> OfDraft:
    status = members.pop("status", ResponseStatus.OK)
    response = raw(Response(status=status, body=text, content_type=content_type))
    return of_draft(response, scanner, terms, epoch=3, most=members.pop("most", 100_000), **members)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=8).map("".join),
    st.lists(st.integers(0, 4_000), max_size=8),
)
def test_any_order_doubles_and_losses_show_a_beginning_and_in_the_end_the_answer(text: str, cuts: list[int]) -> None:
    """``cuts`` are the drafts as they come: in any order, some twice, most of those that were sent never."""
    whole = decide(text, "text/plain", scanner_of_this_module(), TERMS)
    showing, shown = Showing(), ""
    for cut in cuts:
        said = draft(text[:cut], scanner_of_this_module())
        if whole.decision is not DlpOutcome.BLOCK and "<script>" not in text:
            assert not isinstance(said, Withheld), "what goes out as a whole is not refused in part"
            assert not isinstance(said, Shown) or whole.body.startswith(said.text)
        if isinstance(said, Held):
            continue
        event = showing.next(Beginning(said.text) if isinstance(said, Shown) else Beginning("", refused=True))
        if isinstance(event, Delta):
            assert event.offset == len(shown)
            shown += event.text
    delivered = whole.decision is not DlpOutcome.BLOCK
    last = showing.end(ended(whole.body if delivered else None))
    if isinstance(last, Delta):
        shown += last.text
    if delivered and "<script>" not in text:
        assert shown == whole.body
        assert not isinstance(last, Withdrawn)
    assert AWS not in shown
    assert "<script>" not in shown


_known: list[Scanner] = []


@pytest.fixture(autouse=True)
def _scanner(scanner: Scanner) -> None:
    _known[:] = [scanner]


def scanner_of_this_module() -> Scanner:
    return _known[0]


def ended(body: str | None) -> Any:
    outcome = Outcome.BLOCKED if body is None else Outcome.DELIVERED
    response = raw(Response(status=ResponseStatus.OK, body=body or ""))
    return cast("Any", SimpleNamespace(outcome=outcome, code="" if body else "response-blocked", response=response))


def test_what_cannot_be_settled_yet_is_held(scanner: Scanner) -> None:
    assert isinstance(draft(PROSE * 5, scanner), Held)
    assert isinstance(draft("", scanner), Held)
    shown = draft(PROSE * 30, scanner)
    assert isinstance(shown, Shown)
    assert (PROSE * 30).startswith(shown.text)
    assert (shown.rule, shown.rules, shown.epoch) == ("beginning", scanner.digest, 3)


def test_a_finding_is_replaced_in_what_is_shown_and_named(scanner: Scanner) -> None:
    shown = draft(PROSE * 3 + f"key = {AWS}\n" + PROSE * 30, scanner)
    assert isinstance(shown, Shown)
    assert "[REDACTED:aws-access-key]" in shown.text
    assert (shown.rule, [one.rule for one in shown.findings]) == ("aws-access-key", ["aws-access-key"])


def test_links_elsewhere_are_defanged_as_in_the_answer(scanner: Scanner) -> None:
    text = PROSE * 3 + "see [it](https://evil.test/a?q=1) for more\n" + PROSE * 30
    shown = draft(text, scanner)
    assert isinstance(shown, Shown)
    assert "https://evil.test" not in shown.text
    assert decide(text, "text/plain", scanner, TERMS).body.startswith(shown.text)


def test_what_blocks_the_answer_refuses_the_draft() -> None:
    scanner = Scanner([parse_pack("own.yaml", CODEWORD)], clock=lambda: 0.0, evidence_key=b"k" * 32)
    said = draft(PROSE * 20 + "it is PELICAN, then\n" + PROSE * 40, scanner)
    assert isinstance(said, Withheld)
    assert (said.rule, said.told, [one.rule for one in said.findings]) == ("codeword", True, ["codeword"])


def test_what_may_still_be_more_is_shown_up_to_where_it_begins(scanner: Scanner) -> None:
    said = draft(PROSE * 20 + PEM + PROSE * 40, scanner)
    assert isinstance(said, Shown)
    assert (PROSE * 20).startswith(said.text)


def test_active_markup_waits_for_the_answer_from_which_it_is_taken_out(scanner: Scanner) -> None:
    assert isinstance(draft(PROSE * 12 + "<script>x()</script>" + PROSE * 40, scanner), Held)


@pytest.mark.parametrize(
    "head", ["<!doctype html>\n<p>", "<!-- not for the client -->\n<!DOCTYPE html>", "<!-- a > b -->", " <head >\n"]
)
def test_what_may_be_a_document_waits_for_the_answer_of_which_much_is_dropped(head: str, scanner: Scanner) -> None:
    assert isinstance(draft(head + PROSE * 60, scanner), Held)


def test_without_the_right_nothing_is_even_read(scanner: Scanner) -> None:
    said = draft(PROSE * 30, scanner, DlpTerms())
    assert said == Withheld(RULE_NO_RIGHT, scanner.digest, 3, told=False)


@pytest.mark.parametrize(
    ("response", "rule"),
    [
        (raw(Response(status=ResponseStatus.ERROR, body=PROSE)), "unknown-media-type"),
        (raw(Response(status=ResponseStatus.OK, body="{}", content_type="application/json")), "unknown-media-type"),
        (raw(Response(status=ResponseStatus.OK, body="<p>", content_type="text/html")), "unknown-media-type"),
        (raw(Response(status=ResponseStatus.OK, body="x", content_type="text/plain; charset=utf-16")), "unknown-media-type"),
        (raw(Response(status=ResponseStatus.OK, body="x" * 1_001)), RULE_TOO_LARGE),
        (msgspec.Raw(b'{"status":"ok"}'), "malformed-body"),
        (msgspec.Raw(b"[" * 10_000), "malformed-body"),
    ],
)
def test_what_is_no_text_that_is_being_written_is_refused(scanner: Scanner, response: msgspec.Raw, rule: str) -> None:
    said = of_draft(response, scanner, TERMS, epoch=3, most=1_000)
    assert isinstance(said, Withheld)
    assert said.rule == rule


def test_where_more_than_the_rules_decides_nothing_is_shown_early(scanner: Scanner) -> None:
    assert isinstance(draft(PROSE * 30, scanner, settles=False), Held)
    shape = Shape(agent="a", action="b", fields=("*",))
    for terms in (DlpTerms(streams=True, shapes=(shape,)), DlpTerms(streams=True, closed=True)):
        assert isinstance(draft(PROSE * 30, scanner, terms), Withheld)


def test_only_replacements_that_are_the_same_each_time_can_be_shown_early() -> None:
    def operator(name: str, key: str = "") -> Operator:
        return msgspec.convert({"finds": "x", "operator": name, "key": key}, Operator)

    assert all(_repeats(operator(name)) for name in ("redact", "replace", "mask"))
    assert _repeats(operator("hash", "k"))
    assert not _repeats(operator("hash"))
    assert not _repeats(operator("encrypt", "k"))


@pytest.mark.parametrize(
    ("one", "may"),
    [
        (Streaming(agent="writer"), True),
        (Streaming(agent="writer", action="say", tenant="acme"), True),
        (Streaming(agent="other"), False),
        (Streaming(agent="writer", action="sing"), False),
        (Streaming(agent="writer", tenant="globex"), False),
    ],
)
def test_the_right_is_the_agents_for_an_action_and_a_tenant(one: Streaming, *, may: bool) -> None:
    who = Asked(tenant="acme", user="u", client="c", agent="writer", action="say")
    assert terms_for(ContentPolicy(streams=(one,)), who).streams is may
    assert not terms_for(ContentPolicy(), who).streams
