"""``python -m lockgate.examples.ops --credentials FILE``: over a folder of made-up files that is made now and removed at the end."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from lockgate.examples.ops.agent import build
from lockgate.examples.ops.estate import plant

with TemporaryDirectory(prefix="lockgate-ops-") as folder:
    plant(Path(folder))
    build(Path(folder)).main()
