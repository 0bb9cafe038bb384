"""Counting stays exact when several processes write the same ledger, and when one of them is killed between any two of its commits."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from pathlib import Path

from ledger_crafting import NOW, Reopen, accepted, blocked
from ledger_processes import process_of

from lockgate_ledger.ledger import Ledger

ENDS = """
async def main():
    start, count = int(sys.argv[2]), int(sys.argv[3])
    async with open_ledger() as ledger:
        cases = blocked(accepted(count))
        for n in range(count):
            await ledger.end([cases[(start + n) % count].ending()])
            print(n, flush=True)
asyncio.run(main())
"""
"""Every process ends every request, each from another one on: whoever comes second ends nothing, and must count nothing."""

COUNT = 24


async def _accepted(ledger: Ledger) -> None:
    text = "alerts:\n- {name: every, on: dlp-block, count: 5, window: 600}\n"
    await ledger.apply_content(text, "0" * 64, NOW)
    await ledger.accept([case.new() for case in accepted(COUNT)], open_limit=COUNT)


async def _check_exact(ledger: Ledger) -> None:
    [alert] = await ledger.alerts.newest(10)
    assert (alert.name, alert.subject) == ("every", "user:acme/alice")
    assert alert.count + alert.repeats == COUNT
    assert len(await ledger.search(limit=10, kind="alert")) == 1
    assert (await ledger.verify()).intact


async def test_processes_that_race_for_the_same_endings_raise_one_alert_and_count_each_once(ledger: Ledger, path: Path) -> None:
    await _accepted(ledger)
    with ExitStack() as stack:
        starts = (0, COUNT // 2)
        processes = [stack.enter_context(process_of(ENDS, f"sqlite:///{path}", str(n), str(COUNT))) for n in starts]
        await ledger.end([case.ending() for case in blocked(accepted(COUNT))[::2]])
        for process in processes:
            assert process.wait(60) == 0, process.stderr.read() if process.stderr else ""
    await _check_exact(ledger)


async def test_a_process_that_is_killed_loses_and_doubles_no_count(ledger: Ledger, reopen: Reopen, path: Path) -> None:
    await _accepted(ledger)
    for lines in (1, 6):
        with process_of(ENDS, f"sqlite:///{path}", "0", str(COUNT)) as process:
            assert process.stdout is not None
            for _ in range(lines):
                assert process.stdout.readline()
            os.kill(process.pid, signal.SIGKILL)
    successor = await reopen()
    await successor.end([case.ending() for case in blocked(accepted(COUNT))])
    await _check_exact(ledger)
