"""What the alert tests share: crafted alerts, and real receivers on this machine."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from alert_receivers import authority, receiver

__all__ = ["authority", "receiver"]
