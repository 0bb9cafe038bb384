"""One injection scanner and the shipped scorer for all tests here."""

from __future__ import annotations

import time

import pytest

from lockgate_workers.inspection.loading import load_scorer
from lockgate_workers.inspection.scoring import Scorer
from lockgate_workers.scanning.engine import Scanner
from lockgate_workers.scanning.loading import load_scanner


@pytest.fixture(scope="session")
def scanner() -> Scanner:
    return load_scanner("injection", evidence_key=b"k" * 32, clock=time.process_time)


@pytest.fixture(scope="session")
def scorer() -> Scorer:
    return load_scorer()
