"""How many digits stand together: at least in every match of a pattern, and at most in a text. Pure.

Half of the rules are about numbers, and a text in which no number is long enough need not be shown to them. Numbers are written in
groups, so white space, ``-``, ``.``, ``/`` and whatever is not ASCII do not part digits, neither in patterns nor in texts. Which
rules are asked about is decided by `tiers` and `gate`; this module only counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

_DIGITS: Final = frozenset(range(ord("0"), ord("9") + 1))
_ASCII: Final = 0x80
_BETWEEN: Final = frozenset(b" \t\n\r\f\v-./")
_PARTED: Final = bytes(ord("0") if code in _DIGITS else ord(" ") for code in range(256))
_DROPPED: Final = bytes(sorted(_BETWEEN | set(range(_ASCII, 256))))
_REPEATS: Final = frozenset({"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"})


class _Run(NamedTuple):
    """What a part of a pattern is sure to match.

    ``best`` is the longest run of digits inside of it. Where it matches nothing but digits and what does not part them, it is ``open``:
    its ``digits`` then lengthen the run around it.
    """

    best: int
    open: bool
    digits: int


_PARTS: Final = _Run(0, False, 0)
_BLANK: Final = _Run(0, True, 0)
_DIGIT: Final = _Run(1, True, 1)


def longest_run(data: bytes) -> int:
    """The most digits that stand together in a text (UTF-8)."""
    return len(max(data.translate(_PARTED, _DROPPED).split(), default=b""))


def least_run(tree: Iterable[tuple[Any, Any]]) -> int:
    """The most digits that are sure to stand together in every match of a pattern, as Python's parser reads it (`tiers.parsed`)."""
    return _sequence(tree).best


def _sequence(tree: Iterable[tuple[Any, Any]]) -> _Run:
    best = current = 0
    is_open = True
    for code, argument in tree:
        part = _element(str(code), argument)
        best = max(best, part.best)
        is_open = is_open and part.open
        current = current + part.digits if part.open else 0
        best = max(best, current)
    return _Run(best, is_open, current if is_open else 0)


def _element(name: str, argument: Any) -> _Run:
    if name == "AT":
        return _BLANK
    if name in _REPEATS:
        return _repeated(_sequence(argument[2]), int(argument[0]))
    if name == "SUBPATTERN":
        return _sequence(argument[3])
    if name == "BRANCH":
        return _either([_sequence(one) for one in argument[1]])
    return _character(name, argument)


def _repeated(inner: _Run, least: int) -> _Run:
    if inner.open:
        return _Run(inner.digits * least, open=True, digits=inner.digits * least)
    return _Run(inner.best if least else 0, open=False, digits=0)


def _either(ways: list[_Run]) -> _Run:
    return _Run(min(one.best for one in ways), all(one.open for one in ways), min(one.digits for one in ways))


def _character(name: str, argument: Any) -> _Run:
    """One character; what is not a literal or a class of literals, ranges and the kinds known here, may be anything."""
    if name == "LITERAL":
        return _among([range(argument, argument + 1)])
    if name != "IN":
        return _PARTS
    members = [_members(str(code), one) for code, one in argument]
    return _PARTS if None in members else _among([one for one in members if one is not None])


def _members(name: str, argument: Any) -> range | frozenset[int] | None:
    if name == "LITERAL":
        return range(argument, argument + 1)
    if name == "RANGE":
        return range(argument[0], argument[1] + 1)
    if name == "CATEGORY" and str(argument) == "CATEGORY_DIGIT":
        return _DIGITS
    if name == "CATEGORY" and str(argument) == "CATEGORY_SPACE":
        return _BETWEEN - frozenset(b"-./")
    return None


def _among(members: Iterable[range | frozenset[int]]) -> _Run:
    """One of these characters."""
    codes = {code for one in members for code in _within_ascii(one)}
    if codes and codes <= _DIGITS:
        return _DIGIT
    return _BLANK if codes <= _DIGITS | _BETWEEN else _PARTS


def _within_ascii(members: range | frozenset[int]) -> Iterable[int]:
    """The members that are ASCII, and a stand-in for all others: what is not ASCII parts nothing, and is no digit."""
    if isinstance(members, range) and members.stop > _ASCII:
        return [*range(members.start, min(members.stop, _ASCII)), ord(" ")]
    return members
