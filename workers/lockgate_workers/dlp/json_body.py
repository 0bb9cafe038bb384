"""A JSON response as a list of texts to scan, and back again with some of them replaced.

Strict on the way in: duplicate members, NaN and Infinity, numbers beyond a double, lone surrogates and deep nesting are refused, because
what two parsers read differently cannot be called scanned. Numbers keep their exact spelling (only the scan sees them written out), and a body in which nothing was
replaced goes out as the very text that came in. What is replaced is decided by the caller.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, NoReturn

import msgspec

from lockgate_schemas.errors import MalformedError
from lockgate_workers.dlp import json_names

MAX_DEPTH: Final = 100
MAX_LEAVES: Final = 100_000
_MAX_NUMBER: Final = 400
_SPELLED: Final = re.compile(r"[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][+-]?0{0,9}1?[0-9])?")
_UNNAMED: Final = "- "
"""Before names and what has none: one of many is no whole answer, which is what some rules are about."""


class Leaf(msgspec.Struct, frozen=True, gc=False):
    """One text of the document. ``lead`` is put before it for the scan: the member's name tells what a value is.

    Texts with the same ``list``, if that is not 0, are items of one list. ``other`` is a second lead, where the value may be called one or the other.
    """

    text: str
    lead: str = ""
    list: int = 0
    other: str = ""

    @property
    def scanned(self) -> str:
        """The text as the scanner should see it."""
        return self.lead + self.text


def parse(body: str) -> Any:
    """Parse strictly. Numbers come back as `msgspec.Raw`, so that they can be written again exactly.

    Raises:
        MalformedError: not JSON, or JSON that two parsers might read differently.
    """
    try:
        body.encode()
        document = json.loads(body, object_pairs_hook=_object, parse_constant=_constant, parse_int=_number, parse_float=_number)
    except (ValueError, RecursionError) as error:
        raise MalformedError("the response is not strict JSON") from error
    return document


def leaves(document: Any) -> list[Leaf]:
    """Return every string, number and member name in document order, which is the order `rewritten` asks in.

    Raises:
        MalformedError: too deep, too many, or text that cannot be written as UTF-8.
    """
    found: list[Leaf] = []
    _walk(document, "", MAX_DEPTH, found)
    try:
        "\n".join(leaf.text for leaf in found).encode()
    except UnicodeEncodeError as error:  # an escaped lone surrogate: text that cannot be written again
        raise MalformedError("the response holds a lone surrogate") from error
    return found


def rewritten(document: Any, replace: Callable[[int], str | None]) -> str:
    """Write the document with leaf ``n`` replaced by ``replace(n)`` where that is not None. A replaced number becomes a string."""
    position = 0

    def visit(value: Any) -> Any:
        nonlocal position
        if isinstance(value, dict):
            renamed: dict[str, Any] = {}
            counted: dict[str, int] = {}
            for key, item in value.items():
                new_key = replace(position)
                position += 1
                renamed[_free(renamed, key if new_key is None else new_key, counted)] = visit(item)
            return renamed
        if isinstance(value, list):
            return [visit(item) for item in value]
        if isinstance(value, (str, msgspec.Raw)):
            new = replace(position)
            position += 1
            return value if new is None else new
        return value

    return msgspec.json.encode(visit(document)).decode()


def _walk(  # noqa: PLR0917 - one place in the document
    value: Any, lead: str, depth: int, found: list[Leaf], columns: tuple[str, ...] = (), other: str = ""
) -> None:
    """Visit names and scalars in the order in which they are written; elements of a list carry the list's name, cells that of their column."""
    if isinstance(value, str):
        found.append(Leaf(value, lead, other=other))
    elif isinstance(value, msgspec.Raw):
        found.append(Leaf(_written_out(bytes(value).decode()), lead, other=other))
    elif depth == 0 or len(found) > MAX_LEAVES:
        raise MalformedError("the response is nested too deeply or has too many members")
    elif isinstance(value, dict):
        _walk_members(value, lead, depth, found)
    elif isinstance(value, list):
        _walk_items(value, lead or _UNNAMED, depth, found, columns)


def _walk_members(members: dict[str, Any], lead: str, depth: int, found: list[Leaf]) -> None:
    name = json_names.of_pair(members)
    columns = json_names.of_columns(members)
    outer = "" if lead == _UNNAMED else lead
    for key, item in members.items():
        found.append(Leaf(key, _UNNAMED))
        if name and json_names.is_value(key):
            own = f"{name}: "
        else:
            own = outer if outer and json_names.is_wrapped(key) else f"{key}: "
        _walk(item, own, depth - 1, found, columns)


def _walk_items(  # noqa: PLR0917 - one place in the document, as in `_walk`
    items: list[Any], lead: str, depth: int, found: list[Leaf], columns: tuple[str, ...], name: str = ""
) -> None:
    """``name`` is what the first item calls the second one, if it does."""
    if items and isinstance(items[0], list):
        columns = columns or json_names.of_first_row(items)
    number = len(found) + 1
    own = lead
    for item in items:
        if isinstance(item, str):
            found.append(Leaf(item, own, number))
        elif columns and isinstance(item, list) and len(item) == len(columns) and depth > 1:
            row = json_names.of_row(item)  # a table of two columns may be none, but names and their values
            for at, (cell, column) in enumerate(zip(item, columns, strict=True)):
                other = f"{row}: " if row and at else ""
                _walk(cell, f"{'' if lead == _UNNAMED else lead}{column}: ", depth - 2, found, other=other)
        elif (row := json_names.of_row(item)) and depth > 1:
            _walk_items(item, lead, depth - 1, found, (), row)
        else:
            _walk(item, own, depth - 1, found)
        own = f"{name}: " if name else f"{lead}{item} " if json_names.leads(item) else lead


def _written_out(number: str) -> str:
    """A whole number in its digits, however it is spelled: ``4.1e15`` and ``17.0`` are what programs make of numbers of cards and people."""
    if number.isdigit() or not _SPELLED.fullmatch(number):
        return number
    exact = Decimal(number)  # as a double, a number of more than fifteen digits would be scanned as another one
    whole = int(exact)
    return str(whole) if whole == exact else number


def _free(taken: dict[str, Any], key: str, counted: dict[str, int]) -> str:
    """Two names may be redacted to the same marker; neither value may get lost over it. ``counted`` is how far each name has been counted: never twice."""
    if key not in taken:
        return key
    number = counted.get(key, 2)
    while f"{key}#{number}" in taken:
        number += 1
    counted[key] = number + 1
    return f"{key}#{number}"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError
    return members


def _constant(_name: str) -> NoReturn:
    raise ValueError


def _number(spelling: str) -> msgspec.Raw:
    if len(spelling) > _MAX_NUMBER or math.isinf(float(spelling)):
        raise ValueError
    return msgspec.Raw(spelling.encode())
