"""The first pass: one Hyperscan database over all rules, which says in one go which rules are worth an exact look.

Hyperscan runs without start offsets and reports each rule once, so that clean text costs one pass and no Python. The same
database carries one pattern more, the one that says whether decoding is worth a try. It never decides a finding: that is done by
RE2 and the validators in `engine`. There is no slower fallback: where Hyperscan cannot be loaded, the scanner refuses to start.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator, Sequence
from typing import Any, Final

from lockgate_schemas.errors import ConfigurationError
from lockgate_workers.scanning.decode import CANDIDATE_PATTERN
from lockgate_workers.scanning.packs import Rule

hyperscan: Any
try:
    import hyperscan
except ImportError:  # no build for this processor: said when a gate is built, in words an operator can act on
    hyperscan = None

CANDIDATE: Final = -1
"""Stands among the hits for: there is a run which may be encoded."""


_FORMAT: Final = 1
"""To be raised when the same expressions would be compiled or used in another way."""
_MOST_REPEATS: Final = 16
_WIDENED: Final = re.compile(
    r"\\[xpP]\{[^}]*\}|\\."  # an escape, which may have braces of its own
    r"|\[\^?\]?(?:\\.|[^\]\\])*\]"  # a class, in which braces are characters
    r"|\{(?P<least>\d+)(?P<range>,(?P<most>\d*))?\}",
    re.DOTALL,
)


class GateError(Exception):
    """Hyperscan failed on a text; the engine turns this into a refusal, and no detail of the text leaves."""


class Gate:
    """All rules in one compiled database. Safe to share between threads: each has scratch space of its own.

    ``serialised`` is what `Gate.serialised` gave for the same rules (see `identity_of`), from a place that only the caller can write to:
    Hyperscan runs what it is given.

    Raises:
        ConfigurationError: Hyperscan is not there, does not take a pattern, or does not take what was serialised.
    """

    def __init__(self, rules: Sequence[Rule], serialised: bytes | None = None) -> None:
        self.rules: Final = tuple(rules)
        self._database = _compile(expressions(rules)) if serialised is None else _deserialised(serialised)
        self._candidate = len(rules)
        self._local = threading.local()

    def hits(self, data: bytes) -> list[int]:
        """Return the positions of the rules that may match ``data`` (UTF-8), and `CANDIDATE`.

        Raises:
            GateError: the scan did not run to its end.
        """
        found: list[int] = []

        def on_match(rule: int, _start: int, _end: int, _flags: int, _context: Any) -> None:
            found.append(rule)

        try:
            self._database.scan(data, match_event_handler=on_match, scratch=self._scratch())
        except hyperscan.error as error:
            raise GateError from error
        return [CANDIDATE if rule == self._candidate else rule for rule in found]

    def serialised(self) -> bytes:
        """The compiled database, for this build of Hyperscan on this kind of processor."""
        return bytes(hyperscan.dumpb(self._database))

    def fingerprint(self) -> bytes:
        """A digest of what the gate says about the examples that its rules must match.

        Raises:
            GateError: see `hits`.
        """
        said = [sorted(self.hits("\n".join(rule.examples.match).encode("utf-8", "replace"))) for rule in self.rules]
        return hashlib.sha256(json.dumps(said).encode()).digest()

    def _scratch(self) -> Any:
        scratch = getattr(self._local, "scratch", None)
        if scratch is None:
            scratch = self._local.scratch = hyperscan.Scratch(self._database)
        return scratch


def widened(pattern: str) -> str:
    """Return a pattern that matches wherever ``pattern`` does and costs less: long counted repeats lose their upper bound.

    Patterns have no look-around, so more repeats can only mean more matches; what is too much is dropped by the exact pass.
    """
    return _WIDENED.sub(_widen, pattern)


def _widen(match: re.Match[str]) -> str:
    if match["least"] is None:
        return match.group()
    least = int(match["least"])
    most = least if match["range"] is None else int(match["most"] or 0) or None
    if most is not None and most <= _MOST_REPEATS:
        return match.group()
    return f"{{{min(least, _MOST_REPEATS)},}}"


def expressions(rules: Sequence[Rule]) -> Iterator[tuple[bytes, int]]:
    """Yield what is compiled for each rule, with Hyperscan's flags, and after the rules the one pattern more (`CANDIDATE`)."""
    _require()
    base = hyperscan.HS_FLAG_SINGLEMATCH | hyperscan.HS_FLAG_UTF8 | hyperscan.HS_FLAG_MULTILINE
    for rule in rules:
        yield widened(rule.gate or rule.pattern).encode(), base | (hyperscan.HS_FLAG_CASELESS if rule.caseless else 0)
    yield widened(CANDIDATE_PATTERN).encode(), base


def identity_of(rules: Sequence[Rule], platform: bytes) -> bytes:
    """A digest of everything that decides what the compiler makes of ``rules``: same identity, same database.

    ``platform`` describes the processor. That two rules changed places counts as well, since hits are positions.
    """
    digest = hashlib.sha256()
    for part in (b"%d" % _FORMAT, str(hyperscan and hyperscan.__version__).encode(), platform):
        digest.update(b"%d:%s" % (len(part), part))
    for rule, (expression, flags) in zip((*(rule.id for rule in rules), ""), expressions(rules), strict=True):
        part = b"%s %d %s" % (rule.encode(), flags, expression)
        digest.update(b"%d:%s" % (len(part), part))
    return digest.digest()


def _compile(wanted: Iterator[tuple[bytes, int]]) -> Any:
    """Compile the database. RE2 took each pattern before; one that Hyperscan does not take is a mistake in a pack."""
    patterns, flags = zip(*wanted, strict=True)
    database = hyperscan.Database()
    try:
        database.compile(expressions=list(patterns), ids=list(range(len(patterns))), flags=list(flags))
    except hyperscan.error as error:
        raise ConfigurationError(f"Hyperscan does not take a pattern of the rule packs: {error}") from error
    return database


def _deserialised(serialised: bytes) -> Any:
    _require()
    try:
        return hyperscan.loadb(serialised, hyperscan.HS_MODE_BLOCK)
    except hyperscan.error as error:
        raise ConfigurationError(
            "Hyperscan does not take a database that another build of it, or another processor, made"
        ) from error


def _require() -> None:
    if hyperscan is None:
        raise ConfigurationError(
            "Hyperscan cannot be imported on this machine: install the 'hyperscan' package on a processor it has a build for"
        )
