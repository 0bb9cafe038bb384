"""Scanners are costly to build and keep nothing of what they scan: one of each kind serves all tests here."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from lockgate_workers.scanning.engine import ScanLimits, Scanner
from lockgate_workers.scanning.loading import load_scanner
from lockgate_workers.scanning.packs import parse_pack

KEY = b"k" * 32

SMALL_PACK = """
rules:
  - id: canary
    description: a made-up secret
    severity: high
    action: redact
    pattern: 'canary-(?P<secret>[a-z]{4}[0-9]{4})'
    examples: {match: ['canary-abcd1234'], skip: ['canary-bird']}
  - id: bomb
    description: something that must never pass
    severity: critical
    action: block
    pattern: 'detonate now'
    examples: {match: ['detonate now'], skip: ['not now']}
  - id: rumour
    description: something worth a note
    severity: low
    action: flag
    pattern: '(?:^|\\W)psst'
    examples: {match: ['psst'], skip: ['pst']}
"""


@pytest.fixture(scope="session")
def dlp_scanner() -> Scanner:
    return load_scanner("dlp", evidence_key=KEY, clock=time.process_time)


@pytest.fixture(scope="session")
def injection_scanner() -> Scanner:
    return load_scanner("injection", evidence_key=KEY, clock=time.process_time)


@pytest.fixture
def small() -> Callable[..., Scanner]:
    def build(limits: ScanLimits | None = None, clock: Callable[[], float] = lambda: 0.0) -> Scanner:
        return Scanner([parse_pack("small.yaml", SMALL_PACK.encode())], clock=clock, evidence_key=KEY, limits=limits)

    return build
