"""The first pass: which rules are worth an exact look at a text. It never decides a finding: that is done by RE2 and the validators.

Hyperscan runs without start offsets and reports each rule once, so that clean text costs little and no Python. Rules lie in tiers
(`tiers`): one database sees every text, the words of rules that ask for words are looked for as plain words, and what is
about numbers sees texts with digits only. One database more looks for signs that something is disguised, which say what
decoding is worth a try. There is no slower fallback: where Hyperscan cannot be loaded, the scanner refuses to start.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from lockgate_schemas.errors import ConfigurationError
from lockgate_workers.scanning.decode import signs_of
from lockgate_workers.scanning.digit_runs import longest_run
from lockgate_workers.scanning.expressions import expressions, parted
from lockgate_workers.scanning.extent import is_absolute
from lockgate_workers.scanning.packs import Rule
from lockgate_workers.scanning.tiers import MOST_WHOLE, Tier, digits_of, tier_of

hyperscan: Any
try:
    import hyperscan
except ImportError:  # no build for this processor: said when a gate is built, in words an operator can act on
    hyperscan = None

_FORMAT: Final = 5
"""To be raised when the same expressions would be compiled or used in another way."""
_TOGETHER: Final = 16
"""Number patterns in one database: twice as many take twice as long each to compile, half as many cost a fifth more to run."""
_BANDS: Final = ((0, 3), (3, 6), (6, 1_000))
"""Patterns about numbers lie together by how many digits stand together at least: hardly a text has six, many have a few."""
_TEXT, _WHOLE, _SIGNS, _NUMBERS = range(4)
"""The places of the databases of patterns: one each, and from there on those about numbers."""
_HEADS, _WORDS = -2, -1
"""Behind them, the databases of plain words: what disguised values begin with, and the words that rules ask for."""
_APART: Final = bytes(code if code >= ord("\x80") or chr(code).isalnum() else 0x20 for code in range(256))
"""Every sign becomes a blank, as where the engine looks for words beside a candidate."""


class GateError(Exception):
    """Hyperscan failed on a text; the engine turns this into a refusal, and no detail of the text leaves."""


class _Database(NamedTuple):
    """A database of patterns: what it is compiled from, the position of a rule or sign for each, and how many digits there have to be."""

    expressions: list[tuple[bytes, int]]
    positions: list[int]
    digits: int = 0


class _Plan:
    """What is compiled for a set of rules: the expressions of each database, and what a hit in it stands for."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        _require()
        self._rules = rules
        tiers = [tier_of(rule) for rule in rules]
        text, whole, digits, words = (
            [at for at, one in enumerate(tiers) if one is tier] for tier in (Tier.TEXT, Tier.WHOLE, Tier.DIGITS, Tier.WORDS)
        )
        signs = [parted(sign) for sign in signs_of(rules).values()]
        self.heads: Final = sorted({head for _, heads in signs for head in heads})
        self.heading: Final = [[-1 - sign for sign, (_, heads) in enumerate(signs) if head in heads] for head in self.heads]
        self.digits: Final = {at: digits_of(rules[at]) for at in (*digits, *words)}
        asking: dict[bytes, dict[int, bool]] = {}
        for at in words:
            for word in rules[at].keywords:
                asking.setdefault(_spaced(word.encode()), {})[at] = True
        self.words: Final = sorted(asking)
        self.asking: Final = [list(asking[word]) for word in self.words]
        self.databases: Final = [
            self._database(text),
            self._database(whole),
            _of_signs([pattern for pattern, _ in signs]),
            *map(self._database, self._numbers(digits)),
        ]
        self.inside: Final = [frozenset(one.positions) for one in self.databases]
        self.headed: Final = frozenset(sign for signs in self.heading for sign in signs)
        self.asked: Final = frozenset(words)
        for at in (*text, *digits, *words):
            _refuse_absolute(rules[at])

    def expressions(self) -> Iterator[list[tuple[bytes, int]]]:
        """What each database is compiled from: expressions and Hyperscan's flags; those of plain words come last."""
        yield from (one.expressions for one in self.databases)
        for words in ([head.encode() for head in self.heads], self.words):
            yield [(word, hyperscan.HS_FLAG_SINGLEMATCH) for word in words]

    def _numbers(self, digits: Sequence[int]) -> Iterator[list[int]]:
        for least, beyond in _BANDS:
            band = [at for at in digits if least <= self.digits[at] < beyond]
            yield from (band[at : at + _TOGETHER] for at in range(0, len(band), _TOGETHER))

    def _database(self, positions: Sequence[int]) -> _Database:
        expressed = [(at, one) for at in positions for one in expressions(self._rules[at].gate or self._rules[at].pattern)]
        flags = {at: _flags(caseless=self._rules[at].caseless) for at in positions}
        return _Database(
            [(one.encode(), flags[at]) for at, one in expressed],
            [at for at, _ in expressed],
            min((self.digits.get(at, 0) for at in positions), default=0),
        )


