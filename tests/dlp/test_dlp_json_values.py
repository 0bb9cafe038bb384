"""JSON: a value is scanned beside its name wherever that stands, and a list as the one text that it may be. What goes out stays valid and exact."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate_workers.dlp import json_body
from lockgate_workers.dlp.decide import RULE_CLEAN, RULE_RESIDUE, DlpDecision, DlpOutcome, decide
from lockgate_workers.dlp.json_lists import across, lists
from lockgate_workers.scanning.engine import Scanner
from lockgate_workers.scanning.findings import Action, Finding, Refusal, ScanResult, Severity

GITHUB = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
PASSWORD = "s3cr3tP4ss!word"
CARD = "4111111111111111"
PEM = ["-----BEGIN RSA PRIVATE " + "KEY-----", *["MIIEpAIBAAKCAQEAvJ3k9f0" * 2] * 3, "-----END RSA PRIVATE " + "KEY-----"]


def looked_at(document: object, scanner: Scanner) -> DlpDecision:
    return decide(json.dumps(document), "application/json", scanner)


@pytest.mark.parametrize(
    "document",
    [
        {"name": "DB_PASSWORD", "value": PASSWORD},
        [{"Name": "db.password", "Value": PASSWORD}],
        {"env": [{"value": PASSWORD, "name": "ADMIN_PASSWORD"}]},
        {"ParameterKey": "DbPassword", "ParameterValue": PASSWORD},
        {"db_password": {"sensitive": True, "type": "string", "value": PASSWORD}},
        {"Item": {"user": {"S": "bob"}, "password": {"S": PASSWORD}}},
        {"fields": {"password": {"stringValue": PASSWORD}}},
        {"password": {"old": "", "new": PASSWORD}},
        {"password": [{"value": {"value": [PASSWORD]}}]},
        {"settings": [["password", PASSWORD], ["colour", "blue"]]},
        [["user", 7], ["password", PASSWORD]],
        [["user", "bob"], ["password", PASSWORD]],
        ["password:", PASSWORD],
        {"columns": ["user", "password"], "rows": [["bob", PASSWORD]]},
        {"rows": [["bob", PASSWORD]], "columns": [{"name": "user", "type": "text"}, {"name": "password", "type": "text"}]},
        {"result": [["user", "password"], ["bob", PASSWORD], ["ann", "x"]]},
        [["user", "password"], ["bob", PASSWORD]],
    ],
)
def test_a_value_is_scanned_beside_its_name_wherever_that_stands(document: object, scanner: Scanner) -> None:
    found = looked_at(document, scanner)
    assert found.decision is DlpOutcome.REDACT
    assert PASSWORD not in found.body
    assert json.loads(found.body) == json.loads(json.dumps(document).replace(PASSWORD, "[REDACTED:password-assignment]"))


@pytest.mark.parametrize(
    "document",
    [
        {"name": "Anna", "value": "blue"},
        {"password": {"name": "nickname", "value": PASSWORD}},
        {"value": {"value": PASSWORD}},
        {"password": {"kind": PASSWORD}},
        {"columns": ["user", "password"], "rows": [["bob", "a", "b"]]},
        {"columns": "password", "rows": [["bob", PASSWORD]]},
        {"columns": [1, 2], "rows": [[PASSWORD]]},
        {"name": 7, "value": PASSWORD},
        {"name": "password\n" * 30, "value": 1},
        {"rows": [[], ["password"]]},
        {"rows": [["password"]]},
    ],
)
def test_what_is_no_pair_and_no_table_is_scanned_as_it_stands(document: object, scanner: Scanner) -> None:
    assert looked_at(document, scanner).rule == RULE_CLEAN


@pytest.mark.parametrize(
    "spelled",
    [
        *(CARD, f"{CARD}.0", f"{CARD}.00", "4.111111111111111e15", "4.111111111111111E+15", "4111111111111111e0"),
        *("4.111111111111111e+015", f"{CARD}e+00", f"{CARD}00e-2", "4.1111111111111110000000000e15"),
    ],
)
def test_a_number_is_found_however_it_is_spelled(spelled: str, scanner: Scanner) -> None:
    found = decide(f'{{"card":{spelled},"n":1.50}}', "application/json", scanner)
    assert found.body == '{"card":"[REDACTED:card-number]","n":1.50}'


def test_a_number_that_no_double_holds_is_scanned_in_its_own_digits() -> None:
    (_, leaf) = json_body.leaves(json_body.parse('{"n":6304000000000000001.0}'))
    assert leaf.text == "6304000000000000001"


@pytest.mark.parametrize("body", ['{"a":-0,"b":1.0E+2,"c":10000000000000000000000000.0,"d":1e-7}', '{"x":17.0}'])
def test_what_is_not_found_keeps_its_spelling(body: str, scanner: Scanner) -> None:
    assert decide(body, "application/json", scanner).body == body
    assert decide(
        body.replace("{", '{"mail":"anna.berg@lockgate-mail.org",', 1), "application/json", scanner
    ).body == body.replace("{", '{"mail":"[REDACTED:email]",', 1)


def test_names_that_become_one_cost_time_in_proportion_to_their_number() -> None:
    def seconds(number: int) -> float:
        document = {**{f"M#{at}": 1 for at in range(2, number)}, **{f"a{at}": 1 for at in range(number)}}
        changed = {at: "M" for at, name in enumerate(document) if name.startswith("a")}
        begun = time.thread_time()
        assert json_body.rewritten(document, changed.get).count('"M#') == 2 * number - 3
        return time.thread_time() - begun

    assert min(seconds(4_000) for _ in range(3)) < 8 * min(seconds(1_000) for _ in range(3)) + 0.01


def test_a_file_in_lines_is_one_text(scanner: Scanner) -> None:
    assert looked_at({"lines": PEM}, scanner).rule == "private-key"
    assert looked_at({"source": [line + "\n" for line in PEM]}, scanner).rule == "private-key"
    assert looked_at({"lines": ["x", {"not": "a text"}, *PEM]}, scanner).decision is DlpOutcome.BLOCK


def test_the_first_of_several_pairs_is_no_head_of_a_table(scanner: Scanner) -> None:
    key = "q7Xk2LmZ9vRt4WpN8sYc"
    found = looked_at([["api_key", key], ["colour", "blue"]], scanner)
    assert json.loads(found.body) == [["api_key", "[REDACTED:credential-assignment]"], ["colour", "blue"]]
    assert len(set(found.findings)) == len(found.findings)


def test_an_option_of_a_command_stands_before_its_value(scanner: Scanner) -> None:
    found = looked_at({"Cmd": ["mysql", "-u", "root", "--password", PASSWORD, "db"]}, scanner)
    assert json.loads(found.body) == {"Cmd": ["mysql", "-u", "root", "--password", "[REDACTED:password-flag]", "db"]}


@pytest.mark.parametrize("size", [13, 20])
def test_a_secret_cut_over_items_goes_out_in_none_of_them(size: int, scanner: Scanner) -> None:
    parts = [GITHUB[at : at + size] for at in range(0, len(GITHUB), size)]
    found = looked_at({"parts": parts, "n": 1}, scanner)
    assert found.decision is DlpOutcome.REDACT
    assert json.loads(found.body) == {"parts": ["[REDACTED:github-token]"] * len(parts), "n": 1}
    assert json.loads(looked_at([parts], scanner).body) == [["[REDACTED:github-token]"] * len(parts)]


def test_a_secret_as_single_letters_goes_out_in_none_of_them(scanner: Scanner) -> None:
    found = looked_at(list(GITHUB), scanner)
    assert set(json.loads(found.body)) == {"[REDACTED:github-token]"}


@given(
    st.recursive(
        st.none() | st.text("ab\n", max_size=3) | st.integers(0, 9),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("xy", max_size=2), inner, max_size=3),
    )
)
def test_lists_hold_every_text_of_a_list_once_and_in_its_place(document: object) -> None:
    leaves = json_body.leaves(json_body.parse(json.dumps(document)))
    for one in lists(leaves):
        assert len(one.places) > 1
        assert len({leaves[position].list for position, _, _ in one.places}) == 1
        for position, begin, end in one.places:
            assert one.text[begin:end] == leaves[position].text
    texts = [leaf.text for leaf in leaves]
    assert json_body.rewritten(json_body.parse(json.dumps(document)), dict(enumerate(texts)).get).count("null") == json.dumps(
        document
    ).count("null")


def finding(start: int, end: int, action: Action = Action.REDACT) -> Finding:
    return Finding("word", start, end, Severity.HIGH, action, "0" * 64)


def test_what_lies_within_an_item_is_left_to_the_item() -> None:
    (one,) = lists(json_body.leaves(["abc", "de\n", "f"]))
    assert one.text == "abc\nde\nf\n"
    found = ScanResult((finding(0, 3), finding(2, 5), finding(4, 8), finding(3, 4)))
    assert [(at, span.start, span.end) for at, span in across(one, found)] == [(0, 2, 3), (1, 0, 1), (1, 0, 3), (2, 0, 1)]


def test_where_a_finding_lies_is_not_looked_for_in_the_whole_list() -> None:
    def seconds(items: int) -> float:
        (one,) = lists(json_body.leaves(["ab"] * items))
        found = ScanResult((finding(0, 4),) * 2_000)
        begun = time.thread_time()
        assert len(list(across(one, found))) == 4_000
        return time.thread_time() - begun

    assert min(seconds(20_000) for _ in range(3)) < 4 * min(seconds(500) for _ in range(3)) + 0.01


class Lists:
    """Finds ``QQ`` and whatever stands before and behind it; and refuses, if told so, whatever has more than one line."""

    digest = "0" * 64
    rules = ()

    def __init__(self, *, refuses: bool = False, anew: bool = False) -> None:
        self._refuses, self._anew = refuses, anew

    def scan(self, text: str) -> ScanResult:
        if self._refuses and "\n" in text:
            return ScanResult(refusal=Refusal.WORK)
        if "\n" in text and ("QQ" in text or (self._anew and "word" in text)):
            return ScanResult((finding(0, len(text)),))
        return ScanResult()

    def scan_all(self, texts: Sequence[str]) -> tuple[ScanResult, ...]:
        results = tuple(map(self.scan, texts))
        refused = next((one for one in results if one.refusal is not None), None)
        return results if refused is None else (refused,) * len(texts)


def test_a_list_that_is_still_found_after_redaction_does_not_go_out() -> None:
    body = '["aQQ","b"]'
    assert decide(body, "application/json", Lists()).body == '["[REDACTED:word]","[REDACTED:word]"]'
    found = decide(body, "application/json", Lists(anew=True))
    assert (found.decision, found.rule, found.body) == (DlpOutcome.BLOCK, RULE_RESIDUE, "")


def test_a_list_that_cannot_be_scanned_does_not_go_out() -> None:
    found = decide('["a","b"]', "application/json", Lists(refuses=True))
    assert (found.decision, found.rule, found.body) == (DlpOutcome.BLOCK, Refusal.WORK, "")
