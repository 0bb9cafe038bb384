"""Rule packs: YAML in, frozen rules out, or a refusal that names the file and the rule.

A pack is read strictly: unknown members, unknown validators, a pattern that RE2 does not take, a rule without examples, a rule id
used twice and an empty pack are refused, for a rule that silently does nothing is worse than none. Whether the examples behave
is checked with the engine (`examples`); reading files is left to `loading`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
import re2

from lockgate_schemas import strict_yaml
from lockgate_schemas.errors import ConfigurationError, MalformedError
from lockgate_workers.scanning.findings import CONFIDENCE, Action, Category, Severity
from lockgate_workers.scanning.validators import VALIDATORS

MAX_PACK_BYTES: Final = 1_048_576
MAX_PATTERN: Final = 4_000
MAX_PROGRAM: Final = 20_000
CUT: Final = "\u00a6"
"""A broken bar in an example is taken out when the pack is read, so that no example is itself a string that leak scanners report."""


class RuleExamples(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a rule must find, and what looks similar and must be left alone."""

    match: tuple[str, ...]
    skip: tuple[str, ...]


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One rule as a pack writes it.

    ``gate`` is what the first pass looks for in place of ``pattern``, where a shorter expression that is true of more texts compiles or
    runs faster; it must hold wherever the pattern does and one of ``keywords`` stands beside it. ``pattern`` is RE2 syntax, multi-line, and finds candidates; a named group that takes part narrows the span. A candidate counts when one of
    ``keywords`` stands within ``window`` characters of it (if there are any), none of ``unless`` stands there, every validator agrees, its Shannon entropy
    reaches ``entropy``, it matches none of ``allow`` as a whole, and, with ``placeholder: skip``, it is no placeholder. A word with a space
    at an end (``' sin '``) holds only where no letter or digit follows there, whatever else does; one without stands inside of others, too.

    ``title`` is what people read in a table (the id in words, unless given), ``category`` that of the pack unless given, ``confidence`` how
    often the rule is right (0 to 1, or low, medium, high; high where a validator agrees and medium elsewhere, unless given), and
    ``entity`` the name under which Presidio knows what the rule finds.
    """

    id: Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=48)]
    description: Annotated[str, msgspec.Meta(min_length=8)]
    severity: Severity
    action: Action
    pattern: Annotated[str, msgspec.Meta(min_length=3, max_length=MAX_PATTERN)]
    examples: RuleExamples
    gate: Annotated[str, msgspec.Meta(max_length=MAX_PATTERN)] = ""
    caseless: bool = False
    keywords: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    window: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 64
    validators: tuple[str, ...] = ()
    entropy: Annotated[float, msgspec.Meta(ge=0, le=8)] = 0.0
    allow: tuple[str, ...] = ()
    placeholder: Annotated[str, msgspec.Meta(pattern="^(skip|keep)$")] = "keep"
    title: Annotated[str, msgspec.Meta(max_length=60)] = ""
    category: Category = Category.OWN
    confidence: Annotated[float, msgspec.Meta(ge=0, le=1)] = CONFIDENCE["medium"]
    entity: Annotated[str, msgspec.Meta(pattern="^([A-Z][A-Z0-9_]*)?$", max_length=48)] = ""


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A pack as it is written. Rules are read one by one, so that an error can name the rule."""

    rules: list[Any]
    version: Annotated[str, msgspec.Meta(pattern=r"^\d+\.\d+\.\d+$", max_length=32)] = "0.0.0"
    title: Annotated[str, msgspec.Meta(max_length=60)] = ""
    category: Category = Category.OWN


@dataclass(frozen=True, slots=True)
class Pack:
    """The rules of one file, and the digest of its bytes. ``name`` is that of the file, ``title`` is for people, ``version`` is its author's."""

    name: str
    rules: tuple[Rule, ...]
    digest: str
    version: str = "0.0.0"
    title: str = ""
    category: Category = Category.OWN


def parse_pack(name: str, data: bytes, *, strict: bool = True) -> Pack:
    """Read one pack. Patterns are compiled to see whether they can be, unless ``strict`` is off: for bytes on which that was done before.

    Raises:
        ConfigurationError: the pack is not usable; the detail names the file and, where there is one, the rule.
    """
    if len(data) > MAX_PACK_BYTES:
        raise ConfigurationError(f"rule pack {name} is larger than {MAX_PACK_BYTES} bytes")
    document = _document(name, data)
    rules = tuple(_rule(name, index, entry, document.category) for index, entry in enumerate(document.rules))
    if strict:
        for rule in rules:
            _check_pattern(f"rule pack {name}, rule {rule.id}", rule)
    _refuse_duplicates(name, rules)
    title = document.title or name.removesuffix(".yaml")
    return Pack(name, rules, hashlib.sha256(data).hexdigest(), document.version, title, document.category)


