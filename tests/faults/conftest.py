"""The fixtures of the fault tests; what they stand on is in `faults_site`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from faults_site import gateway_site

__all__ = ["gateway_site"]
