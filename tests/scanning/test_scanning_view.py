"""The way back from a view: to the very characters that its own came from."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lockgate_workers.scanning.normalise import derived
from lockgate_workers.scanning.view import Characters, View


@given(st.lists(st.sampled_from((1, 1, 1, 0, 2, 4)), max_size=30).filter(sum), st.data())
def test_characters_lead_back_to_those_they_became_of(sizes: list[int], data: st.DataObject) -> None:
    origins = [index for index, size in enumerate(sizes) for _ in range(size)]
    back = Characters(lambda: [(index, size) for index, size in enumerate(sizes) if size != 1])
    start = data.draw(st.integers(0, len(origins) - 1))
    end = data.draw(st.integers(start + 1, len(origins)))
    assert back.span(start, end) == (origins[start], origins[end - 1] + 1)


@given(st.lists(st.sampled_from(("a", "]", "^", "-", "\\", "\u200b", "\ufb03", "\uff41", "\u0410", "\U0001f1e6")), min_size=1))
def test_a_folded_text_leads_back_character_by_character(characters: list[str]) -> None:
    text = "".join(characters)
    view = derived(View(text))[-1]
    for at, one in enumerate(view.text):
        first, last = view.span(at, at + 1)
        assert one in derived(View(text[first:last]))[-1].text


def test_many_kinds_of_characters_are_folded_as_few_are() -> None:
    wide = "".join(chr(code) for code in range(0xFF21, 0xFF5B))
    assert derived(View(wide))[-1].text == "".join(derived(View(one))[-1].text for one in wide)
