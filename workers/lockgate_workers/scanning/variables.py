"""Strings that a program puts together: what its variables hold, in the order in which an expression names them.

``a = "AKIA"`` here, ``b = "IOSF…"`` there and ``a + b`` in a third place is one key to whoever runs the lines, and so are ``f"{a}{b}"``,
``"%s%s" % (a, b)``, ``$A$B``, ``concat(a, b)``, ``["…", "…"].join("")`` and ``a += "…"``. No program is run: assignments of literals are
collected, and where an expression names them their texts stand in the mosaic, behind the words before that expression. What is assigned
by other means is not followed. Literals right beside each other are the work of `rejoin`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, pairwise
from types import MappingProxyType
from typing import Final

from lockgate_workers.scanning.view import DecodingLimitError, Fit, Mosaic, Part

Parts = tuple[Part, ...]

SIGNS: Final = MappingProxyType(
    {
        "assigned": r"=[ \t]{0,4}[\[({]?\s{0,2}[fbruLFBRU@]{0,2}[\"'`][^\s\"'`]{2,400}[\"'`]|\w=[\w\-+/.:@]{3}",
        "summed": (
            r"[\w)\]\"'] ?\+ ?[A-Za-z_$\"']|\}[$#%]?\{\{? ?[A-Za-z_]|\}\$[A-Za-z_]|\w\$\{?[A-Za-z_]|%[sv]%[sv]|\{\d?\}\{\d?\}|%\w{1,40}%%\w"
            r"|(?:\|\||<>|\.\.) ?[A-Za-z_\"']|\w & [A-Za-z_\"']|[\w\"'] ?\. ?\$\w|[+.]= ?[\"']|(?i:concat|append|join|implode|printf|paste0|strcat)\w{0,8}\("
        ),
        "listed": (
            r"[\"'`](?:\)\.\w{3,8}\(|\.concat\(|\][ \t]{0,4}\.join\()|[%{][sv}]{1,2}[%{][sv}]{1,2}[\"'](?:\.format\(| % \(|, ?[\"'])"
            r"|(?i:join|implode|concat\w{0,4})\([^()\n]{0,12}[\"'`][\w\-+/=.:@]{2,400}[\"'`],"
        ),
    }
)
"""What the gate looks for: both an assignment and a use of variables, or pieces handed to a function that joins them."""

_LITERAL: Final = r"[fbruFBRU]{0,2}(?:\"[^\"\\\n]{0,400}+\"|'[^'\\\n]{0,400}+'|`[^`\\\n]{0,400}+`)"
_NAME: Final = r"[$@]?[A-Za-z_]\w{0,63}+(?:\[ ?\d{1,2} ?\])?"
_OPERAND: Final = rf"(?:{_LITERAL}|{_NAME})"
_PLUS: Final = r"(?:\s{0,8}(?:\+|&|\|\||<>|\.\.)\s{0,16}|[ \t]{0,4}\.[ \t]{0,4}(?=[$\"'])|\)?\.(?:concat|append|add|plus|write)\([ \t]{0,4})"

_EQUALS: Final = re.compile(
    rf"=(?![=>])[ \t]{{0,8}}(?:({_LITERAL})|[\[({{]\s{{0,16}}({_LITERAL}(?:\s{{0,8}},\s{{0,16}}{_LITERAL}){{0,40}}+))"
)
_BARE: Final = re.compile(r"(?:(?<=[\s;&])|^)([A-Za-z_]\w{0,63}+)=([\w\-+/=.:@]{2,200}+)(?=[\s;&]|$)")
_TYPES: Final = frozenset({"str", "string", "String", "text", "auto", "char"})
_OPERATORS: Final = "+.:?"
_SIGN: Final = re.compile(r"[+&]|\|\||\.\.|<>|\.[ \t]{0,4}(?=[$\"'])|\.(?:concat|append|add|plus|write)\(")
"""Every choice begins with a sign of its own, so that the search passes over what is none of them."""
_SUM: Final = re.compile(rf"{_OPERAND}(?:{_PLUS}{_OPERAND}){{1,60}}+")
_ONE: Final = re.compile(_OPERAND)
_OPERATOR: Final = re.compile(_PLUS)
_REFERENCE: Final = re.compile(
    r"[{$%](?:(?<=\{)\{? ?|(?<=\$)(?!\{)|(?<=%)(?=\w{1,64}%))(?:env:)?([A-Za-z_]\w{0,63}+(?:\[ ?\d{1,2} ?\])?)(?:(?:![rsa])? ?\}{1,2}|%)?"
)
_INSIDE: Final = re.compile(r"[\w\-+/=.:@]{0,80}+")
_BEFORE: Final = re.compile(r"(?<![\w\-+/=.:@])[\w\-+/=.:@]{1,80}+$")
_ARGUMENTS: Final = rf"{_OPERAND}(?:\s{{0,4}},\s{{0,16}}{_OPERAND}){{1,60}}+"
_PLACES: Final = re.compile(r"(?:%[sv]|\{\d?\})(?:%[sv]|\{\d?\}){1,20}+")
_PLACE: Final = re.compile(r"%[sv]|\{\d?\}")
_FILLED: Final = re.compile(rf"[^\"'`\n]{{0,40}}[\"'`][ \t]{{0,4}}(?:%|\.format|,)?[ \t]{{0,4}}\(?\s{{0,8}}({_ARGUMENTS})")
_CALLED: Final = re.compile(r"(?:[cC]oncat|CONCAT|[jJ]oin|JOIN|implode|paste0|strcat)\w{0,8}\(")
_SIDE_BY_SIDE: Final = ("s%", "v%", "s{", "v{", "}%", "}{")
_JOINERS: Final = ("oncat", "CONCAT", "oin", "JOIN", "implode", "paste0", "strcat")
"""One of these stands in every text with two places side by side, or with a call that joins: most have none, and asking is cheap."""
_HANDED: Final = re.compile(rf"\s{{0,8}}(?:(?:\"\"|''),\s{{0,8}})?[\[(]?\s{{0,8}}({_ARGUMENTS})")
_LIST: Final = re.compile(rf"[\[(]\s{{0,16}}({_ARGUMENTS})\s{{0,4}},?\s{{0,16}}[\])]\.join\((?:\"\"|''|``)?\)")
_LISTED: Final = ("].join(", ").join(")
_NAMED_LIST: Final = re.compile(r"\.join\((?:(?:\"\"|''|``)?\)|([A-Za-z_]\w{0,63}+)\))")
_NEAR: Final = 8_192
"""Characters over which the pieces of one string may be strewn: further apart they are not redacted as one."""
_ROOM: Final = 65_536
_NAME_SIZE: Final = 80
_LONGEST: Final = 404
_FEWEST: Final = 2


def put_together(text: str, certain: Mosaic) -> None:
    """Add each string that an expression makes of literals and of variables which hold literals.

    Raises:
        DecodingLimitError: the strings are together larger than a text like this may unfold to.
    """
    program = _Program(text, certain)
    program.assign()
    program.add_sums()
    program.add_templates()
    program.add_calls()


class _Program:
    """The literals that the variables of a text hold, and where its strings go."""

    __slots__ = ("_certain", "_left", "_values", "text")

    def __init__(self, text: str, certain: Mosaic) -> None:
        self.text = text
        self._certain = certain
        self._values: dict[str, tuple[list[int], list[Parts]]] = {}
        self._left = max(_ROOM, len(text))

    def assign(self) -> None:
        """Note each assignment; a variable that is added to goes on, and what it holds in the end is a string of its own."""
        grown: dict[str, tuple[int, Parts]] = {}
        for match in _EQUALS.finditer(self.text):
            name, operator = self._assigned(match.start())
            if not name:
                continue
            pieces = tuple(self._literals(*match.span(match.lastindex or 0)))
            if operator in {"+", "."}:
                before = self.value(name, match.start())
                pieces = (*before, *pieces)
                self._spend(pieces)
                grown[name] = match.end(), pieces
            if match[2] is not None:
                for index, piece in enumerate(pieces):
                    self._hold(f"{name}[{index}]", match.start(), (piece,))
            self._hold(name, match.start(), pieces)
        if "$" in self.text:
            for match in _BARE.finditer(self.text):
                self._hold(match[1], match.start(), (Part(match[2], *match.span(2)),))
        for end, pieces in grown.values():
            self._add(pieces, end - 1, end)

    def add_sums(self) -> None:
        """Operands with an operator between them; one that is not known parts what stands beside it."""
        end = 0
        for sign in _SIGN.finditer(self.text):
            if sign.start() < end:
                continue
            position = sign.start() - self._follows_call(sign)
            start = self._operand_before(position)
            match = _SUM.match(self.text, start) if start >= 0 else None
            if match is not None and match.end() > position:
                end = match.end()
                self._add_run(match.span(), self._operands(*match.span()))

    def _follows_call(self, sign: re.Match[str]) -> bool:
        """Whether a call hangs on another, whose bracket is closed right before it (``a.append(b).append(c)``)."""
        return sign.group()[-1] == "(" and self.text[max(0, sign.start() - 1) : sign.start()] == ")"

    def add_templates(self) -> None:
        """References to variables within a string, with what stands right beside them."""
        run: list[re.Match[str]] = []
        for match in _REFERENCE.finditer(self.text) if self._values else ():
            if not self.value(match[1], match.start()):
                continue
            if run and _INSIDE.fullmatch(self.text, run[-1].end(), self._reference_start(match)) is None:
                self._add_template(run)
                run = []
            run.append(match)
        if run:
            self._add_template(run)

    def add_calls(self) -> None:
        """What is handed to a function that joins, or that fills places."""
        for places in _PLACES.finditer(self.text) if self._has(_SIDE_BY_SIDE) else ():
            filled = _FILLED.match(self.text, places.end())
            if filled is not None:
                some = islice(self._operands(*filled.span(1)), len(_PLACE.findall(places.group())))
                self._add_run((places.start(), filled.end()), some)
        for called in _CALLED.finditer(self.text) if self._has(_JOINERS) else ():
            handed = None if self._parts_them(called.start()) else _HANDED.match(self.text, called.end())
            if handed is not None:
                self._add_run((called.start(), handed.end()), self._operands(*handed.span(1)))
        if self._has(_LISTED):
            for match in _LIST.finditer(self.text):
                self._add_run(match.span(), self._operands(*match.span(1)))
        for match in _NAMED_LIST.finditer(self.text) if self._values else ():
            name = match[1] or _last_word(self.text[max(0, match.start() - _NAME_SIZE) : match.start()])
            self._add_run(match.span(), (self.value(name, match.start()),))

    def _has(self, words: Iterable[str]) -> bool:
        return any(map(self.text.__contains__, words))

    def _parts_them(self, position: int) -> bool:
        """Whether a call at a position is of a text that then stands between the pieces."""
        return self.text[max(0, position - 1) : position] == "." and self.text[max(0, position - 3) : position - 1] not in {
            '""',
            "''",
        }

    def _operand_before(self, position: int) -> int:
        """Where the operand begins that ends before a position, blanks aside; -1 when there is none."""
        before = self.text[max(0, position - _LONGEST) : position].rstrip()
        base = max(0, position - _LONGEST)
        if before[-1:] == "]":
            before = before[: before.rfind("[")]
        if before[-1:] and before[-1] in "\"'`":
            opened = before.rfind(before[-1], 0, -1)
            return -1 if opened < 0 else base + opened
        name = _last_word(before)
        return base + len(before) - len(name) if name else -1

    def _reference_start(self, match: re.Match[str]) -> int:
        """Where a reference begins, the sign before its bracket included."""
        start = match.start()
        return start - 1 if start and self.text[start] == "{" and self.text[start - 1] in "$#%" else start

    def value(self, name: str, position: int) -> Parts:
        """What a variable holds at a position: what was assigned last before it, or else first behind it. Nothing when it is not known."""
        known = self._values.get(_plain(name))
        if known is None:
            return ()
        positions, held = known
        return held[max(0, bisect_right(positions, position) - 1)]

    def _hold(self, name: str, position: int, pieces: Parts) -> None:
        positions, held = self._values.setdefault(_plain(name), ([], []))
        if not positions or positions[-1] <= position:
            positions.append(position)
            held.append(pieces)

    def _assigned(self, position: int) -> tuple[str, str]:
        """The name before the equals sign at a position, and what stands between the two (``+`` for adding)."""
        before = self.text[max(0, position - _NAME_SIZE) : position]
        operator = before[-1:] if before[-1:] in _OPERATORS else ""
        name = _last_word(before[: len(before) - len(operator)].rstrip(" \t"))
        if name in _TYPES:
            typed = before[: before.rindex(name)].rstrip(" \t")
            if typed.endswith(":"):
                name = _last_word(typed[:-1].rstrip(" \t"))
        return name, operator

    def _literals(self, start: int, end: int) -> Iterator[Part]:
        """The literals in a part of the text, without their quotation marks."""
        for match in _ONE.finditer(self.text, start, end):
            literal = _literal(match)
            if literal is not None:
                yield literal

    def _operands(self, start: int, end: int) -> Iterator[Parts]:
        """The pieces that each operand stands for; nothing for one that is not known."""
        position = start
        while (match := _ONE.search(self.text, position, end)) is not None:
            literal = _literal(match)
            yield (literal,) if literal is not None else self.value(match.group(), match.start())
            operator = _OPERATOR.match(self.text, match.end(), end)
            position = match.end() if operator is None else operator.end()

    def _add_run(self, span: tuple[int, int], operands: Iterable[Parts]) -> None:
        """Add what known operands beside each other make."""
        run: list[Part] = []
        for pieces in (*operands, ()):
            if pieces:
                run += pieces
            elif run:
                self._add(tuple(run), *span)
                run = []

    def _add_template(self, run: Sequence[re.Match[str]]) -> None:
        first, last = self._reference_start(run[0]), run[-1].end()
        before = _BEFORE.search(self.text[max(0, first - _NAME_SIZE) : first])
        start = first if before is None else first - len(before.group())
        inside = _INSIDE.match(self.text, last)
        end = last if inside is None else inside.end()
        pieces: list[Part] = []
        position = start
        for match in run:
            opened = self._reference_start(match)
            pieces.append(Part(self.text[position:opened], position, opened))
            pieces += self.value(match[1], opened)
            position = match.end()
        pieces.append(Part(self.text[position:end], position, end))
        self._add(tuple(piece for piece in pieces if piece.text), start, end)

    def _add(self, pieces: Parts, first: int, last: int) -> None:
        """Add a string, behind the words before the expression that makes it."""
        if len(pieces) < _FEWEST or max(one.last for one in pieces) - min(one.first for one in pieces) > _NEAR:
            return
        self._spend(pieces)
        if any(one.first > other.first for one, other in pairwise(pieces)):
            pieces = _strewn(pieces)
        opened = Part('"', first, first + 1, Fit.WHOLE)
        closed = Part('"', max(first, last - 1), last, Fit.WHOLE)
        every = (opened, *pieces, closed)
        self._certain.add_piece("".join(one.text for one in every), first, last, lambda: every)

    def _spend(self, pieces: Parts) -> None:
        self._left -= sum(len(one.text) + 8 for one in pieces)
        if self._left < 0:
            raise DecodingLimitError


def _strewn(pieces: Parts) -> Parts:
    """Pieces that do not stand in the order in which they are read: each stands for all that they cover, so that none is left behind."""
    first, last = min(one.first for one in pieces), max(one.last for one in pieces)
    return tuple(Part(one.text, first, last, Fit.WHOLE) for one in pieces)


def _plain(name: str) -> str:
    """A name without what marks it as a variable, and without blanks."""
    return name.lstrip("$@").replace(" ", "")


def _last_word(text: str) -> str:
    """The name that ends a text."""
    start = len(text)
    while start and (text[start - 1].isalnum() or text[start - 1] == "_"):
        start -= 1
    return text[start:]


def _literal(match: re.Match[str]) -> Part | None:
    """The text between quotation marks, if the match is one."""
    found = match.group()
    if found[-1] not in "\"'`":
        return None
    first = match.start() + found.index(found[-1]) + 1
    return Part(found[found.index(found[-1]) + 1 : -1], first, match.end() - 1)
