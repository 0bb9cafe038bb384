"""What Presidio's recognisers may cost for one message, and how its patterns are held to it.

Presidio matches with a backtracking engine, gives each pattern 60 seconds, and when they are over it logs that and goes on as if
nothing had been there. It also compares every match with every other. So each compiled pattern is put into a cover which
stops it at the message's own deadline and match count, and which raises what Presidio does not catch. A recogniser that is
more than patterns cannot be stopped from outside; its time is looked at when it is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from lockgate_workers.scanning.findings import Refusal


@dataclass(frozen=True, slots=True)
class RecognizerLimits:
    """What one message may cost with all recognisers together. Past any of these the scan is refused.

    Presidio takes some three milliseconds a kilobyte, and compares each match with each other, so these are narrower than the rules' own.
    """

    max_bytes: int = 262_144
    max_seconds: float = 2.0
    max_matches: int = 1_000


class OverBudgetError(Exception):
    """Carries a refusal through Presidio; it never leaves this package. Not a ``TimeoutError``: Presidio swallows those."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(refusal.value)


class Meter:
    """What one message has used up. ``clock`` tells seconds."""

    def __init__(self, limits: RecognizerLimits, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._limits = limits
        self._deadline = clock() + limits.max_seconds
        self._matches = 0

    def admit(self, size: int) -> None:
        """Refuse a message of too many bytes before anything is done with it."""
        if size > self._limits.max_bytes:
            raise OverBudgetError(Refusal.SIZE)

    def match(self) -> None:
        """Count a match, whether or not it becomes a finding."""
        self._matches += 1
        if self._matches > self._limits.max_matches:
            raise OverBudgetError(Refusal.FINDINGS)

    def left(self) -> float:
        """Seconds that are left; always more than none."""
        seconds = self._deadline - self._clock()
        if seconds <= 0:
            raise OverBudgetError(Refusal.TIME)
        return seconds


_METER: Final[ContextVar[Meter | None]] = ContextVar("meter", default=None)


@contextmanager
def metered(meter: Meter) -> Iterator[None]:
    """Every covered pattern that runs within is held to this meter."""
    token = _METER.set(meter)
    try:
        yield
    finally:
        _METER.reset(token)


class Covered:
    """A compiled pattern under the meter of the moment. Outside of any it behaves as the pattern itself."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled

    def finditer(self, text: str, timeout: float) -> Iterator[Any]:
        """Yield the matches, as the pattern does."""
        meter = _METER.get()
        if meter is None:
            yield from self._compiled.finditer(text, timeout=timeout)
            return
        try:
            for match in self._compiled.finditer(text, timeout=meter.left()):
                meter.match()
                yield match
        except TimeoutError:
            raise OverBudgetError(Refusal.TIME) from None


def cover(recognizer: Any, compile_pattern: Callable[[str, int], Any]) -> None:
    """Cover the patterns of a recogniser, if it has any. Again before each scan: with other flags Presidio compiles anew."""
    for pattern in getattr(recognizer, "patterns", None) or ():
        if isinstance(pattern.compiled_regex, Covered) and pattern.compiled_with_flags == recognizer.global_regex_flags:
            continue
        pattern.compiled_regex = Covered(compile_pattern(pattern.regex, recognizer.global_regex_flags))
        pattern.compiled_with_flags = recognizer.global_regex_flags
