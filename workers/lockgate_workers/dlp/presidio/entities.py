"""What a rule's finding is called in Presidio, and what an entity of Presidio is called as a rule here. Pure names, both ways."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from lockgate_workers.scanning.findings import Category
from lockgate_workers.scanning.packs import Rule

RECOGNISED: Final = "presidio"
NAMED: Final = "name"
MAX_RULE: Final = 48

_BY_CATEGORY: Final[Mapping[Category, str]] = MappingProxyType(
    {
        Category.SECRETS: "LOCKGATE_SECRET",
        Category.PII: "LOCKGATE_PII",
        Category.INFRA: "LOCKGATE_INFRASTRUCTURE",
        Category.INJECTION: "LOCKGATE_INJECTION",
        Category.OWN: "LOCKGATE_OWN",
    }
)
_NOT_IN_RULES: Final = re.compile(r"[^a-z0-9]+")  # one character class: linear, over an entity's name


def entity_of(rule: Rule) -> str:
    """The entity that the rule's pack names, or else one for its category."""
    return rule.entity or entity_of_category(rule.category)


def entity_of_category(category: Category) -> str:
    """The entity of a finding of which nothing else is known."""
    return _BY_CATEGORY[category]


def entities_of(rules: Iterable[Rule]) -> dict[str, str]:
    """The entity of each rule, by rule id."""
    return {rule.id: entity_of(rule) for rule in rules}


def rule_of(origin: str, entity: str) -> str:
    """The rule id under which an entity is reported: ``US_SSN`` that Presidio recognised is ``presidio-us-ssn``."""
    return f"{origin}-{_NOT_IN_RULES.sub('-', entity.lower()).strip('-')}"[:MAX_RULE].rstrip("-")
