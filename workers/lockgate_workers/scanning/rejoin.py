"""Texts that were cut up so that no rule sees them in one piece: put together again.

Known ways of cutting: marks that a reader does not see (emphasis, tags) within a word; string literals that a program joins;
single characters or equal pieces with the same glue between them; a token broken over lines, with numbers, quotation or comment
signs before each; and a known head of a token with the rest after some glue. What chance could have put together (unequal
pieces, digits alone, anything after a head) makes a weak view (see `View`).
"""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from itertools import islice
from types import MappingProxyType
from typing import Final

from lockgate_workers.scanning.places import Places
from lockgate_workers.scanning.view import DecodingLimitError, Fit, Mosaic, Part, parts_of

_INLINE: Final = "a|abbr|acronym|b|bdi|bdo|big|cite|code|del|dfn|em|font|i|ins|kbd|mark|q|s|samp|small|span|strike|strong|sub|sup|tt|u|var|wbr"
_T: Final = r"[A-Za-z0-9_\-+/=.:@!$%~]"
_BULLETS: Final = "\u2022\u00b7"
_NUMBERED: Final = rf"\d{{1,4}}[.):|]?[ \t]{{1,4}}|(?:[>#*|;%+\-{_BULLETS}]|>>|///?|--|\*/|REM)[ \t]{{1,4}}"
_PREFIX: Final = rf"[ \t]{{0,16}}(?:{_NUMBERED}){{0,2}}"
_OPERATOR: Final = r"(?:\+|\.{1,2}|\|\||&|<>|~|\\|)"
_IN: Final = r"[\w\-+/=.:@]"

SIGNS: Final = MappingProxyType(
    {
        "marks": rf"[\w\-.](?:\*{{1,3}}|~~|`|\|\||</?(?:{_INLINE})\b[^<>\n]{{0,60}}/?>)[\w\-.<]|[\w\-.]<!--",
        "spoken": r"(?i:[\[({] ?(?:\.|dot|at|@) ?[\])}])",
        "literals": rf"{_IN}['\"`]\s{{0,16}}{_OPERATOR}\s{{0,16}}[fbruFBRU]?['\"`]{_IN}",
        "quoted": r"(?:=[0-9A-F]{2}[!-~]{0,8}){3}|[!-~]{8}=\r?\n[!-~]",
        "spelled": r"(?:[^A-Za-z0-9]{1,17}[A-Za-z0-9]){9}",
        "pieces": r"(?:\b[\w+/=]{2}[ ,\-.:|/\n]){6}|(?:\b[\w+/=]{3}[ ,\-.:|/\n]){6}|(?:\b[\w+/=]{4}[ ,\-.:|/\n]){5}",
        "column": rf"\n[ \t]{{0,16}}(?:{_NUMBERED})+{_T}{{2,120}}\r?\n|\n[ \t]{{0,16}}{_T}{{0,80}}[0-9@]{_T}{{0,80}}\r?\n",
    }
)
"""What the gate looks for, by way of cutting. For heads it looks for the heads themselves."""

