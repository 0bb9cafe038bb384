"""Processes killed with SIGKILL while two thousand requests run: each 202 still has exactly one outcome."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal

import pytest
from faults_site import Site, until

COUNT = 2000
VICTIMS = ("authz", "inspection", "dlp", "outcome", "ingress")


def handed(gateway_site: Site) -> int:
    """How many requests the agent's handler has seen."""
    return len(gateway_site.seen.read_text().split())


@pytest.mark.timeout(300)
@pytest.mark.requirement("P1")
async def test_each_process_is_killed_while_requests_run_and_nothing_is_lost(gateway_site: Site) -> None:
    loading = asyncio.create_task(gateway_site.load(COUNT))
    for role in itertools.cycle(VICTIMS):
        before = handed(gateway_site)
        # Once everything was handed over, whoever is left to fall does so once: killing on would keep the last answers away for ever.
        if before >= COUNT and all(gateway_site.starts(v) > 1 for v in VICTIMS):
            break
        gateway_site.kill(role)
        # The next victim falls when the gateway has moved on, or, at the end of the load, when this one is back.
        await until(lambda: handed(gateway_site) >= min(before + 60, COUNT), 60)  # noqa: B023 - awaited at once
        await until(lambda: gateway_site.starts(role) > 1)  # noqa: B023 - awaited at once
    told = await loading
    await gateway_site.settled(told)
    await gateway_site.check(told, COUNT)


@pytest.mark.timeout(300)
async def test_the_broker_is_killed_while_requests_run_and_nothing_is_lost(gateway_site: Site) -> None:
    loading = asyncio.create_task(gateway_site.load(COUNT))
    for share in (0.2, 0.6):
        await until(lambda: handed(gateway_site) >= share * COUNT, 60)  # noqa: B023 - awaited at once
        os.kill(gateway_site.gateway.server.pid, signal.SIGKILL)  # the supervisor starts it again
    told = await loading
    await gateway_site.settled(told)
    await gateway_site.check(told, COUNT)
