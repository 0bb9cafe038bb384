"""Measure the ledger: what accepting, progress and ending cost, alone and by the hundred, on SQLite and on PostgreSQL. Not a test: run it by hand."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from statistics import median
from time import perf_counter

from ledger_crafting import AUDIT_SIGNER, AUDIT_TRUST, NOW, accepted, ended, gated
from postgresql_server import running_server

from lockgate_ledger.ledger import Ledger
from lockgate_schemas.limits import Limits
from lockgate_schemas.names import Role


async def _timed(calls: list[Callable[[], Awaitable[object]]]) -> str:
    times = []
    for call in calls:
        start = perf_counter()
        await call()
        times.append((perf_counter() - start) * 1000)
    return f"median {median(times):6.2f} ms, best {min(times):6.2f}, worst {max(times):6.2f}"


async def measure(url: str, size: int, rounds: int) -> None:
    """Take ``rounds`` batches of ``size`` through the ledger and print the times."""
    batches = [accepted(size, first=turn * size, size=2700) for turn in range(rounds)]
    passed = [gated(batch, Role.AUTHZ, Role.INSPECTION) for batch in batches]
    done = [ended(gated(batch, Role.DLP)) for batch in passed]
    news = [[case.new() for case in batch] for batch in batches]
    reports = [[case.progress() for case in batch] for batch in passed]
    endings = [[case.ending() for case in batch] for batch in done]
    opening = Ledger.open(
        url, audit_signer=AUDIT_SIGNER, audit_trust=AUDIT_TRUST, clock=lambda: NOW, limits=Limits(), create=True
    )
    async with opening as ledger:
        steps: dict[str, list[Callable[[], Awaitable[object]]]] = {
            "accept": [lambda batch=batch: ledger.accept(batch, open_limit=10**9) for batch in news],
            "progress": [lambda batch=batch: ledger.progress(batch) for batch in reports],
            "end": [lambda batch=batch: ledger.end(batch) for batch in endings],
            "epoch": [ledger.epoch] * 200,
            "prove": [lambda: ledger.prove(batches[0][0].request_id)] * 20,
            "verify": [ledger.verify],
        }
        for step, calls in steps.items():
            sys.stdout.write(f"{url.partition(':')[0]:18} {size:4} {step:9} {await _timed(calls)}\n")


def main() -> None:
    """Measure each database with batches of one and of a hundred."""
    with tempfile.TemporaryDirectory() as folder, running_server() as server:
        for size, rounds in ((1, 100), (100, 20)):
            for url in (f"sqlite:///{folder}/{size}.db", server.new_database()):
                asyncio.run(measure(url, size, rounds))


if __name__ == "__main__":
    main()
