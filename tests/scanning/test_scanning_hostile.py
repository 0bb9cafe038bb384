"""Texts made to be costly: what the scanner does for one is counted, and stays in proportion to the text's size, or the text is refused.

Counted is what really happens (bytes handed to Hyperscan and RE2, values checked), not what the meter believes. How long it takes is
measured by ``tests/benchmarks/content_adversarial.py``: a machine that is busy must fail no test.
"""

from __future__ import annotations

import itertools
import random
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockgate_workers.scanning.decode import Decoder
from lockgate_workers.scanning.engine import Scanner
from lockgate_workers.scanning.exact import ExactRule
from lockgate_workers.scanning.findings import Refusal
from lockgate_workers.scanning.gate import Gate
from lockgate_workers.scanning.meter import CANDIDATE, EXACT_BYTE, GATE_BYTE, GATE_BYTE_AGAIN, PIECE, ScanLimits
from lockgate_workers.scanning.view import Mosaic, Part, View

sys.path.insert(0, str(Path(__file__).parent))

from hostile import GENERAL, Hostile, hostile

SIZE = 3_000
EACH = 1
"""Texts against each rule; which ones of the many ways, changes from rule to rule."""
KINDS = ["dlp_scanner", "injection_scanner"]


class Counted:
    """What was done for one text."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.gated = self.again = self.exact = self.candidates = self.checked = self.characters = self.pieces = 0

    def cost(self) -> int:
        gate = GATE_BYTE * self.gated + GATE_BYTE_AGAIN * self.again
        return gate + EXACT_BYTE * self.exact + CANDIDATE * self.candidates + PIECE * self.pieces


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    count = Counted()
    hits, candidates, refused, add_piece = Gate.hits, ExactRule.candidates, ExactRule.refused, Mosaic.add_piece

    def counting_hits(
        gate: Gate, data: bytes, shortest: int = 0, among: Collection[int] | None = None, *, signs: bool = True
    ) -> list[int]:
        if among is None:
            count.gated += len(data)
        else:
            count.again += len(data)
        return hits(gate, data, shortest, among, signs=signs)

    def counting_candidates(
        rule: ExactRule, data: bytes, places: Iterable[tuple[int, int]], beyond: int
    ) -> Iterator[tuple[int, int]]:
        places = list(places)
        count.exact += sum(end - begin for begin, end in places)
        for one in candidates(rule, data, places, beyond):
            yield one
            count.candidates += 1

    def counting_refused(rule: ExactRule, value: str) -> object:
        count.checked += 1
        count.characters += len(value)
        return refused(rule, value)

    def counting_piece(mosaic: Mosaic, text: str, first: int, last: int, parts: Callable[[], Iterable[Part]]) -> None:
        add_piece(mosaic, text, first, last, parts)
        count.pieces += 1

    monkeypatch.setattr(Mosaic, "add_piece", counting_piece)
    monkeypatch.setattr(Gate, "hits", counting_hits)
    monkeypatch.setattr(ExactRule, "candidates", counting_candidates)
    monkeypatch.setattr(ExactRule, "refused", counting_refused)
    return count


def some(texts: Iterable[Hostile], each: int = EACH) -> Iterator[Hostile]:
    """All against no rule in particular, and some against each rule."""
    for number, (rule, group) in enumerate(itertools.groupby(texts, key=lambda one: one.rule)):
        against = list(group)
        yield from against if rule == GENERAL else (against[(number * 5 + one * 7) % len(against)] for one in range(each))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_done_for_a_text_is_in_proportion_to_its_size(
    kind: str, request: pytest.FixtureRequest, counted: Counted
) -> None:
    scanner: Scanner = request.getfixturevalue(kind)
    limits = ScanLimits()
    rules = set()
    for one in some(hostile(scanner.rules, SIZE)):
        rules.add(one.rule)
        counted.reset()
        size = len(one.text.encode("utf-8", "replace"))
        explained = scanner.explain(one.text)
        assert explained.result.refusal in {None, Refusal.WORK, Refusal.FINDINGS}, one.how
        assert counted.cost() <= explained.work, f"{one.rule}, {one.how}: more was done than was counted"
        assert counted.cost() <= limits.max_work + limits.work_per_byte * size, f"{one.rule}, {one.how}"
        assert counted.candidates <= limits.max_findings + size * 8, f"{one.rule}, {one.how}"
        assert counted.checked <= counted.candidates, f"{one.rule}, {one.how}"
    assert rules == {GENERAL, *(rule.id for rule in scanner.rules)}


@pytest.mark.parametrize("kind", KINDS)
def test_ten_times_the_text_is_no_more_than_some_ten_times_the_work(
    kind: str, request: pytest.FixtureRequest, counted: Counted
) -> None:
    scanner: Scanner = request.getfixturevalue(kind)
    for small, large in zip(hostile((), 2_000), hostile((), 20_000), strict=True):
        counted.reset()
        scanner.scan(small.text)
        once = counted.cost()
        counted.reset()
        if scanner.scan(large.text).refusal is None:
            assert counted.cost() <= 20 * once + 500_000, small.how


def test_what_is_put_together_is_counted(dlp_scanner: Scanner, counted: Counted) -> None:
    explained = dlp_scanner.explain("g-h-p-_-a-b-c-d-e-f-1-2-3 " * 200)
    assert counted.pieces >= 200
    assert explained.work >= counted.cost()


def test_what_is_disguised_is_read_in_one_order_in_every_process(dlp_scanner: Scanner, monkeypatch: pytest.MonkeyPatch) -> None:
    orders: list[list[str]] = []

    def noting(_decoder: Decoder, _view: View, fired: Iterable[str]) -> Iterator[View]:
        orders.append(list(fired))
        return iter(())

    monkeypatch.setattr(Decoder, "decoded", noting)
    dlp_scanner.scan("\n".join(one.text for one in hostile((), 60)))
    assert any(len(order) > 3 for order in orders)
    assert all(order == sorted(order) for order in orders)


def test_a_value_that_stands_there_a_thousand_times_is_checked_once(dlp_scanner: Scanner, counted: Counted) -> None:
    assert dlp_scanner.scan("password = 'Zk8#qP2x!vW'\n" * 300).findings
    assert counted.candidates >= 300 > counted.checked


def test_a_scan_that_is_refused_stops_soon_after(dlp_scanner: Scanner, counted: Counted) -> None:
    scanner = Scanner.__new__(Scanner)
    for name, value in vars(dlp_scanner).items():
        setattr(scanner, name, value)
    scanner._limits = ScanLimits(max_work=1_000_000, work_per_byte=0)
    text = "password = 'Zk8#qP2x!vW' and anna.berg@lockgate-mail.org\n" * 1_000
    assert scanner.scan(text).refusal is Refusal.WORK
    assert counted.cost() <= 1_000_000


PIECES = [one.text[:48] for one in hostile((), 48)] + [
    "\n",
    " ",
    "'",
    '"',
    "=",
    ": ",
    "password",
    "key",
    "token",
    "4111 1111 1111 1111",
]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.data())
def test_no_mixture_of_floods_gets_past_the_meter_or_makes_the_scanner_stumble(
    dlp_scanner: Scanner, data: st.DataObject
) -> None:
    examples = [example for rule in dlp_scanner.rules for example in rule.examples.match]
    chance = random.Random(data.draw(st.integers(0, 2**32)))  # noqa: S311 - which example, not a secret
    seed = "".join(data.draw(st.lists(st.sampled_from(PIECES), min_size=1, max_size=5)))
    seed += chance.choice(examples)[: data.draw(st.integers(0, 60))]
    text = (seed * data.draw(st.integers(1, 40)))[:8_000]
    explained = dlp_scanner.explain(text)
    assert explained.result.refusal in {None, Refusal.WORK, Refusal.FINDINGS}
    assert explained.result == dlp_scanner.scan(text)
    assert all(0 <= one.start < one.end <= len(text) for one in explained.result.findings)
    if explained.result.refusal is None:
        assert explained.work <= explained.allowed
