"""What a rule's match begins with: the literal heads that its pattern allows, read off the pattern.

A value that starts with ``ghp_`` or ``AKIA`` is recognised by that. The heads tell `decode` where a turned-round, rotated or cut-up value may
stand, and the engine which rules are distinctive enough for a view in which chance makes shapes. A pattern whose matches have no
common literal head (a number, a word with a value after it) has none here; nothing is executed, and what is not understood counts as
no head.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

LONGEST: Final = 10
SHORTEST: Final = 3
_MOST: Final = 96
"""So many heads of one pattern are told; a pattern with more has no distinctive one."""

_GROUP: Final = re.compile(r"\(\?(?:P<\w+>|:|[a-z]+:)|\(")
_QUANTIFIER: Final = re.compile(r"[?*+]\??|\{(\d+)(?:,\d*)?\}\??")
_SECRET: Final = "(?P<secret>"  # noqa: S105 - the name of a group in a pattern
_LITERAL_ESCAPES: Final = frozenset("./-+:$=?*()[]{}|^\\\"'!#&<>@~% ,;_`")
_SMALL_CLASS: Final = 6


@lru_cache(maxsize=4_096)
def heads(pattern: str) -> tuple[str, ...]:
    """Return the literal heads of what ``pattern`` reports, each of 3 to 10 characters; none when some match begins otherwise."""
    at = pattern.find(_SECRET)
    inner = pattern if at < 0 else pattern[at + len(_SECRET) : _closing(pattern, at + len(_SECRET))]
    found = {one[:LONGEST] for one, _ in _alternatives(inner)}
    if not found or len(found) > _MOST or any(len(one) < SHORTEST for one in found):
        return ()
    return tuple(sorted(found))


def _closing(pattern: str, position: int) -> int:
    """Return where the group that is open at ``position`` closes."""
    depth = 1
    while position < len(pattern):
        sign = pattern[position]
        if sign == "\\":
            position += 1
        elif sign == "[":
            position = _class_end(pattern, position) - 1
        elif sign in "()":
            depth += 1 if sign == "(" else -1
            if depth == 0:
                return position
        position += 1
    return position


def _class_end(pattern: str, position: int) -> int:
    """Return the position after the class that opens at ``position``."""
    position += 1
    if pattern[position : position + 1] == "^":
        position += 1
    first = True
    while position < len(pattern) and (first or pattern[position] != "]"):
        position += 2 if pattern[position] == "\\" else 1
        first = False
    return position + 1


def _split(pattern: str) -> Sequence[str]:
    """Split at the bars that stand in no group and no class."""
    pieces, start, position = [], 0, 0
    while position < len(pattern):
        sign = pattern[position]
        if sign == "\\":
            position += 2
        elif sign == "[":
            position = _class_end(pattern, position)
        elif sign == "(":
            position = _closing(pattern, position + 1) + 1
        else:
            if sign == "|":
                pieces.append(pattern[start:position])
                start = position + 1
            position += 1
    return [*pieces, pattern[start:]]


def _alternatives(pattern: str) -> set[tuple[str, bool]]:
    """Return the heads of all alternatives; with each, whether it is all that the alternative matches."""
    return {found for one in _split(pattern) for found in _sequence(one)}


def _sequence(pattern: str) -> set[tuple[str, bool]]:
    """Return the heads of one alternative: literals are put together until something else comes."""
    open_heads, done = {""}, set[tuple[str, bool]]()
    position = 0
    while position < len(pattern) and open_heads:
        end, texts = _atom(pattern, position)
        quantifier = _QUANTIFIER.match(pattern, end)
        if quantifier is not None:
            end = quantifier.end()
            texts = _repeated(texts, quantifier)
        done |= {(head + text, False) for head in open_heads for text, whole in texts if not whole}
        open_heads = {head + text for head in open_heads for text, whole in texts if whole}
        done |= {(head, False) for head in open_heads if len(head) >= LONGEST}
        open_heads = {head for head in open_heads if len(head) < LONGEST}
        if len(open_heads) + len(done) > 4 * _MOST:
            return {("", False)}
        position = end
    return done | {(head, True) for head in open_heads}


def _repeated(texts: set[tuple[str, bool]], quantifier: re.Match[str]) -> set[tuple[str, bool]]:
    """A part that may be missing goes on as nothing; one that may come again ends the head after its first time."""
    if quantifier.group()[0] == "?":
        return texts | {("", True)}
    if quantifier[1] is None:
        return {("", False)} if quantifier.group()[0] == "*" else {(text, False) for text, _ in texts}
    if int(quantifier[1]) == 0:
        return {("", False)}
    return {(text, False) for text, _ in texts}


def _atom(pattern: str, position: int) -> tuple[int, set[tuple[str, bool]]]:
    """Return where the atom at ``position`` ends, and what it can begin with."""
    sign = pattern[position]
    if sign == "\\":
        return _escape(pattern, position)
    if sign == "[":
        end = _class_end(pattern, position)
        return end, _members(pattern[position + 1 : end - 1])
    if sign == "(":
        opened = _GROUP.match(pattern, position)
        start = opened.end() if opened is not None else position + 1
        end = _closing(pattern, start)
        return end + 1, _alternatives(pattern[start:end])
    if sign in "^$":
        return position + 1, {("", True)}
    if sign == ".":
        return position + 1, {("", False)}
    return position + 1, {(sign, True)}


def _escape(pattern: str, position: int) -> tuple[int, set[tuple[str, bool]]]:
    sign = pattern[position + 1 : position + 2]
    if sign in {"b", "B", "A"}:
        return position + 2, {("", True)}
    if sign in _LITERAL_ESCAPES:
        return position + 2, {(sign, True)}
    end = position + 2
    if pattern[end : end + 1] == "{":
        end = pattern.find("}", end) + 1 or len(pattern)
    return end, {("", False)}


def _members(inside: str) -> set[tuple[str, bool]]:
    """A small class of single characters is a choice between them."""
    members = inside.replace("\\", "")
    if inside.startswith("^") or "-" in members[1:-1] or len(members) > _SMALL_CLASS or re.search(r"\\[a-zA-Z]", inside):
        return {("", False)}
    return {(one, True) for one in members}
