"""JSON that has one meaning only: the parser for bytes that somebody signed.

Parsers disagree about duplicate keys, NaN, huge numbers and lone surrogates, and an attacker lives in the difference
between the parser that checked and the parser that acts. This one refuses all of them, with a typed error, in time linear in the
input. The standard library's C scanner does the work; the hooks only refuse.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any, Final, NoReturn

from lockgate_schemas.errors import MalformedError

MAX_DEPTH: Final = 64
"""Deeper nesting is refused; the scanner itself stops at the interpreter's recursion limit."""


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise MalformedError("an object has the same key twice")
    return result


def _constant(_: str) -> NoReturn:
    raise MalformedError("NaN and infinities are not JSON")


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise MalformedError("a number is too large")
    return value


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant, parse_float=_float)


def loads(raw: bytes) -> Any:
    """Parse ``raw`` (UTF-8, no byte order mark). Raises `MalformedError` with a detail that never quotes the input."""
    try:
        value = _DECODER.decode(raw.decode())
    except UnicodeDecodeError:
        raise MalformedError("not UTF-8") from None
    except RecursionError:
        raise MalformedError("nested too deeply") from None
    except ValueError:  # JSONDecodeError, and an integer with more digits than the interpreter converts
        raise MalformedError("not JSON") from None
    _check_depth(raw, value)
    if b"\\" in raw and b"\\u" in raw:  # one byte is found many times faster than two, and mostly there is none
        _check_surrogates(value)
    return value


def _check_depth(raw: bytes, value: Any) -> None:
    # Opening brackets bound the depth from above and are counted in C: nearly every message ends here.
    if raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return
    layer = _containers((value,))
    for _ in range(MAX_DEPTH):
        layer = _containers(item for one in layer for item in (one.values() if isinstance(one, dict) else one))
    if layer:
        raise MalformedError("nested too deeply")


def _containers(items: Iterable[Any]) -> list[dict[str, Any] | list[Any]]:
    return [item for item in items if isinstance(item, dict | list)]


def _check_surrogates(value: Any) -> None:
    # Only an escape can make one, and a string that holds one cannot be encoded.
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise MalformedError("a string holds half a surrogate pair") from None
