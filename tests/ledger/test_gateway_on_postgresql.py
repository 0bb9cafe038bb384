"""A whole gateway whose ledger is a PostgreSQL server: every role a process of its own, and all of them on that server."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from postgresql_server import PASSWORD, PostgresqlServer

sys.path.insert(0, str(Path(__file__).parent.parent / "faults"))

from faults_site import CONFIG, Site, site

from lockgate.client import Client
from lockgate.receipts import verify_receipt
from lockgate_schemas.audit_proof import verify_proof
from lockgate_schemas.passage import Outcome
from lockgate_schemas.trust import AUDIT

COUNT = 50


async def _prove(running: Site, request_ids: list[str]) -> None:
    """Every client's receipt and every audit entry must verify offline, by the keys in the trust file alone."""
    trust = running.gateway.home.trust
    keys = [key for key, _ in trust.verifiers()[AUDIT]]
    async with Client(running.credentials) as session:
        for request_id in request_ids:
            result = await session.result(request_id)
            proved = verify_receipt(result.receipt, trust)
            assert (proved.request_id, proved.outcome) == (request_id, Outcome.DELIVERED)
            proofs = await running.gateway.ledger.prove(request_id)
            assert len(proofs) >= 5
            for entry, proof in proofs:
                assert verify_proof(entry.raw, proof, *keys) == entry.sequence


@pytest.mark.timeout(180)
async def test_a_gateway_delivers_and_proves_on_postgresql(
    postgresql_server: PostgresqlServer, server_url: str, tmp_path: Path, compiled_home
):
    async with site(tmp_path, compiled_home, f'ledger = "{server_url}"\n{CONFIG}') as running:
        told = await running.load(COUNT)
        await running.settled(told)
        await running.check(told, COUNT)
        await _prove(running, list(told.accepted.values()))
        home = running.gateway.home.folder
        assert not (home / "ledger.db").exists()
        database = server_url.split("@/")[1].partition("?")[0]
        ended = postgresql_server.psql(database, "SELECT count(*) FROM requests WHERE outcome = 'delivered'")
        assert int(ended) == COUNT
        logs = [path for path in home.rglob("*") if path.is_file() and path.suffix in {".log", ".json"}]
        assert logs
        for path in logs:
            assert PASSWORD not in path.read_text(errors="replace"), path.name
