"""The fixtures of the pipeline tests; what they stand on is in `pipeline_site`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from pipeline_site import pipeline, running

__all__ = ["pipeline", "running"]
