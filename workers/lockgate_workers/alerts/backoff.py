"""When a delivery that failed is tried again, and when it is given up. Pure; the jitter's randomness is passed in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses that grow ``factor``-fold from ``first`` up to ``longest`` (milliseconds); given up after ``attempts``.

    With the defaults the last attempt is 7 to 14 hours after the first: a destination may be down overnight.
    """

    first: int = 5_000
    factor: int = 4
    longest: int = 6 * 3_600_000
    attempts: int = 9

    def next(self, attempt: int, now: int, random: float, wait: int = 0) -> int | None:
        """When to try after ``attempt`` (from 1) failed at ``now``; nothing means never again.

        Half of the pause is fixed, half is drawn by ``random`` (0 to 1), so that what failed together does not come back together. ``wait`` is the least pause
        that the other side asked for.
        """
        if attempt >= self.attempts:
            return None
        pause = min(self.longest, self.first * int(self.factor ** (attempt - 1)))
        return now + max(wait, pause // 2 + int(pause / 2 * random))
