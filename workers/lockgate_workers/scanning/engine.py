"""The scanner: which rules hold, and where, in one text or in all texts of a message.

1. All texts of the message go through the gate together; a clean message of plain characters ends here.
2. Where the gate hits, texts go through it in groups, in each of their views (`normalise`); what hits in a group is looked for in the
   texts of it (`places`), and the rules that may hold in one are run exactly over it (`exact`), in a long text only where the gate hit.
3. What is encoded, cut up or turned round (`decode`) is read and scanned in the same way, a few layers deep at most.

Size, work, time and the number of findings are bounded over the whole message (`meter`). Past a bound, or when an engine fails, the
answer is a refusal and never a shorter list of findings; what a stage then does is its own decision (it blocks). The scanner does no
IO, and the clock is passed in. A secret split over two texts of one message is out of scope: each text stands for itself.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, chain
from typing import Final, NamedTuple

from lockgate_schemas.errors import ConfigurationError
from lockgate_workers.scanning.decode import DECODE_DEPTH, Decoder, DecodingLimitError, price_of, signs_of
from lockgate_workers.scanning.exact import NEAR, ExactRule
from lockgate_workers.scanning.explaining import Explanation, Reason, Verdict
from lockgate_workers.scanning.findings import Finding, Refusal, ScanResult
from lockgate_workers.scanning.gate import Gate
from lockgate_workers.scanning.meter import Meter, RefusedError, ScanLimits
from lockgate_workers.scanning.normalise import derived
from lockgate_workers.scanning.packs import Pack, all_rules, digest_of
from lockgate_workers.scanning.places import Spread
from lockgate_workers.scanning.view import View

__all__ = ["ScanLimits", "Scanner"]

_ESCAPE_SIGNS: Final = "\\&%\x1b\x9b"
_CLEAN: Final = ScanResult()
_GROUP: Final = 16_384
"""Characters of small views that go through the gate together: a rule that hits is looked for in all of them at once."""
_SEGMENT: Final = 16_384
"""Bytes of a long view that are looked at together once it is known that some rule hits somewhere."""
_FEW_RULES: Final = 4
"""So many rules are run over a long view as a whole: that costs no more than to find out where they hit."""
_LEAST_DISGUISED: Final = 8
"""Characters of a text in which something may be disguised; each reader asks for more. Lists of numbers are thousands of shorter texts."""
_AROUND: Final = 1_024
"""Bytes before and behind a segment which the gate sees as well: no rule's window is larger."""


class _Hit(NamedTuple):
    """A view in which the gate hit: of which text it is, and the positions of the rules that did."""

    text: int
    view: View
    data: bytes
    hits: list[int]


class _Run:
    """One scan of one message."""

    __slots__ = ("_around", "_checked", "found", "known", "meter", "reasons")

    def __init__(self, meter: Meter, *, explained: bool = False) -> None:
        self.meter = meter
        self.found: dict[int, list[Finding]] = {}
        self.known: dict[tuple[str, int], list[int]] = {}
        self._checked: dict[tuple[str, str], Verdict | None] = {}
        self._around: dict[tuple[str, str], Verdict | None] = {}
        self.reasons: list[Reason] | None = [] if explained else None

    def refused(self, exact: ExactRule, value: str) -> Verdict | None:
        """See `ExactRule.refused`; each value is checked once, however often and in however many views it stands."""
        key = exact.rule.id, value
        try:
            return self._checked[key]
        except KeyError:
            self.meter.check(exact.price(len(value)))
            verdict = self._checked[key] = exact.refused(value)
            return verdict

    def misplaced(self, exact: ExactRule, text: str, start: int, end: int) -> Verdict | None:
        """See `ExactRule.misplaced`; what stands around a candidate is looked at once, as most of it is the same in every view."""
        if not exact.looks_around:
            return None
        key = exact.rule.id, exact.around(text, start, end)
        if key not in self._around:
            self.meter.around()
            self._around[key] = exact.misplaced(key[1])
        return self._around[key]

    def judged(self, rule: str, view: View, start: int, end: int, verdict: Verdict) -> None:
        """Note what became of a candidate, if anybody asked."""
        if self.reasons is not None:
            self.reasons.append(Reason(rule, *(view.span(start, end) if end else (0, 0)), _kind(view), verdict))


