"""An agent that answers from a database of made-up customers. See `lockgate.examples.reporting.agent`."""

from __future__ import annotations

from lockgate.examples.reporting.agent import build

__all__ = ["build"]
