"""The further engines of an installation's DLP gate: its Presidio recognisers, and names as its content policy says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lockgate_schemas.content import ContentPolicy
from lockgate_schemas.errors import ConfigurationError
from lockgate_workers.dlp.presidio.bridge import PresidioEngine
from lockgate_workers.dlp.presidio.loading import from_folder
from lockgate_workers.dlp.presidio.model import load_names
from lockgate_workers.dlp.presidio.names import NamesEngine
from lockgate_workers.scanning.content import Scans
from lockgate_workers.scanning.engines import Engine, Several


def further_engines(
    policy: ContentPolicy, folder: Path | None, *, clock: Callable[[], float], evidence_key: bytes
) -> tuple[Engine, ...]:
    """What stands beside the rules (`scanning.engines.Several`). Nothing of Presidio is imported when nothing of it is asked for.

    ``folder`` holds the installation's recognisers; without one there are none. ``evidence_key`` is that of the rule scanner. Blocks for
    seconds, where there is something to load. An engine that does not ``repeats`` is slow: decide off the event loop then.

    Raises:
        ConfigurationError: a recogniser is not usable. A model that does not load is not an error (`load_names`).
    """
    recognised: tuple[Engine, ...] = ()
    if folder is not None:
        recognised = (PresidioEngine(from_folder(folder), clock=clock, evidence_key=evidence_key),)
    names = load_names(policy.names, clock=clock, evidence_key=evidence_key)
    return recognised if names is None else (*recognised, names)


def check_required(scanner: Scans, policy: ContentPolicy) -> None:
    """Refuse a policy that requires a model which did not load: in force, it would block every answer with a sentence in it.

    Raises:
        ConfigurationError: says why the model did not load.
    """
    if policy.names.mode != "required" or not isinstance(scanner, Several):
        return
    for engine in scanner.further:
        if isinstance(engine, NamesEngine) and engine.problem:
            raise ConfigurationError(f"content policy: names are required, and {engine.problem}")
