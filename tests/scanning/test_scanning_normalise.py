"""Views: what a reader sees is found, and every span leads back to the original text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate_workers.scanning.normalise import View, derived, views

SECRET = "canary"


def last(text: str) -> View:
    return views(text)[-1]


def test_plain_ascii_has_one_view_and_it_is_the_text() -> None:
    text = "plain text, 100 of it"
    assert views(text) == (View(text),)
    assert views(text)[0].text is text


@pytest.mark.parametrize(
    "written",
    [
        "ca\u200bna\u200dry",  # zero width
        "ca\u00adnary",  # soft hyphen
        "ca\u202enary",  # bidi override
        "ca\U000e0041nary",  # tag character
        "c\u0336anary",  # combining stroke
        "ca\ufe0fnary",  # variation selector
        "\uff43\uff41\uff4e\uff41\uff52\uff59",  # fullwidth
        "\u0441\u0430n\u0430r\u0443",  # Cyrillic look-alikes
        "c\u03b1n\u03b1ry",  # Greek look-alikes
        "\U0001d41c\U0001d41a\U0001d427\U0001d41a\U0001d42b\U0001d432",  # mathematical letters
        r"\u0063anary",
        r"\x63anary",
        "&#99;anary",
        "&#x63;anary",
        "%63anary",
        "%2563anary",  # twice
        "&amp;#99;anary",  # twice
    ],
)
def test_disguised_text_is_seen_and_its_span_is_the_disguise(written: str) -> None:
    view = last(f">>{written}<<")
    start = view.text.index(SECRET)
    assert view.span(start, start + len(SECRET)) == (2, 2 + len(written))


def test_case_is_kept() -> None:
    assert last("\uff21b\uff23").text == "AbC"


def test_a_text_in_another_script_also_keeps_a_view_as_it_is() -> None:
    text = "\u0438\u0433\u043d\u043e\u0440\u0438\u0440\u0443\u0439"
    found = views(text)
    assert found[0].text == text
    assert found[1].text != text


def test_a_lone_surrogate_escape_does_not_become_one() -> None:
    last(r"\ud800").text.encode()


def test_a_decoded_view_stands_for_its_whole_run() -> None:
    view = derived(View("c\u200banary", whole=(5, 40)))[-1]
    assert view.text == SECRET
    assert view.span(1, 3) == (5, 40)


ODD = st.text(st.sampled_from(list("ab\\u0061&;#x%41\u200b\uff41\u0441\ufdfa\u00ad\u2028\U000e0041")), max_size=40)


@given(ODD)
def test_every_span_of_every_view_lies_in_the_original_and_never_runs_backwards(text: str) -> None:
    for view in views(text):
        before = 0
        for index in range(len(view.text)):
            start, end = view.span(index, index + 1)
            assert 0 <= start < end <= len(text)
            assert start >= before
            before = start


@given(ODD, ODD)
def test_a_secret_between_odd_texts_is_found_where_it_stands(left: str, right: str) -> None:
    text = f"{left}|canary|{right}"
    view = last(text)
    found = view.text.index("|canary|")
    assert view.span(found + 1, found + 7) == (len(left) + 1, len(left) + 7)
