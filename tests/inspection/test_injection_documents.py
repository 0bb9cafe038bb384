"""Honest documents to learn from: cut and drawn alike every time, with the licence of where they come from, and nothing of a test."""

from __future__ import annotations

import importlib.metadata
from collections import Counter
from pathlib import Path

import pytest

from lockgate_schemas.errors import ConfigurationError
from lockgate_workers.inspection.decide import InspectionOutcome, decide
from lockgate_workers.inspection.scoring import Scorer
from lockgate_workers.inspection.training.forms import FORMS, form_rows
from lockgate_workers.inspection.training.manuals import MANUAL, manual_rows
from lockgate_workers.inspection.training.packages import PACKAGES, Package, package_rows
from lockgate_workers.inspection.training.pieces import PIECE, cut, drawn
from lockgate_workers.scanning.engine import Scanner

UNSEEN_SEED = 20_262
MOST_BLOCKED = 0.01
MOST_CAUGHT = 0.03
LONG = "The server keeps what the client told it, and says so in its reply. " * 8


def test_a_text_is_cut_into_pieces_of_one_size_and_a_short_rest_is_left_out() -> None:
    assert [len(piece) for piece in cut("x" * (2 * PIECE + 300))] == [PIECE, PIECE, 300]
    assert [len(piece) for piece in cut("x" * (PIECE + 10))] == [PIECE]
    assert list(cut("short")) == ["short"]
    assert list(cut("  \n ")) == []


def test_the_same_pieces_are_drawn_every_time_in_their_own_order() -> None:
    pieces = [(f"{number:03}", f"text {number}") for number in range(100)]
    chosen = drawn(pieces, 20)
    assert chosen == drawn(pieces, 20) == sorted(chosen)
    assert len(chosen) == 20
    assert chosen != pieces[:20]
    assert drawn(pieces, 1_000) == pieces


def test_documentation_code_and_notices_of_a_package_are_learned_from_but_no_test(tmp_path: Path) -> None:
    code = f'"""{LONG}"""\n\n\ndef short() -> None:\n    """Do it."""\n'
    for name, text in {
        "made/b.py": code,
        "made/tests/c.py": code,
        "made/_vendor/d.py": code,
        "made-1.0.dist-info/METADATA": "Name: made\n\n# made\n",
        "made-1.0.dist-info/RECORD": "made/b.py,,\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    rows = list(package_rows([Package("made", "MIT", 5, 5)], tmp_path))
    assert rows == list(package_rows([Package("made", "MIT", 5, 5)], tmp_path))
    assert [(row.cls, row.group) for row in rows] == [
        ("package_docs", "package:made/b.py"),
        ("package_code", "package:made/b.py"),
        ("package_told", "package:made/told/METADATA"),
    ]
    assert {(row.source, row.licence, row.label) for row in rows} == {("package-made", "MIT", "benign")}
    assert "Do it" not in rows[0].text


def test_a_package_that_is_missing_stops_the_training(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="missing-one"):
        list(package_rows([Package("missing-one", "MIT", 1, 1)], tmp_path))


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_the_licence_that_is_named_is_the_one_that_the_package_declares(package: Package) -> None:
    declared = importlib.metadata.metadata(package.name)
    said = " ".join(
        [declared.get("License-Expression") or "", declared.get("License") or "", *(declared.get_all("Classifier") or ())]
    )
    assert package.licence.partition("-")[0] in said
    assert package.licence in {"MIT", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0"}
    assert "GPL" not in said
    assert "Mozilla" not in said


def test_a_reference_and_the_texts_of_the_library_are_cut_by_topic(tmp_path: Path) -> None:
    (tmp_path / "idlelib").mkdir()
    (tmp_path / "idlelib" / "NEWS.txt").write_text("What is new")
    (tmp_path / "idlelib" / "code.py").write_text("x = 1")
    rows = list(manual_rows({"with": "about with", "assert": "about assert"}, tmp_path))
    assert [row.group for row in rows] == [f"{MANUAL}:assert", f"{MANUAL}:with", f"{MANUAL}:idlelib/NEWS.txt"]
    assert {(row.label, row.licence) for row in rows} == {("benign", "PSF-2.0")}
    assert len(list(manual_rows())) > 200


def test_forms_are_the_same_for_the_same_seed_and_each_stands_in_a_group_of_its_own() -> None:
    rows = list(form_rows(1, 2))
    assert rows == list(form_rows(1, 2))
    assert {(row.label, row.source, row.may_train) for row in rows} == {("benign", FORMS, True)}
    assert set(Counter(row.group for row in rows).values()) == {1}
    assert not [row.text for row in rows if "{one}" in row.text or "{noun}" in row.text or "{holder}" in row.text]


def test_forms_that_were_not_learned_from_pass(scanner: Scanner, scorer: Scorer) -> None:
    """Tables drawn with box characters, lists of operations and generated classes were blocked with the highest score."""
    rows = list(form_rows(UNSEEN_SEED, 12))
    found = [decide({"data": row.text}, scanner, scorer).decision for row in rows]
    assert found.count(InspectionOutcome.BLOCK) <= MOST_BLOCKED * len(rows)
    assert len(rows) - found.count(InspectionOutcome.PASS) <= MOST_CAUGHT * len(rows)


@pytest.mark.parametrize("sign", ["─", "=", "x", "0"])
def test_a_long_ruler_weighs_no_more_than_a_short_one(sign: str, scanner: Scanner, scorer: Scorer) -> None:
    """One sign over and over outweighed every word: with a hundred of them an honest table was blocked."""
    text = "Fields of the record\n{}\nname, size, offset, default\n"
    scores = [scorer.score((text.format(sign * length),), ()) for length in (8, 800)]
    assert scores[0] == pytest.approx(scores[1], abs=0.05)  # how the text is built still counts
    assert decide(text.format(sign * 800), scanner, scorer).decision is InspectionOutcome.PASS
