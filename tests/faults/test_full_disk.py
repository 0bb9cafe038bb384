"""A disk that fills up under the broker, and one that fills up under the ledger: refused, recovered, nothing lost."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from faults_site import CONFIG, Load, Site, site, until

from lockgate.client import Client
from lockgate_schemas.errors import LockgateError, UnavailableError

SIZE = 48
"""Megabytes of the small disk: room for the streams' and the ledger's own files, and not for long."""


@pytest.fixture(params=["broker"])
def disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A small disk of its own, mounted on a folder of the home."""
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if sys.platform != "linux" or subprocess.run([*sudo, "true"], check=False, capture_output=True).returncode:
        pytest.skip("a small disk needs Linux and the right to mount one (root, or sudo without a password)")
    folder = tmp_path / "home" / request.param
    folder.mkdir(parents=True, mode=0o700)
    (tmp_path / "home").chmod(0o700)
    options = f"size={SIZE}m,mode=0700,uid={os.geteuid()},gid={os.getegid()}"
    subprocess.run([*sudo, "mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run([*sudo, "umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Take all that is left of the disk."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"\0" * 4096):
            pass
    assert shutil.disk_usage(folder).free == 0
    return filler


async def refused(gateway_site: Site, told: Load, numbers: range) -> bool:
    """Send requests of some size until one is refused as unavailable; what was accepted before is recorded."""
    async with Client(gateway_site.credentials) as session:
        for number in numbers:
            signed = session.sign("echo", "say", f"{number} " + "x" * 8192, lifetime=120)
            try:
                told.accepted[number] = (await session.send(signed)).request_id
            except UnavailableError:
                return True
    return False


async def accepted(gateway_site: Site, told: Load, number: int) -> bool:
    """Whether the gateway takes a request again."""
    with suppress(LockgateError):
        async with Client(gateway_site.credentials) as session:
            told.accepted[number] = (await session.submit("echo", "say", number, lifetime=120)).request_id
            return True
    return False


async def delivered(gateway_site: Site, told: Load) -> None:
    """Every request that was promised has been delivered, and the log is whole."""
    await gateway_site.settled(told)
    for request_id in told.accepted.values():
        record = await gateway_site.gateway.ledger.request(request_id)
        assert record is not None
        assert str(record.outcome) == "delivered", (record.outcome, record.code)
    assert (await gateway_site.gateway.ledger.verify()).intact


@pytest.mark.timeout(240)
async def test_a_full_disk_under_the_broker_is_503_and_loses_nothing(tmp_path: Path, disk: Path, compiled_home) -> None:
    async with site(tmp_path, compiled_home) as gateway_site:
        told = Load()
        assert await accepted(gateway_site, told, 0)
        filler = fill(disk)
        assert await refused(gateway_site, told, range(1, 500)), "a full disk was never noticed"
        async with httpx.AsyncClient(base_url=gateway_site.gateway.url, trust_env=False) as http:
            assert (await http.get("/readyz", timeout=20)).status_code == 503
        filler.unlink()
        # A server that could not write refuses every write until it is started again, and the supervisor does that.
        os.kill(gateway_site.gateway.server.pid, signal.SIGTERM)
        await until(lambda: accepted(gateway_site, told, 1000), 60)
        await delivered(gateway_site, told)


@pytest.mark.parametrize("disk", ["ledger"], indirect=True)
@pytest.mark.timeout(240)
async def test_a_full_disk_under_the_ledger_is_503_and_recovers_by_itself(tmp_path: Path, disk: Path, compiled_home) -> None:
    async with site(tmp_path, compiled_home, f'ledger = "sqlite:///{disk / "ledger.db"}"\n{CONFIG}') as gateway_site:
        told = Load()
        assert await accepted(gateway_site, told, 0)
        await gateway_site.settled(told)
        filler = fill(disk)
        assert await refused(gateway_site, told, range(1, 500)), "a full disk was never noticed"
        filler.unlink()
        await until(lambda: accepted(gateway_site, told, 1000), 60)
        await delivered(gateway_site, told)
