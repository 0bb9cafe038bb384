"""The clock of the SDK: milliseconds since 1970, passed in everywhere so that a test can turn it."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Returns milliseconds since 1970."""


def system_clock() -> int:
    """The machine's clock."""
    return time.time_ns() // 1_000_000
