"""What a language model is shown, and what it is spared."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate_workers.dlp.presidio.prose import OVERLAP, PIECE, is_prose, pieces


@pytest.mark.parametrize(
    "line",
    [
        "Please ask Anna Berg in Oslo.",
        "customer: Maria Lindqvist",
        'customer_name: "Maria O\u2019Neill-Berg"',
        "| Anna Berg | Oslo | 12 |",
        "> - J. Smith, 12 Baker Street",
        "764 Fagradalsbraut 71 Apt. 762",
        "# Letter from Anna",
        "Анна Берг живёт в Осло",
    ],
)
def test_words_are_prose(line) -> None:
    assert is_prose(line)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "id: 7f3a9c0d-12ab-4c1e-9f00-aa12bb34cc56",
        "ZG9uJ3QgbG9vayBhdCB0aGlzLCBpdCBpcyBiYXNlNjQgYW5kIGxvbmcgZW5vdWdo",
        "x = foo(bar)[0];",
        "result = client.get(url, timeout=5.0)",
        "/usr/lib/python3/dist-packages",
        "0 12 7 3.5 99 1 2 3",
        "8f14e45fceea167a5a36dedd4bea2543  README.md",
        "--- --- ---",
        "Anna",
        "9 9 9 9 9 a few 9 9",
    ],
)
def test_code_ids_and_numbers_are_not(line) -> None:
    assert not is_prose(line)


def test_lines_of_prose_form_one_piece_and_code_between_them_is_left_out() -> None:
    text = "Dear Anna,\n\nthank you for the\nlong letter.\n\nx = y(z);\nbest wishes from Oslo\n"
    assert [text[start:end] for start, end in pieces(text)] == [
        "Dear Anna,\n\nthank you for the\nlong letter.",
        "best wishes from Oslo",
    ]


def test_an_address_stays_together() -> None:
    text = "Lara Berg\n3247 Rua Igreja 25\n Apt. 236\nSeatoun\n New Zealand 30971\n\nSeatoun\n0f3a9c\nSeatoun"
    assert [text[start:end] for start, end in pieces(text)] == [text[: text.index("\n\n")]]


def test_a_fence_does_not_make_a_letter_code() -> None:
    text = "```\nPlease ask Anna Berg in Oslo.\n```"
    assert [text[start:end] for start, end in pieces(text)] == ["Please ask Anna Berg in Oslo."]


@given(st.lists(st.sampled_from(["Anna Berg", "knows", "x=1;", "\n", ". ", "a" * 90, "in Oslo "]), max_size=400))
def test_pieces_are_bounded_and_no_name_is_cut_in_two(parts) -> None:
    text = " ".join(parts)
    spans = list(pieces(text))
    assert all(0 <= start < end <= len(text) and end - start <= PIECE for start, end in spans)
    starts = [start for start, _ in spans]
    assert starts == sorted(set(starts))
    seen = {index for start, end in spans for index in range(start, end)}
    for line_start, line in lines(text):
        if is_prose(line):
            assert seen >= set(range(line_start, line_start + len(line)))
    for (_, end), (start, _) in pairwise(spans):
        assert start >= end - OVERLAP


def test_a_name_at_a_cut_is_whole_in_one_of_the_two_pieces() -> None:
    for shift in range(200):
        text = "w" * shift + " " + "word " * 390 + "Anna Maria Berg " + "word " * 600
        assert any("Anna Maria Berg" in text[start:end] for start, end in pieces(text)), shift


def lines(text: str):
    position = 0
    for line in text.split("\n"):
        yield position, line
        position += len(line) + 1
