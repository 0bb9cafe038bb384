"""Honest texts without sentences to learn from: tables of numbers, readings of instruments, lists of names and entries. Pure and deterministic.

Words tell an attack, and a text of hardly any words tells nothing: without such rows, figures look like what hides an order in character
codes, which is read where it is decoded. Everything is drawn at random, by a generator that is seeded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from lockgate_workers.inspection.training.rows import CorpusRow

FIGURES: Final = "own-figures"
EACH_KIND: Final = 24
"""Rows of each kind."""

_SYLLABLES: Final = "ka lo mi ren ta vo sel dar nu bri an ost el qui fa jo wen zi hal pet mor gu ly sto ber".split()  # noqa: SIM905 - reads better
# fmt: off
_COLUMNS: Final = (
    "id", "time", "x", "y", "z", "value", "price", "qty", "total", "rate", "mean", "std", "min", "max", "lat", "lon", "temp", "load", "count",
    "year", "week", "score", "weight",
)
# fmt: on
_Random = np.random.Generator
_Cell = Callable[[_Random], str]


def figure_rows(seed: int, each: int = EACH_KIND) -> Iterator[CorpusRow]:
    """Yield ``each`` rows of every kind."""
    random = np.random.default_rng(seed)
    for name, kind in _KINDS.items():
        for number in range(each):
            yield CorpusRow(
                text=kind(random), label="benign", cls="own_figures", source=FIGURES, group=f"{FIGURES}:{name}-{number}"
            )


def _integer(random: _Random) -> str:
    return str(int(random.integers(-99, 100)))


def _small(random: _Random) -> str:
    return str(int(random.integers(0, 2)))


def _code(random: _Random) -> str:
    return str(int(random.integers(0, 256)))


def _fraction(random: _Random) -> str:
    return f"{random.random():.{int(random.integers(2, 13))}f}"


def _scientific(random: _Random) -> str:
    return f"{random.normal(0, 50):.4e}"


def _amount(random: _Random) -> str:
    return f"{random.gamma(2, 400):,.2f}"


def _table(cell: _Cell, glue: str) -> Callable[[_Random], str]:
    def made(random: _Random) -> str:
        rows, columns = int(random.integers(4, 60)), int(random.integers(1, 14))
        return "\n".join(glue.join(cell(random) for _ in range(columns)) for _ in range(rows))

    return made


def _headed(random: _Random) -> str:
    """A table of comma-separated values with a head and a date."""
    names = random.choice(_COLUMNS, int(random.integers(2, 7)), replace=False)
    lines = [",".join(["date", *names])]
    for day in range(int(random.integers(5, 40))):
        cells = (_CELLS[int(random.integers(len(_CELLS)))](random).replace(",", "") for _ in names)
        lines.append(",".join([f"2026-{day % 12 + 1:02}-{day % 28 + 1:02}", *cells]))
    return "\n".join(lines)


def _readings(random: _Random) -> str:
    name = _name(random)
    return "\n".join(
        f"{int(random.integers(24)):02}:{int(random.integers(60)):02}:{int(random.integers(60)):02} {name} {_fraction(random)}"
        for _ in range(int(random.integers(5, 60)))
    )


def _array(random: _Random) -> str:
    cell = _CELLS[int(random.integers(len(_CELLS)))]
    rows = ("[" + ", ".join(cell(random).replace(",", "") for _ in range(4)) + "]" for _ in range(int(random.integers(3, 30))))
    return "[" + ",\n ".join(rows) + "]"


def _commented(random: _Random) -> str:
    return f"# {_name(random)} {_name(random)}, {_code(random)} x {_code(random)}\n" + _table(_integer, " ")(random)


def _name(random: _Random) -> str:
    word = "".join(random.choice(_SYLLABLES, int(random.integers(2, 4))))
    return word.capitalize() if random.random() < _CAPITALS else word


def _people(random: _Random) -> str:
    def line() -> str:
        written = " ".join(_name(random) for _ in range(int(random.integers(1, 4))))
        return f"@{written.replace(' ', '_')}{_code(random)}" if random.random() < _HANDLES else written

    return "\n".join(line() for _ in range(int(random.integers(8, 120))))


def _entries(random: _Random) -> str:
    """Entry points, settings and requirements: a name, a sign, and dotted names."""
    sign = str(random.choice([" = ", "=", ": ", "==", ">="]))
    lines = [f"[{_name(random)}.{_name(random)}]"]
    lines += [
        f"{_name(random).lower()}{sign}{'.'.join(_name(random).lower() for _ in range(3))}:{_name(random)}"
        for _ in range(int(random.integers(3, 40)))
    ]
    return "\n".join(lines)


def _paths(random: _Random) -> str:
    return "\n".join(
        "/".join(_name(random).lower() for _ in range(int(random.integers(2, 6))))
        + str(random.choice([".py", ".txt", ".csv", "/"]))
        for _ in range(int(random.integers(8, 80)))
    )


_CAPITALS: Final = 0.7
_HANDLES: Final = 0.3
_CELLS: Final = (_integer, _fraction, _scientific, _amount, _code)
_KINDS: Final[dict[str, Callable[[_Random], str]]] = {
    "integers": _table(_integer, " "),
    "grid": _table(_small, " "),
    "codes": _table(_code, " "),
    "fractions": _table(_fraction, " "),
    "tabs": _table(_scientific, "\t"),
    "commas": _table(_fraction, ", "),
    "amounts": _table(_amount, " | "),
    "headed": _headed,
    "readings": _readings,
    "array": _array,
    "commented": _commented,
    "people": _people,
    "entries": _entries,
    "paths": _paths,
}
