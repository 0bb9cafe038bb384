"""Calibration on recorded scores: at most the wanted share reaches a threshold, and what rests on too little is said so."""

from __future__ import annotations

import pytest

from lockgate_schemas.errors import ConfigurationError
from lockgate_workers.inspection.calibrate import calibrate


def test_at_most_the_wanted_share_is_reached() -> None:
    scores = [index / 20_000 for index in range(20_000)]
    found = calibrate(scores, 0.01, 0.001)
    assert 0 < found.flagged <= 200
    assert 0 < found.blocked <= 20
    assert found.flag < found.block <= 1.0
    assert found.warnings == ()


def test_scores_that_are_the_same_are_all_below() -> None:
    found = calibrate([0.3] * 20_000, 0.01, 0.001)
    assert (found.flagged, found.blocked) == (0, 0)
    assert found.flag == pytest.approx(0.301)
    assert len(found.warnings) == 1


def test_a_rate_that_no_threshold_keeps_is_said_so() -> None:
    found = calibrate([0.1] * 19_000 + [1.0] * 1_000, 0.01, 0.001)
    assert (found.flag, found.flagged) == (1.0, 1_000)
    assert len(found.warnings) == 2
    assert all("no " in one and "keeps that rate" in one for one in found.warnings)


def test_known_attacks_are_counted_and_move_nothing() -> None:
    scores = [index / 20_000 for index in range(20_000)]
    found = calibrate(scores, 0.01, 0.001, attacks=[0.2, 0.995, 1.0])
    assert (found.attacks, found.attacks_flagged, found.attacks_blocked) == (3, 2, 1)
    assert found.flag == calibrate(scores, 0.01, 0.001).flag


def test_too_few_scores_are_a_warning_for_each_threshold() -> None:
    found = calibrate([0.1, 0.2, 0.3], 0.01, 0.001)
    assert len(found.warnings) == 2
    assert "1000" in found.warnings[0]
    assert "10000" in found.warnings[1]
    assert (found.flagged, found.blocked) == (0, 0)
    assert len(calibrate([0.1, 0.2] * 600, 0.01, 0.001).warnings) == 1


@pytest.mark.parametrize(("flag", "block"), [(0.0, 0.0), (0.001, 0.01), (1.0, 0.5), (-1, -1)])
def test_rates_that_are_none_are_refused(flag: float, block: float) -> None:
    with pytest.raises(ConfigurationError):
        calibrate([0.5], flag, block)


def test_without_scores_there_is_no_calibration() -> None:
    with pytest.raises(ConfigurationError):
        calibrate([], 0.01, 0.001)
