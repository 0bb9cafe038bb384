"""Honest documents of a form to learn from: lists of identifiers, drawn tables, fields of a protocol, generated code. Pure and deterministic.

Their words are those of orders (request, reply, system, prompt, role, ignore), but they stand in columns, members and lists, where nobody is
told anything. Sentences tell an attack; without such rows a list of the operations of a server looks like a row of commands. Everything is
drawn at random from words of our own, by a generator that is seeded.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

import numpy as np

from lockgate_workers.inspection.training.rows import CorpusRow
from lockgate_workers.inspection.training.vocabulary import (
    ADJECTIVES,
    CHANGES,
    CLAUSES,
    ENDS,
    GLYPHS,
    MEMBERS,
    MODELS,
    NOUNS,
    OPERATIONS,
    PAGES,
    STATES,
    TEMPLATES,
    TYPES,
    VERBS,
    WORDS,
)

FORMS: Final = "own-forms"
EACH_FORM: Final = 30
"""Rows of each kind."""

_Random = np.random.Generator
_T = TypeVar("_T")


def form_rows(seed: int, each: int = EACH_FORM) -> Iterator[CorpusRow]:
    """Yield ``each`` rows of every kind."""
    random = np.random.default_rng(seed)
    for name, kind in _FORMS.items():
        for number in range(each):
            yield CorpusRow(text=kind(random), label="benign", cls="own_forms", source=FORMS, group=f"{FORMS}:{name}-{number}")


def _one(random: _Random, words: Sequence[_T]) -> _T:
    return words[int(random.integers(len(words)))]


def _between(random: _Random, least: int, most: int) -> int:
    return int(random.integers(least, most))


def _parts(random: _Random) -> list[str]:
    """The words of an identifier: a verb and a noun, or two nouns, and now and then one more."""
    first = _one(random, VERBS) if random.random() < _HALF else _one(random, ADJECTIVES)
    parts = [first, _one(random, NOUNS)]
    return [*parts, _one(random, NOUNS)] if random.random() < _HALF else parts


def _camel(random: _Random) -> str:
    return "".join(part.capitalize() for part in _parts(random))


def _snake(random: _Random) -> str:
    return "_".join(_parts(random))


def _dotted(random: _Random) -> str:
    return ".".join(_one(random, NOUNS) for _ in range(_between(random, 2, 4))) + f".{_snake(random)}"


def _joined(random: _Random, line: Callable[[_Random], str], least: int = 8, most: int = 70) -> str:
    return "\n".join(line(random) for _ in range(_between(random, least, most)))


def _identifiers(random: _Random) -> str:
    """Names one a line, as in the index of a manual, a list of files or of tests."""
    head = _one(random, ["", "", "- ", "* ", "  ", "docs/api/", "checks/"])
    if random.random() < _HALF:  # most lists of files are of one folder
        folder = "/".join(_one(random, NOUNS) + _one(random, ["", "s"]) for _ in range(_between(random, 1, 5)))
        head += f"{folder}/{_one(random, ['', '', f'{_one(random, NOUNS)}.{_one(random, NOUNS)}s.'])}"
    tail = _one(random, ["", "", ".rst", ".py", "(3)", ","])
    name = (_camel, _snake, _dotted, lambda one: f"{_snake(one)}::test_{_snake(one)}")[_between(random, 0, 4)]
    return _joined(random, lambda one: f"{head}{name(one)}{tail}", 10, 250)


def _words(random: _Random) -> str:
    """A list of words that a search leaves out, with a remark now and then."""
    remark = _one(random, ["| ", "# ", "-- ", "; "])

    def line(random: _Random) -> str:
        word = _one(random, WORDS)
        return f"{word}  {remark}{_one(random, ADJECTIVES)} form" if random.random() < _RARE else word

    glue = _one(random, ["\n", "\n", " ", ", "])
    return f"{remark}words that are left out\n" + glue.join(line(random) for _ in range(_between(random, 40, 300)))


def _sentence(random: _Random) -> str:
    return f"{_snake(random)} {_one(random, ENDS)}"


def _drawn(random: _Random) -> str:
    """A table drawn with box characters."""
    rows = [
        [_snake(random), _one(random, TYPES), _sentence(random) if random.random() < _HALF else ""]
        for _ in range(_between(random, 3, 24))
    ]
    widths = [max(map(len, column)) + 1 for column in zip(*rows, strict=True)]
    rule = "┼".join("─" * width for width in widths)
    lines = ["│".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return (
        f"┌{rule.replace('┼', '┬')}┐\n" + f"\n├{rule}┤\n".join(f"│{line}│" for line in lines) + f"\n└{rule.replace('┼', '┴')}┘"
    )


def _fields(random: _Random) -> str:
    """An operation of a protocol: its arguments, the reply, the errors, and a sentence on each."""
    name = _camel(random)
    arguments = [f"{_snake(random)}: {_one(random, TYPES)}" for _ in range(_between(random, 1, 6))]
    replies = [f"{_snake(random)}: {_one(random, TYPES)}" for _ in range(_between(random, 1, 8))]
    errors = ", ".join(_one(random, NOUNS).capitalize() for _ in range(_between(random, 1, 4)))
    told = " ".join(
        f"{_one(random, OPERATIONS).format(one=name, two=_camel(random), noun=_one(random, NOUNS), field=_snake(random))}"
        for _ in range(_between(random, 1, 6))
    )
    return f"{name}\n\n" + "\n".join(arguments) + "\n▶\n" + "\n".join(replies) + f"\n\nErrors: {errors}\n\n{told}"


def _layout(random: _Random) -> str:
    """The encoding of an operation, byte by byte."""
    lines = [
        f"     {_between(random, 1, 9)}     {_one(random, TYPES):16}{_snake(random)}" for _ in range(_between(random, 4, 20))
    ]
    return f"{_camel(random)}\n" + "\n".join(lines)


def _states(random: _Random) -> str:
    lines = (
        f"{_snake(random).replace('_', '-')}:\n  {_one(random, VERBS).capitalize()} {_camel(random)} -> {_snake(random).replace('_', '-')}"
        for _ in range(_between(random, 5, 25))
    )
    return "\n".join(lines)


def _front(random: _Random) -> str:
    """A page of a handbook with its front matter."""
    title = f"{_one(random, VERBS)} {_one(random, ADJECTIVES)} {_one(random, NOUNS)}s"
    body = "\n\n".join(
        _one(random, PAGES).format(one=_snake(random), two=_snake(random), noun=_one(random, NOUNS), verb=_one(random, VERBS))
        for _ in range(_between(random, 1, 7))
    )
    nav = f"sidebar: {_one(random, NOUNS).capitalize()}s\n" if random.random() < _HALF else ""
    return (
        f"---\ntitle: {_one(random, ['How to', 'How you', 'Guides:', 'Reference:', ''])} {title}\n{nav}description: "
        f"{_one(random, ['Learn how to', 'Use this page to', 'Let your application', 'API reference:'])} {title} in your application.\n"
        f"---\n\n{body}"
    )


def _news(random: _Random) -> str:
    """What changed in each release of a program."""
    lines = [
        f"{_one(random, ['Version', 'Release', '## ', 'What is new in'])} {_between(random, 0, 9)}.{_between(random, 0, 30)}"
    ]
    for _ in range(_between(random, 4, 30)):
        told = _one(random, CHANGES).format(
            one=_snake(random), two=_camel(random), noun=_one(random, NOUNS), verb=_one(random, VERBS)
        )
        lines.append(f"{_one(random, ['** ', '  * ', '- ', '  - '])}{told}")
    return "\n".join(lines)


def _entry_points(random: _Random) -> str:
    sign = _one(random, [" = ", "="])
    lines = [f"[{_one(random, ['console_scripts', 'gui_scripts', 'tool.plugins', 'pytest11'])}]"]
    lines += [f"{_snake(random).replace('_', '-')}{sign}{_dotted(random)}:main" for _ in range(_between(random, 1, 12))]
    return "\n".join(lines)


def _requirements(random: _Random) -> str:
    def line(random: _Random) -> str:
        name = _snake(random).replace("_", _one(random, ["-", "_", ""]))
        return name + _one(random, ["", "", ">=1.2", "==0.4.1", "[extra]", "[all]>=2", "~=3.1 ; python_version < '3.12'"])

    return _joined(random, line, 1, 30)


def _licence(random: _Random) -> str:
    """A licence with places to fill in, in our words."""
    left, right = _one(random, [("<", ">"), ("[", "]"), ("{", "}"), ("`<", ">`"), ("_", "_")])
    year, holder = (
        f"{left}year{right}",
        f"{left}{_one(random, ['name of the author', 'fullname', 'copyright holder', 'organisation'])}{right}",
    )
    clauses = [text.format(holder=holder) for text in CLAUSES]
    chosen = random.permutation(len(clauses))[: _between(random, 2, len(clauses))]
    return f"Copyright (c) {year} {holder}\n\n" + "\n\n".join(clauses[int(at)] for at in chosen)


def _matched(random: _Random) -> tuple[str, str]:
    """A module, and the class of the same name in it."""
    parts = [*_parts(random), _one(random, ["event", "param", "item", "error", "response", "config", "done", "created"])]
    return "_".join(parts), "".join(part.capitalize() for part in parts)


def _unions(random: _Random) -> str:
    """A generated name for what may be any of many classes."""
    pairs = [_matched(random) for _ in range(_between(random, 3, 50))]
    imports = "\n".join(f"from .{module} import {name}" for module, name in pairs)
    names = ",\n        ".join(name for _, name in pairs)
    told = f"# Made by a generator from the description of the {_one(random, NOUNS)} service; changes are lost.\n\n"
    return (
        f"{told}from typing import Union\nfrom typing_extensions import Annotated, TypeAlias\n\nfrom .._utils import PropertyInfo\n{imports}\n\n"
        f'__all__ = ["{_camel(random)}"]\n\n{_camel(random)}: TypeAlias = Annotated[\n    Union[\n        {names},\n    ],\n'
        f'    PropertyInfo(discriminator="{_one(random, ["type", "role", "object"])}"),\n]'
    )


def _exports(random: _Random) -> str:
    """The head of a generated package, which exports the names of its modules."""

    def line(random: _Random) -> str:
        module, name = _matched(random)
        return f"from .{module} import {name} as {name}"

    return f"# Made by a generator from the description of the {_one(random, NOUNS)} service; changes are lost.\n\n" + _joined(
        random, line, 5, 60
    )


def _models(random: _Random) -> str:
    """Generated classes of an interface, with the members of messages."""
    lines = [
        f"from {_one(random, ['.', '..', ''])}{_one(random, NOUNS)}.{_snake(random)} import {_camel(random)}"
        for _ in range(_between(random, 1, 9))
    ]
    lines += ["from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeAlias, TypedDict, Union", ""]
    for _ in range(_between(random, 1, 6)):
        lines += [f"class {_camel(random)}(TypedDict, total=False):"]
        for _ in range(_between(random, 2, 7)):
            lines.append(f"    {_one(random, MEMBERS)}")
            if random.random() < _HALF:
                lines.append(f'    """The {_one(random, ADJECTIVES)} {_one(random, NOUNS)} of the {_one(random, NOUNS)}."""')
            lines.append("")
    return "\n".join(lines)


def _constants(random: _Random) -> str:
    sign = _one(random, [" = ", ": Final = ", "=", " := "])
    return _joined(random, lambda one: f'{_snake(one).upper()}{sign}"{_snake(one)}"', 6, 60)


def _checkpoints(random: _Random) -> str:
    """A list of the names of published models."""
    return _joined(
        random,
        lambda one: f"{_one(one, NOUNS)}{_one(one, NOUNS)}/{_one(one, NOUNS).capitalize()}LM-{_one(one, MODELS)}-{_camel(one)}",
        10,
        70,
    )


def _diagram(random: _Random) -> str:
    """Boxes with names in them, and arrows between the boxes."""
    lines = [f"{_one(random, NOUNS).capitalize()} {_one(random, NOUNS)}", ""]
    width = _between(random, 14, 66)
    for _ in range(_between(random, 1, 6)):
        inside = [f"{_one(random, VERBS).capitalize()} {_one(random, ADJECTIVES)} {_one(random, NOUNS)}"]
        inside += [f"- {_snake(random)}" for _ in range(_between(random, 0, 4))]
        lines += [f"┌{'─' * width}┐", *(f"│ {text[: width - 2].ljust(width - 2)} │" for text in inside), f"└{'─' * width}┘"]
        lines += [f"{' ' * (width // 2)}{_one(random, ['│', '▼', '▲', '↓', '|'])}" for _ in range(_between(random, 0, 3))]
    return "\n".join(lines)


def _ruled(random: _Random) -> str:
    """Sections between rulers, as in long settings files and in plain text."""
    comment, ruler = (
        _one(random, ["# ", "// ", "", "; ", "** "]),
        _one(random, ["─", "=", "-", "*", "━", "~", "#", "_", "═", "."]),
    )
    lines = []
    for _ in range(_between(random, 2, 9)):
        line = comment + ruler * _between(random, 20, 78)
        lines += [line, f"{comment}{_between(random, 1, 30)}. {_one(random, ADJECTIVES).capitalize()} {_one(random, NOUNS)}"]
        lines += [line] if random.random() < _HALF else []
        lines += [_one(random, [_snake, _dotted, _sentence])(random) for _ in range(_between(random, 0, 6))]
    return "\n".join(lines)


def _again(random: _Random) -> str:
    """The same sign or name over and over, as files to test with hold it."""
    unit = _one(random, ["x", "0", "a", ".", "lorem ", "- ", "é", "AB", f"{_one(random, NOUNS)} ", "\\x00", "ab\n"])
    return f"{_sentence(random)}\n" + unit * _between(random, 30, 1_500)


def _glossary(random: _Random) -> str:
    """Words with what they mean in another language."""
    sign = _one(random, [" | ", "  |  ", "\t", " = "])
    lines = (
        f"{_one(random, WORDS)}{sign}{_one(random, WORDS) if random.random() < _HALF else ''}".rstrip()
        for _ in range(_between(random, 30, 150))
    )
    return "\n".join(lines)


def _template(random: _Random) -> str:
    """A page of a template language."""
    lines = []
    for _ in range(_between(random, 2, 14)):
        one, two = _one(random, NOUNS), _one(random, NOUNS)
        lines.append(_one(random, TEMPLATES).format(one=one, two=two))
    return "\n".join(lines)


def _characters(random: _Random) -> str:
    """A table of characters with their names and where they come from."""
    start, named = (
        _between(random, 0x21, 0x2FF0),
        _one(random, [["{one}"], ["{two} letter {one}", "{two} sign {one}", "{one}"]]),
    )
    kind = _one(random, STATES)
    return "\n".join(
        f"U+{code:04x} {_one(random, named).format(one=_one(random, GLYPHS), two=_one(random, ADJECTIVES))} {kind}"
        for code in range(start, start + _between(random, 10, 70))
    )


def _states_of(random: _Random) -> str:
    """A long list of things with the state of each, which is the same for most of them."""
    usual, glue, wide = _one(random, STATES), _one(random, ["  ", "\t", ": ", " = ", " "]), _between(random, 0, 28)
    name = (_snake, _dotted, lambda one: _one(one, GLYPHS), lambda one: f"{_between(one, 1, 999):04} {_one(one, NOUNS)}")[
        _between(random, 0, 4)
    ]

    def line(random: _Random) -> str:
        return f"{name(random):{wide}}{glue}{usual if random.random() > _RARE else _one(random, STATES)}"

    return _joined(random, line, 10, 200)


def _armoured(random: _Random) -> str:
    """A block of bytes in letters between two rulers that name it, as certificates and keys are kept."""
    name = _one(
        random, ["CERTIFICATE", "PUBLIC KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "PRIVATE KEY", "PGP MESSAGE", "SIGNATURE"]
    )
    lines = [base64.b64encode(random.bytes(_one(random, [24, 48]))).decode() for _ in range(_between(random, 1, 20))]
    if random.random() < _HALF:
        lines = lines[:1] * len(lines)
    return "\n".join([f"-----BEGIN {name}-----", *lines, f"-----END {name}-----"])


def _progress(random: _Random) -> str:
    """Bars of progress, and how fast what was measured is."""
    sign, width, name = _one(random, ["#", "=", "█", "."]), _between(random, 10, 50), _camel(random)

    def line(random: _Random) -> str:
        done = _between(random, 0, width + 1)
        return f"[{(sign * done).ljust(width)}] {100 * done // width:3}%"

    def speed(random: _Random) -> str:
        return f"| {name}#{_snake(random)} | {_between(random, 100, 90_000):,} ops/sec | ±{random.random():.2f}% | {_between(random, 10, 99)} | |"

    return _joined(random, line if random.random() < _HALF else speed, 4, 60)


def _arithmetic(random: _Random) -> str:
    """Steps of a computation in signs, as a reference writes them."""
    names = [_one(random, NOUNS)[:4] for _ in range(4)]

    def line(random: _Random) -> str:
        one, two = _one(random, names), _one(random, names)
        sign = _one(random, ["+", "-", "&", "|", "<<", ">>", "<=", "^"])
        return (
            f"{' ' * _between(random, 0, 16)}{one}[{_between(random, 0, 8)}] = {two} {sign} 0x{_between(random, 0, 65_536):04X}"
        )

    text = _joined(random, line, 6, 40)
    return text.replace(" ", "\xa0") if random.random() < _HALF else text


_HALF: Final = 0.5
_RARE: Final = 0.08

_FORMS: Final[dict[str, Callable[[_Random], str]]] = {
    "identifiers": _identifiers,
    "words": _words,
    "drawn": _drawn,
    "fields": _fields,
    "layout": _layout,
    "states": _states,
    "front": _front,
    "news": _news,
    "entry-points": _entry_points,
    "requirements": _requirements,
    "licence": _licence,
    "diagram": _diagram,
    "ruled": _ruled,
    "again": _again,
    "glossary": _glossary,
    "exports": _exports,
    "unions": _unions,
    "models": _models,
    "constants": _constants,
    "checkpoints": _checkpoints,
    "template": _template,
    "characters": _characters,
    "states-of": _states_of,
    "arithmetic": _arithmetic,
    "armoured": _armoured,
    "progress": _progress,
}
