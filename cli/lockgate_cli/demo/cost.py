"""What it cost: for each gate, the time spent deciding and the time from the gate before, from the signed statements themselves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import quantiles

from lockgate_ledger.records import RequestRecord
from lockgate_schemas.passage import read_facts, read_statement


@dataclass(frozen=True, slots=True)
class GateCost:
    """Of one gate: how many decisions, microseconds deciding, and milliseconds from the stamp before to this one."""

    gate: str
    count: int
    deciding_p50: float
    deciding_p95: float
    since_p50: float
    since_p95: float


def costs(records: Iterable[RequestRecord]) -> list[GateCost]:
    """The cost of each gate over these requests, in the order of the gates."""
    deciding: dict[str, list[int]] = defaultdict(list)
    since: dict[str, list[int]] = defaultdict(list)
    for record in records:
        before = read_facts(record.acceptance.facts).accepted
        for stamp in record.stamps:
            statement = read_statement(stamp.statement)
            deciding[statement.stage].append(statement.took)
            since[statement.stage].append(max(0, statement.at - before))
            before = statement.at
    return [GateCost(gate, len(took), *_p50_p95(took), *_p50_p95(since[gate])) for gate, took in deciding.items()]


def _p50_p95(values: Sequence[int]) -> tuple[float, float]:
    if len(values) < 2:  # noqa: PLR2004 - a quantile needs two
        return (float(values[0]), float(values[0])) if values else (0.0, 0.0)
    cuts = quantiles(values, n=100, method="inclusive")
    return cuts[49], cuts[94]
