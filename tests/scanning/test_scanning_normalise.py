"""Views: what a reader sees is found, and every span leads back to the original text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate_workers.scanning.confusables import CONFUSABLES
from lockgate_workers.scanning.normalise import derived, views
from lockgate_workers.scanning.view import View

SECRET = "canary"


def last(text: str) -> View:
    return views(text)[-1]


def view_with(text: str, wanted: str = SECRET) -> View:
    """The plainest view that shows what is looked for."""
    return [view for view in views(text) if wanted in view.text][-1]


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
        r"\\u0063anary",  # in a string in a string
        r"\143anary",  # octal
        r"\u{63}anary",
        r"\U00000063anary",
        "%u0063anary",
        "".join(chr(0xE0000 + ord(one)) for one in "canary"),  # tag characters that spell it
        "".join(chr(0xE0100 + ord(one) - 16) for one in "canary"),  # variation selectors that carry its bytes
        "".join("\u200b\u200c"[int(bit)] for one in b"canary" for bit in f"{one:08b}"),  # zero-width bits
        "ca\x1b[0;1mnary",  # a colour
        "ca\x9b0mnary",  # in one sign
        "ca\x1b]0;a title\x07nary",
        "ca\x1b]8;;https://example.org\x1b\\nary",  # a link
        "ca\x1b(Bnary",  # a set of characters
        "ca\\x1b[0mnary",  # as a program writes it
    ],
)
def test_disguised_text_is_seen_and_its_span_is_the_disguise(written: str) -> None:
    view = view_with(f">>{written}<<")
    start = view.text.index(SECRET)
    assert view.span(start, start + len(SECRET)) == (2, 2 + len(written))


def test_a_colour_is_no_part_of_the_word_behind_it() -> None:
    assert [view.text for view in views(f"key \x1b[31m{SECRET}\x1b[0m")] == [f"key \x1b[31m{SECRET}\x1b[0m", f"key {SECRET}"]


def test_what_moves_the_cursor_parts_words() -> None:
    assert last("a\x1b[5Cb\x1b[2;3Hc").text == "a b c"


def test_a_control_string_without_an_end_hides_nothing() -> None:
    assert last(f"\x1b]0;{SECRET}").text == f"0;{SECRET}"


def test_case_is_kept() -> None:
    assert last("\uff21b\uff23").text == "AbC"


def test_a_text_in_another_script_also_keeps_a_view_as_it_is() -> None:
    text = "\u0438\u0433\u043d\u043e\u0440\u0438\u0440\u0443\u0439"
    found = views(text)
    assert found[0].text == text
    assert found[1].text != text


def test_a_lone_surrogate_escape_does_not_become_one() -> None:
    last(r"\ud800").text.encode()


def test_an_override_is_read_as_it_is_drawn() -> None:
    text = ">>\u202eyranac\u202c<<"
    view = view_with(text)
    start = view.text.index(SECRET)
    assert view.span(start, start + 6) == (3, 9)
    assert view.span(start, start + 1) == (8, 9)


def test_drawn_capitals_are_letters() -> None:
    assert last("\U0001f170\U0001f150\U0001f1e6").text == "AAA"


def test_digits_of_other_scripts_have_their_value() -> None:
    assert last("\u0664\u06f1\u096a").text == "414"


def test_a_character_that_would_become_many_stays() -> None:
    assert last("\ufdfa" * 3).text == "\ufdfa" * 3


def test_half_of_a_pair_of_surrogates_does_not_stay_one() -> None:
    assert last(r"\ud83d\ude00\ud800").text == "\U0001f600\ufffd"
    assert last("\ud800").text == "\ufffd"


def test_the_table_of_look_alikes_holds_single_characters_outside_ascii() -> None:
    assert all(
        code > 0x7F and len(shown) == 1 and shown.isascii() and shown.isprintable() for code, shown in CONFUSABLES.items()
    )


def test_weakness_is_passed_on() -> None:
    assert all(view.weak for view in derived(View(r"c\u0061n\u200bary", weak=True)))


@pytest.mark.parametrize(
    "flood", ["\\", r"\n", r"\u0041", "&amp;", "%25", "&#65;", "\ufdfa", "\u200b", "\U000e0041", "\ufe00", r"\x41%41"]
)
def test_views_never_outgrow_their_text(flood: str) -> None:
    text = flood * 500
    assert all(len(view.text) <= 4 * len(text) for view in views(text))
    assert len(views(text)) <= 8


SIGNS = "ab\\u0061&;#x%41nt\u200b\u200c\uff41\u0441\ufdfa\u00ad\u2028\U000e0041\ufe01\u202e\u202c\ud800\u0661\u33a1"
ODD = st.text(st.sampled_from(list(SIGNS)), max_size=40)


@given(ODD)
def test_every_span_of_every_view_lies_in_the_original_and_never_runs_backwards(text: str) -> None:
    for view in views(text):
        before = 0
        for index in range(len(view.text)):
            start, end = view.span(index, index + 1)
            assert 0 <= start < end <= len(text)
            assert start >= before or "\u202e" in text  # which turns letters round
            before = start


@given(ODD, ODD)
def test_a_secret_between_odd_texts_is_found_where_it_stands(left: str, right: str) -> None:
    text = f"{left}|canary|{right}"
    view = view_with(text, "|canary|")
    found = view.text.index("|canary|")
    assert view.span(found + 1, found + 7) == (len(left) + 1, len(left) + 7)
