"""What holds for every test: where skipping is not allowed, a skipped test is a failed one, and rules are compiled once for all gateways."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lockgate_cli.home import SALT_FILE, prepare_home
from lockgate_cli.rulebook import KINDS, Rulebook

_MUST_NOT_SKIP = "LOCKGATE_TESTS_MUST_NOT_SKIP"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    report = yield
    if report.skipped and os.environ.get(_MUST_NOT_SKIP) and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and {_MUST_NOT_SKIP} is set: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def compiled_home(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """Make the folder of a gateway that finds the shipped rules compiled, as one that was up before: each would need seconds for that.

    What was compiled counts only beside the salt that authenticates it, so both are given. All else the gateway makes itself.
    """
    first = prepare_home(tmp_path_factory.mktemp("compiled") / "home")
    for kind in KINDS:
        Rulebook.of(first).scanners(kind)
    assert len(list(first.compiled.glob("*.gate"))) == len(KINDS), "nothing was kept: every gateway would compile anew"

    def make(folder: Path) -> Path:
        folder.mkdir(mode=0o700, exist_ok=True)
        shutil.copy2(first.folder / SALT_FILE, folder / SALT_FILE)
        shutil.copytree(first.compiled, folder / first.compiled.name)
        return folder

    return make
