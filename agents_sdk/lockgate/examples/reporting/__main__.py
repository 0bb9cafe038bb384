"""``python -m lockgate.examples.reporting --credentials FILE``."""

from __future__ import annotations

from lockgate.examples.reporting.agent import build

build().main()
