"""What the benchmark of the content gates found, as tables for people and figures for machines, and how it stands to its targets. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isnan, sqrt
from typing import Any, Final

import msgspec

from lockgate_cli.bench.report import Machine, Target

BEGIN: Final = "<!-- figures: begin -->"
END: Final = "<!-- figures: end -->"
"""What stands between these two lines of a page is written by the benchmark."""
_Z: Final = 1.96
"""Standard deviations of an interval that holds the true value 95 times in 100."""


class Table(msgspec.Struct, frozen=True):
    """One table: its rows are words. ``note`` says what a reader has to know to read it."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One part of the benchmark. ``figures`` are the numbers behind the tables; ``skipped`` says what was left out, and why."""

    name: str
    tables: tuple[Table, ...] = ()
    targets: tuple[Target, ...] = ()
    figures: dict[str, Any] = {}
    skipped: tuple[str, ...] = ()


class ContentReport(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run, on one machine and one day (ISO 8601)."""

    date: str
    machine: Machine
    parts: tuple[Part, ...]

    @property
    def met(self) -> bool:
        """Whether every target that was measured is met."""
        return all(target.met for part in self.parts for target in part.targets)


def at_least(what: str, value: float, goal: float, shown: str = "") -> Target:
    """A target which a value meets from ``goal`` on; one that was not measured (not a number) is not met."""
    return Target(what, value, f"≥ {shown or format(goal, 'g')}", value >= goal)


def at_most(what: str, value: float, goal: float, shown: str = "") -> Target:
    """A target which a value meets up to ``goal``."""
    return Target(what, value, f"≤ {shown or format(goal, 'g')}", value <= goal)


def wilson(found: int, count: int) -> tuple[float, float]:
    """The interval that holds the true share 95 times in 100 (Wilson 1927), for ``found`` of ``count``; all of it where nothing was counted."""
    if count == 0:
        return 0.0, 1.0
    share, square = found / count, _Z * _Z / count
    middle = (share + square / 2) / (1 + square)
    half = _Z * sqrt(share * (1 - share) / count + square / (4 * count)) / (1 + square)
    return max(0.0, middle - half), min(1.0, middle + half)


def percent(share: float) -> str:
    """A share in words."""
    return "-" if isnan(share) else f"{share:.1%}"


def with_interval(found: int, count: int) -> str:
    """A share with its interval."""
    if count == 0:
        return "-"
    low, high = wilson(found, count)
    return f"{found / count:.1%} ({100 * low:.1f}-{100 * high:.1f})"


def markdown(report: ContentReport) -> str:
    """The report as a part of a page."""
    machine = report.machine
    versions = ", ".join(f"{name} {found}" for name, found in machine.versions.items())
    lines = [f"Measured on {report.date}: {machine.cores} cores, {machine.processor}, {machine.system}; {versions}.", ""]
    if machine.busy > 0.3:  # noqa: PLR2004 - a few tenths of a core are what an idle machine does
        lines += [f"Others kept {machine.busy:.1f} cores busy when it began, so the times are longer than they are.", ""]
    for part in report.parts:
        for table in part.tables:
            lines += [f"### {table.title}", ""]
            lines += [*_rows(table.columns, table.rows), ""]
            if table.note:
                lines += [table.note, ""]
        lines += [f"Left out: {one}" for one in part.skipped] + [""] * bool(part.skipped)
    targets = [(one.what, shown(one), one.goal, "yes" if one.met else "no") for part in report.parts for one in part.targets]
    if targets:
        lines += ["### Targets", "", *_rows(("What", "Found", "Asked for", "Met"), targets), ""]
    return "\n".join(lines)


def shown(target: Target) -> str:
    """A target's value in the unit of its goal."""
    return f"{target.value:.2%}" if target.goal.endswith("%") else f"{target.value:.3g}"


def written_into(page: str, text: str) -> str:
    """The page with ``text`` between its markers.

    Raises:
        ValueError: the page does not have both markers, in order and once.
    """
    before, begin, rest = page.partition(f"{BEGIN}\n")
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in after or END in after:
        raise ValueError(f"the page needs the lines {BEGIN} and {END}, in this order and once")
    return f"{before}{begin}\n{text.strip()}\n\n{end}{after}"


def _rows(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [columns, ["---"] * len(columns), *rows]
    return [f"| {' | '.join(cell.replace('|', '¦') for cell in line)} |" for line in lines]
