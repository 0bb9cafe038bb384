"""The first pass: which rules are worth an exact look at a text. It never decides a finding: that is done by RE2 and the validators.

Hyperscan runs without start offsets and reports each rule once, so that clean text costs little and no Python. Rules lie in tiers
(`tiers`): one database sees every text, the words of rules that ask for words are looked for as plain words, and what is
about numbers sees texts with digits only. One database more looks for signs that something is disguised, which say what
decoding is worth a try. There is no slower fallback: where Hyperscan cannot be loaded, the scanner refuses to start.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

import msgspec

from lockgate_schemas.errors import ConfigurationError
from lockgate_workers.scanning.decode import signs_of
from lockgate_workers.scanning.extent import is_absolute
from lockgate_workers.scanning.packs import Rule
from lockgate_workers.scanning.tiers import MOST_WHOLE, SIDE_BY_SIDE, Tier, tier_of

hyperscan: Any
try:
    import hyperscan
except ImportError:  # no build for this processor: said when a gate is built, in words an operator can act on
    hyperscan = None

_FORMAT: Final = 4
"""To be raised when the same expressions would be compiled or used in another way."""
_TOGETHER: Final = 16
"""Number patterns in one database: twice as many take twice as long each to compile, half as many cost a fifth more to run."""
_TEXT, _WHOLE, _SIGNS, _NUMBERS = range(4)
"""The places of the databases of patterns: one each, and from there on those about numbers."""
_HEADS, _WORDS = -2, -1
"""Behind them, the databases of plain words: what disguised values begin with, and the words that rules ask for."""
_LONG_HEAD: Final = 4
_NO_DIGITS: Final = bytes(code for code in range(256) if not ord("0") <= code <= ord("9"))
_APART: Final = bytes(code if code >= ord("\x80") or chr(code).isalnum() else 0x20 for code in range(256))
"""Every sign becomes a blank, as where the engine looks for words beside a candidate."""
_MOST_REPEATS: Final = 16
_ALTERNATIVES: Final = re.compile(
    r"(?P<edge>\\b)?\(\?:(?P<words>(?:[A-Za-z0-9_:;=/~@<>'\"!%,`|-]|\\[^A-Za-z0-9|])+)\)(?P<end>\(\?:\\b\|_\))?"
)
_WIDENED: Final = re.compile(
    r"\\[xpP]\{[^}]*\}|\\."  # an escape, which may have braces of its own
    r"|\[\^?\]?(?:\\.|[^\]\\])*\]"  # a class, in which braces are characters
    r"|\{(?P<least>\d+)(?P<range>,(?P<most>\d*))?\}",
    re.DOTALL,
)


class GateError(Exception):
    """Hyperscan failed on a text; the engine turns this into a refusal, and no detail of the text leaves."""


class _Plan:
    """What is compiled for a set of rules: the expressions of each database, and what a hit in it stands for."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        _require()
        tiers = [tier_of(rule) for rule in rules]
        text, whole, digits, words = (
            [at for at, one in enumerate(tiers) if one is tier] for tier in (Tier.TEXT, Tier.WHOLE, Tier.DIGITS, Tier.WORDS)
        )
        parted = [_parted(sign) for sign in signs_of(rules).values()]
        self._signs = [pattern for pattern, _ in parted]
        self.heads: Final = sorted({head for _, heads in parted for head in heads})
        self.heading: Final = [[-1 - sign for sign, (_, heads) in enumerate(parted) if head in heads] for head in self.heads]
        self.words: Final = sorted({word for at in words for word in rules[at].keywords})
        self.asking: Final = [[at for at in words if word in rules[at].keywords] for word in self.words]
        self.patterns: Final = [
            text,
            whole,
            [-1 - sign for sign, pattern in enumerate(self._signs) if pattern],
            *(digits[at : at + _TOGETHER] for at in range(0, len(digits), _TOGETHER)),
        ]
        self.inside: Final = [frozenset(positions) for positions in self.patterns]
        self.headed: Final = frozenset(sign for signs in self.heading for sign in signs)
        self.asked: Final = frozenset(words)
        self._rules = rules
        for at in (*text, *digits, *words):
            _refuse_absolute(rules[at])

    def expressions(self) -> Iterator[list[tuple[bytes, int]]]:
        """What each database is compiled from: expressions and Hyperscan's flags; those of plain words come last."""
        for positions in self.patterns:
            yield [self._expression(at) for at in positions]
        for words in (self.heads, self.words):
            yield [(word.encode(), hyperscan.HS_FLAG_SINGLEMATCH) for word in words]

    def _expression(self, position: int) -> tuple[bytes, int]:
        flags = hyperscan.HS_FLAG_SINGLEMATCH | hyperscan.HS_FLAG_UTF8 | hyperscan.HS_FLAG_MULTILINE
        if position < 0:
            return self._signs[-1 - position].encode(), flags
        rule = self._rules[position]
        return widened(_by_line(rule.gate or rule.pattern)).encode(), flags | (
            hyperscan.HS_FLAG_CASELESS if rule.caseless else 0
        )


