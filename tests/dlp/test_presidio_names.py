"""Names by a language model: a real spaCy pipeline, trained here in a moment, through Presidio; its bounds, and what a policy makes of failures."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import spacy
from spacy.training import Example

from lockgate_schemas.content import Names
from lockgate_schemas.errors import ConfigurationError
from lockgate_workers.dlp.decide import DlpOutcome, decide
from lockgate_workers.dlp.presidio.model import SpacyModel, check_names, load_names
from lockgate_workers.dlp.presidio.names import UNSEEN, Named, NamesEngine
from lockgate_workers.scanning.engines import Several
from lockgate_workers.scanning.findings import Action, Category, Refusal, ScanResult

PEOPLE = ["Anna Berg", "Maria Lindqvist", "John Smith", "Paul Okoro", "Ines Costa", "Karim Haddad"]
PLACES = ["Oslo", "Berlin", "Lisbon", "Nairobi", "Springfield", "Baker Street"]
SENTENCES = [
    "Please ask {p} in {l} about it.",
    "The letter from {p} came today.",
    "We met {p} and {q} in {l} last year.",
    "{p} lives in {l}.",
    "Nobody in {l} had seen the invoice.",
    "The invoice was paid and nobody asked about it again.",
    "customer: {p}",
]
TEXT = "Please ask Maria Lindqvist in Lisbon about it."
SMALL = {
    "model": {
        "@architectures": "spacy.TransitionBasedParser.v2",
        "state_type": "ner",
        "extra_state_tokens": False,
        "hidden_width": 32,
        "maxout_pieces": 2,
        "use_upper": True,
        "tok2vec": {
            "@architectures": "spacy.HashEmbedCNN.v2",
            "pretrained_vectors": None,
            "width": 48,
            "depth": 2,
            "embed_size": 500,
            "window_size": 1,
            "maxout_pieces": 2,
            "subword_features": True,
        },
    }
}


def sentence(pattern: str, number: int) -> tuple[str, dict[str, list[tuple[int, int, str]]]]:
    """A sentence with people and a place put in, and where they stand."""
    chosen = {"{p}": PEOPLE[number % 6], "{q}": PEOPLE[(number + 2) % 6], "{l}": PLACES[(number * 5 + number // 6) % 6]}
    text, spans = "", []
    for piece in pattern.replace("{", "\0{").replace("}", "}\0").split("\0"):
        value = chosen.get(piece, piece)
        if piece in chosen:
            spans.append((len(text), len(text) + len(value), "GPE" if piece == "{l}" else "PERSON"))
        text += value
    return text, {"entities": spans}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A pipeline that knows six people and six places."""
    spacy.util.fix_random_seed(7)
    nlp = spacy.blank("en")
    nlp.add_pipe("ner", config=SMALL)
    rows = [sentence(pattern, number) for number in range(12) for pattern in SENTENCES]
    examples = [Example.from_dict(nlp.make_doc(text), spans) for text, spans in rows]
    nlp.initialize(lambda: examples)
    for _ in range(8):
        for start in range(0, len(examples), 10):
            nlp.update(examples[start : start + 10])
    path = tmp_path_factory.mktemp("model") / "tiny"
    nlp.to_disk(path)
    return path


@pytest.fixture(scope="module")
def model(folder) -> SpacyModel:
    return SpacyModel(str(folder))


@dataclass
class Counting:
    """A model in memory that knows one name, and counts what it was asked."""

    digest: str = "d"
    asked: list[Sequence[str]] = field(default_factory=list)
    raises: Exception | None = None

    def entities(self, texts: Sequence[str]) -> list[list[Named]]:
        self.asked.append(list(texts))
        if self.raises is not None:
            raise self.raises
        return [[Named("PERSON", text.find("Anna"), text.find("Anna") + 4, 0.8)] if "Anna" in text else [] for text in texts]


def engine(
    model, mode="required", *, most_characters=1_000, clock=lambda: 0.0, seconds=5.0, entities=("PERSON", "LOCATION")
) -> NamesEngine:
    return NamesEngine(
        model,
        mode=mode,
        entities=entities,
        most_characters=most_characters,
        clock=clock,
        evidence_key=b"k" * 32,
        seconds=seconds,
    )


def found(text: str, result: ScanResult) -> set[tuple[str, str]]:
    assert result.refusal is None
    return {(one.rule, text[one.start : one.end]) for one in result.findings}


