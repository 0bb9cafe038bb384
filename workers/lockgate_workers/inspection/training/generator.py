"""Training rows made from our own phrases: attacks, honest requests, and honest texts that quote attacks. Pure and deterministic.

A corpus knows a few sources of attacks and hardly any text *about* attacks that may be trained on. The phrases (``phrases/*.yaml``)
stand for both in some forty languages: templates whose names in braces are filled in at random, by a generator that is seeded.
An attack comes alone or inside an honest carrier, which also stands in the rows without it; attacks and honest requests alike are
sometimes written in capitals, with digits for letters or in pieces, so that a disguise by itself says nothing.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final

import numpy as np
import yaml

_SLOT: Final = re.compile(r"\{([a-z]+[0-9]?)\}")
_DEPTH: Final = 6
_LEET: Final = str.maketrans("aeiostAEIOST", "431057431057")
_CONFUSABLE: Final = str.maketrans("aceopxyi", "асеорхуі")  # noqa: RUF001 - look-alike letters are meant


@dataclass(frozen=True, slots=True)
class Row:
    """One text to learn from. ``group`` keeps near-duplicates together; ``source`` and ``cls`` are as in a corpus."""

    text: str
    attack: bool
    cls: str
    source: str
    group: str


class Phrases:
    """The phrase files, read once. ``seed`` decides every choice."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._attacks: dict[str, list[str]] = {}
        self._benign: dict[str, list[str]] = {}
        self._carriers: list[str] = []
        self._slots: dict[str, Sequence[str]] = {}
        for kind, document in _documents():
            if kind == "tongues":
                for tongue, part in document.items():
                    self._add_tongue(tongue, part)
                continue
            self._slots |= document.pop("slots", {})
            self._carriers += document.pop("carriers", [])
            of = self._attacks if kind in _ATTACKS else self._benign
            for cls, templates in document.items():
                of.setdefault(cls, []).extend(templates)

    def _add_tongue(self, tongue: str, part: dict[str, Any]) -> None:
        """Add the phrases of a language, whose slots are its own: the same names mean other words in every language."""
        own = part.get("slots", {})

        def apart(text: str) -> str:
            return _SLOT.sub(lambda found: f"{{own{tongue}{found[1]}}}" if found[1] in own else found[0], text)

        self._slots |= {f"own{tongue}{name}": [apart(str(choice)) for choice in choices] for name, choices in own.items()}
        self._attacks.setdefault("tongues", []).extend(map(apart, part["attacks"]))
        honest = [apart(text) for text in part["honest"]]
        self._slots[f"own{tongue}said"] = honest
        said = f"{{own{tongue}said}}"
        self._benign.setdefault("tongues", []).extend((*honest, *(" ".join([said] * count) for count in _SAID)))

    @property
    def slots(self) -> frozenset[str]:
        """The names that are filled in."""
        return frozenset(self._slots)

    def rows(self, each: int) -> list[Row]:
        """Return the rows, with about ``each`` of every template (a template without a slot counts once)."""
        return [*self._attack_rows(each), *self._benign_rows(each)]

    def _attack_rows(self, each: int) -> Iterator[Row]:
        for cls, templates in self._attacks.items():
            for index, template in enumerate(templates):
                group = f"{cls}-{index}"
                if cls in _PLACED:
                    yield from (Row(text, True, f"own_{cls}", "own-placed", group) for text in self._placed(template, each))
                    continue
                for text in self._several(template, each * _ABOUT if cls in _LONG else each):
                    yield Row(self._disguised(text), True, f"own_{cls}", "own-phrases", group)
                    if self._random.random() < _CARRIED:
                        yield Row(self._carried(text), True, "own_carried", "own-carried", group)

    def _benign_rows(self, each: int) -> Iterator[Row]:
        for cls, templates in self._benign.items():
            times = each * _ABOUT if cls in _OFTEN else each
            for index, template in enumerate(templates):
                if cls in _PLACED:
                    placed = self._placed(template, each)
                    yield from (Row(text, False, f"own_{cls}", f"own-{cls}", f"{cls}-{index}") for text in placed)
                    continue
                for text in self._several(template, times):
                    written = self._disguised(text) if cls in _BARE else text
                    yield Row(written, False, f"own_{cls}", f"own-{cls}", f"{cls}-{index}")
                    if cls in _BARE and self._random.random() < _CARRIED:
                        yield Row(self._carried(text), False, "own_carrier", "own-carriers", f"{cls}-{index}")

    def _several(self, template: str, times: int) -> list[str]:
        if "{" not in template or not _SLOT.search(template):
            return [template]
        return list(dict.fromkeys(self._filled(template) for _ in range(times)))

    def _placed(self, template: str, each: int) -> Iterator[str]:
        """Yield a text so many times, each in a carrier of its own."""
        for _ in range(each):
            text = self._filled(template)
            yield self._carried(text[:1].upper() + text[1:] if self._random.random() < _CAPITAL else text)

    def _filled(self, template: str) -> str:
        for _ in range(_DEPTH):
            filled = _SLOT.sub(self._choice, template)
            if filled == template:
                break
            template = filled
        return template

    def _choice(self, match: re.Match[str]) -> str:
        name = match.group(1)
        if name == "attack":
            families = list(self._attacks)
            family = self._attacks[families[self._random.integers(len(families))]]
            return str(family[self._random.integers(len(family))]).replace("\n", " ").replace('"', "'")
        choices = self._slots.get(name)
        return match.group() if choices is None else str(choices[int(self._random.integers(len(choices)))])

    def _carried(self, text: str) -> str:
        carrier = self._carriers[self._random.integers(len(self._carriers))]
        return carrier.replace("{slot}", text)

    def _disguised(self, text: str) -> str:
        if self._random.random() > _DISGUISED:
            return text[:1].upper() + text[1:] if self._random.random() < _CAPITAL else text
        return _DISGUISES[self._random.integers(len(_DISGUISES))](text)


