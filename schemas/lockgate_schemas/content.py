"""The content policy: what an installation tells its two content gates, beyond the rule packs that are shipped.

One YAML document, applied as a whole, kept in the ledger in every version, and read by the workers together with everything else that
holds at one policy epoch. So a change takes effect on the next message, on every worker, and the epoch on a stamp says which
content policy it was made under. This module describes the document and reads it strictly; the gates give it its meaning.

Wherever ``tenant`` and ``agent`` stand, an empty string means any; the most specific entry decides (agent before tenant before any).
"""

from __future__ import annotations

import hashlib
from datetime import date
from typing import Annotated, Any, Final, Literal

import msgspec

from lockgate_schemas import strict_yaml
from lockgate_schemas.errors import ConfigurationError, MalformedError

MAX_CONTENT_BYTES: Final = 4_194_304

Ratio = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
Name = Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=48)]
Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Dotted = Annotated[str, msgspec.Meta(pattern=r"^[^.\s]+(\.[^.\s]+)*$", max_length=256)]
Rows = Annotated[str, msgspec.Meta(pattern=r"^([^.\s]+\.)*[^.\s]*\[\](\.[^.\s]+)*$", max_length=256)]
Positive = Annotated[int, msgspec.Meta(ge=1)]


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of every part of the document: immutable, and closed against members it does not know."""


class RuleChange(Section, frozen=True):
    """What a rule does here instead of what its pack says.

    ``action`` ``alert`` lets the text pass like ``flag`` and raises an alert at once. ``off`` needs a reason and a last day, after which the rule is on again:
    an exception nobody remembers is a hole.
    """

    rule: Name
    action: Literal["redact", "block", "flag", "alert", "off"]
    tenant: str = ""
    agent: str = ""
    reason: str = ""
    until: date | None = None


class AllowedValue(Section, frozen=True):
    """A value that is known and harmless, as its salted hash (`lockgate rules allow` makes one); the value itself is kept nowhere."""

    digest: Digest
    reason: Annotated[str, msgspec.Meta(min_length=1)]
    rule: str = ""
    tenant: str = ""
    agent: str = ""
    until: date | None = None


class Judge(Section, frozen=True):
    """An external classifier that is asked about requests. ``secret`` names a file in the gateway's home, never the secret itself.

    ``asks`` is which requests it sees: those that would be flagged, or all. ``unavailable`` is what holds when it does not answer in ``seconds``.
    """

    url: str
    seconds: Annotated[float, msgspec.Meta(gt=0, le=30)] = 2.0
    asks: Literal["flagged", "all"] = "flagged"
    unavailable: Literal["block", "flag"] = "block"
    secret: str = ""


class Injection(Section, frozen=True):
    """The score from which a request is flagged, and from which it is blocked; unset means the shipped, calibrated threshold."""

    flag: Ratio | None = None
    block: Ratio | None = None
    judge: Judge | None = None


class Names(Section, frozen=True):
    """Names and addresses by a language model. ``required`` blocks what could not be looked at, ``best-effort`` lets it pass."""

    mode: Literal["off", "best-effort", "required"] = "off"
    entities: tuple[str, ...] = ("PERSON", "LOCATION")
    model: str = "en_core_web_sm"
    most_characters: Positive = 20_000


class Operator(Section, frozen=True):
    """What stands in the place of what a rule or an entity found: one of the operators of Presidio's anonymizer.

    ``key`` names a file in the gateway's home (``encrypt``, ``hash``). The default for everything is ``[REDACTED:rule]``.
    """

    finds: str
    operator: Literal["redact", "replace", "mask", "hash", "encrypt"]
    replacement: str = ""
    keep: Annotated[int, msgspec.Meta(ge=0)] = 0
    key: str = ""


class Shape(Section, frozen=True):
    """What a structured answer of ``agent`` to ``action`` may hold for a caller who has one of ``roles`` (empty for any).

    ``fields`` are dotted paths (``items[].name``; ``*`` for any member); everything else is over-fetched. ``rows`` says which members of a
    list may be there: a dotted path into the row, and the fact about the principal it has to equal. ``most_rows`` bounds every list.
    ``asked`` ties the answer to its question: a path in the answer, and the path in the request's data that says what was asked; an
    answer about something else is flagged.
    """

    agent: str
    action: str = ""
    tenant: str = ""
    roles: tuple[str, ...] = ()
    fields: tuple[Dotted, ...] = ()
    rows: dict[Rows, Literal["tenant", "user", "client"]] = {}
    asked: dict[Dotted, Dotted] = {}
    most_rows: Positive | None = None
    over: Literal["drop", "mask", "block"] = "drop"


class Alert(Section, frozen=True):
    """When to tell people. ``on`` DLP blocks are counted by user, triggers of rules by agent; the rest are events of the gateway itself.

    ``count`` occurrences within ``window`` seconds raise it, once per window and subject. ``to`` names destinations in the gateway's configuration.
    """

    name: Name
    on: Literal["dlp-block", "rule-trigger", "broken-pack", "scanner-over-budget"]
    count: Positive = 1
    window: Annotated[int, msgspec.Meta(ge=1, le=604_800)] = 300
    rules: tuple[str, ...] = ()
    to: tuple[str, ...] = ()


class PackText(Section, frozen=True):
    """A rule pack of the installation's own, in its exact text."""

    name: Name
    scanner: Literal["dlp", "injection"]
    text: str


