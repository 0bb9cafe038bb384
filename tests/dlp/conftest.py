"""One DLP scanner for all tests here."""

from __future__ import annotations

import time

import pytest

from lockgate_workers.scanning.engine import Scanner
from lockgate_workers.scanning.loading import load_scanner


@pytest.fixture(scope="session")
def scanner() -> Scanner:
    return load_scanner("dlp", evidence_key=b"k" * 32, clock=time.process_time)
