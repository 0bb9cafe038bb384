"""Names and addresses by a language model, as a further engine of the DLP gate: off the fast path, bounded, and never twice on one text.

1. Only prose is looked at (`prose`), up to ``most_characters`` of it a message, and within a time budget, looked at between batches.
2. What a text holds is remembered by its digest, in a bounded table: agents answer the same again and again.
3. The model is asked by one thread at a time; it is slow, and it is not safe otherwise.

What could not be looked at is blocked under ``required`` (a refusal). Under ``best-effort`` it goes on with what was found in it so far,
and with a flag of the rule `UNSEEN` over the text, so that the stamp says so. What the model is, and how it is loaded, is left to `model`.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal, Protocol

from lockgate_workers.dlp.presidio.entities import NAMED, rule_of
from lockgate_workers.dlp.presidio.prose import pieces
from lockgate_workers.scanning.findings import Action, Category, Finding, Refusal, ScanResult, Severity

UNSEEN: Final = "name-unseen"
"""The rule that flags a text which went on without having been looked at to its end."""
SECONDS: Final = 5.0
BATCH: Final = 8_000
"""Characters that the model is given at once; the clock is looked at in between."""
_REMEMBERED: Final = 2_048
_REMEMBERED_SPANS: Final = 65_536


@dataclass(frozen=True, slots=True)
class Named:
    """An entity in a text: Presidio's name for what it is, character offsets, and a score from 0 to 1."""

    entity: str
    start: int
    end: int
    score: float


class Model(Protocol):
    """A language model that finds entities."""

    @property
    def digest(self) -> str:
        """Identifies the model."""
        ...

    def entities(self, texts: Sequence[str]) -> Sequence[Sequence[Named]]:
        """What is in each text."""
        ...


class _StoppedError(Exception):
    """Why not all was looked at; never leaves this module."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(refusal.value)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is known of a text that was looked at to its end: how many characters of prose it has, and what is in it."""

    size: int
    found: tuple[Named, ...]


class _Look:
    """One text of a message, and what was found in it so far. ``whole`` is whether all of it was looked at, now or before (``seen``)."""

    def __init__(self, text: str, memory: _Memory) -> None:
        self.text: Final = text
        self.key: Final = hashlib.sha256(text.encode("utf-8", "replace")).digest()
        self.seen: Final = memory.get(self.key)
        self.found: list[Named] = []
        self.whole = False

    @cached_property
    def spans(self) -> list[tuple[int, int]]:
        """Where its prose is."""
        return list(pieces(self.text))

    @cached_property
    def size(self) -> int:
        """How many characters of prose it has."""
        return sum(end - start for start, end in self.spans) if self.seen is None else self.seen.size

    def within(self, characters: int) -> list[tuple[int, int]]:
        """The first spans, as many as have no more than so many characters."""
        fitting: list[tuple[int, int]] = []
        for start, end in self.spans:
            characters -= end - start
            if characters < 0:
                break
            fitting.append((start, end))
        return fitting