def test_a_real_pipeline_finds_people_and_places(model) -> None:
    (result,) = engine(model).scan_all([TEXT])
    assert found(TEXT, result) == {("name-person", "Maria Lindqvist"), ("name-location", "Lisbon")}
    assert {(one.action, one.category, one.confidence) for one in result.findings} == {(Action.REDACT, Category.PII, 0.85)}


def test_only_the_entities_of_the_policy_count(model) -> None:
    own = engine(model, entities=("LOCATION",))
    assert found(TEXT, own.scan_all([TEXT])[0]) == {("name-location", "Lisbon")}
    assert own.reports == ("name-location", UNSEEN)


def test_offsets_are_those_of_the_whole_text(model) -> None:
    text = f"x = y(z);\n0f3a9c\n{TEXT}\n" + "{}\n" * 3 + "We met Paul Okoro and Ines Costa in Berlin last year."
    assert found(text, engine(model).scan_all([text])[0]) >= {("name-person", "Maria Lindqvist"), ("name-location", "Berlin")}


def test_the_gate_takes_names_out_and_does_not_ask_the_model_about_the_outcome(scanner, model) -> None:
    names = engine(model)
    outcome = decide(f'{{"note": "{TEXT}"}}', "application/json", Several(scanner, (names,)))
    assert outcome.decision is DlpOutcome.REDACT
    assert outcome.body == '{"note":"Please ask [REDACTED:name-person] in [REDACTED:name-location] about it."}'
    counting = Counting()
    outcome = decide("ask Anna there", "text/plain", Several(scanner, (engine(counting),)))
    assert (outcome.decision, counting.asked) == (DlpOutcome.REDACT, [["ask Anna there"]])


def test_a_model_by_folder_and_its_digest(folder, model) -> None:
    again = SpacyModel(str(folder))
    assert again.digest == model.digest
    assert again.finds == ("LOCATION", "PERSON")
    assert engine(model).digest == engine(again).digest != engine(model, mode="best-effort").digest


def test_the_vocabulary_does_not_grow_with_what_is_read(model) -> None:
    strings = model._pipeline.vocab.strings
    model.entities(["warm up the tables of Oslo"])
    before = len(strings)
    model.entities([f"Xylo{number} Quarz{number} lives in Oslo" for number in range(50)])
    assert len(strings) == before
    assert "Quarz7" not in strings


def test_what_is_no_prose_is_not_shown_to_the_model() -> None:
    counting = Counting()
    assert engine(counting).scan_all(["0f3a9c0ffee", "x = y(z);", ""]) == (ScanResult(),) * 3
    assert counting.asked == []


def test_one_text_is_looked_at_once() -> None:
    counting = Counting()
    own = engine(counting)
    first, second = own.scan_all(["ask Anna there"]), own.scan_all(["nobody is here", "ask Anna there"])
    assert counting.asked == [["ask Anna there"], ["nobody is here"]]
    assert first[0] == second[1]
    assert first[0].findings


def test_a_text_that_was_not_looked_at_to_its_end_is_not_remembered() -> None:
    counting = Counting()
    own = engine(counting, "best-effort", most_characters=10)
    own.scan_all(["ask Anna there"])
    assert own.scan_all(["ask Anna there"])[0].findings[0].rule == UNSEEN


def test_past_the_characters_required_refuses_before_anything_is_asked() -> None:
    counting = Counting()
    results = engine(counting, most_characters=20).scan_all(["ask Anna there", "or ask somebody else"])
    assert results == (ScanResult(refusal=Refusal.SIZE),) * 2
    assert counting.asked == []


def test_past_the_characters_best_effort_looks_at_what_fits_and_flags_the_rest() -> None:
    texts = ["ask Anna there", "Anna is here\n" + "x=1;\n" + "as is Anna too", "0f3a"]
    results = engine(Counting(), "best-effort", most_characters=30).scan_all(texts)
    assert found(texts[0], results[0]) == {("name-person", "Anna")}
    assert found(texts[1], results[1]) == {(UNSEEN, texts[1]), ("name-person", "Anna")}
    assert results[2] == ScanResult()
    assert [one.action for one in results[1].findings if one.rule == UNSEEN] == [Action.FLAG]


