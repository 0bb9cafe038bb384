"""What a benchmark runs on: processor, system, versions, and how busy the machine was before anything was measured."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import psutil

from lockgate_cli.bench.report import Machine

_LOOK: Final = 0.5
"""Seconds over which the machine is looked at before anything runs."""


def this_machine(packages: Sequence[str]) -> Machine:
    """Look at the machine for half a second; ``packages`` are those whose versions matter, where they are installed."""
    cores = psutil.cpu_count() or 1
    before = psutil.cpu_times()
    time.sleep(_LOOK)
    idle = psutil.cpu_times().idle - before.idle
    versions = {name: found for name in packages if (found := version_of(name))}
    return Machine(
        cores=cores,
        processor=_processor(),
        system=f"{platform.system()} {platform.release()}",
        busy=max(0.0, cores - idle / _LOOK),
        versions={"python": platform.python_version(), **versions},
    )


def version_of(package: str) -> str:
    """The version of a package, or nothing where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    if os.name == "posix" and path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