# Begins with a class of single characters, which the matcher looks for quickly; what came before them is asked afterwards.
_MARKS: Final = re.compile(
    rf"[<*~`|](?<=\S.)(?:(?<=<)/?(?:{_INLINE})(?:\s[^<>]{{0,200}}+)?/?>|(?<=<)!--[^<>]{{0,200}}?-->|(?<=\*)\*{{0,2}}|(?<=~)~|(?<=`)|(?<=\|)\|)"
    r"(?=\S)",
    re.IGNORECASE,
)
_SPOKEN: Final = re.compile(r"[ \t]?[\[({] ?(\.|dot|at|@) ?[\])}][ \t]?", re.IGNORECASE)
_SPOKEN_SIGNS: Final = {"dot": ".", "at": "@"}
_JOINT: Final = re.compile(
    rf"(?<={_IN})(['\"`])[ \t]{{0,16}}(?:{_OPERATOR}\s{{0,32}}(?:{_OPERATOR}[ \t]{{1,8}})?)[fbruFBRU]?\1(?={_IN})"
)
_QUOTED: Final = re.compile(r"=(?:\r?\n|([0-9A-F]{2}))")
_SPELLED: Final = re.compile(
    r"(?<![A-Za-z0-9])[A-Za-z0-9]([^A-Za-z0-9]{1,8})[!-~](?:\1[!-~]|\1 \1[!-~]){6,}(?![A-Za-z0-9])|"
    r"(?<![A-Za-z0-9])[A-Za-z0-9](\W{1,3}\s{1,16}\W)[!-~](?:\2[!-~]){6,}(?![A-Za-z0-9])"
)
_FEWEST_KINDS: Final = 4
_LINE: Final = re.compile(rf"\n{_PREFIX}({_T}{{2,120}}+)[ \t]*+\r?(?=\n|$)")
_LINE_END: Final = re.compile(rf"(?<!{_T}){_T}++$")
_LINE_START: Final = re.compile(rf"\n{_PREFIX}({_T}{{1,120}}+)")
_LONGEST_LINE: Final = 160
_SMALL_PIECES: Final = {
    size: re.compile(
        rf"(?<![^\s\"'`(\[])[!-~]{{{size}}}([ ,\-.:|/]{{1,3}}|\r?\n)[!-~]{{{size}}}"
        rf"(?:\1[!-~]{{{size}}}){{3,}}(?:\1[!-~]{{1,{size}}}(?![!-~]))?"
    )
    for size in (2, 3)
}
_CHUNK: Final = re.compile(r"[A-Za-z0-9_\-+/=.@:]{1,120}")
_ORDINARY_WORD: Final = re.compile(r"[A-Za-z]?[a-z]{0,24}[.:]?")
_LINE_GLUE: Final = re.compile(rf"[\"'`]?[ \t]{{0,4}}[\\=+.&_]?[ \t]{{0,4}}\r?\n{_PREFIX}(?:[+\-](?=[A-Za-z0-9])|[\"'`])?")
_GLUE: Final = re.compile(r"[^A-Za-z0-9\n]{1,8}")
_SOLDER: Final = "-._/:=+"
_IS_LIST: Final = re.compile(r"[\"'`],")
_IS_JOINED: Final = re.compile(r"join|concat|implode", re.IGNORECASE)
_NEAR: Final = 40
_BLANK: Final = re.compile(r"\s")
_LONGEST_WORD: Final = 400
_NEIGHBOURS: Final = 24
"""Characters after a word that was put together which go with it: numbers are written in groups."""
_DROPPED: Final = MappingProxyType({"marks": _MARKS, "spoken": _SPOKEN, "literals": _JOINT, "quoted": _QUOTED})
_SILENT: Final = frozenset({_MARKS, _JOINT})
_MOST_CHUNKS: Final = 100
_HEADS_IN_CHUNK: Final = 3
"""Further heads within a chunk that are tried: who repeats a head to hide the last one gains nothing."""
_CHUNKS_AT_LEAST: Final = 4_096
_CHUNKS_IN: Final = 16
"""Chunks that may be put together in a text: one in so many characters. Only a flood of heads has more."""
_CERTAIN_PIECE: Final = 4
_FEWEST_PIECES: Final = 2


def rejoin(text: str, fired: AbstractSet[str], certain: Mosaic, doubtful: Mosaic) -> None:
    """Add what was cut up and is whole again, for the ways of cutting of which the gate saw a sign."""
    for name, pattern in _DROPPED.items():
        if name in fired:
            _add_without(text, pattern, certain)
    if "spelled" in fired:
        _add_spelled(text, certain, doubtful)
    if "column" in fired:
        _add_columns(text, certain, doubtful)