@pytest.mark.parametrize("raises", [RuntimeError("Anna"), MemoryError(), IndexError()])
def test_a_model_that_fails_blocks_or_is_noted(scanner, raises) -> None:
    text = "ask Anna there"
    assert engine(Counting(raises=raises)).scan_all([text])[0].refusal is Refusal.ENGINE
    (result,) = engine(Counting(raises=raises), "best-effort").scan_all([text])
    assert found(text, result) == {(UNSEEN, text)}
    blocked = decide(text, "text/plain", Several(scanner, (engine(Counting(raises=raises)),)))
    assert (blocked.decision, blocked.rule) == (DlpOutcome.BLOCK, Refusal.ENGINE.value)
    passed = decide(text, "text/plain", Several(scanner, (engine(Counting(raises=raises), "best-effort"),)))
    assert (passed.decision, passed.rule, passed.body) == (DlpOutcome.PASS, UNSEEN, text)


def test_time_is_looked_at_between_batches() -> None:
    text = ("ask Anna there. " * 120 + "\n\nx=1;\n") * 6
    counting = Counting()
    ticks = iter([0.0, 1.0, *[9.0] * 9])
    own = engine(counting, most_characters=99_999, clock=lambda: next(ticks))
    assert own.scan_all([text])[0].refusal is Refusal.TIME
    assert len(counting.asked) == 1


def test_threads_take_turns() -> None:
    inside = threading.Semaphore(1)

    class Alone(Counting):
        def entities(self, texts):
            assert inside.acquire(blocking=False), "two at once"
            try:
                return super().entities(texts)
            finally:
                inside.release()

    own = engine(Alone(), most_characters=99_999)
    results: list[ScanResult] = []
    texts = [[f"ask Anna there, and {word} too" for word in (f"x{n}", f"y{n}")] for n in "abcdefgh"]
    threads = [threading.Thread(target=lambda own_texts=one: results.extend(own.scan_all(own_texts))) for one in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [one.refusal for one in results] == [None] * 16


def test_the_memory_is_bounded(monkeypatch) -> None:
    monkeypatch.setattr("lockgate_workers.dlp.presidio.names._REMEMBERED", 2)
    counting = Counting()
    own = engine(counting)
    for text in ("one Anna here", "two Anna here", "three Anna here", "three Anna here", "one Anna here"):
        own.scan_all([text])
    assert [asked[0].split()[0] for asked in counting.asked] == ["one", "two", "three", "one"]
    monkeypatch.setattr("lockgate_workers.dlp.presidio.names._REMEMBERED_SPANS", 0)
    own.scan_all(["four Anna here"])
    own.scan_all(["four Anna here"])
    assert [asked[0].split()[0] for asked in counting.asked][-2:] == ["four", "four"]


def names(mode="required", **more) -> Names:
    return Names(mode=mode, **more)


def load(policy: Names) -> NamesEngine | None:
    return load_names(policy, clock=lambda: 0.0, evidence_key=b"k" * 32)


def test_off_is_no_engine_and_a_folder_is_one(folder) -> None:
    assert load(Names()) is None
    own = load(names(model=str(folder)))
    assert own is not None
    assert own.problem == ""
    assert ("name-location", "Lisbon") in found(TEXT, own.scan_all([TEXT])[0])


def test_a_model_that_is_not_there_is_not_fetched_and_does_what_the_policy_says(monkeypatch) -> None:
    def refuse(*arguments, **more):
        raise AssertionError(arguments, more)

    monkeypatch.setattr("spacy.cli.download", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)
    required, effort = load(names(model="xx_no_such")), load(names("best-effort", model="xx_no_such"))
    assert required is not None
    assert effort is not None
    assert "no language model xx_no_such" in required.problem
    assert required.scan_all([TEXT])[0].refusal is Refusal.ENGINE
    assert required.scan_all(["0f3a"]) == (ScanResult(),)
    assert found(TEXT, effort.scan_all([TEXT])[0]) == {(UNSEEN, TEXT)}
    with pytest.raises(ConfigurationError, match="no language model"):
        check_names(names(model="xx_no_such"))


def test_a_folder_that_is_no_model_or_finds_nothing_that_is_asked_for_is_refused(tmp_path, folder) -> None:
    with pytest.raises(ConfigurationError, match="does not load"):
        SpacyModel(str(tmp_path))
    spacy.blank("en").to_disk(tmp_path / "blank")
    with pytest.raises(ConfigurationError, match="no entity recogniser"):
        SpacyModel(str(tmp_path / "blank"))
    with pytest.raises(ConfigurationError, match="asks for ORGANIZATION"):
        check_names(names(model=str(folder), entities=("PERSON", "ORGANIZATION")))
    check_names(Names())
    check_names(names(model=str(folder)))
