"""What holds for every test: where skipping is not allowed, a skipped test is a failed one."""

from __future__ import annotations

import os

import pytest

_MUST_NOT_SKIP = "LOCKGATE_TESTS_MUST_NOT_SKIP"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    report = yield
    if report.skipped and os.environ.get(_MUST_NOT_SKIP) and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and {_MUST_NOT_SKIP} is set: {report.longrepr}"
    return report
