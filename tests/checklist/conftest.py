"""Makes the manifest importable for the test that holds it against the suite."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
