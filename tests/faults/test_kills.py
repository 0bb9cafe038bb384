"""Processes killed with SIGKILL while two thousand requests run: each 202 still has exactly one outcome."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from faults_site import Site

COUNT = 2000
VICTIMS = ("authz", "inspection", "dlp", "outcome", "ingress")


@pytest.mark.timeout(300)
@pytest.mark.requirement("P1")
async def test_each_process_is_killed_while_requests_run_and_nothing_is_lost(gateway_site: Site) -> None:
    loading = asyncio.create_task(gateway_site.load(COUNT))
    for role in itertools.cycle(VICTIMS):
        before = len(gateway_site.seen.read_text().split())
        if loading.done() and all(gateway_site.starts(v) > 1 for v in VICTIMS):
            break
        gateway_site.kill(role)
        # The next victim falls when the gateway has moved on, or, at the end of the load, when this one is back.
        async with asyncio.timeout(60):
            while len(gateway_site.seen.read_text().split()) < min(before + 60, COUNT) and not loading.done():
                await asyncio.sleep(0.02)
            while gateway_site.starts(role) < 2:
                await asyncio.sleep(0.02)
    told = await loading
    await gateway_site.settled(told)
    await gateway_site.check(told, COUNT)


@pytest.mark.timeout(300)
async def test_the_broker_is_killed_while_requests_run_and_nothing_is_lost(gateway_site: Site) -> None:
    loading = asyncio.create_task(gateway_site.load(COUNT))
    for share in (0.2, 0.6):
        async with asyncio.timeout(60):
            while len(gateway_site.seen.read_text().split()) < share * COUNT:
                await asyncio.sleep(0.02)
        gateway_site.gateway.server.kill()
        await gateway_site.gateway.server.start()
    told = await loading
    await gateway_site.settled(told)
    await gateway_site.check(told, COUNT)
