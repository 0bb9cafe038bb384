"""DLP: what goes out is clean, stays readable and stays what it claims to be; what cannot be read does not go out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockgate_schemas.content import ContentPolicy, RuleChange, Shape
from lockgate_workers.dlp.decide import (
    RULE_CLEAN,
    RULE_LINKS,
    RULE_MALFORMED,
    RULE_MARKUP,
    RULE_MEDIA_TYPE,
    RULE_RESIDUE,
    RULE_SHAPE,
    DlpDecision,
    DlpOutcome,
    Question,
    decide,
)
from lockgate_workers.dlp.markup import clean_html, text_of
from lockgate_workers.dlp.shapes import RULE_ASKED, RULE_FIELD, RULE_ROW, asked
from lockgate_workers.dlp.terms import Asked, DlpTerms, terms_for
from lockgate_workers.scanning.content import TunedScanners
from lockgate_workers.scanning.engine import ScanLimits, Scanner
from lockgate_workers.scanning.findings import Action, Finding, Refusal, ScanResult, Severity
from lockgate_workers.scanning.loading import load_scanner

AWS = "AKIA" + "Q7SJ4DNN7TZRMB2K"
GITHUB = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
MAIL = "anna.berg@lockgate-mail.org"
PEM = "-----BEGIN RSA PRIVATE " + "KEY-----\nMIIEpAIBAAKCAQEAvJ3k9f0\n-----END RSA PRIVATE KEY-----"
PLAIN, JSON, HTML = "text/plain", "application/json", "text/html"


def is_blocked(found: DlpDecision, rule: str) -> bool:
    return (found.decision, found.rule, found.body, found.content_type) == (DlpOutcome.BLOCK, rule, "", "")


# --- plain text -------------------------------------------------------------------------------------------------------


def test_clean_text_passes_untouched(scanner: Scanner) -> None:
    body = "if a < b && c > d: use List<Object>, Map<String, T>, #include <stdio.h>; &lt;div&gt; stays"
    found = decide(body, PLAIN, scanner)
    assert (found.decision, found.rule, found.body) == (DlpOutcome.PASS, RULE_CLEAN, body)
    assert found.content_type == "text/plain; charset=utf-8"


def test_secrets_are_replaced_by_the_name_of_the_rule(scanner: Scanner) -> None:
    found = decide(f"key {AWS}, mail {MAIL}.", PLAIN, scanner)
    assert found.body == "key [REDACTED:aws-access-key], mail [REDACTED:email]."
    assert (found.decision, found.rule) == (DlpOutcome.REDACT, "aws-access-key")


def test_a_private_key_blocks_the_whole_answer(scanner: Scanner) -> None:
    found = decide(f"here it is:\n{PEM}\n", PLAIN, scanner)
    assert is_blocked(found, "private-key")
    assert found.findings


def test_a_flag_alone_lets_the_answer_pass_and_is_told(scanner: Scanner) -> None:
    quiet = TunedScanners(scanner, ContentPolicy(rules=(RuleChange(rule="aws-access-key", action="flag"),)), "0" * 64)
    found = decide(f"it is {AWS}.", PLAIN, quiet.tuned("acme", "ops", date(2026, 1, 1)))
    assert (found.decision, found.rule) == (DlpOutcome.PASS, "aws-access-key")
    assert found.body == f"it is {AWS}."


def test_active_markup_in_plain_text_is_taken_out_and_the_rest_stays(scanner: Scanner) -> None:
    found = decide("a < b <script>steal()</script> &amp; c", PLAIN, scanner)
    assert found.body == "a < b [REMOVED:markup] &amp; c"
    assert (found.decision, found.rule) == (DlpOutcome.REDACT, RULE_MARKUP)


def test_a_lone_surrogate_is_malformed(scanner: Scanner) -> None:
    assert is_blocked(decide("a\ud800", PLAIN, scanner), RULE_MALFORMED)


# --- media types ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x\r\nset-cookie: a=b+json",
        "application/x y+json",
        "application/text/html, application/json, x+json",
        "application/+json",
        "application/x\u2028+json",
        "application/" + "x" * 200 + "+json",
        "application/vnd.x\x00+json",
        "application/<x>+json",
    ],
)
def test_a_media_type_is_a_token_and_nothing_that_a_header_could_be_ended_with(content_type: str, scanner: Scanner) -> None:
    assert is_blocked(decide("{}", content_type, scanner), RULE_MEDIA_TYPE)


def test_a_media_type_of_json_keeps_its_name(scanner: Scanner) -> None:
    assert (
        decide("{}", "Application/VND.acme.order-2+JSON; charset=utf-8", scanner).content_type
        == "application/vnd.acme.order-2+json"
    )


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "application/pdf",
        "image/png",
        "text/xml",
        "application/x-www-form-urlencoded",
        "evil+json",
        "image/svg+json",
        "text/plain; charset=utf-7",
        "text/plain; charset=utf-16",
        "text/plain; profile=utf-8",
        "text/html; charset=utf-8; charset=utf-7",
        "multipart/form-data; boundary=x",
        "application/octet-stream",
        "text/plain\r\nX-Evil: 1",
    ],
)
def test_a_type_nobody_can_read_is_blocked(content_type: str, scanner: Scanner) -> None:
    assert is_blocked(decide("fine", content_type, scanner), RULE_MEDIA_TYPE)


@pytest.mark.parametrize(
    "content_type", ["text/plain", "Text/Plain; Charset=UTF-8", "text/markdown", "text/plain;charset=us-ascii"]
)
def test_known_types_are_read(content_type: str, scanner: Scanner) -> None:
    assert decide("fine", content_type, scanner).decision is DlpOutcome.PASS


def test_json_under_another_name_is_read_as_json(scanner: Scanner) -> None:
    found = decide(json.dumps({"k": AWS}), "application/problem+json", scanner)
    assert json.loads(found.body) == {"k": "[REDACTED:aws-access-key]"}


# --- JSON -------------------------------------------------------------------------------------------------------------


def test_clean_json_goes_out_as_the_very_text_that_came_in(scanner: Scanner) -> None:
    body = ' {"b": [1.50, 1e3, -0, true, null, "\\u00e9"], "a": {}}\n'
    found = decide(body, JSON, scanner)
    assert (found.decision, found.body) == (DlpOutcome.PASS, body)


def test_each_field_is_redacted_for_itself_and_the_rest_stays_exact(scanner: Scanner) -> None:
    body = json.dumps({"n": [12345678901234567890, 0.1], "deep": [{"x": f"use {AWS} now"}], MAIL: True})
    found = decide(body, JSON, scanner)
    assert '"n":[12345678901234567890,0.1]' in found.body
    assert json.loads(found.body) == {
        "n": [12345678901234567890, 0.1],
        "deep": [{"x": "use [REDACTED:aws-access-key] now"}],
        "[REDACTED:email]": True,
    }


def test_the_name_of_a_member_tells_what_its_value_is(scanner: Scanner) -> None:
    found = decide('{"password": "uvK7#pq2mW9z", "note": "uvK7#pq2mW9z"}', JSON, scanner)
    assert json.loads(found.body) == {"password": "[REDACTED:password-assignment]", "note": "uvK7#pq2mW9z"}
    assert {(one.start, one.end) for one in found.findings} == {(0, 12)}, "in the one value, by however many rules"


def test_a_card_number_written_as_a_number_is_found(scanner: Scanner) -> None:
    found = decide('{"pan": 4111111111111111, "sum": 4111111111111112}', JSON, scanner)
    assert json.loads(found.body) == {"pan": "[REDACTED:card-number]", "sum": 4111111111111112}


def test_escaped_json_text_is_found(scanner: Scanner) -> None:
    escaped = "".join(f"\\u{ord(one):04x}" for one in AWS)
    assert json.loads(decide(f'["{escaped}"]', JSON, scanner).body) == ["[REDACTED:aws-access-key]"]


def test_two_names_redacted_to_the_same_marker_lose_no_value(scanner: Scanner) -> None:
    found = decide(json.dumps({MAIL: 1, "b" + MAIL: 2, "c" + MAIL: 3}), JSON, scanner)
    assert json.loads(found.body) == {"[REDACTED:email]": 1, "[REDACTED:email]#2": 2, "[REDACTED:email]#3": 3}


def test_a_script_in_a_json_string_is_taken_out(scanner: Scanner) -> None:
    found = decide(json.dumps({"html": "<img src=x onerror=alert(1)>hi"}), JSON, scanner)
    assert json.loads(found.body) == {"html": "[REMOVED:markup]hi"}
    assert found.rule == RULE_MARKUP


@pytest.mark.parametrize("cell", ["td", "th"])
def test_a_table_of_html_is_read_as_a_table(cell: str, scanner: Scanner) -> None:
    rows = (("user", "password"), ("bob", "s3cr3tP4ss!word"))
    drawn = "".join(f"<tr>{''.join(f'<{cell}>{one}</{cell}>' for one in row)}</tr>" for row in rows)
    found = decide(f"<table>{drawn}</table>", "text/html", scanner)
    assert (found.decision, found.rule, found.body) == (DlpOutcome.BLOCK, RULE_RESIDUE, "")
    harmless = decide(f"<table>{drawn}</table>".replace("password", "colour"), "text/html", scanner)
    assert harmless.decision is not DlpOutcome.BLOCK


@pytest.mark.parametrize("content_type", ["text/html", "text/plain", "application/json"])
def test_html_that_is_nested_too_deeply_to_be_parsed_is_blocked(content_type: str, scanner: Scanner) -> None:
    body = "<html>" + "<div>" * 1_000
    found = decide(json.dumps(body) if "json" in content_type else body, content_type, scanner)
    assert (found.decision, found.rule, found.body) == (DlpOutcome.BLOCK, RULE_MARKUP, "")


def test_a_private_key_in_a_json_string_blocks(scanner: Scanner) -> None:
    assert is_blocked(decide(json.dumps({"k": PEM}), JSON, scanner), "private-key")


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        '{"a": 1, "a": 2}',
        '[{"a": 1, "b": {"c": 1, "c": 1}}]',
        "[NaN]",
        "[Infinity]",
        "[-Infinity]",
        "[1e400]",
        "[" + "9" * 5000 + "]",
        '["\\ud800"]',
        '{"\\udfff": 1}',
        '["\ud800"]',
        "[" * 200 + "]" * 200,
        "[" * 100_000,
        "[" * 100_000 + "]" * 100_000,
        '{"a": 1} {"b": 2}',
        "\ufeff[]",
        "[01]",
        "['a']",
    ],
)
def test_json_that_two_parsers_might_read_differently_is_blocked(body: str, scanner: Scanner) -> None:
    assert is_blocked(decide(body, JSON, scanner), RULE_MALFORMED)


# --- HTML -------------------------------------------------------------------------------------------------------------


def test_html_keeps_its_text_and_loses_what_runs(scanner: Scanner) -> None:
    body = '<p onclick="x()">Hi <b>you</b></p><script>x()</script><a href="javascript:x()">a</a><iframe src=//e></iframe><svg onload=x()>'
    found = decide(body, HTML, scanner)
    assert found.body == '<p>Hi <b>you</b></p><a rel="noopener noreferrer">a</a>'
    assert found.content_type == "text/html; charset=utf-8"


def test_html_is_redacted_after_it_was_cleaned(scanner: Scanner) -> None:
    found = decide(f"<p>{AWS[:8]}<span></span></p><p>{GITHUB}</p>", HTML, scanner)
    assert "[REDACTED:github-token]" in found.body


def test_a_secret_split_by_tags_is_not_released(scanner: Scanner) -> None:
    found = decide(f"<p>{AWS[:8]}<b>{AWS[8:]}</b></p>", HTML, scanner)
    assert found.decision is not DlpOutcome.PASS
    assert AWS[:8] not in text_of(found.body)
    assert AWS[8:] not in found.body


def test_a_secret_split_by_a_comment_is_found(scanner: Scanner) -> None:
    found = decide(f"<p>{AWS[:8]}<!-- -->{AWS[8:]}</p>", HTML, scanner)
    assert found.body == "<p>[REDACTED:aws-access-key]</p>"


# --- failing closed ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "content_type"), [("plain text", PLAIN), ('["plain text"]', JSON), ("<p>plain text</p>", HTML)]
)
def test_a_refused_scan_blocks_by_its_reason(body: str, content_type: str) -> None:
    narrow = load_scanner("dlp", limits=ScanLimits(max_bytes=5))
    assert is_blocked(decide(body, content_type, narrow), Refusal.SIZE.value)


@pytest.mark.parametrize(("body", "content_type"), [(f"a {AWS}", PLAIN), (json.dumps([AWS]), JSON), (f"<p>{AWS}</p>", HTML)])
def test_when_redaction_does_not_work_nothing_goes_out(body: str, content_type: str, scanner: Scanner) -> None:
    assert is_blocked(decide(body, content_type, scanner, replacement=lambda value, _found: f"{value}."), RULE_RESIDUE)


SECRETS = (AWS, GITHUB, MAIL, "5555 5555 5555 4444", "DE89 3704 0044 0532 0130 00", "10.20.30.40:5432")
FILLER = st.text(st.sampled_from(list("abc XYZ 019.,:;-_/<>\"'\n\\%&=\u00e9\u200b\uff41\u0441{}[]")), max_size=30)
PIECES = st.lists(st.tuples(FILLER, st.sampled_from(SECRETS)), max_size=4)
RELAXED = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@RELAXED
@given(PIECES, st.sampled_from([PLAIN, HTML]))
def test_what_is_released_is_at_rest_and_holds_no_secret(
    scanner: Scanner, pieces: list[tuple[str, str]], content_type: str
) -> None:
    found = decide("".join(f"{filler} | {secret} | " for filler, secret in pieces), content_type, scanner)
    assert not any(secret in found.body for secret in SECRETS)
    if found.decision is not DlpOutcome.BLOCK:
        again = decide(found.body, content_type, scanner)
        assert again.body == found.body


@RELAXED
@given(
    st.recursive(
        st.none() | FILLER | st.sampled_from(SECRETS) | st.integers(),
        lambda inner: st.lists(inner) | st.dictionaries(FILLER | st.sampled_from(SECRETS), inner),
    )
)
def test_released_json_is_json_of_the_same_shape_without_a_secret(scanner: Scanner, value: object) -> None:
    found = decide(json.dumps(value), JSON, scanner)
    if found.decision is DlpOutcome.BLOCK:
        return
    released = json.loads(found.body)
    assert type(released) is type(value) or (isinstance(value, int) and isinstance(released, str))
    if isinstance(value, (list, dict)):
        assert len(released) == len(value)
    assert not any(secret in found.body for secret in SECRETS)
    assert decide(found.body, JSON, scanner).body == found.body


# --- what the caller's terms say -----------------------------------------------------------------------------------------


def terms(**said: Any) -> DlpTerms:
    return terms_for(ContentPolicy(**said), Asked("acme", "anna", "reporter", "orders", "read"))


ORDERS = (Shape(agent="orders", fields=("orders[].id",), rows={"orders[].owner": "user"}, asked={"orders[].id": "order"}),)
ANSWER = '{"orders":[{"id":17,"owner":"anna","iban":"x"},{"id":18,"owner":"bo"}]}'


def test_fields_and_rows_beyond_the_scope_do_not_go_out(scanner: Scanner) -> None:
    said = asked({"order": 17}, ORDERS[0], b"salt")
    found = decide(ANSWER, JSON, scanner, terms(shapes=ORDERS), Question(said, b"salt"))
    assert (found.decision, found.rule) == (DlpOutcome.REDACT, RULE_ROW)
    assert found.body == '{"orders":[{"id":17}]}'
    assert {one.rule for one in found.findings} == {RULE_FIELD, RULE_ROW}


def test_an_answer_about_something_else_is_flagged(scanner: Scanner) -> None:
    body = '{"orders":[{"id":19,"owner":"anna"}]}'
    shape = (Shape(agent="orders", asked={"orders[].id": "order"}),)
    found = decide(body, JSON, scanner, terms(shapes=shape), Question(asked({"order": 17}, shape[0], b"salt"), b"salt"))
    assert (found.decision, found.rule, found.body) == (DlpOutcome.PASS, RULE_ASKED, body)


def test_a_shape_may_block(scanner: Scanner) -> None:
    found = decide(ANSWER, JSON, scanner, terms(shapes=(Shape(agent="orders", fields=("orders[].id",), over="block"),)))
    assert is_blocked(found, RULE_SHAPE)
    assert found.findings


def test_of_several_shapes_the_one_that_fits_best_decides(scanner: Scanner) -> None:
    wide = Shape(agent="orders", fields=("orders",))
    assert decide(ANSWER, JSON, scanner, terms(shapes=(*ORDERS, wide))).body == ANSWER


def test_what_no_shape_can_be_held_against_does_not_go_out(scanner: Scanner) -> None:
    shapes = terms(shapes=ORDERS)
    assert is_blocked(decide("order 17 is late", PLAIN, scanner, shapes), RULE_SHAPE)
    assert is_blocked(decide("<p>order 17</p>", HTML, scanner, shapes), RULE_SHAPE)
    assert is_blocked(decide("{}", JSON, scanner, terms(shapes=(Shape(agent="orders", roles=("lead",)),))), RULE_SHAPE)


def test_an_error_is_a_sentence_and_of_no_shape(scanner: Scanner) -> None:
    found = decide("no such order", PLAIN, scanner, terms(shapes=ORDERS), Question(failed=True))
    assert found.decision is DlpOutcome.PASS


def test_an_error_is_no_way_round_a_shape(scanner: Scanner) -> None:
    failed = Question(failed=True)
    assert is_blocked(decide("x" * 1_001, PLAIN, scanner, terms(shapes=ORDERS), failed), RULE_SHAPE)
    as_asked = decide(ANSWER, JSON, scanner, terms(shapes=ORDERS))
    as_error = decide(ANSWER, JSON, scanner, terms(shapes=ORDERS), failed)
    assert as_asked.body != ANSWER
    assert as_error == as_asked
    closed = terms(shapes=(Shape(agent="orders", roles=("lead",)),))
    assert is_blocked(decide("{}", JSON, scanner, closed, failed), RULE_SHAPE)


class Words:
    """Finds one word and redacts it."""

    digest = "0" * 64
    rules = ()

    def __init__(self, word: str) -> None:
        self._word = word

    def scan(self, text: str) -> ScanResult:
        start = text.find(self._word)
        end = start + len(self._word)
        return ScanResult((Finding("word", start, end, Severity.HIGH, Action.REDACT, "0" * 64),) if start >= 0 else ())

    def scan_all(self, texts: Sequence[str]) -> tuple[ScanResult, ...]:
        return tuple(map(self.scan, texts))


def test_what_only_a_reader_of_the_page_sees_is_looked_at_too() -> None:
    assert is_blocked(decide("<p>sec<b>ret</b></p>", HTML, Words("secret")), RULE_RESIDUE)
    assert decide("<p>sec<b>ret</b></p>", PLAIN, Words("secret")).decision is DlpOutcome.PASS


class Answers:
    """Answers whatever it is told, text by text."""

    digest = "0" * 64
    rules = ()

    def __init__(self, *results: ScanResult) -> None:
        self._results = results

    def scan(self, _text: str) -> ScanResult:
        return self._results[0]

    def scan_all(self, _texts: Sequence[str]) -> tuple[ScanResult, ...]:
        return self._results


@pytest.mark.parametrize("media", [PLAIN, JSON, HTML])
@pytest.mark.parametrize("count", [0, 3])
def test_a_scanner_that_answers_about_other_texts_lets_nothing_pass(media: str, count: int) -> None:
    assert is_blocked(decide('"x"', media, Answers(*[ScanResult()] * count)), Refusal.ENGINE)


def test_a_refusal_counts_on_whichever_text_it_stands() -> None:
    assert is_blocked(decide('{"a":"b"}', JSON, Answers(ScanResult(), ScanResult(refusal=Refusal.TIME))), Refusal.TIME)


def test_what_a_redaction_leaves_does_not_run() -> None:
    nothing = lambda _value, _found: ""  # noqa: E731 - the operator `redact`
    found = decide("<imgQQ src=x>", PLAIN, Words("QQ"), replacement=nothing)
    assert found.body == "[REMOVED:markup]"
    found = decide('{"a":"<svgQQ/onload=x()>"}', JSON, Words("QQ"), replacement=nothing)
    assert found.body == '{"a":"[REMOVED:markup]"}'


def test_a_redaction_over_a_quote_does_not_open_what_was_quoted() -> None:
    page = '<a title="&lt;img src=x onerror=x()&gt; QQ">a</a><b>" onclick=</b>'
    found = decide(page, HTML, Words('title="'), replacement=lambda _value, _found: "")
    assert found.decision in {DlpOutcome.REDACT, DlpOutcome.BLOCK}
    assert "<img" not in found.body
    assert found.body == clean_html(found.body)


@pytest.mark.parametrize(
    ("body", "content_type", "out"),
    [
        ("![x](https://evil.test/?q=1)", PLAIN, "![x](hxxps://evil[.]test/?q=1)"),
        ('{"a":"[x](https://evil.test/)"}', JSON, '{"a":"[x](hxxps://evil[.]test/)"}'),
        ("[x](https://docs.example.org/)", PLAIN, "[x](https://docs.example.org/)"),
    ],
)
def test_links_elsewhere_are_defanged_in_every_form(body: str, content_type: str, out: str, scanner: Scanner) -> None:
    assert decide(body, content_type, scanner, terms(links=("docs.example.org",))).body == out


def test_a_link_in_html_leads_nowhere_else(scanner: Scanner) -> None:
    out = decide('<a href="https://evil.test/">x</a>', HTML, scanner, terms(links=())).body
    assert "https://evil.test" not in out


def test_a_flood_of_links_that_hide_is_blocked(scanner: Scanner) -> None:
    assert is_blocked(decide("[a]:\\x " * 3_000, PLAIN, scanner), RULE_LINKS)


def test_images_lead_nowhere_unless_the_policy_says_so(scanner: Scanner) -> None:
    assert decide("![x](https://evil.test/p)", PLAIN, scanner).body == "![x](hxxps://evil[.]test/p)"
    assert decide("[x](https://evil.test/p)", PLAIN, scanner).body == "[x](https://evil.test/p)"