class Gate:
    """All rules, compiled. Safe to share between threads: each has scratch space of its own.

    ``serialised`` is what `Gate.serialised` gave for the same rules (see `identity_of`), from a place that only the caller can write to:
    Hyperscan runs what it is given.

    Raises:
        ConfigurationError: Hyperscan is not there, does not take a pattern, or does not take what was serialised.
    """

    def __init__(self, rules: Sequence[Rule], serialised: bytes | None = None) -> None:
        self.rules: Final = tuple(rules)
        self._plan = _Plan(self.rules)
        self._databases = _compiled(self._plan) if serialised is None else _deserialised(serialised, self._plan)
        self._local = threading.local()

    def hits(self, data: bytes, shortest: int = 0, among: Collection[int] | None = None, *, signs: bool = True) -> list[int]:
        """Return the positions of the rules that may match ``data`` (UTF-8) and, from -1 down, those of the signs that something is disguised.

        The signs are those of `decode.signs_of`, in that order.

        ``shortest`` is how many characters the shortest of the texts has that ``data`` was put together from. ``among`` is what hit in a
        text of which ``data`` is one part: what did not hit there cannot hit here, and its database is spared. Without ``signs`` none is told.

        Raises:
            GateError: the scan did not run to its end.
        """
        possible = [at for at, one in enumerate(self._plan.inside) if among is None or not one.isdisjoint(among)]
        spared = {_WHOLE} if shortest > MOST_WHOLE else set()
        possible = [at for at in possible if at not in (spared if signs else spared | {_SIGNS})]
        if possible and possible[-1] >= _NUMBERS and len(data.translate(None, _NO_DIGITS)) < SIDE_BY_SIDE:
            possible = [at for at in possible if at < _NUMBERS]
        found = [hit for at in possible for hit in self._matched(at, data)]
        if signs and self._plan.heads and (among is None or not self._plan.headed.isdisjoint(among)):
            found += {sign for hit in self._scanned(_HEADS, data) for sign in self._plan.heading[hit]}.difference(found)
        if self._plan.words and (among is None or not self._plan.asked.isdisjoint(among)):
            words = self._scanned(_WORDS, _in_words(data))
            found += sorted({at for hit in words for at in self._plan.asking[hit]})
        return found

    def _matched(self, at: int, data: bytes) -> list[int]:
        positions = self._plan.patterns[at]
        return [positions[hit] for hit in self._scanned(at, data)] if positions else []

    def serialised(self) -> bytes:
        """The compiled databases, for this build of Hyperscan on this kind of processor."""
        return msgspec.msgpack.encode([None if one is None else bytes(hyperscan.dumpb(one)) for one in self._databases])

    def fingerprint(self) -> bytes:
        """A digest of what the gate says about the examples that its rules must match.

        Raises:
            GateError: see `hits`.
        """
        said = [sorted(self.hits("\n".join(rule.examples.match).encode("utf-8", "replace"))) for rule in self.rules]
        return hashlib.sha256(json.dumps(said).encode()).digest()

    def _scanned(self, at: int, data: bytes) -> list[int]:
        found: list[int] = []

        def on_match(rule: int, _start: int, _end: int, _flags: int, _context: Any) -> None:
            found.append(rule)

        try:
            self._databases[at].scan(data, match_event_handler=on_match, scratch=self._scratch(at))
        except hyperscan.error as error:
            raise GateError from error
        return found

    def _scratch(self, at: int) -> Any:
        scratches = getattr(self._local, "scratches", None)
        if scratches is None:
            scratches = self._local.scratches = [one and hyperscan.Scratch(one) for one in self._databases]
        return scratches[at]


