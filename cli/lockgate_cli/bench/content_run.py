"""One run of the accuracy part of the content benchmark: corpora in, a report out, with a bar on standard error meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from lockgate_cli.bench.content_accuracy import accuracy, measured
from lockgate_cli.bench.content_corpora import dlp_rows, kind_of
from lockgate_cli.bench.content_injection import injection_accuracy
from lockgate_cli.bench.content_report import ContentReport, Part
from lockgate_cli.bench.machine import this_machine
from lockgate_workers.scanning.loading import load_scanner

PACKAGES: Final = (
    "lockgate",
    "hyperscan",
    "google-re2",
    "numpy",
    "presidio-analyzer",
    "spacy",
    "detect-secrets",
    "scikit-learn",
)


class Telling(Protocol):
    """Who is told how far it is."""

    def begin(self, what: str, total: int | None = None) -> None:
        """The next part: of so many steps, or nobody knows."""
        ...

    def step(self) -> None:
        """One step of it is done."""
        ...


class _OnBar:
    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self._task = bar.add_task("starting", total=None)

    def begin(self, what: str, total: int | None = None) -> None:
        self._bar.remove_task(self._task)
        self._task = self._bar.add_task(what, total=total)

    def step(self) -> None:
        self._bar.advance(self._task)


@contextmanager
def telling(*, quiet: bool) -> Iterator[Telling]:
    """A bar on standard error, as long as the block lasts; none when ``quiet``."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True, disable=quiet) as bar:
        yield _OnBar(bar)


def accuracy_of(corpora: Sequence[Path], *, labels: bool = False, quiet: bool = False) -> ContentReport:
    """Measure what the shipped gates find in each of the corpora.

    Raises:
        ConfigurationError: a corpus is not usable.
    """
    with telling(quiet=quiet) as told:
        return reported(one_accuracy(path, told, labels=labels) for path in corpora)


def one_accuracy(path: Path, told: Telling, *, labels: bool = False) -> Part:
    """Measure on one corpus; its rows say for which gate it is."""
    if kind_of(path) == "injection":
        return injection_accuracy(path, told.begin)
    rows = dlp_rows(path)
    told.begin("compiling the rules")
    scanner = load_scanner("dlp")
    told.begin("DLP accuracy", len(rows))
    return accuracy(measured(rows, scanner, told.step), labels=labels)


def reported(parts: Iterable[Part]) -> ContentReport:
    """Put parts together, with the day and the machine. The machine is looked at first, before it is busy with the parts."""
    machine, date = this_machine(PACKAGES), datetime.now(UTC).date().isoformat()
    return ContentReport(date=date, machine=machine, parts=tuple(parts))
