"""What an import costs, counted in modules and not in milliseconds, so that a busy machine cannot change the answer."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import lockgate

HEAVY = {"httpx", "nats", "nkeys", "nacl", "msgspec", "asyncio", "sqlite3", "argparse", "ssl"}


def loaded(code: str) -> set[str]:
    """The modules that ``code`` loads beyond those of a bare interpreter."""
    script = (
        f"import sys, json; before = set(sys.modules); exec({code!r}); print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, timeout=60)
    return set(json.loads(done.stdout))


def test_importing_the_package_loads_itself_alone() -> None:
    modules = loaded("import lockgate")
    assert not modules & HEAVY
    assert {module for module in modules if module.startswith("lockgate")} == {"lockgate"}


@pytest.mark.parametrize(
    ("name", "unused"),
    [
        ("Agent", {"httpx", "nats", "argparse", "sqlite3", "sqlalchemy", "starlette", "lockgate.client", "lockgate.program"}),
        ("Client", {"httpx", "nats", "argparse", "sqlalchemy", "lockgate.agent", "lockgate.broker_client"}),
        ("BrokerClient", {"httpx", "nats", "argparse", "sqlalchemy", "lockgate.agent"}),
        ("verify_receipt", {"httpx", "nats", "argparse", "asyncio.runners", "lockgate.agent", "lockgate.client"}),
        ("AgentCredentials", {"httpx", "nats", "lockgate.agent"}),
    ],
)
def test_a_name_loads_what_it_needs_and_no_client_library(name: str, unused: set[str]) -> None:
    modules = loaded(f"from lockgate import {name}")
    assert not modules & unused


def test_every_name_is_there_and_in_one_place() -> None:
    assert set(lockgate.__all__) == set(lockgate._HOMES)
    for name in lockgate.__all__:
        assert getattr(lockgate, name).__name__ == name
    assert set(lockgate.__all__) <= set(dir(lockgate))
    with pytest.raises(AttributeError):
        _ = lockgate.nothing  # type: ignore[attr-defined]
