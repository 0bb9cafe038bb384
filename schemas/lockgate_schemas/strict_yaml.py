"""YAML as this project reads it from operators: one document, one meaning, bounded. Everything else is refused, and nothing is quoted.

Refused beyond what is not YAML: a key that stands twice in a mapping (the later one would silently win), aliases (a few of them unfold into
more than any memory holds), and nesting deeper than `MAX_DEPTH`, which the fast parser answers by ending the process. ``true`` and
``false`` are the only truth values, as in YAML 1.2: an ``off`` or ``no`` that somebody writes is a word.
"""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

from lockgate_schemas.errors import MalformedError

MAX_DEPTH: Final = 64
_BOOLEAN: Final = "tag:yaml.org,2002:bool"
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same safe schema, six times as fast where libyaml is there
_OPENS: Final = (yaml.SequenceStartEvent, yaml.MappingStartEvent)
_CLOSES: Final = (yaml.SequenceEndEvent, yaml.MappingEndEvent)


class _Loader(_Base):  # type: ignore[misc] # one of two, by what is installed
    yaml_implicit_resolvers = {  # noqa: RUF012 - as the class it extends has it
        sign: [(tag, pattern) for tag, pattern in resolvers if tag != _BOOLEAN]
        for sign, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - the library's
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in seen:
                    raise MalformedError("a key stands twice in one mapping")
                seen.add((key.tag, key.value))
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found


_Loader.add_implicit_resolver(_BOOLEAN, re.compile("^(?:true|false)$"), list("tf"))


def loads(text: str | bytes) -> Any:
    """Read the one document in ``text``; None for an empty one.

    Raises:
        MalformedError: it is not YAML, or one of the things that are refused here.
    """
    try:
        _check(text)
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader, see above
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise MalformedError("not YAML, or more than one document") from error


def _check(text: str | bytes) -> None:
    """Look at the events, for which the parser needs no stack, before anything is built from them."""
    depth = 0
    for event in yaml.parse(text, Loader=_Base):
        if isinstance(event, yaml.AliasEvent):
            raise MalformedError("aliases are not taken: write the value out")
        if isinstance(event, _OPENS):
            depth += 1
            if depth > MAX_DEPTH:
                raise MalformedError("nested too deep")
        elif isinstance(event, _CLOSES):
            depth -= 1