class Scanner:
    """Rule packs, compiled. Construct it once; share it between threads; it keeps nothing of what it scans.

    ``digest`` identifies the packs (it is stamped as the version of the rules). ``evidence_key`` keys the evidence hashes. ``clock`` should
    tell the thread's processor time. Without ``decode`` encoded runs are not looked into, which is for measurements alone.
    """

    def __init__(
        self,
        packs: Sequence[Pack],
        *,
        clock: Callable[[], float],
        evidence_key: bytes,
        limits: ScanLimits | None = None,
        gate: Gate | None = None,
        decode: bool = True,
    ) -> None:
        """``gate`` is one over the very same rules, compiled before; without it one is compiled here.

        Raises:
            ConfigurationError: there is no rule, a pattern is wrong, or the gate is another's.
        """
        rules = all_rules(packs)
        if not rules:
            raise ConfigurationError("a scanner without rules would pass everything: give it at least one rule pack")
        self.digest: Final = digest_of(packs)
        self.rules: Final = rules
        self._limits = limits or ScanLimits()
        self._clock = clock
        self._key = evidence_key
        self._depth = DECODE_DEPTH if decode else 0
        self._exact = tuple(ExactRule(rule) for rule in rules)
        self._decoder = Decoder(rules)
        signs = tuple(signs_of(rules).values())
        self._spread = [
            *(Spread(rule.gate or rule.pattern, caseless=rule.caseless) for rule in rules),
            *map(Spread, reversed(signs)),
        ]
        self._gate = Gate(rules) if gate is None else gate
        if self._gate.rules != rules:
            raise ConfigurationError("a gate that was compiled from other rules would let pass what these rules find")

    def scan(self, text: str) -> ScanResult:
        """Scan one text."""
        return self.scan_all((text,))[0]

    def scan_all(self, texts: Sequence[str]) -> tuple[ScanResult, ...]:
        """Scan the texts of one message under one budget; the results stand in the same order.

        When anything is refused, everything is: each result then carries the refusal and no findings.
        """
        return self._answers(texts, _Run(Meter(self._limits, self._clock)))

    def explain(self, text: str) -> Explanation:
        """Scan one text and say of every candidate what became of it. Nothing in the answer repeats the text."""
        run = _Run(Meter(self._limits, self._clock), explained=True)
        (result,) = self._answers((text,), run)
        return Explanation(result, tuple(run.reasons or ()), run.meter.work, run.meter.allowed)

    def _answers(self, texts: Sequence[str], run: _Run) -> tuple[ScanResult, ...]:
        try:
            self._scan(texts, run)
        except RefusedError as refused:
            return (ScanResult(refusal=refused.refusal),) * len(texts)
        except DecodingLimitError:
            return (ScanResult(refusal=Refusal.WORK),) * len(texts)
        except Exception:  # noqa: BLE001 - an engine or a validator stumbles over a hostile text: nothing was decided, so nothing may pass
            return (ScanResult(refusal=Refusal.ENGINE),) * len(texts)
        found = run.found
        if not found:
            return (_CLEAN,) * len(texts)
        return tuple(ScanResult(_unique(found[index])) if index in found else _CLEAN for index in range(len(texts)))

    def _scan(self, texts: Sequence[str], run: _Run) -> None:
        """Collect the findings by position of the text."""
        joined = "\n".join(texts)
        data = _encoded(joined)
        run.meter.admit(len(data))
        hits = self._gated(joined, data, run, min(map(len, texts), default=0))
        plain = _is_plain(joined)
        if not hits and plain:
            return
        written = [(index, View(text, told=run.meter.piece)) for index, text in enumerate(texts)]
        anew = () if plain else [(index, view) for index, one in written for view in self._rewritten(one, run)]
        groups: Iterator[list[tuple[int, View]]] = chain(_groups(written if hits else ()), _groups(anew))
        for depth in range(self._depth + 1):
            encoded = self._layer(groups, run)
            if depth == self._depth or not encoded:
                return
            groups = _groups((one.text, view) for one in encoded for view in self._inside(one, run))

    def _rewritten(self, view: View, run: _Run) -> Sequence[View]:
        """The further views of what is not plain."""
        if _is_plain(view.text):
            return ()
        run.meter.rewrite(len(view.text), sum(map(view.text.count, _ESCAPE_SIGNS)))
        return derived(view)[1:]

    def _inside(self, outer: _Hit, run: _Run) -> Iterator[View]:
        """All views of what is disguised in a view."""
        fired = dict.fromkeys(sorted(self._decoder.named(outer.hits)))  # in one order: a set has another one in each process
        run.meter.decode(len(outer.view.text), price_of(fired))
        for view in self._decoder.decoded(outer.view, fired.keys()):
            run.meter.read(len(view.text))
            yield view
            yield from self._rewritten(view, run)

    def _layer(self, groups: Iterable[list[tuple[int, View]]], run: _Run) -> list[_Hit]:
        """Scan views that lie equally deep; return those in which something may be disguised, the last view of each text alone."""
        encoded: dict[tuple[int, int], _Hit] = {}
        for one in self._hits(groups, run):
            if min(one.hits) < 0 and len(one.view.text) >= _LEAST_DISGUISED:
                encoded[one.text, id(one.view.root)] = one
            rules = [hit for hit in one.hits if hit >= 0 and self._counts(hit, one.view)]
            if rules:
                found = self._findings(one.view, one.data, rules, run)
                kept = run.found.setdefault(one.text, [])
                kept += _new(found, kept) if one.view.weak else found
        return list(encoded.values())

    def _counts(self, rule: int, view: View) -> bool:
        """In a view that chance may have made, only what chance hardly makes."""
        return not view.weak or self._exact[rule].rule.id in self._decoder.strong

    def _hits(self, groups: Iterable[list[tuple[int, View]]], run: _Run) -> Iterator[_Hit]:
        """Put all views through the gate, small ones in groups, and yield those in which it hits."""
        for group in groups:
            texts = [view.text for _, view in group]
            together = "\n".join(texts)
            data = _encoded(together)
            among = self._gated(together, data, run, min(map(len, texts)))
            if among and len(group) == 1:
                yield _Hit(*group[0], data, among)
            elif among:
                yield from self._apart(group, data, among, run)

    def _apart(self, group: Sequence[tuple[int, View]], data: bytes, among: Iterable[int], run: _Run) -> Iterator[_Hit]:
        """Which of the texts of a group it was that the gate hit in."""
        parts = [_encoded(view.text) for _, view in group]
        ends = tuple(accumulate(len(part) + 1 for part in parts))
        hits: list[list[int]] = [[] for _ in group]
        disguised = max(len(view.text) for _, view in group) >= _LEAST_DISGUISED
        for hit in among:
            if hit < 0 and not disguised:
                continue
            run.meter.exact(len(data))
            for at in self._spread[hit].texts(data, ends):
                run.meter.search()
                hits[at].append(hit)
        yield from (_Hit(*one, part, found) for one, part, found in zip(group, parts, hits, strict=True) if found)

    def _findings(self, view: View, data: bytes, rules: Sequence[int], run: _Run) -> Iterator[Finding]:
        """Run the rules that hit exactly over one view."""
        plain = len(data) == len(view.text)
        beyond = NEAR if plain else 4 * NEAR
        for position, places in self._places(data, rules, beyond, run).items():
            exact = self._exact[position]
            run.meter.exact(sum(end - begin for begin, end in places))
            found = exact.candidates(data, places, beyond if exact.near else len(data))
            yield from self._judged(exact, view, _in_characters(found, data, plain=plain), run)

    def _judged(self, exact: ExactRule, view: View, candidates: Iterable[tuple[int, int]], run: _Run) -> Iterator[Finding]:
        any_candidate = False
        for start, end in candidates:
            any_candidate = True
            run.meter.candidate()
            if start == end:
                continue
            refused = _verdict(exact, view.text, start, end, run)
            run.judged(exact.rule.id, view, start, end, refused or Verdict.FINDING)
            if refused is None:
                run.meter.finding()
                yield self._finding(exact, view.text[start:end], view.span(start, end))
        if not any_candidate:
            run.judged(exact.rule.id, view, 0, 0, Verdict.NO_CANDIDATE)

    def _finding(self, exact: ExactRule, value: str, span: tuple[int, int]) -> Finding:
        rule = exact.rule
        evidence = hmac.digest(self._key, value.encode("utf-8", "replace"), "sha256").hex()
        return Finding(rule.id, *span, rule.severity, rule.action, evidence, rule.confidence, rule.category)

    def _places(self, data: bytes, rules: Sequence[int], beyond: int, run: _Run) -> dict[int, list[tuple[int, int]]]:
        """Where each rule is to be looked for: everywhere, but in a long view near rules only in the segments in which the gate hits."""
        everywhere = [(0, len(data))]
        near = {rule for rule in rules if self._exact[rule].near} if len(data) > _SEGMENT else set()
        if len(near) <= _FEW_RULES:
            return dict.fromkeys(rules, everywhere)
        places = {rule: everywhere if rule not in near else [] for rule in rules}
        for begin, end in _segments(data):
            piece = data[_boundary(data, begin - _AROUND) : _boundary(data, end + beyond + _AROUND)]
            run.meter.gate_again(len(piece))
            for rule in near.intersection(self._gate.hits(piece, len(data), near, signs=False)):
                places[rule].append((begin, end))
        return places

    def _gated(self, text: str, data: bytes, run: _Run, shortest: int) -> list[int]:
        """What the gate says (see `Gate.hits`); each text is asked about once, and anew where it was put together from others: what is looked for hangs on that."""
        known = run.known.get((text, shortest))
        if known is None:
            run.meter.gate(len(data))
            known = run.known[text, shortest] = self._gate.hits(data, shortest, signs=self._depth > 0)
        return known


