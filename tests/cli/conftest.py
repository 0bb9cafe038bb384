"""One gateway for all of the command line's tests; what they stand on is in `cli_shell`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from cli_shell import shell

__all__ = ["shell"]
