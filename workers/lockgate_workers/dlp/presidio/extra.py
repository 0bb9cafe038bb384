"""The one place where Presidio is imported from, so that it is imported late, kept quiet, kept off the network, and missed with a sentence that helps.

Presidio's log at level DEBUG holds words of the text around a finding; nothing below WARNING comes out of it here. Its e-mail recogniser
fetches the list of public suffixes when it sees its first address, and keeps it in the home folder; here it takes the list
that came with the package. (`presidio_analyzer.nlp_engine` fetches models that are missing; see `model`.)
"""

from __future__ import annotations

import importlib
import logging
import sys
from types import ModuleType
from typing import Any, Final

from lockgate_schemas.errors import ConfigurationError

INSTALL: Final = "pip install 'lockgate[gateway,ner]'"
_LOGGERS: Final = ("presidio-analyzer", "presidio-anonymizer")


def needed(module: str, purpose: str) -> ModuleType:
    """Import a module of the extra ``ner``.

    Raises:
        ConfigurationError: it is not installed; the detail says for what it is needed and how to get it.
    """
    try:
        found = importlib.import_module(module)
    except ImportError as error:
        raise ConfigurationError(f"{purpose} needs the extra 'ner': {INSTALL}") from error
    _quiet()
    _offline()
    return found


def _quiet() -> None:
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, logging.WARNING))


def _offline() -> None:
    """`tldextract.extract` asks the extractor of its module: put one there that asks nobody."""
    module: Any = sys.modules.get("tldextract.tldextract")
    if module is not None and module.TLD_EXTRACTOR.suffix_list_urls:
        module.TLD_EXTRACTOR = module.TLDExtract(cache_dir=None, suffix_list_urls=())