def _verdict(exact: ExactRule, text: str, start: int, end: int, run: _Run) -> Verdict | None:
    """Why the candidate is no finding, or None."""
    if exact.is_placed_first:
        return run.misplaced(exact, text, start, end) or run.refused(exact, text[start:end])
    return run.refused(exact, text[start:end]) or run.misplaced(exact, text, start, end)


def _is_plain(text: str) -> bool:
    """Whether a text has no view but itself."""
    return text.isascii() and "\\" not in text and "&" not in text and "%" not in text and "\x1b" not in text


def _new(found: Iterable[Finding], known: Iterable[Finding]) -> list[Finding]:
    """Leave out what was found whole: put together from pieces, it would only take the next word along."""
    whole = {(one.rule, one.start) for one in known}
    return [one for one in found if (one.rule, one.start) not in whole]


def _kind(view: View) -> str:
    if view.root.before is not None:
        return "decoded"
    return "as written" if view.before is None else "rewritten"


def _groups(layer: Iterable[tuple[int, View]]) -> Iterator[list[tuple[int, View]]]:
    """Neighbours in groups of some `_GROUP` characters; a large one alone."""
    group: list[tuple[int, View]] = []
    size = 0
    for one in layer:
        length = len(one[1].text)
        if group and size + length > _GROUP:
            yield group
            group, size = [], 0
        group.append(one)
        size += length
    if group:
        yield group


