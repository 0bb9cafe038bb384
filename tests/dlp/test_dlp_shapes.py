"""Shapes: an answer holds the fields and rows that the caller's scope allows, and nothing that an agent adds by another spelling."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate_schemas.content import Shape, parse_content
from lockgate_schemas.errors import ConfigurationError
from lockgate_workers.dlp import json_body
from lockgate_workers.dlp.shapes import (
    MASK,
    RULE_COUNT,
    RULE_FIELD,
    RULE_ROW,
    asked,
    outside,
    path,
    shaped,
    values,
)

ANNA = {"tenant": "acme", "user": "anna", "client": "reporter"}


def held(body: str, **shape: Any) -> tuple[Any, dict[str, int], bool]:
    found = shaped(json_body.parse(body), Shape(agent="orders", **shape), ANNA)
    written = json_body.rewritten(found.document, lambda _: None)
    return msgspec.json.decode(written), dict(found.broken), found.blocked


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("a", ("a",)),
        ("a.b", ("a", "b")),
        ("items[].name", ("items", "[]", "name")),
        ("[].name", ("[]", "name")),
        ("grid[][]", ("grid", "[]", "[]")),
        ("*.id", ("*", "id")),
    ],
)
def test_paths_are_read(text: str, steps: tuple[str, ...]) -> None:
    assert path(text) == steps


def test_only_the_named_fields_stay() -> None:
    out, broken, blocked = held(
        '{"id": 17, "name": "x", "salary": 90000, "team": {"lead": "bo", "budget": 1}}', fields=("id", "team.lead")
    )
    assert out == {"id": 17, "team": {"lead": "bo"}}
    assert broken == {RULE_FIELD: 3}
    assert not blocked


def test_a_path_allows_all_that_is_below_it() -> None:
    assert held('{"a": {"b": [{"c": 1}]}}', fields=("a",)) == ({"a": {"b": [{"c": 1}]}}, {}, False)


def test_fields_of_rows_in_a_list() -> None:
    out, broken, _ = held('{"items": [{"id": 1, "iban": "x"}, {"id": 2, "iban": "y"}]}', fields=("items[].id",))
    assert out == {"items": [{"id": 1}, {"id": 2}]}
    assert broken == {RULE_FIELD: 2}


def test_any_member_stands_for_each_name() -> None:
    assert held('{"de": {"n": 1, "x": 2}, "fr": {"n": 3}}', fields=("*.n",))[0] == {"de": {"n": 1}, "fr": {"n": 3}}


@pytest.mark.parametrize("body", ['{"items": {"id": 1, "iban": "x"}}', '{"items": "all of it"}', '["x"]', '"x"', "17"])
def test_another_structure_than_the_named_one_is_over_fetching(body: str) -> None:
    out, broken, _ = held(body, fields=("items[].id",))
    assert broken
    assert "x" not in str(out)
    assert "all of it" not in str(out)


def test_masking_keeps_the_structure() -> None:
    out, _, _ = held('{"id": 1, "iban": {"country": "DE"}}', fields=("id",), over="mask")
    assert out == {"id": 1, "iban": MASK}


def test_blocking() -> None:
    assert held('{"id": 1, "iban": "x"}', fields=("id",), over="block")[2]
    assert not held('{"id": 1}', fields=("id",), over="block")[2]


def test_rows_of_others_are_dropped() -> None:
    body = '{"orders": [{"owner": "anna", "n": 1}, {"owner": "bo", "n": 2}, {"n": 3}, "anna", {"owner": ["anna"]}]}'
    out, broken, _ = held(body, rows={"orders[].owner": "user"})
    assert out == {"orders": [{"owner": "anna", "n": 1}]}
    assert broken == {RULE_ROW: 4}


def test_rows_of_others_are_masked() -> None:
    out, _, _ = held('[{"o": {"t": "acme"}}, {"o": {"t": "bar"}}]', rows={"[].o.t": "tenant"}, fields=("[].o",), over="mask")
    assert out == [{"o": {"t": "acme"}}, MASK]


@pytest.mark.parametrize(
    "body", ['{"orders": {"owner": "bo"}}', '{"orders": {"0": {"owner": "bo"}}}', '{"orders": "bo has 3"}']
)
def test_a_row_outside_of_a_list_is_not_excused(body: str) -> None:
    out, broken, _ = held(body, rows={"orders[].owner": "user"})
    assert out == {"orders": None}
    assert broken == {RULE_ROW: 1}


def test_a_fact_that_the_principal_lacks_fits_no_row() -> None:
    found = shaped([{"owner": ""}], Shape(agent="orders", rows={"[].owner": "user"}), {"user": ""})
    assert found.document == []


def test_no_more_rows_than_allowed() -> None:
    out, broken, _ = held('{"a": [1, 2, 3], "b": [[1, 2, 3]]}', most_rows=2)
    assert out == {"a": [1, 2], "b": [[1, 2]]}
    assert broken == {RULE_COUNT: 2}


def test_numbers_keep_their_spelling() -> None:
    found = shaped(json_body.parse('{"n": 1.50, "m": 1e2}'), Shape(agent="a", fields=("n",)), ANNA)
    assert json_body.rewritten(found.document, lambda _: None) == '{"n":1.50}'


@pytest.mark.parametrize("where", ["owner", "a.b", "", "a..b[].c"])
def test_a_row_path_without_a_list_is_refused(where: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_content(f"shapes: [{{agent: a, rows: {{'{where}': user}}}}]")


def test_a_row_that_is_anybody_elses_too_is_not_the_callers() -> None:
    body = '{"rows": [{"a": {"t": "acme"}, "b": {"t": "other"}}, {"a": {"t": "acme"}, "b": {"t": "acme"}}]}'
    kept, broken, _ = held(body, rows={"rows[].*.t": "tenant"})
    assert kept == {"rows": [{"a": {"t": "acme"}, "b": {"t": "acme"}}]}
    assert broken == {"over-fetch-row": 1}


def test_what_was_asked_for_one_place_is_not_asked_for_another() -> None:
    shape = Shape(agent="orders", asked={"order.id": "order", "customer.id": "customer"})
    said = asked({"order": 17, "customer": 4}, shape, b"salt")
    assert outside(json_body.parse('{"order": {"id": 17}, "customer": {"id": 4}}'), shape, said, b"salt") == 0
    assert outside(json_body.parse('{"order": {"id": 4}, "customer": {"id": 17}}'), shape, said, b"salt") == 2


def test_an_answer_about_what_was_asked() -> None:
    shape = Shape(agent="orders", asked={"order.id": "order"})
    said = asked({"order": 17}, shape, b"salt")
    assert len(said) == 1
    assert "17" not in said[0].removeprefix("asked:")[:2]
    assert outside(json_body.parse('{"order": {"id": 17}}'), shape, said, b"salt") == 0
    assert outside(json_body.parse('{"order": {"id": "17"}}'), shape, said, b"salt") == 0
    assert outside(json_body.parse('{"order": {"id": 18}}'), shape, said, b"salt") == 1
    assert outside(json_body.parse('{"order": {"id": 17}}'), shape, said, b"other") == 1
    assert outside(json_body.parse('{"order": {"id": 17}}'), shape, (), b"salt") == 1


_scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=4)
_documents = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=20,
)
_paths = st.lists(st.sampled_from(["a", "b", "*", "a[]", "b[][]"]), min_size=1, max_size=3).map(".".join)


@given(_documents, st.lists(_paths, min_size=1, max_size=3))
def test_whatever_stays_is_below_a_named_path(document: Any, fields: list[str]) -> None:
    found = shaped(document, Shape(agent="a", fields=tuple(fields)), ANNA)
    again = shaped(found.document, Shape(agent="a", fields=tuple(fields)), ANNA)
    assert again.document == found.document
    assert all(one is not None for where in fields for one in values(found.document, path(where)))


@given(_documents)
def test_no_row_of_another_stays(document: Any) -> None:
    found = shaped(document, Shape(agent="a", rows={"a[].b": "user"}), ANNA)
    rows = found.document.get("a") if isinstance(found.document, dict) else None
    assert rows is None or all(row["b"] == "anna" for row in rows)
