"""The databases that every contract test runs against. Another one is another maker of urls here, and nothing else."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "ledger"))  # the crafted requests are shared with the room's own tests

from ledger_crafting import AUDIT_SIGNER, AUDIT_TRUST, NOW, Reopen
from postgresql_server import PostgresqlServer, running_server

from lockgate_ledger.ledger import Ledger
from lockgate_schemas.limits import Limits

DATABASES = {
    "sqlite": lambda _, folder: f"sqlite:///{folder / 'ledger.db'}",
    "postgresql": lambda request, _: request.getfixturevalue("postgresql_server").new_database(),
}


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer]:
    with running_server() as server:
        yield server


@pytest.fixture(params=sorted(DATABASES))
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return DATABASES[request.param](request, tmp_path)


@pytest.fixture
async def reopen(url: str) -> AsyncIterator[Reopen]:
    """Opens further ledgers on the same database."""
    async with AsyncExitStack() as stack:

        async def another(**settings: Any) -> Ledger:
            given = {"audit_signer": AUDIT_SIGNER, "audit_trust": AUDIT_TRUST, "clock": lambda: NOW + 500, **settings}
            return await stack.enter_async_context(Ledger.open(url, limits=Limits(), **given))

        yield another


@pytest.fixture
async def ledger(reopen: Reopen) -> Ledger:
    return await reopen(create=True)