def rejoin_heads(text: str, heads: Places, doubtful: Mosaic) -> None:
    """Add what follows each head that some rule knows, put together over glue of one kind.

    Raises:
        DecodingLimitError: there are too many heads with too much behind them.
    """
    left = max(_CHUNKS_AT_LEAST, len(text) // _CHUNKS_IN)
    end = inside = 0
    for start, _ in heads.spans(text):
        chunk = _CHUNK.match(text, start)
        inside = inside + 1 if start < end else 0
        if chunk is None or inside > _HEADS_IN_CHUNK:
            continue
        end = max(end, chunk.end())
        left -= _add_from_head(text, chunk, doubtful)
        if left < 0:
            raise DecodingLimitError


def _add_without(text: str, pattern: re.Pattern[str], certain: Mosaic) -> None:
    """Add the words in which ``pattern`` matches, without what it matches or with the sign that its group names."""
    first = right = -1
    for match in pattern.finditer(text):
        if match.start() > right:
            if first >= 0:
                _add_word(text, pattern, first, right, certain)
            first = _word_start(text, match.start())
        if match.end() > right:
            right = _word_end(text, match.end())
    if first >= 0:
        _add_word(text, pattern, first, right, certain)


def _add_word(text: str, pattern: re.Pattern[str], first: int, last: int, certain: Mosaic) -> None:
    piece = text[first:last]
    read = pattern.sub("" if pattern in _SILENT else _sign, piece)
    certain.add_piece(read, first, last, lambda: parts_of(piece, pattern, _sign_parts, first))


def _word_start(text: str, position: int) -> int:
    before = text[max(0, position - _LONGEST_LINE) : position]
    words = before.rsplit(None, 1)
    return position if not words or before[-1].isspace() else position - len(words[-1])


def _word_end(text: str, position: int) -> int:
    end = _BLANK.search(text, position, position + _LONGEST_WORD)
    last = min(len(text), position + _LONGEST_WORD) if end is None else end.start()
    line_end = text.find("\n", last, last + _NEIGHBOURS)
    return min(len(text), last + _NEIGHBOURS) if line_end < 0 else line_end


def _sign(match: re.Match[str]) -> str:
    """Return what a mark stands for."""
    if match.re in _SILENT:
        return ""
    if match.re is _QUOTED:
        return chr(int(match[1], 16)) if match[1] else ""
    return _SPOKEN_SIGNS.get(match[1].lower(), match[1])


def _sign_parts(match: re.Match[str]) -> tuple[Part, ...]:
    return (Part(_sign(match), *match.span(), Fit.WHOLE),)


def _add_spelled(text: str, certain: Mosaic, doubtful: Mosaic) -> None:
    """Single characters with the same glue between all of them. Digits alone are a row of numbers more often than one number."""
    for match in _SPELLED.finditer(text):
        step = 1 + len(match[1] or match[2])
        run = match.group()[::step]
        if len(set(run)) < _FEWEST_KINDS:
            continue  # a ruler
        target = doubtful if run.isdigit() else certain
        target.add(Part(run, *match.span(), Fit.EVEN))


def rejoin_pieces(text: str, heads: Places, doubtful: Mosaic) -> None:
    """Add runs of pairs and threes from where a head begins in them: words before it, and one behind, may happen to be as long."""
    for size, pattern in _SMALL_PIECES.items():
        for match in pattern.finditer(text):
            glue = len(match[1])
            pieces = match.group().split(match[1])
            last = match.end() - len(pieces[-1]) - glue
            for at, _ in islice(heads.spans("".join(pieces)), _HEADS_IN_CHUNK):
                if at % size == 0:
                    start = match.start() + at // size * (size + glue)
                    doubtful.add(Part("".join(pieces[at // size :]), start, match.end(), Fit.EVEN, glue))
                    doubtful.add(Part("".join(pieces[at // size : -1]), start, max(last, start), Fit.EVEN, glue))


def _add_columns(text: str, certain: Mosaic, doubtful: Mosaic) -> None:
    """Lines of a single token each, the token before them and the one after."""
    run: list[Part] = []
    before: Part | None = None
    end = 0
    for line in _LINE.finditer(text):
        if run and line.start() != end:
            _add_column(before, run, _token(_LINE_START.match(text, end)), certain, doubtful)
            run = []
        if not run:
            before = _last_token(text, line.start())
        run.append(Part(line[1], *line.span(1)))
        end = line.end()
    if run:
        _add_column(before, run, _token(_LINE_START.match(text, end)), certain, doubtful)


def _add_column(before: Part | None, run: list[Part], after: Part | None, certain: Mosaic, doubtful: Mosaic) -> None:
    """Cut a run of lines where the length changes: equal pieces, and a last one that is no longer than they are."""
    start = 0
    while start < len(run):
        size = len(run[start].text)
        stop = start + 1
        while stop < len(run) and len(run[stop].text) == size:
            stop += 1
        first = before if start == 0 else run[start - 1]
        last = run[stop] if stop < len(run) else after
        _add_equal(first, run[start:stop], last, certain, doubtful, ends=stop < len(run))
        start = stop


def _add_equal(
    first: Part | None, pieces: list[Part], last: Part | None, certain: Mosaic, doubtful: Mosaic, *, ends: bool
) -> None:
    """Add equal pieces with the token before them and the last one, and without; ``ends`` when the last has a line of its own."""
    size = len(pieces[0].text)
    fits = first is not None and len(first.text) == size
    if len(pieces) + fits < _FEWEST_PIECES:
        return
    target = certain if size >= _CERTAIN_PIECE and _is_no_number(pieces) else doubtful
    rest = [last] if last is not None and len(last.text) <= size else []
    for lead in [[first], []] if first is not None else [[]]:
        for tail in [rest] if ends or not rest else [rest, []]:
            if len(lead) + len(pieces) + len(tail) > 1:
                (target if fits or not lead else doubtful).add(*lead, *pieces, *tail)


def _last_token(text: str, position: int) -> Part | None:
    """The token that ends the line before ``position``."""
    begin = max(0, position - _LONGEST_LINE)
    found = _LINE_END.search(text[begin:position].rstrip(" \t\r"))
    return None if found is None else Part(found.group(), begin + found.start(), begin + found.end())


def _token(match: re.Match[str] | None) -> Part | None:
    return None if match is None else Part(match[1], *match.span(1))


def _is_no_number(pieces: list[Part]) -> bool:
    return 2 * sum(not piece.text.isdigit() for piece in pieces) > len(pieces)


def _add_from_head(text: str, chunk: re.Match[str], doubtful: Mosaic) -> int:
    """From a head on: chunks as long as the first, with the same kind of glue between them, and a last one that may be shorter.

    Returns how many there are.
    """
    _add_soldered(chunk.group(), chunk.start(), doubtful)
    chunks = [Part(chunk.group(), *chunk.span())]
    kind = ""
    while len(chunks) < _MOST_CHUNKS:
        found = _next_chunk(text, chunks[-1].last, len(chunks[0].text), kind)
        if found is None:
            break
        kind, following = found
        chunks.append(following)
        if len(following.text) != len(chunks[0].text):
            break
    first, last = chunks[0].first, chunks[-1].last
    if _IS_LIST.match(kind) and _IS_JOINED.search(text[max(0, first - _NEAR) : first] + text[last : last + _NEAR]) is None:
        return len(chunks)  # a list of strings that nobody joins
    if len(chunks) > 2 or (len(chunks) == 2 and not _is_next_word(*chunks)):  # noqa: PLR2004 - see below
        doubtful.add(*chunks)
    if len(chunks) > 2:  # noqa: PLR2004 - the last one may be a word of what follows
        doubtful.add(*chunks[:-1])
    return len(chunks)


def _is_next_word(first: Part, last: Part) -> bool:
    """Whether what stands behind a whole token is a word of what follows, and no piece of it."""
    return len(first.text) != len(last.text) and _ORDINARY_WORD.fullmatch(last.text) is not None


def _next_chunk(text: str, position: int, size: int, kind: str) -> tuple[str, Part] | None:
    """Return the kind of glue at ``position`` and the chunk behind it: the one whose size fits, if any glue of that kind makes it fit."""
    line = _LINE_GLUE.match(text, position)
    if line is not None:
        ends = [line.end()] if kind in {"", "\n"} else []
    elif kind:
        ends = [position + len(kind)] if text.startswith(kind, position) else []
    else:
        glue = _GLUE.match(text, position)
        ends = [] if glue is None else list(range(position + 1, glue.end() + 1))
    chunks = [found for end in ends if (found := _CHUNK.match(text, end)) is not None]
    if not chunks:
        return None
    best = next((one for one in chunks if one.end() - one.start() == size), chunks[-1])
    return "\n" if line is not None else text[position : best.start()], Part(best.group(), *best.span())


def _add_soldered(run: str, start: int, doubtful: Mosaic) -> None:
    """Equal pieces with a sign between them that may also be part of a token (``ghp_-xTnz-QeyQ``)."""
    for sign in _SOLDER:
        step = run.find(sign, 2) + 1
        if step and len(run) > 2 * step and not run[step - 1 :: step].strip(sign):
            joined = "".join(run[at : at + step - 1] for at in range(0, len(run), step))
            doubtful.add(Part(joined, start, start + len(run), Fit.EVEN, slack=1))