def digest_of(packs: Iterable[Pack]) -> str:
    """One digest over the digests of all packs, in the order of their names."""
    ordered = sorted(packs, key=lambda pack: pack.name)
    return hashlib.sha256("\n".join(f"{pack.digest}  {pack.name}" for pack in ordered).encode()).hexdigest()


def all_rules(packs: Sequence[Pack]) -> tuple[Rule, ...]:
    """Return the rules of several packs; the same id in two of them is refused."""
    rules = tuple(rule for pack in packs for rule in pack.rules)
    _refuse_duplicates(", ".join(pack.name for pack in packs), rules)
    return rules


def compiled(rule: Rule) -> tuple[Any, Any | None]:
    """Compile a rule's pattern, and its allow-list as one expression, with RE2. The types are Any because RE2 ships none."""
    allow = "|".join(
        f"(?:{one})" for one in rule.allow
    )  # asked one by one, a score of them costs more than all the other checks
    return _compile(rule.pattern, rule), _compile(allow, rule) if allow else None


def _compile(pattern: str, rule: Rule) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = not rule.caseless
    options.max_mem = 32 << 20
    return re2.compile(f"(?m){pattern}", options=options)


def _document(name: str, data: bytes) -> _Document:
    try:
        document = strict_yaml.loads(data)
    except MalformedError as error:
        raise ConfigurationError(f"rule pack {name} cannot be read: {error.detail}") from error
    try:
        pack = msgspec.convert(document, _Document)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"rule pack {name}: {error}") from error
    if not pack.rules:
        raise ConfigurationError(f"rule pack {name} holds no rule: a scanner without rules would pass everything")
    return pack


def _rule(name: str, index: int, entry: Any, category: Category) -> Rule:
    label = entry.get("id", index) if isinstance(entry, dict) else index
    where = f"rule pack {name}, rule {label}"
    try:
        rule = msgspec.convert(_with_defaults(entry, category), Rule)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{where}: {error}") from error
    if not rule.examples.match or not rule.examples.skip:
        raise ConfigurationError(f"{where}: needs at least one example that must match and one that must not")
    unknown = [one for one in rule.validators if one not in VALIDATORS]
    if unknown:
        raise ConfigurationError(f"{where}: no validator is named {unknown[0]}")
    return _uncut(rule)


def _with_defaults(entry: Any, category: Category) -> Any:
    """Fill in what a rule may leave to its pack or to what else it says."""
    if not isinstance(entry, dict):
        return entry
    confidence = entry.get("confidence", "high" if entry.get("validators") else "medium")
    if isinstance(confidence, str):
        confidence = CONFIDENCE.get(confidence, confidence)
    title = str(entry.get("id", "")).replace("-", " ")
    return {"title": title, "category": category, **entry, "confidence": confidence}


def _check_pattern(where: str, rule: Rule) -> None:
    try:
        pattern, _ = compiled(rule)
        for one in rule.allow:
            _compile(one, rule)
    except re2.error as error:
        raise ConfigurationError(f"{where}: RE2 does not take the pattern") from error
    if pattern.programsize > MAX_PROGRAM:
        raise ConfigurationError(f"{where}: the pattern compiles to more than {MAX_PROGRAM} instructions")
    if pattern.search("") is not None:
        raise ConfigurationError(f"{where}: the pattern matches the empty text")


def _uncut(rule: Rule) -> Rule:
    examples = RuleExamples(
        match=tuple(one.replace(CUT, "") for one in rule.examples.match),
        skip=tuple(one.replace(CUT, "") for one in rule.examples.skip),
    )
    keywords = tuple(one.lower() for one in rule.keywords)
    unless = tuple(one.lower() for one in rule.unless)
    return msgspec.structs.replace(rule, examples=examples, keywords=keywords, unless=unless)


def _refuse_duplicates(name: str, rules: Sequence[Rule]) -> None:
    seen: set[str] = set()
    for rule in rules:
        if rule.id in seen:
            raise ConfigurationError(f"rule pack {name}: two rules are named {rule.id}")
        seen.add(rule.id)
