"""Other scanners on the same texts, each as its documentation uses it: Presidio, detect-secrets, and our rules on Python's ``re``.

A peer that is not installed is a row that says so. Each gets a function from a text to anything, for `content_speed.timed`.
"""

from __future__ import annotations

import importlib
import json
import random
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

Read = Callable[[str], object]

_WITHOUT: Final = "not installed"
_NO_MODEL: Final = "no model is installed; a small network trained for this, which names alone need: a real one has several"
_RE_BOUND: Final = 600.0


def peers() -> Iterator[tuple[str, Read | None, str]]:
    """Name, reader and what to know of each, or no reader and why there is none. Made when asked for: a language model is not kept for longer than it is measured."""
    for name, make in (
        ("Presidio, patterns", _presidio_patterns),
        ("Presidio, with a model", _presidio_model),
        ("detect-secrets", _detect_secrets),
    ):
        try:
            for read, note in make():
                yield name, read, note
        except ImportError as error:
            yield name, None, f"{_WITHOUT}: {error.name}"


def _presidio_patterns() -> Iterator[tuple[Read, str]]:
    """All recognisers of the default registry for English; the words of the text without a model."""
    blank = importlib.import_module("spacy").blank("en")
    yield _analyzer(blank, "en"), "its recognisers for English"


def _presidio_model() -> Iterator[tuple[Read, str]]:
    spacy = importlib.import_module("spacy")
    installed = [one for one in spacy.util.get_installed_models() if one.startswith("en_")]
    if installed:
        yield _analyzer(spacy.load(installed[0]), "en"), installed[0]
    else:
        yield _analyzer(_trained(spacy), "en"), _NO_MODEL


def _analyzer(nlp: Any, language: str) -> Read:
    """A stock analyzer; nothing is fetched from the network, neither a model nor the list of public suffixes."""
    analyzer = importlib.import_module("presidio_analyzer")
    engine = importlib.import_module("presidio_analyzer.nlp_engine").SpacyNlpEngine()
    engine.nlp = {language: nlp}
    registry = analyzer.RecognizerRegistry()
    registry.load_predefined_recognizers(languages=[language], nlp_engine=engine)
    ready = analyzer.AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=[language])
    return lambda text: ready.analyze(text, language=language)


def _trained(spacy: Any) -> Any:
    """A named-entity model as `spacy.blank` plans it: what it finds is worth nothing, what it costs is what such a network costs."""
    example = importlib.import_module("spacy.training").Example
    nlp = spacy.blank("en")
    ner = nlp.add_pipe("ner")
    draw = random.Random(1)  # noqa: S311 - sentences to train on
    samples = []
    for _ in range(60):
        first, town = draw.choice(("Anna", "Piet", "Maria", "Tom")), draw.choice(("Lund", "Graz", "Porto", "Leeds"))
        text = f"{first} wrote from {town} that the boxes had come."
        spans = [(0, len(first), "PERSON"), (text.index(town), text.index(town) + len(town), "GPE")]
        samples.append(example.from_dict(nlp.make_doc(text), {"entities": spans}))
    for label in ("PERSON", "GPE"):
        ner.add_label(label)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        optimizer = nlp.initialize(lambda: samples)
        for _ in range(8):
            nlp.update(samples, sgd=optimizer)
    return nlp


def _detect_secrets() -> Iterator[tuple[Read, str]]:
    scan_line = importlib.import_module("detect_secrets.core.scan").scan_line
    settings = importlib.import_module("detect_secrets.settings").default_settings

    def read(text: str) -> object:
        return [found for line in text.splitlines() for found in scan_line(line)]

    with _entered(settings):
        yield read, "line by line, default plugins"


@contextmanager
def _entered(settings: Callable[[], Any]) -> Iterator[None]:
    with settings():
        yield


def on_python_re(texts: list[str]) -> dict[str, Any] | str:
    """Our rules' patterns on ``re``, in a process of its own, since some may not come back; see `content_on_re`."""
    program = Path(__file__).with_name("content_on_re.py")
    try:
        done = subprocess.run(
            [sys.executable, str(program)],
            input=json.dumps(texts),
            capture_output=True,
            text=True,
            timeout=_RE_BOUND,
            check=True,
        )
    except subprocess.TimeoutExpired:
        return f"not done after {_RE_BOUND:.0f} s"
    found: dict[str, Any] = json.loads(done.stdout)
    return found
