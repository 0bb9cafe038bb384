"""``lockgate rules test`` and ``bench``: whether rules do what their examples say, and what the scanners cost on this machine."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.markup import escape

from lockgate_cli.bench.content_run import accuracy_of
from lockgate_cli.bench.content_shown import show
from lockgate_cli.bench.scanners import SIZE, Speed, measured
from lockgate_cli.exits import Exit, guarded
from lockgate_cli.options import HomeOption, JsonOption, home_if_any
from lockgate_cli.render import console, print_json, table
from lockgate_cli.rulebook import RULE_FOLDERS, Rulebook, chosen_kinds, content_in_force
from lockgate_schemas.errors import ConfigurationError
from lockgate_workers.scanning.engine import Scanner
from lockgate_workers.scanning.examples import failures
from lockgate_workers.scanning.gate import Gate
from lockgate_workers.scanning.loading import ScannerKind, packaged_packs
from lockgate_workers.scanning.packs import Pack, all_rules, parse_pack

_SUFFIXES: Final = frozenset({".yaml", ".yml"})
_ROUNDS: Final = 300


@dataclass(frozen=True, slots=True)
class _Tried:
    """How the examples of one scanner's rules went."""

    scanner: str
    rules: int
    examples: int
    failures: tuple[str, ...]


@guarded
def try_examples(
    path: Annotated[
        Path | None, typer.Argument(help="A pack, or a folder of packs; without one, the rules in force.", exists=True)
    ] = None,
    scanner: Annotated[str, typer.Option("--scanner", help="Whose packs they are: injection or dlp.", show_default=False)] = "",
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Try every rule on its own examples: those that it must find, and those that it must not. Exit code 1 when one does not behave."""
    with console.status("trying the examples"):
        tried = _tried_in_force(home, scanner) if path is None else _tried_packs(path, scanner)
    failed = sum(len(one.failures) for one in tried)
    if as_json:
        print_json(tried)
    else:
        for one in tried:
            sign = "[red]✗[/]" if one.failures else "[green]✓[/]"
            console.print(f"{sign} {one.scanner}: {one.rules} rules, {one.examples} examples, {len(one.failures)} failed")
            for failure in one.failures:
                console.print(f"  {escape(failure)}", highlight=False)
    if failed:
        raise typer.Exit(Exit.REFUSED)


@guarded
def bench(
    rounds: Annotated[int, typer.Option(min=10, help="Texts to scan.")] = _ROUNDS,
    scanner: Annotated[str, typer.Option("--scanner", help="Only this scanner: injection or dlp.", show_default=False)] = "",
    corpus: Annotated[
        list[Path] | None,
        typer.Option(help="Measure what the shipped gates find in this corpus instead; may be repeated."),
    ] = None,
    labels: Annotated[bool, typer.Option("--labels", help="With a corpus: also by label, what is missed most first.")] = False,
    check: Annotated[bool, typer.Option("--check", help="With a corpus: exit code 1 when a target is missed.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Measure the shipped scanners on this machine: how long they take to compile, and how fast they read clean text; or what they find."""
    if corpus:
        report = accuracy_of(corpus, labels=labels, quiet=as_json)
        if as_json:
            print_json(report)
        else:
            show(report)
        if check and not report.met:
            raise typer.Exit(Exit.REFUSED)
        return
    found: dict[str, dict[str, float]] = {}
    for kind in chosen_kinds(scanner):
        with console.status(f"measuring {kind}"):
            start = time.perf_counter()
            packs = packaged_packs(kind)
            gate = Gate(all_rules(packs))
            compiled = time.perf_counter() - start
            for decode in (False, True):
                one = Scanner(packs, clock=time.thread_time, evidence_key=secrets.token_bytes(32), gate=gate, decode=decode)
                found[f"{kind}, {'decoding' if decode else 'not decoding'}"] = _figures(measured(one, rounds), compiled)
    if as_json:
        print_json(found)
        return
    rows = [
        (
            name,
            f"{one['compiled_seconds']:.2f} s",
            f"{one['megabytes_a_second']:.1f} MB/s",
            f"{one['median_ms']:.2f} ms",
            f"{one['p99_ms']:.2f} ms",
        )
        for name, one in found.items()
    ]
    heads = ("scanner", "compiled in", "reads", "middle", "99 of 100 within")
    table(f"clean text, {SIZE // 1000} KB at a time, one thread", heads, rows)


def _figures(speed: Speed, compiled: float) -> dict[str, float]:
    return {
        "compiled_seconds": round(compiled, 3),
        "megabytes_a_second": round(speed.megabytes, 1),
        "median_ms": round(speed.median, 3),
        "p99_ms": round(speed.p99, 3),
    }


def _tried_in_force(folder: Path | None, only: str) -> list[_Tried]:
    home = home_if_any(folder)
    book, record = Rulebook.of(home), asyncio.run(content_in_force(home))
    return [_tried(kind, book.scanners(kind, record).scanner) for kind in chosen_kinds(only)]


def _tried_packs(path: Path, only: str) -> list[_Tried]:
    """Packs of one's own; the shipped ones need not be compiled for that, but an id of theirs is taken."""
    tried = []
    for kind, packs in _packs(path, only).items():
        all_rules([*packaged_packs(kind), *packs])
        tried.append(_tried(kind, Scanner(packs, clock=time.thread_time, evidence_key=secrets.token_bytes(32))))
    return tried


def _tried(kind: str, scanner: Any) -> _Tried:
    examples = sum(len(rule.examples.match) + len(rule.examples.skip) for rule in scanner.rules)
    return _Tried(kind, len(scanner.rules), examples, tuple(failures(scanner)))


def _packs(path: Path, only: str) -> Mapping[ScannerKind, list[Pack]]:
    """What is in a file or a folder, or in the two folders below one that is laid out as the configured folder is."""
    below = {kind: path / RULE_FOLDERS[kind] for kind in chosen_kinds(only) if (path / RULE_FOLDERS[kind]).is_dir()}
    sources: Mapping[ScannerKind, Path] = below or {next(iter(chosen_kinds(only or "dlp"))): path}
    return {kind: [parse_pack(file.name, _bytes(file)) for file in _files(source)] for kind, source in sources.items()}


def _files(path: Path) -> Iterable[Path]:
    if path.is_file():
        return [path]
    found = sorted(one for one in path.iterdir() if one.suffix in _SUFFIXES)
    if not found:
        raise ConfigurationError(f"{path} holds no .yaml file")
    return found


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}") from None
