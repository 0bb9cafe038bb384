"""Other processes that use the same ledger, to be raced against and killed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PRELUDE = f"""
import asyncio, resource, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from ledger_crafting import *
from lockgate_ledger.ledger import Ledger
from lockgate_schemas.errors import LedgerError
from lockgate_schemas.limits import Limits

def open_ledger():
    return Ledger.open(sys.argv[1], audit_signer=AUDIT_SIGNER, audit_trust=AUDIT_TRUST, clock=lambda: NOW, limits=Limits())
"""

WRITES_FOR_EVER = """
async def main():
    async with open_ledger() as ledger:
        first = 0
        while True:
            cases = accepted(20, client=sys.argv[2], first=first, size=4000)
            await ledger.accept([case.new() for case in cases], open_limit=10**9)
            print(first, flush=True)
            await ledger.end([case.ending() for case in delivered(cases)])
            first += 20
asyncio.run(main())
"""


@contextmanager
def process_of(code: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", _PRELUDE + code, *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        with process:
            yield process
            process.kill()
    finally:
        process.kill()
        process.wait()
