"""Strict JSON: everything that two parsers may read differently is refused, in one pass, without quoting it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate_schemas.errors import MalformedError
from lockgate_schemas.strict_json import MAX_DEPTH, loads

REFUSED = {
    "the same key twice": b'{"a":1,"a":1}',
    "the same key twice, once escaped": b'{"a":1,"\\u0061":2}',
    "the same key twice, deep inside": b'[[{"b":{"a":1,"c":2,"a":3}}]]',
    "NaN": b'{"a":NaN}',
    "infinity": b"[Infinity]",
    "minus infinity": b"-Infinity",
    "a float beyond the largest": b"1e400",
    "a float below the smallest": b"[-1e400]",
    "a float spelled long": b"1" + b"0" * 400 + b".0",
    "half a surrogate pair, the high one, escaped": b'"\\ud800"',
    "half a surrogate pair, the low one, escaped": b'["a\\udc00b"]',
    "half a surrogate pair as a key": b'{"\\uDBFF":1}',
    "two halves in the wrong order": b'"\\udc00\\ud800"',
    "half a surrogate pair, raw": b'"\xed\xa0\x80"',
    "a surrogate pair as two raw halves": b'"\xed\xa0\xbd\xed\xb8\x80"',
    "one level too deep": b"[" * 65 + b"1" + b"]" * 65,
    "one level too deep, and empty": b"[" * 65 + b"]" * 65,
    "one level too deep, of objects": b'{"a":' * 64 + b"{}" + b"}" * 64,
    "one level too deep, late in a wide object": b'{"w":[' + b"[]," * 99 + b"[]]," + b'"d":' + b"[" * 64 + b"]" * 64 + b"}",
    "ten thousand levels": b"[" * 10_000 + b"]" * 10_000,
    "ten thousand levels of objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "ten thousand levels, never closed": b"[" * 10_000,
    "an integer of a million digits": b"9" * 1_000_000,
    "a negative integer of a million digits": b"-" + b"9" * 1_000_000,
    "a member of a million digits": b'{"a":' + b"1" * 1_000_000 + b"}",
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "UTF-32": '{"a":1}'.encode("utf-32-le"),
    "data behind the value": b"{} {}",
    "a NUL behind the value": b"{}\x00",
    "a no-break space behind the value": b"{}\xc2\xa0",
    "invalid UTF-8": b'"\xff"',
    "an overlong encoding": b'"\xc0\xaf"',
    "beyond the last code point": b'"\xf4\x90\x80\x80"',
    "a raw control character": b'"a\nb"',
    "nothing": b"",
    "white space alone": b" \n",
    "a trailing comma": b"[1,]",
    "a comment": b"{}//",
    "single quotes": b"{'a':1}",
    "a leading zero": b"01",
    "a leading plus": b"+1",
    "hexadecimal": b"0x10",
    "an unknown escape": b'"\\x41"',
    "a short escape": b'"\\u12"',
    "digits of another script": "\N{ARABIC-INDIC DIGIT ONE}".encode(),
    "not closed": b'{"a":[1',
}


@pytest.mark.parametrize("raw", REFUSED.values(), ids=REFUSED.keys())
def test_refused_without_quoting_it(raw: bytes) -> None:
    with pytest.raises(MalformedError) as caught:
        loads(raw)
    assert len(caught.value.detail) < 60
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b' {"a" : [1, 2.5, true, null]}\n', {"a": [1, 2.5, True, None]}),
        (b'"\\ud83d\\ude00"', "\N{GRINNING FACE}"),
        (b"[" * MAX_DEPTH + b"1" + b"]" * MAX_DEPTH, None),
        (b'{"a":' * (MAX_DEPTH - 1) + b"[1,{},[]]"[0:2] + b"]" + b"}" * (MAX_DEPTH - 1), None),
        (b"[" + b"[]," * 999 + b"[]]", [[]] * 1000),
        (b'"' + b"[" * 9999 + b'"', "[" * 9999),
        (b"1e-400", 0.0),
        (b"9" * 300, int("9" * 300)),
    ],
    ids=["plain", "a whole pair", "64 lists", "64 objects and a list", "wide", "brackets in a string", "tiny", "long"],
)
def test_accepted(raw: bytes, value: Any) -> None:
    read = loads(raw)
    assert value is None or read == value


def test_the_value_is_refused_before_a_hook_can_be_fooled_by_its_size() -> None:
    many = b"{" + b",".join(b'"k%d":0' % n for n in range(50_000)) + b"}"
    assert len(loads(many)) == 50_000
    with pytest.raises(MalformedError, match="same key twice"):
        loads(many[:-1] + b',"k49999":0}')


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(value=_json, ascii_only=st.booleans())
def test_whatever_is_proper_json_reads_back(value: Any, ascii_only: bool) -> None:  # noqa: FBT001 - drawn
    try:
        text = json.dumps(value, ensure_ascii=ascii_only).encode()
    except UnicodeEncodeError:
        return
    assert loads(text) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    try:
        value = loads(raw)
    except MalformedError:
        return
    assert json.loads(raw) == value