class NamesEngine:
    """The engine. ``model`` is None when it could not be loaded; ``problem`` then says why, for whoever tells the operator."""

    name: Final = "names"
    repeats: Final = False

    def __init__(
        self,
        model: Model | None,
        *,
        mode: Literal["best-effort", "required"],
        entities: Sequence[str],
        most_characters: int,
        clock: Callable[[], float],
        evidence_key: bytes,
        seconds: float = SECONDS,
        problem: str = "",
    ) -> None:
        self.problem: Final = problem
        self._model = model
        self._required = mode == "required"
        self._entities = frozenset(entities)
        self._most = most_characters
        self._clock = clock
        self._key = evidence_key
        self._seconds = seconds
        self._memory = _Memory()
        self._turn = threading.Lock()
        settings = f"{mode} {sorted(self._entities)} {most_characters} {'' if model is None else model.digest}"
        self.digest: Final = hashlib.sha256(settings.encode()).hexdigest()

    @property
    def reports(self) -> tuple[str, ...]:
        """The rule ids that its findings can carry."""
        return (*sorted(rule_of(NAMED, entity) for entity in self._entities), UNSEEN)

    def scan_all(self, texts: Sequence[str]) -> tuple[ScanResult, ...]:
        """Look for names in the texts of one message. Takes a quarter of a second for ten pages: not for the event loop's own thread."""
        looks = [_Look(text, self._memory) for text in texts]
        refusal = self._looked(looks)
        if refusal is not None and self._required:
            return (ScanResult(refusal=refusal),) * len(texts)
        return tuple(ScanResult(tuple(self._findings(look))) for look in looks)

    def _looked(self, looks: Sequence[_Look]) -> Refusal | None:
        """Look at each text; say why, if not all of it was looked at."""
        size = sum(look.size for look in looks)
        if size > self._most and self._required:
            return Refusal.SIZE
        try:
            self._look(looks)
        except _StoppedError as stopped:
            return stopped.refusal
        except Exception:  # noqa: BLE001 - the model is a library's; whatever goes wrong in it means that nobody looked
            return Refusal.ENGINE
        return None

    def _look(self, looks: Sequence[_Look]) -> None:
        deadline = self._clock() + self._seconds
        left = self._most
        for look in looks:
            if look.seen is not None and look.size <= left:
                look.found += look.seen.found
            elif look.spans:
                self._ask(look, look.within(left), deadline)
                if look.size > left:
                    raise _StoppedError(Refusal.SIZE)
                self._memory.put(look.key, _Seen(look.size, tuple(look.found)))
            look.whole = True
            left -= look.size

    def _ask(self, look: _Look, spans: Sequence[tuple[int, int]], deadline: float) -> None:
        for batch in _batches(spans):
            with self._turn:
                if self._clock() > deadline:
                    raise _StoppedError(Refusal.TIME)
                if self._model is None:
                    raise _StoppedError(Refusal.ENGINE)
                answers = self._model.entities([look.text[start:end] for start, end in batch])
            for (start, _), answer in zip(batch, answers, strict=True):
                moved = (Named(one.entity, one.start + start, one.end + start, one.score) for one in answer)
                look.found += [one for one in moved if one.entity in self._entities and _has_letters(look.text, one)]

    def _findings(self, look: _Look) -> Iterator[Finding]:
        if not look.whole and look.size:
            yield Finding(UNSEEN, 0, len(look.text), Severity.LOW, Action.FLAG, self._evidence(""), 1.0, Category.PII)
        for one in sorted(set(look.found), key=lambda span: (span.start, span.end, span.entity)):
            evidence = self._evidence(look.text[one.start : one.end])
            rule = rule_of(NAMED, one.entity)
            yield Finding(rule, one.start, one.end, Severity.MEDIUM, Action.REDACT, evidence, one.score, Category.PII)

    def _evidence(self, value: str) -> str:
        return hmac.new(self._key, value.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


class _Memory:
    """What was found in the texts seen last, by digest. Neither texts nor names are kept, only places. Bounded in texts and in places."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, _Seen] = OrderedDict()
        self._spans = 0
        self._lock = threading.Lock()

    def get(self, key: bytes) -> _Seen | None:
        with self._lock:
            known = self._known.get(key)
            if known is not None:
                self._known.move_to_end(key)
            return known

    def put(self, key: bytes, seen: _Seen) -> None:
        with self._lock:
            before = self._known.pop(key, None)
            self._spans += len(seen.found) - (0 if before is None else len(before.found))
            self._known[key] = seen
            while len(self._known) > _REMEMBERED or self._spans > _REMEMBERED_SPANS:
                self._spans -= len(self._known.popitem(last=False)[1].found)


def _batches(spans: Sequence[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    batch: list[tuple[int, int]] = []
    size = 0
    for start, end in spans:
        if batch and size + end - start > BATCH:
            yield batch
            batch, size = [], 0
        batch.append((start, end))
        size += end - start
    if batch:
        yield batch


def _has_letters(text: str, one: Named) -> bool:
    return any(map(str.isalpha, text[one.start : one.end]))