_ATTACKS: Final = frozenset({"attacks", "abroad"})
"""Files with attacks, by what stands before the dash in their names; ``tongues`` have both kinds, the others honest texts or carriers."""
_BARE: Final = frozenset({"requests", "languages", "smalltalk", "tongues"})
_PLACED: Final = frozenset({"sides", "deeds", "asides"})
"""Sentences that mean something inside a text of somebody else only: they never stand alone."""
_LONG: Final = frozenset({"personas", "interpreter"})
_SAID: Final = (2, 3, 5)
"""Texts of so many honest sentences are made in each language."""
_CARRIED: Final = 0.3
_DISGUISED: Final = 0.12
_CAPITAL: Final = 0.6
_OFTEN: Final = frozenset(
    {
        "documents",
        "code",
        "defences",
        "advice",
        "chatter",
        "abroad",
        "tables",
        "prose",
        "chat",
        "trade",
        "prompts",
        "security",
        "essays",
        "blobs",
        "spoken",
        "tasks",
        "shots",
        "played",
        "toolcalls",
        "manuals",
    }
)
_ABOUT: Final = 5
"""Texts about attacks, and texts that speak to their reader, are so many times as frequent as their templates: there are few of them."""


def _spaced(text: str) -> str:
    return " ".join(text)


def _broken(text: str) -> str:
    return " ".join(word if len(word) < 4 else f"{word[:2]} {word[2:]}" for word in text.split(" "))  # noqa: PLR2004 - short words


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


_DISGUISES: Final[tuple[Callable[[str], str], ...]] = (
    str.upper,
    lambda text: text.translate(_LEET),
    lambda text: text.translate(_CONFUSABLE),
    _spaced,
    _broken,
    _encoded,
    lambda text: text.replace(" ", " . ", 2),
    lambda text: f"{text}!!!",
)


def _documents() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the phrase files by name, each with its kind."""
    folder = resources.files(f"{__package__}.phrases")
    for name in sorted(place.name for place in folder.iterdir() if place.name.endswith(".yaml")):
        loaded: dict[str, Any] = yaml.safe_load((folder / name).read_text(encoding="utf-8"))
        yield name.removesuffix(".yaml").partition("-")[0], loaded
