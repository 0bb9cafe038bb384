"""An agent that reviews the Python added by a unified diff. One action, ``review``; see `lockgate.examples.code_review.agent`."""

from __future__ import annotations

from lockgate.examples.code_review.agent import build

__all__ = ["build"]
