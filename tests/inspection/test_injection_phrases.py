"""The phrases that the weights are learned from: every slot is filled, tongues keep theirs apart, and no text stands on both sides."""

from __future__ import annotations

from importlib import resources
from typing import Any

import pytest
import yaml

from lockgate_workers.inspection.training.generator import Phrases, Row

FOLDER = resources.files("lockgate_workers.inspection.training.phrases")
FILES = sorted((one for one in FOLDER.iterdir() if one.name.endswith(".yaml")), key=lambda one: one.name)
MOST_BYTES = 60_000


@pytest.fixture(scope="module")
def phrases() -> Phrases:
    return Phrases(3)


@pytest.fixture(scope="module")
def rows(phrases: Phrases) -> list[Row]:
    return phrases.rows(1)


def _read(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
    return loaded


def _named_files() -> set[str]:
    return {part for one in FILES if not one.name.startswith("tongues") for part in _read(one.name).get("slots", {})}


def test_every_slot_is_filled_in(phrases: Phrases, rows: list[Row]) -> None:
    """One with a digit in its name was left as it stood."""
    known = tuple(f"{{{name}}}" for name in phrases.slots)
    assert "{subject2}" in known
    assert not [row.text for row in rows if "{" in row.text and any(name in row.text for name in known)]


def test_two_files_do_not_mean_different_words_by_the_same_slot() -> None:
    named = [part for one in FILES if not one.name.startswith("tongues") for part in _read(one.name).get("slots", {})]
    again = {name for name in named if named.count(name) > 1}
    assert again <= {"table"}


def test_a_tongue_has_both_sides_and_keeps_its_slots_to_itself(phrases: Phrases) -> None:
    tongues = {name: part for one in FILES if one.name.startswith("tongues") for name, part in _read(one.name).items()}
    assert len(tongues) > 40
    for name, part in tongues.items():
        assert isinstance(name, str)  # "no" would be read as false
        assert part["attacks"], name
        assert part["honest"], name
        for slot in part.get("slots", {}):
            assert f"own{name}{slot}" in phrases.slots
    assert not _named_files() & {f"own{name}{slot}" for name, part in tongues.items() for slot in part.get("slots", {})}


def test_orders_hidden_in_the_texts_of_others_never_stand_alone(rows: list[Row]) -> None:
    placed = [row for row in rows if row.cls in {"own_sides", "own_deeds", "own_asides"}]
    carriers = [text for one in FILES if one.name.startswith("carriers") for text in _read(one.name)["carriers"]]
    parts = [tuple(carrier.split("{slot}")) for carrier in carriers]
    assert {row.attack for row in placed} == {True, False}
    for row in placed:
        assert any(row.text.startswith(before) and row.text.endswith(after) for before, after in parts)


def test_no_text_is_an_attack_and_honest_at_once(rows: list[Row]) -> None:
    attacks = {row.text.lower().strip(" .!") for row in rows if row.attack}
    assert not [row.text for row in rows if not row.attack and row.text.lower().strip(" .!") in attacks]


@pytest.mark.parametrize("name", [one.name for one in FILES])
def test_a_file_can_be_read_by_people(name: str) -> None:
    assert len((FOLDER / name).read_bytes()) < MOST_BYTES
