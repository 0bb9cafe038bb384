"""``python -m lockgate.examples.code_review --credentials FILE``."""

from __future__ import annotations

from lockgate.examples.code_review.agent import build

build().main()
