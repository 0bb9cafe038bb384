"""A ledger in a file or on a server, and a way to open further ones on it, for what only this kind of database can show."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from ledger_crafting import AUDIT_SIGNER, AUDIT_TRUST, NOW, Reopen
from postgresql_server import PostgresqlServer, running_server

from lockgate_ledger.ledger import Ledger
from lockgate_schemas.limits import Limits


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
async def reopen(path: Path) -> AsyncIterator[Reopen]:
    async with AsyncExitStack() as stack:

        async def another(*, waits: int = 30_000, **settings: Any) -> Ledger:
            given = {"audit_signer": AUDIT_SIGNER, "audit_trust": AUDIT_TRUST, "clock": lambda: NOW, **settings}
            limits = Limits(ledger_timeout=waits)
            return await stack.enter_async_context(Ledger.open(f"sqlite:///{path}", limits=limits, **given))

        yield another


@pytest.fixture
async def ledger(reopen: Reopen) -> Ledger:
    return await reopen(create=True)


@pytest.fixture(scope="module")
def postgresql_server() -> Iterator[PostgresqlServer]:
    """One for each module: some kill it."""
    with running_server() as server:
        yield server


@pytest.fixture
def server_url(postgresql_server: PostgresqlServer) -> str:
    return postgresql_server.new_database()


@pytest.fixture
async def reopen_server(server_url: str) -> AsyncIterator[Reopen]:
    """Like ``reopen``, on the server."""
    async with AsyncExitStack() as stack:

        async def another(*, waits: int = 30_000, **settings: Any) -> Ledger:
            given = {"audit_signer": AUDIT_SIGNER, "audit_trust": AUDIT_TRUST, "clock": lambda: NOW, **settings}
            return await stack.enter_async_context(Ledger.open(server_url, limits=Limits(ledger_timeout=waits), **given))

        yield another