class Streaming(Section, frozen=True):
    """Answers of ``agent`` (to ``action``; to all of them, if empty) may be shown while they are being written."""

    agent: str
    action: str = ""
    tenant: str = ""


class ContentPolicy(Section, frozen=True):
    """The whole document. An empty one means: the shipped packs, as they are.

    ``links`` are the hosts that links and images in answers may lead to (``.example.org`` for all below it). Without it links are left alone, and
    images, which are fetched without a click, may lead nowhere.
    """

    rules: tuple[RuleChange, ...] = ()
    allowed: tuple[AllowedValue, ...] = ()
    injection: Injection = Injection()
    names: Names = Names()
    operators: tuple[Operator, ...] = ()
    links: tuple[str, ...] | None = None
    shapes: tuple[Shape, ...] = ()
    alerts: tuple[Alert, ...] = ()
    packs: tuple[PackText, ...] = ()
    streams: tuple[Streaming, ...] = ()


EMPTY: Final = ContentPolicy()


def parse_content(text: str) -> ContentPolicy:
    """Read a content policy.

    Raises:
        ConfigurationError: it is not usable; the detail says where. Nothing in the document is quoted.
    """
    if len(text.encode("utf-8", "replace")) > MAX_CONTENT_BYTES:
        raise ConfigurationError(f"a content policy has at most {MAX_CONTENT_BYTES} bytes")
    document = _document(text)
    try:
        policy = msgspec.convert(document, ContentPolicy)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"content policy: {error}") from error
    _check_exceptions(policy)
    _check_alerts(policy)
    return policy


def content_digest(text: str) -> str:
    """The digest of a content policy's exact text, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def _document(text: str) -> Any:
    try:
        document = strict_yaml.loads(text)
    except MalformedError as error:
        raise ConfigurationError(f"the content policy cannot be read: {error.detail}") from error
    return {} if document is None else document


def _check_exceptions(policy: ContentPolicy) -> None:
    for change in policy.rules:
        if change.action == "off" and not (change.reason and change.until):
            raise ConfigurationError(f"content policy: rule {change.rule} is off without a reason and a last day ('until')")


def _check_alerts(policy: ContentPolicy) -> None:
    """Alerts are counted by name: of two that share one, neither would be right."""
    names = [alert.name for alert in policy.alerts]
    if len(names) != len(set(names)):
        raise ConfigurationError("content policy: two alerts have the same name")