def _of_signs(patterns: Sequence[str]) -> _Database:
    here = [(-1 - sign, pattern) for sign, pattern in enumerate(patterns) if pattern]
    return _Database([(pattern.encode(), _flags()) for _, pattern in here], [at for at, _ in here])


def _flags(*, caseless: bool = False) -> int:
    flags: int = hyperscan.HS_FLAG_SINGLEMATCH | hyperscan.HS_FLAG_UTF8 | hyperscan.HS_FLAG_MULTILINE
    return flags | hyperscan.HS_FLAG_CASELESS if caseless else flags


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
        run = longest_run(data)
        found = [hit for at in self._possible(shortest, run, among, signs=signs) for hit in self._matched(at, data)]
        if signs and self._plan.heads and (among is None or not self._plan.headed.isdisjoint(among)):
            found += {sign for hit in self._scanned(_HEADS, data) for sign in self._plan.heading[hit]}.difference(found)
        if self._plan.words and (among is None or not self._plan.asked.isdisjoint(among)):
            asking = {at for hit in self._scanned(_WORDS, _in_words(data)) for at in self._plan.asking[hit]}
            found += sorted(at for at in asking if self._plan.digits[at] <= run)
        return found

    def _possible(self, shortest: int, run: int, among: Collection[int] | None, *, signs: bool) -> Iterator[int]:
        """The databases of patterns of which one may match."""
        for at, inside in enumerate(self._plan.inside):
            spared = (at == _WHOLE and shortest > MOST_WHOLE) or (at == _SIGNS and not signs)
            if not spared and self._plan.databases[at].digits <= run and (among is None or not inside.isdisjoint(among)):
                yield at

    def _matched(self, at: int, data: bytes) -> Collection[int]:
        positions = self._plan.databases[at].positions
        return {positions[hit]: True for hit in self._scanned(at, data)} if positions else ()

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
    """The text in lower case with a blank for every sign: in it stands each word that the engine would see, when it is changed likewise."""
    lowered = data.lower() if data.isascii() else data.decode("utf-8", "replace").lower().encode()
    return b" %b " % _spaced(lowered)


def _spaced(text: bytes) -> bytes:
    return text.translate(_APART)


def _refuse_absolute(rule: Rule) -> None:
    """Texts go through the gate together: it cannot see where one of them begins or ends, but for rules in `Tier.WHOLE`."""
    if is_absolute(rule.gate or rule.pattern):
        raise ConfigurationError(
            f"rule {rule.id}: a pattern that asks for the beginning or the end of a text must be about the whole of it"
        )


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
    if [one is None for one in databases] != [not one for one in plan.expressions()]:
        raise ConfigurationError("these are not the databases of these rules")
    return databases


def _require() -> None:
    if hyperscan is None:
        raise ConfigurationError(
            "Hyperscan cannot be imported on this machine: install the 'hyperscan' package on a processor it has a build for"
        )
