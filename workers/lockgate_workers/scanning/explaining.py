"""What became of every candidate in a text, for the people who write rules and those who wonder why something was found or was not.

Says which rule looked where and what it was refused by, never what stood there. Nothing is decided here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lockgate_workers.scanning.findings import ScanResult


class Verdict(StrEnum):
    """What became of a candidate. Apart from the first and the last these are the checks of a rule, in the order in which they are made."""

    NO_CANDIDATE = "no-candidate"
    KEYWORD = "no-keyword-near"
    UNLESS = "excluded-by-a-word-near"
    VALIDATOR = "validator"
    ENTROPY = "entropy"
    ALLOWED = "allow"
    PLACEHOLDER = "placeholder"
    FINDING = "finding"


@dataclass(frozen=True, slots=True)
class Reason:
    """One candidate of one rule: its span in the original text, in which ``view`` it was seen, and what became of it.

    ``view`` is ``as written``, ``rewritten`` (look-alikes, invisible characters, escapes) or ``decoded``; the span of a decoded one is that of
    the whole run. Where the gate hit and the rule's pattern then matched nowhere, the verdict is `Verdict.NO_CANDIDATE` and the span empty.
    """

    rule: str
    start: int
    end: int
    view: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Explanation:
    """The result, every candidate on the way to it, and the work it took of the work it may take (`meter`)."""

    result: ScanResult
    reasons: tuple[Reason, ...]
    work: int
    allowed: int
