"""Every part of the benchmark runs, on a few requests, and its figures are figures. Nothing here is timed: a benchmark is no test."""

from __future__ import annotations

import msgspec
import pytest

from lockgate_cli.bench.figures import Rate, Spread, percentile, spread
from lockgate_cli.bench.peers import faststream_missing
from lockgate_cli.bench.report import FRAMEWORK, LIMIT, Door, Peer, Report, targets
from lockgate_cli.bench.run import Options, run_bench, steps


@pytest.mark.timeout(240)
async def test_a_small_run_measures_every_part_and_verifies_receipts() -> None:
    options = Options(requests=50, alone=20, window=16)
    told: list[str] = []
    report = await run_bench(options, told.append)

    assert len(told) == steps(options)
    assert len(report.peers) == (2 if faststream_missing() else 4)
    assert [door.name for door in report.doors] == ["http", "broker"]
    for rate in [peer.rate for peer in report.peers] + [door.rate for door in report.doors]:
        assert rate.requests == 50
        assert rate.per_second > 0
        assert all(part.memory > 0 for part in rate.used)
    for door in report.doors:
        assert {part.process for part in door.rate.used} == {
            "client",
            "broker",
            "ingress",
            "authz",
            "inspection",
            "dlp",
            "outcome",
            "agent",
        }
        assert 0 < door.alone.p50 <= door.alone.p99
        assert door.verified > 0
    assert report.round_trips.keys() == {"publish", "hop"}
    assert report.deciding.keys() == {"ingress", "authz", "inspection", "dlp"}
    assert all(took.count > 0 for took in report.deciding.values())
    assert len(report.targets) == 2 * (len(report.peers) + 2)
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report


@pytest.mark.timeout(240)
async def test_without_peers_it_says_so() -> None:
    report = await run_bench(Options(requests=20, alone=10, window=4, doors=("broker",), peers=False), lambda _: None)
    assert not report.peers
    assert len(report.skipped) == 1
    assert [door.name for door in report.doors] == ["broker"]


def test_percentiles_are_nearest_rank() -> None:
    assert percentile([], 0.5) == 0.0
    assert percentile([7.0], 0.99) == 7.0
    assert percentile([1.0, 2.0, 3.0, 4.0], 0.5) == 2.0
    assert percentile([1.0, 2.0, 3.0, 4.0], 0.99) == 4.0
    assert spread([0.003, 0.001, 0.002]) == Spread(2.0, 3.0, 3.0, 3)


def test_a_target_is_met_only_by_its_own_measure() -> None:
    def rate(per_second: int) -> Rate:
        return Rate(requests=per_second, seconds=1.0)

    trip = {"hop": Spread(1.0, 1.0, 1.0, 1)}
    peers = (Peer("f", FRAMEWORK, rate(100)), Peer("l", LIMIT, rate(400)))
    alone = Spread(9.9, 10.0, 10.0, 1)
    good = Door("http", rate(200), alone, alone, 1)
    assert [target.met for target in targets(peers, (good,), trip)] == [True, True, True]
    late = Spread(10.0, 10.0, 10.0, 1)
    bad = Door("http", rate(199), late, late, 1)
    assert [target.met for target in targets(peers, (bad,), trip)] == [False, False, False]
