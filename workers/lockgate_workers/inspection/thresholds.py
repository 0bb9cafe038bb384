"""From which score on a request is flagged, and from which it is blocked, with the figures these were set on. Pure.

The shipped thresholds lie in a data file beside the weights and name the weights they belong to: thresholds of other weights mean
nothing. An installation's content policy may set its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import msgspec

from lockgate_schemas.content import Injection
from lockgate_schemas.errors import ConfigurationError

Ratio = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """A score of at least ``block`` is blocked, of at least ``flag`` flagged."""

    flag: float
    block: float

    def under(self, policy: Injection) -> Thresholds:
        """Return what holds under a content policy. One that flags later than it blocks never flags."""
        return Thresholds(
            self.flag if policy.flag is None else policy.flag,
            self.block if policy.block is None else policy.block,
        )


class Calibrated(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The data file. ``weights`` is the digest of the weights file; the rest are the figures from scores of rows held out in turn."""

    weights: str
    flag: Ratio
    block: Ratio
    ordinary: int
    ordinary_flagged: Ratio
    ordinary_blocked: Ratio
    attacks: int
    attacks_flagged: Ratio
    attacks_blocked: Ratio
    hard_negatives: int
    hard_negatives_flagged: Ratio


def parse_thresholds(data: bytes, weights: str) -> Calibrated:
    """Read the data file, which must belong to the weights of that digest.

    Raises:
        ConfigurationError: it is not usable, or belongs to other weights.
    """
    try:
        found = msgspec.json.decode(data, type=Calibrated)
    except msgspec.MsgspecError as error:
        raise ConfigurationError(f"the injection thresholds cannot be read: {error}") from error
    if found.weights != weights:
        raise ConfigurationError("the injection thresholds belong to other weights")
    if not 0.0 < found.flag <= found.block:
        raise ConfigurationError("the injection thresholds are not in order")
    return found