def _in_words(data: bytes) -> bytes:
    """The text in lower case, as it is and with a blank for every sign: in one of the two stands each word that the engine would see."""
    lowered = data.lower() if data.isascii() else data.decode("utf-8", "replace").lower().encode()
    return b"%b\n %b " % (lowered, lowered.translate(_APART))


def _parted(sign: str) -> tuple[str, frozenset[str]]:
    """A sign as a pattern and plain words, one of which holds wherever the sign does: words in a pattern cost ten times as much.

    Where a word has to begin or end is not asked for any more, so short ones, which stand inside of ordinary words, stay in the pattern.
    """
    found = _ALTERNATIVES.fullmatch(sign)
    if found is None:
        return sign, frozenset()
    words = found["words"].split("|")
    long = [word for word in words if len(re.sub(r"\\(.)", r"\1", word)) >= _LONG_HEAD]
    short = "|".join(word for word in words if word not in long)
    pattern = f"{found['edge'] or ''}(?:{short}){found['end'] or ''}" if short else ""
    return pattern, frozenset(re.sub(r"\\(.)", r"\1", word) for word in long)


def _refuse_absolute(rule: Rule) -> None:
    """Texts go through the gate together: it cannot see where one of them begins or ends, but for rules in `Tier.WHOLE`."""
    if is_absolute(rule.gate or rule.pattern):
        raise ConfigurationError(
            f"rule {rule.id}: a pattern that asks for the beginning or the end of a text must be about the whole of it"
        )


def _by_line(expression: str) -> str:
    r"""What a text matches as a whole matches as lines too, where several texts stand together: ``\A`` becomes ``^``, ``\z`` ``$``."""
    return f"^{expression[2:-2]}$" if expression.startswith(r"\A") else expression


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


def identity_of(rules: Sequence[Rule], platform: bytes) -> bytes:
    """A digest of everything that decides what the compiler makes of ``rules``: same identity, same database.

    ``platform`` describes the processor. That two rules changed places counts as well, since hits are positions.
    """
    digest = hashlib.sha256()
    for part in (b"%d" % _FORMAT, str(hyperscan and hyperscan.__version__).encode(), platform):
        digest.update(b"%d:%s" % (len(part), part))
    for rule in rules:
        digest.update(b"%d:%s" % (len(rule.id), rule.id.encode()))
    for database in _Plan(rules).expressions():
        digest.update(b"database %d" % len(database))
        for expression, flags in database:
            digest.update(b"%d %d:%s" % (flags, len(expression), expression))
    return digest.digest()


def _compiled(plan: _Plan) -> list[Any]:
    """Compile every database. RE2 took each pattern before; one that Hyperscan does not take is a mistake in a pack."""
    *patterns, heads, words = plan.expressions()
    return [*map(_compile, patterns), _compile(heads, literal=True), _compile(words, literal=True)]


def _compile(wanted: Sequence[tuple[bytes, int]], *, literal: bool = False) -> Any:
    if not wanted:
        return None
    database = hyperscan.Database()
    try:
        database.compile(
            expressions=[expression for expression, _ in wanted],
            ids=list(range(len(wanted))),
            flags=[flags for _, flags in wanted],
            literal=literal,
        )
    except hyperscan.error as error:
        raise ConfigurationError(f"Hyperscan does not take a pattern of the rule packs: {error}") from error
    return database


def _deserialised(serialised: bytes, plan: _Plan) -> list[Any]:
    _require()
    try:
        parts = msgspec.msgpack.decode(serialised, type=list[bytes | None])
        databases = [None if one is None else hyperscan.loadb(one, hyperscan.HS_MODE_BLOCK) for one in parts]
    except (hyperscan.error, msgspec.MsgspecError) as error:
        raise ConfigurationError(
            "Hyperscan does not take a database that another build of it, or another processor, made"
        ) from error
    if [one is None for one in databases] != [not one for one in (*plan.patterns, plan.heads, plan.words)]:
        raise ConfigurationError("these are not the databases of these rules")
    return databases


def _require() -> None:
    if hyperscan is None:
        raise ConfigurationError(
            "Hyperscan cannot be imported on this machine: install the 'hyperscan' package on a processor it has a build for"
        )
