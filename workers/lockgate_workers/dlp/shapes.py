"""Hold a structured answer against what the caller's scope allows: which fields, which rows, and whether it answers what was asked.

An agent that reads a whole table for a question about one line over-fetches, and scanning cannot see that: nothing in the rows looks like
a secret. So a shape names the fields and rows that may be in an answer; the rest is dropped, masked, or the answer is blocked, as the
shape says, and the stamp says how often. A path of an answer is dotted, ``[]`` goes into a list, ``*`` is any member; a path
allows everything below it. What is not named is not allowed, and a row without the member that decides about it is not allowed either.

Pure. Works on documents as `json_body.parse` gives them: numbers are `msgspec.Raw`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from lockgate_schemas.content import Shape

MASK: Final = "[MASKED:scope]"
RULE_FIELD: Final = "over-fetch-field"
RULE_ROW: Final = "over-fetch-row"
RULE_COUNT: Final = "over-fetch-count"
RULE_ASKED: Final = "out-of-scope"
_ANY: Final = "*"
_ROWS: Final = "[]"
_ASKED: Final = "asked:"

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shaped:
    """The document as it may go out, and how often each rule was broken. ``blocked``: nothing may go out."""

    document: Any
    broken: Mapping[str, int]
    blocked: bool = False


@dataclass(frozen=True, slots=True)
class _Tree:
    """The allowed fields below one place. ``whole``: everything from here on."""

    whole: bool = False
    members: dict[str, _Tree] = field(default_factory=dict)

    def below(self, step: str) -> _Tree | None:
        """What is allowed one step further; nothing when the step is not allowed at all."""
        return self if self.whole else self.members.get(step) or self.members.get(_ANY)


def path(text: str) -> Path:
    """Read a dotted path: ``items[].owner.id`` is the steps items, [], owner, id."""
    steps: list[str] = []
    for part in text.split("."):
        name = part
        depth = 0
        while name.endswith(_ROWS):
            name, depth = name[: -len(_ROWS)], depth + 1
        if name:
            steps.append(name)
        steps += [_ROWS] * depth
    return tuple(steps)


def shaped(document: Any, shape: Shape, principal: Mapping[str, str]) -> Shaped:
    """Hold ``document`` against ``shape``. ``principal`` has the facts ``tenant``, ``user`` and ``client`` that rows are compared with."""
    work = _Work(shape, principal)
    out = work.rows(document, ())
    out = work.fields(out, _tree(shape.fields)) if shape.fields else out
    return Shaped(out, work.broken, blocked=shape.over == "block" and bool(work.broken))


class _Work:
    """One walk over one document; counts what it finds."""

    def __init__(self, shape: Shape, principal: Mapping[str, str]) -> None:
        self._shape = shape
        self._conditions = [_Condition(path(where), principal.get(fact, "")) for where, fact in shape.rows.items()]
        self.broken: dict[str, int] = {}

    def fields(self, value: Any, allowed: _Tree) -> Any:
        """Keep the members that the tree names."""
        if allowed.whole or value is None or value is MASK:
            return value
        if isinstance(value, dict):
            return dict(self._members(value, allowed))
        if isinstance(value, list):
            below = allowed.below(_ROWS)
            return self._replaced(RULE_FIELD, []) if below is None else [self.fields(one, below) for one in value]
        return self._replaced(RULE_FIELD, None)  # a bare value where members were to be

    def _members(self, value: dict[str, Any], allowed: _Tree) -> Iterator[tuple[str, Any]]:
        for name, item in value.items():
            below = allowed.below(name)
            if below is not None:
                yield name, self.fields(item, below)
            else:
                self._count(RULE_FIELD)
                if self._shape.over == "mask":
                    yield name, MASK

    def rows(self, value: Any, where: Path) -> Any:
        """Keep the rows which are the caller's, and no more of them than the shape allows."""
        if isinstance(value, list):
            return self._list(value, (*where, _ROWS))
        if value is not None and any(one.about((*where, _ROWS)) for one in self._conditions):
            return self._replaced(RULE_ROW, None)  # rows were to be here; one that stands alone is not excused
        if isinstance(value, dict):
            return {name: self.rows(item, (*where, name)) for name, item in value.items()}
        return value

    def _list(self, rows: list[Any], place: Path) -> list[Any]:
        kept = [one if one is MASK else self.rows(one, place) for one in self._own(rows, place)]
        most = self._shape.most_rows
        if most is None or len(kept) <= most:
            return kept
        self._count(RULE_COUNT, len(kept) - most)
        return kept[:most]

    def _own(self, rows: Sequence[Any], place: Path) -> Iterator[Any]:
        conditions = [one for one in self._conditions if one.about(place)]
        for row in rows:
            if all(one.holds(row) for one in conditions):
                yield row
                continue
            self._count(RULE_ROW)
            if self._shape.over == "mask":
                yield MASK

    def _replaced(self, rule: str, instead: Any) -> Any:
        self._count(rule)
        return MASK if self._shape.over == "mask" else instead

    def _count(self, rule: str, times: int = 1) -> None:
        self.broken[rule] = self.broken.get(rule, 0) + times


class _Condition:
    """Of the rows of the list at the last ``[]`` of a path, those may stay whose member equals ``value``."""

    def __init__(self, where: Path, value: str) -> None:
        steps = len(where) - where[::-1].index(_ROWS)
        self._list, self._member, self._value = where[:steps], where[steps:], value

    def about(self, place: Path) -> bool:
        """Whether this is about the rows at ``place``."""
        return len(place) == len(self._list) and all(
            step in (_ANY, found) for step, found in zip(self._list, place, strict=True)
        )

    def holds(self, row: Any) -> bool:
        """Whether a row may stay. A fact that the principal does not have fits nothing."""
        found = list(values(row, self._member))
        return bool(self._value) and bool(found) and all(one == self._value for one in found)


def values(document: Any, where: Path) -> Iterator[str]:
    """Yield every scalar at a path, as text. Anything else that stands there is one text which equals nothing."""
    if not where:
        yield _scalar(document)
        return
    step, rest = where[0], where[1:]
    if step == _ROWS:
        for one in document if isinstance(document, list) else ():
            yield from values(one, rest)
    elif isinstance(document, dict):
        for name in document if step == _ANY else (step,):
            if name in document:
                yield from values(document[name], rest)


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, msgspec.Raw):
        return bytes(value).decode()
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else "\x00"


def _tree(fields: Sequence[str]) -> _Tree:
    root = _Tree()
    for one in fields:
        node, steps = root, path(one)
        for step in steps[:-1]:
            node = node.members.setdefault(step, _Tree())
        node.members[steps[-1]] = _Tree(whole=True)
    return root


def asked(data: Any, shape: Shape, salt: bytes) -> tuple[str, ...]:
    """What a question asks about, for the stamp that travels with it: one salted digest for each value, and nothing readable.

    The gate that sees the answer does not see the question; so the gate that does says what was asked, under its signature.
    """
    return tuple(
        sorted(
            f"{_ASKED}{_mark(answer, value, salt)}"
            for answer, question in shape.asked.items()
            for value in values(data, path(question))
        )
    )


def outside(document: Any, shape: Shape, obligations: Sequence[str], salt: bytes) -> int:
    """How many values of an answer are about something else than what was asked."""
    said = {one for one in obligations if one.startswith(_ASKED)}
    return sum(
        f"{_ASKED}{_mark(answer, value, salt)}" not in said
        for answer in shape.asked
        for value in values(document, path(answer))
    )


def _mark(answer: str, value: str, salt: bytes) -> str:
    return hmac.new(salt, f"{answer}\x00{value}".encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:32]
