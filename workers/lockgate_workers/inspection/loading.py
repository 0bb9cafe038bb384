"""Read the shipped weights and thresholds: the thin shell around the pure model, and the only module of it that does IO at start.

Without them there is no inspection: whatever is missing, cut short or changed is a `ConfigurationError`, and the gate does not start.
"""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path
from typing import Final

from lockgate_schemas.errors import ConfigurationError
from lockgate_workers.inspection.model import decode
from lockgate_workers.inspection.scoring import Scorer
from lockgate_workers.inspection.thresholds import Thresholds, parse_thresholds

WEIGHTS: Final = "injection.bin"
THRESHOLDS: Final = "thresholds.json"
SOURCES: Final = "sources.json"


def load_scorer(folder: Path | None = None) -> Scorer:
    """Return the scorer from a folder with weights and thresholds; without one, the shipped one.

    Raises:
        ConfigurationError: a file is missing or not what it should be.
    """
    place = resources.files("lockgate_workers.inspection") / "weights" if folder is None else folder
    try:
        weights, thresholds = (place / WEIGHTS).read_bytes(), (place / THRESHOLDS).read_bytes()
    except OSError as error:
        raise ConfigurationError(f"the injection weights cannot be read: {error.strerror}") from error
    model = decode(weights)
    calibrated = parse_thresholds(thresholds, model.digest)
    digest = hashlib.sha256(weights + thresholds).hexdigest()
    return Scorer(model, Thresholds(calibrated.flag, calibrated.block), digest)
