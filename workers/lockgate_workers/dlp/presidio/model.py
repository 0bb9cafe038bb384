"""A spaCy model through Presidio, for `names`: loaded from a package or a folder that is there, and from nowhere else.

Presidio's own loading downloads a model that is missing, so the model is loaded here, and what it found is handed to Presidio. Of the pipeline only the recogniser
of entities is kept, and what it listens to. Each batch runs in a memory zone of spaCy: without one its table of strings grows by
every new word for as long as the process lives, and keeps what it read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from lockgate_schemas.content import Names
from lockgate_schemas.errors import ConfigurationError
from lockgate_workers.dlp.presidio.extra import INSTALL, needed
from lockgate_workers.dlp.presidio.names import Named, NamesEngine

LANGUAGE: Final = "en"
"""What Presidio calls the one model that there is, whatever its language."""
_PURPOSE: Final = "finding names"
_UNUSED: Final = ("tagger", "morphologizer", "parser", "senter", "attribute_ruler", "lemmatizer")
_ALSO: Final = {"FAC": "LOCATION"}
"""Labels beyond Presidio's own table: buildings and streets are addresses."""


class SpacyModel:
    """A spaCy pipeline with an entity recogniser, seen through Presidio."""

    def __init__(self, model: str) -> None:
        """``model`` is the name of an installed package or the path of a folder.

        Raises:
            ConfigurationError: the extra is not installed, the model is not there or does not load, or it finds no entities.
        """
        self._pipeline = _loaded(model)
        engine = needed("presidio_analyzer.nlp_engine", _PURPOSE)
        configuration = engine.NerModelConfiguration()
        self._artifacts = engine.NlpArtifacts
        self._score = configuration.default_score
        table = {**configuration.model_to_presidio_entity_mapping, **_ALSO}
        self._entities = {label: table[label] for label in self._pipeline.get_pipe("ner").labels if label in table}
        self.finds: Final = tuple(sorted(set(self._entities.values())))
        self._recognizer = needed("presidio_analyzer.predefined_recognizers", _PURPOSE).SpacyRecognizer(
            supported_entities=list(self.finds)
        )
        self.digest: Final = hashlib.sha256(_identity(self._pipeline)).hexdigest()

    def entities(self, texts: Sequence[str]) -> list[list[Named]]:
        """What is in each text, under Presidio's names."""
        with self._pipeline.memory_zone():
            return [self._named(document) for document in self._pipeline.pipe(texts)]

    def _named(self, document: Any) -> list[Named]:
        """Hand Presidio's recogniser the entities alone: its engine would look at every word for the sake of context rules."""
        spans = [span for span in document.ents if span.label_ in self._entities]
        for span in spans:
            span.label_ = self._entities[span.label_]
        artifacts = self._artifacts(spans, document, [], [], None, LANGUAGE, [self._score] * len(spans))
        results = self._recognizer.analyze(document.text, self.finds, artifacts)
        return [Named(one.entity_type, one.start, one.end, one.score) for one in results]


def load_names(names: Names, *, clock: Callable[[], float], evidence_key: bytes) -> NamesEngine | None:
    """The engine for a policy, or None when the policy is ``off``. Takes seconds: imports and a model.

    A model that cannot be loaded is no error here: the engine then does with every text what the policy says of texts it could not look at, and
    its ``problem`` says why. Who would rather refuse the policy constructs `SpacyModel` first.
    """
    if names.mode == "off":
        return None
    model, problem = _tried(names)
    return NamesEngine(
        model,
        mode=names.mode,
        entities=names.entities,
        most_characters=names.most_characters,
        clock=clock,
        evidence_key=evidence_key,
        problem=problem,
    )


def check_names(names: Names) -> None:
    """Refuse a policy whose model is not there, or which asks it for entities that it does not know.

    Raises:
        ConfigurationError: says what is missing.
    """
    if names.mode == "off":
        return
    _check_finds(SpacyModel(names.model), names)


def _tried(names: Names) -> tuple[SpacyModel | None, str]:
    try:
        model = SpacyModel(names.model)
        _check_finds(model, names)
    except ConfigurationError as error:
        return None, error.detail
    return model, ""


def _check_finds(model: SpacyModel, names: Names) -> None:
    unknown = sorted(set(names.entities) - set(model.finds))
    if unknown or not names.entities:
        raise ConfigurationError(
            f"the model {names.model} finds {', '.join(model.finds)}; the policy asks for {', '.join(unknown) or 'nothing'}"
        )


def _loaded(model: str) -> Any:
    spacy = needed("spacy", _PURPOSE)
    if not (spacy.util.is_package(model) or Path(model).is_dir()):
        raise ConfigurationError(
            f"there is no language model {model}: install its package, or name its folder ({INSTALL} brings none)"
        )
    try:
        pipeline = spacy.load(model, exclude=list(_UNUSED))
    except Exception as error:  # spaCy raises what comes: a folder that is no model, another version, a broken file
        raise ConfigurationError(f"the language model {model} does not load: {type(error).__name__}") from error
    if "ner" not in pipeline.pipe_names:
        raise ConfigurationError(f"the language model {model} has no entity recogniser")
    return pipeline


def _identity(pipeline: Any) -> bytes:
    """The weights of the recogniser and of what it listens to, and the pipeline's configuration."""
    parts: list[bytes] = [pipeline.get_pipe(name).to_bytes(exclude=["vocab"]) for name in pipeline.pipe_names]
    return b"".join([*parts, pipeline.config.to_bytes()])
