"""The benchmark of the two content gates: what they find, how fast, in how much memory, and how often they are wrong about honest text.

    python tests/benchmarks/content.py --dlp FILE --injection FILE

Corpora are JSON lines, gzipped or not; without one the part that needs it is left out and says so. Peers are those of the development
requirements. Everything is measured in one run, in one thread, in that thread's processor time. ``--write PAGE`` puts the tables
between the markers of a page; exit status 1: ``--check`` was given and a target is missed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from content_clean import ADDRESSES, MOST, Clean, counted
from content_peers import on_python_re, peers
from content_speed import Timed, by_kind, injection, scaling, scanners, targets, timed
from content_texts import KINDS, SIZE, answers, packages, pieces

from lockgate_cli.bench.content_report import ContentReport, Part, Table, at_most, markdown, with_interval, written_into
from lockgate_cli.bench.content_run import Telling, one_accuracy, reported, telling
from lockgate_cli.bench.content_shown import show
from lockgate_workers.inspection.loading import load_scorer
from lockgate_workers.scanning.engine import Scanner
from lockgate_workers.scanning.loading import load_scanner

PARTS: Final = ("accuracy", "speed", "memory", "false-positives")
MEMORY: Final = 250.0
"""MiB of one worker with one gate, without names by a model: at most."""
_HOW: Final = {False: "not decoding", True: "decoding"}


def accuracy(options: argparse.Namespace, told: Telling) -> Iterator[Part]:
    """What is found of what the corpora mark."""
    for corpus, option in ((options.dlp, "--dlp"), (options.injection, "--injection")):
        if corpus is None:
            yield Part(name="accuracy", skipped=(f"no corpus was given with {option}",))
        else:
            yield one_accuracy(corpus, told, labels=options.labels)


def speed(options: argparse.Namespace, told: Telling) -> Iterator[Part]:
    """Both gates on clean text, the peers on some of the same texts, and larger and larger texts."""
    told.begin("compiling the rules")
    both = scanners()
    told.begin("clean text")
    extra = [text for _, text in pieces(options.text, options.rounds)] if options.text else []
    kinds = by_kind(both, options.rounds, extra)
    told.begin("injection, 2 KB")
    requests = injection(options.rounds)
    told.begin("larger texts")
    sizes = scaling(both, options.largest)
    figures = {
        "dlp": {kind: {_HOW[one]: _timed(found) for one, found in two.items()} for kind, two in kinds.items()},
        "injection": {kind: _timed(found) for kind, found in requests.items()},
        "nanoseconds_a_byte": {_HOW[one]: {str(size): cost for size, cost in found.items()} for one, found in sizes.items()},
    }
    tables = (_speed_table(kinds, requests), _scaling_table(sizes))
    yield Part(name="speed", tables=tables, targets=tuple(targets(kinds, requests, sizes)), figures=figures)
    if options.peers:
        yield _beside(both[True], options, told)


def _speed_table(kinds: dict[str, dict[bool, Timed]], requests: dict[str, Timed]) -> Table:
    rows = [
        (f"DLP, {SIZE // 1000} KB of {kind}, {_HOW[one]}", *_times(found))
        for kind, two in kinds.items()
        for one, found in two.items()
    ]
    rows += [(f"injection, a request of 2 KB of {kind}", *_times(found)) for kind, found in requests.items()]
    return Table("Speed on clean text, one thread", ("What", "MB/s", "p50, ms", "p99, ms", "Texts"), tuple(rows))


def _times(found: Timed) -> tuple[str, str, str, str]:
    return f"{found.megabytes:.1f}", f"{found.p50:.2f}", f"{found.p99:.2f}", str(found.texts)


def _timed(found: Timed) -> dict[str, float]:
    return {"megabytes_a_second": found.megabytes, "p50_ms": found.p50, "p99_ms": found.p99, "texts": found.texts}


def _scaling_table(sizes: dict[bool, dict[int, float]]) -> Table:
    first = {decoding: next(iter(costs.values())) for decoding, costs in sizes.items()}
    rows = tuple(
        (f"{size // 1000:,} KB", *(f"{sizes[one][size]:.0f} ({sizes[one][size] / first[one]:.2f})" for one in sizes))
        for size in sizes[False]
    )
    columns = ("Size of one answer", *(f"{_HOW[one]}: ns a byte (to the smallest)" for one in sizes))
    return Table("Time grows with size alone", columns, rows)


def _beside(scanner: Scanner, options: argparse.Namespace, told: Telling) -> Part:
    """Each peer and the DLP gate, with decoding, on the very same texts; a few, for some take seconds for each."""
    texts = [text for kind in KINDS for text in answers(kind, options.peer_texts, seed=3)]
    told.begin("peers")
    ours = timed(scanner.scan, texts)
    rows = [("Lockgate DLP, with decoding", *_beside_row(ours, ours), "")]
    figures: dict[str, Any] = {"lockgate": _timed(ours)}
    skipped = []
    for name, read, note in peers():
        told.begin(name)
        if read is None:
            skipped.append(f"{name}: {note}")
            continue
        found = timed(read, texts)
        rows.append((name, *_beside_row(found, ours), note))
        figures[name] = _timed(found)
    told.begin("the same rules on Python's re")
    answer = on_python_re(texts)
    name = "the same rules on Python's re, without decoding"
    if isinstance(answer, str):
        skipped.append(f"{name}: {answer}")
    else:
        times = sorted(answer["seconds"])
        size = sum(len(text.encode()) for text in texts)
        found = Timed(size / sum(times) / 1e6, times[len(times) // 2] * 1000, times[-1] * 1000, len(times))
        hung = f"; stopped after a second: {', '.join(answer['hung'])}" if answer["hung"] else ""
        rows.append(
            (name, *_beside_row(found, ours), f"{answer['patterns']} patterns, {len(answer['refused'])} not taken{hung}")
        )
        figures["python re"] = {**_timed(found), "hung": answer["hung"], "refused": answer["refused"]}
    columns = ("What", "MB/s", "p50 for 10 KB, ms", "Longest, ms", "Times slower", "Note")
    return Part(
        name="peers",
        tables=(Table("Beside others, on the same texts", columns, tuple(rows)),),
        figures=figures,
        skipped=tuple(skipped),
    )


def _beside_row(found: Timed, ours: Timed) -> tuple[str, str, str, str]:
    return f"{found.megabytes:.3g}", f"{found.p50:.2f}", f"{found.p99:.2f}", f"{ours.megabytes / found.megabytes:.0f}"


def memory(_options: argparse.Namespace, told: Telling) -> Iterator[Part]:
    """A fresh process for each gate, with rules that it compiles and with rules that were."""
    rows, aims, figures = [], [], {}
    with tempfile.TemporaryDirectory(prefix="lockgate-bench-") as name:
        for kind in ("dlp", "injection"):
            folder = Path(name) / kind
            folder.mkdir(mode=0o700)
            for how in ("compiled", "kept"):
                told.begin(f"memory: {kind}, rules {how}")
                found = _worker(kind, folder)
                figures[f"{kind}, {how}"] = found
                words = tuple(f"{found[one]:.0f}" for one in ("bare", "loaded", "scanned"))
                rows.append((f"{kind}, rules {how}", f"{found['seconds']:.2f}", *words))
                aims.append(at_most(f"{kind}, rules {how}: MiB", found["scanned"], MEMORY))
    columns = ("Worker", "Loads in, s", "MiB before", "MiB loaded", "MiB after 100 of 10 KB")
    note = "Without names by a language model. *Kept* rules are loaded from what an earlier start compiled."
    yield Part(
        name="memory",
        tables=(Table("Start and memory of one worker", columns, tuple(rows), note),),
        targets=tuple(aims),
        figures=figures,
    )


def _worker(kind: str, folder: Path) -> dict[str, float]:
    program = Path(__file__).with_name("content_worker.py")
    done = subprocess.run(
        [sys.executable, str(program), kind, str(folder)], capture_output=True, text=True, timeout=120, check=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def false_positives(options: argparse.Namespace, told: Telling) -> Iterator[Part]:
    """Both gates on text that is what it seems to be."""
    told.begin("loading both gates")
    gates = load_scanner("dlp"), load_scanner("injection"), load_scorer()
    told.begin("honest text", options.pieces)
    found = counted(pieces(options.text or packages(), options.pieces), *gates, told.step)
    if not found:
        yield Part(name="false-positives", skipped=("no documentation or code lies in the folder",))
        return
    total = Clean()
    for one in found.values():
        for member in ("pieces", "changed", "addressed", "noted", "flagged", "blocked", "refused"):
            setattr(total, member, getattr(total, member) + getattr(one, member))
        total.rules.update(one.rules)
        total.kinds.update(one.kinds)
        total.decided.update(one.decided)
        total.examples |= one.examples
    yield Part(
        name="false-positives",
        tables=(_clean_table({**found, "all": total}), _rules_table(total)),
        targets=(at_most("pieces of honest text changed", total.changed / total.pieces, MOST, "0.10%"),),
        figures={
            name: {**_counts(one), "rules": dict(one.rules), "kinds": dict(one.kinds), "decided": dict(one.decided)}
            for name, one in {**found, "all": total}.items()
        }
        | ({"examples": total.examples} if options.examples else {}),
    )


def _counts(one: Clean) -> dict[str, int]:
    return {m: getattr(one, m) for m in ("pieces", "changed", "addressed", "noted", "flagged", "blocked", "refused")}


def _clean_table(found: dict[str, Clean]) -> Table:
    rows = tuple(
        (
            name,
            str(one.pieces),
            f"{one.changed}: {with_interval(one.changed, one.pieces)}",
            str(one.addressed),
            str(one.noted),
            str(one.flagged),
            str(one.blocked),
        )
        for name, one in sorted(found.items(), key=lambda item: item[1].pieces)
    )
    columns = ("Pieces of 10 KB", "Pieces", "Changed by DLP", "Only addresses", "Noted", "Injection flags", "Injection blocks")
    return Table(
        "Honest text",
        columns,
        rows,
        f"Only addresses: what {' or '.join(sorted(ADDRESSES))} finds, authors' own; not counted as changed.",
    )


def _rules_table(total: Clean) -> Table:
    rows = [("DLP", f"any about {kind}", str(count)) for kind, count in total.kinds.most_common()]
    rows += [("DLP", rule, str(count)) for rule, count in total.rules.most_common(25)]
    rows += [("injection", rule, str(count)) for rule, count in total.decided.most_common(15)]
    return Table("What decided about honest text", ("Gate", "Rule", "Pieces"), tuple(rows))


_RUN: Final = {"accuracy": accuracy, "speed": speed, "memory": memory, "false-positives": false_positives}


def run(options: argparse.Namespace) -> ContentReport:
    """Measure what was asked for."""
    with telling(quiet=options.json) as told:
        return reported(part for name in options.only or PARTS for part in _RUN[name](options, told))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, and say it in the way that was asked for."""
    options = _parser().parse_args(arguments)
    report = run(options)
    if options.json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(report)).decode() + "\n")
    elif options.markdown:
        sys.stdout.write(markdown(report))
    else:
        show(report)
    if options.write:
        options.write.write_text(written_into(options.write.read_text(encoding="utf-8"), markdown(report)), encoding="utf-8")
    return 1 if options.check and not report.met else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dlp", type=Path, help="a corpus for the DLP gate")
    parser.add_argument("--injection", type=Path, help="a corpus for the injection score")
    parser.add_argument("--only", choices=PARTS, action="append", help="this part alone; may be repeated")
    parser.add_argument("--labels", action="store_true", help="accuracy by label too, what is missed most first")
    parser.add_argument(
        "--text", type=Path, help="a folder with documentation and code (false positives: the installed packages)"
    )
    parser.add_argument("--pieces", type=int, default=5_000, help="pieces of 10 KB that are looked at for false positives")
    parser.add_argument("--examples", action="store_true", help="with --json: what each rule took honest text for")
    parser.add_argument("--rounds", type=int, default=300, help="texts of each kind whose time is taken")
    parser.add_argument("--largest", type=int, default=10_000_000, help="size of the largest text, in bytes")
    parser.add_argument("--no-peers", dest="peers", action="store_false", help="leave out the other scanners")
    parser.add_argument("--peer-texts", type=int, default=5, help="texts of each kind for the other scanners")
    parser.add_argument("--json", action="store_true", help="figures for machines")
    parser.add_argument("--markdown", action="store_true", help="the tables as they stand in the documentation")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the tables between the markers of this page")
    parser.add_argument("--check", action="store_true", help="exit status 1 when a target is missed")
    return parser


if __name__ == "__main__":
    sys.exit(main())
