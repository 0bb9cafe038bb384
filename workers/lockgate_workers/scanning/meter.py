"""What scanning one message may cost, and the meter that stops a scan which costs more. Pure: the clock is passed in.

Work is counted before it is done, in units of about a nanosecond on the machine on which the costs below were measured (a cloud's,
2.3 GHz). What a message may use grows with its size, so that time is linear in size for every message, and what is
counted depends on nothing but the message and the rules: the same message gets the same answer on every machine, however busy.

The clock comes second, for what a count cannot see (an expression that behaves badly on one text). It should be that of the thread's
own processor time (`time.thread_time`): a machine that has no time for a thread must not make an honest message look like an attack.
Past any bound the scan is refused as a whole; a shorter list of findings is never an answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from lockgate_workers.scanning.findings import Refusal

GATE_CALL: Final = 2_000
GATE_BYTE: Final = 30
GATE_BYTE_AGAIN: Final = 20
EXACT_CALL: Final = 1_500
EXACT_BYTE: Final = 4
SEARCH: Final = 1_500
CANDIDATE: Final = 3_500
AROUND: Final = 2_000
FINDING: Final = 12_000
REWRITTEN_CHARACTER: Final = 40
ESCAPE: Final = 2_500
READ_CHARACTER: Final = 40
PIECE: Final = 10_000
_LOOK: Final = 50_000
"""The clock is looked at after so much work: to ask for a thread's own time is a call into the system."""


@dataclass(frozen=True, slots=True)
class ScanLimits:
    """What one message may cost. Past any of these the scan is refused.

    ``max_bytes`` is of all texts together. Work is in units of about a nanosecond; ordinary text takes some 80 units a byte without
    and 170 with decoding, so the defaults leave honest messages a good deal of room. ``max_seconds`` is for every message and
    ``seconds_per_mb`` comes on top, of processor time. ``max_findings`` bounds what can be found; candidates that become no finding
    count as work.
    """

    max_bytes: int = 4_194_304
    max_seconds: float = 1.0
    seconds_per_mb: float = 1.0
    max_findings: int = 2_000
    findings_per_kb: int = 10
    max_work: int = 28_000_000
    work_per_byte: int = 450


class RefusedError(Exception):
    """Carries the reason out of the depth of a scan; never leaves the engine."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(refusal.value)


class Meter:
    """What one message has used up, and what it may."""

    __slots__ = ("_clock", "_deadline", "_findings", "_limits", "_most_findings", "_next_look", "allowed", "work")

    def __init__(self, limits: ScanLimits, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        self._deadline = clock() + limits.max_seconds
        self._findings = 0
        self._most_findings = limits.max_findings
        self.allowed = limits.max_work
        self.work = 0
        self._next_look = 0

    def admit(self, size: int) -> None:
        """Refuse a message that is too long before anything is done with it; else let it have what its size entitles it to."""
        limits = self._limits
        if size > limits.max_bytes:
            raise RefusedError(Refusal.SIZE)
        self.allowed += limits.work_per_byte * size
        self._most_findings += limits.findings_per_kb * size // 1024
        self._deadline += limits.seconds_per_mb * size / 1_048_576

    def gate(self, size: int) -> None:
        """Bytes that the gate is about to look through. Views and decoded runs count too, so that nothing can unfold without end."""
        self._spend(GATE_CALL + GATE_BYTE * size)

    def gate_again(self, size: int) -> None:
        """Bytes of a long text that the gate is about to look through once more, for rules that hit somewhere in it."""
        self._spend(GATE_CALL + GATE_BYTE_AGAIN * size)

    def exact(self, size: int) -> None:
        """Bytes that one rule is about to look through exactly."""
        self._spend(EXACT_CALL + EXACT_BYTE * size)

    def search(self) -> None:
        """One text among many in which a rule may hold."""
        self._spend(SEARCH)

    def candidate(self) -> None:
        """A candidate: whether or not it becomes a finding, it is looked at."""
        self._spend(CANDIDATE)

    def around(self) -> None:
        """What stands around a candidate, in which words are about to be looked for."""
        self._spend(AROUND)

    def check(self, price: int) -> None:
        """Checks of a value that are about to be made, at this price."""
        self._spend(price)

    def finding(self) -> None:
        """A finding."""
        self._spend(FINDING)
        self._findings += 1
        if self._findings > self._most_findings:
            raise RefusedError(Refusal.FINDINGS)

    def rewrite(self, characters: int, escapes: int) -> None:
        """Characters that are about to be written anew for further views, and how many signs that may begin an escape are among them."""
        self._spend(REWRITTEN_CHARACTER * characters + ESCAPE * escapes)

    def decode(self, characters: int, price: int) -> None:
        """Characters among which what is disguised is about to be looked for, at this price each."""
        self._spend(price * characters)

    def read(self, characters: int) -> None:
        """Characters that came out of what was disguised."""
        self._spend(READ_CHARACTER * characters)

    def piece(self) -> None:
        """A piece that was read out of a text, and is about to be laid out for a view."""
        self._spend(PIECE)

    def _spend(self, units: int) -> None:
        self.work += units
        if self.work > self.allowed:
            raise RefusedError(Refusal.WORK)
        if self.work >= self._next_look:
            self._next_look = self.work + _LOOK
            if self._clock() > self._deadline:
                raise RefusedError(Refusal.TIME)
