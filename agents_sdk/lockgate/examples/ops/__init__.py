"""An agent that reads a folder of configuration and logs. See `lockgate.examples.ops.agent`."""

from __future__ import annotations

from lockgate.examples.ops.agent import build
from lockgate.examples.ops.estate import plant

__all__ = ["build", "plant"]