def _segments(data: bytes) -> Iterator[tuple[int, int]]:
    begin = 0
    while begin < len(data):
        end = _boundary(data, begin + _SEGMENT)
        yield begin, end
        begin = end


def _boundary(data: bytes, index: int) -> int:
    """The nearest index from here on at which a character begins; within the bounds of ``data``."""
    index = min(max(index, 0), len(data))
    while index < len(data) and data[index] & 0xC0 == 0x80:  # noqa: PLR2004 - the form of a continuation byte of UTF-8
        index += 1
    return index


def _encoded(text: str) -> bytes:
    """UTF-8; a lone surrogate becomes a question mark, one character for one, so that offsets stay."""
    return text.encode("utf-8", "replace")


def _in_characters(spans: Iterable[tuple[int, int]], data: bytes, *, plain: bool) -> Iterator[tuple[int, int]]:
    """Turn spans of bytes, which come in order, into spans of characters; counted from the last one on, not from the beginning each time."""
    counted = characters = 0
    for first, last in spans:
        if plain:
            yield first, last
            continue
        characters += _characters(data, counted, first)
        counted = first
        yield characters, characters + _characters(data, first, last)


def _characters(data: bytes, start: int, end: int) -> int:
    return len(data[start:end].decode("utf-8", "replace"))


def _unique(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Views overlap: keep one finding for each rule and place, in order of place."""
    kept: dict[tuple[str, int, int], Finding] = {}
    for finding in findings:
        kept.setdefault((finding.rule, finding.start, finding.end), finding)
    return tuple(sorted(kept.values(), key=lambda one: (one.start, one.end, one.rule)))
