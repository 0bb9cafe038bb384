"""Presidio recognisers by name or from Presidio's own registry file, for `bridge`. The module that imports what an operator names.

A dotted name is code that runs in the gate: it belongs into the gateway's configuration on disk, never into what is sent over a
network. Everything that cannot be loaded is refused, for a recogniser which is not there finds nothing.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lockgate_schemas.errors import ConfigurationError
from lockgate_workers.dlp.presidio.extra import needed

if TYPE_CHECKING:
    from presidio_analyzer import EntityRecognizer

NAMES_FILE: Final = "recognizers.txt"


def named(names: Sequence[str]) -> list[EntityRecognizer]:
    """Make the recognisers with these dotted names (``package.module.Class``): a class or function called without arguments, or a recogniser.

    Raises:
        ConfigurationError: one cannot be imported or made, or is no recogniser; the detail names it.
    """
    return [_recognizer(name) for name in names]


def from_registry(path: Path) -> list[EntityRecognizer]:
    """Read a recogniser registry in Presidio's YAML (``supported_languages``, ``recognizers``); recognisers of every language in it count.

    Raises:
        ConfigurationError: the file is missing, or Presidio does not take it, or it holds no recogniser.
    """
    module = needed("presidio_analyzer.recognizer_registry", "a Presidio registry")
    if not path.is_file():  # Presidio would take its default registry instead
        raise ConfigurationError(f"there is no Presidio registry {path.name}")
    try:
        registry = module.RecognizerRegistryProvider(conf_file=path).create_recognizer_registry()
    except Exception as error:  # Presidio raises what comes; none of it may start a gate with fewer recognisers
        raise ConfigurationError(f"Presidio does not take the registry {path.name}: {type(error).__name__}") from error
    found = list(registry.recognizers)
    if not found:
        raise ConfigurationError(f"the Presidio registry {path.name} holds no recogniser")
    return found


def from_folder(folder: Path) -> list[EntityRecognizer]:
    """Everything in an installation's folder: each ``*.yaml`` is a registry, and ``recognizers.txt`` holds dotted names, one a line.

    Raises:
        ConfigurationError: the folder cannot be read, holds neither, or something in it is not usable.
    """
    try:
        registries = sorted(path for path in folder.iterdir() if path.suffix in {".yaml", ".yml"})
        listed = folder / NAMES_FILE
        lines = listed.read_text(encoding="utf-8").splitlines() if listed.exists() else []
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the folder of Presidio recognisers cannot be read: {type(error).__name__}") from error
    dotted = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    found = [one for path in registries for one in from_registry(path)] + named(dotted)
    if not found:
        raise ConfigurationError(f"the folder of Presidio recognisers holds no registry (*.yaml) and no name in {NAMES_FILE}")
    return found


def _recognizer(name: str) -> EntityRecognizer:
    base = needed("presidio_analyzer", "a Presidio recogniser").EntityRecognizer
    try:
        found = _imported(name)
        made = found if isinstance(found, base) else found()
    except Exception as error:  # importing and calling anybody's code: whatever it raises, the name is not usable
        raise ConfigurationError(f"the recogniser {name} cannot be made: {type(error).__name__}") from error
    if not isinstance(made, base):
        raise ConfigurationError(f"{name} is not a Presidio recogniser")
    recognizer: EntityRecognizer = made
    return recognizer


def _imported(name: str) -> Any:
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)
