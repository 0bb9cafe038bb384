"""The passage: what travels between the gates, and the statements the gates make about it.

Digests are taken over the exact bytes on the wire (`msgspec.Raw` keeps them), so that nothing is re-encoded in order to be
verified. `Facts` are minted once, by the ingress, and never change; each `Statement` names their digest. This module only
describes; `lockgate_schemas.stamping` signs and verifies.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Generic, TypeVar

import msgspec

from lockgate_schemas.errors import MalformedError
from lockgate_schemas.principal import Principal

T = TypeVar("T")

NOTHING: Final = msgspec.Raw(b"")
"""The absent response. Always this object: it is by identity that an absent member is left out of the encoding."""


class Decision(StrEnum):
    """What a gate decided. A closed set: whoever meets another word refuses it."""

    ALLOW = "allow"
    FLAG = "flag"
    REDACT = "redact"
    DENY = "deny"
    BLOCK = "block"
    QUARANTINE = "quarantine"
    CANCEL = "cancel"
    RECORD = "record"
    SHOW = "show"
    """Of a draft alone, and neither passing nor an end: so much of an answer that is still being written may be shown."""
    WITHHOLD = "withhold"
    """The same: nothing of this draft may be shown."""


PASSING: Final = frozenset({Decision.ALLOW, Decision.FLAG, Decision.REDACT})
"""The decisions with which a passage goes on. Everything else ends it."""


ABOUT_DRAFTS: Final = frozenset({Decision.SHOW, Decision.WITHHOLD})
"""What the last gate says about drafts. A statement with one of them is never part of a chain."""

MOST_DRAFTS: Final = 128
"""Drafts of one answer. With steps of a sixteenth of what is there, the longest answer takes some eighty."""

STREAMED: Final = "streamed"
"""The obligation with which the agent learns that the answer may be shown while it is being written."""


class Outcome(StrEnum):
    """How a request ended. Exactly one, first write wins."""

    DELIVERED = "delivered"
    DENIED = "denied"
    BLOCKED = "blocked"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    QUARANTINED = "quarantined"


class Door(StrEnum):
    """How the request came in, and so where its outcome goes."""

    HTTP = "http"
    BROKER = "broker"


class Wire(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Base of every type that crosses a process border: immutable, and closed against members it does not know."""


class Facts(Wire, frozen=True):
    """What the ingress established about a request when it accepted it.

    ``request_id`` and ``dispatch_id`` are 128 random bits each. ``envelope`` is the SHA-256 of the signed envelope in hex; ``event_id`` the client's own id.
    ``accepted`` and ``deadline`` are milliseconds since 1970.
    """

    request_id: str
    dispatch_id: str
    gateway: str
    agent: str
    action: str
    principal: Principal
    envelope: str
    event_id: str
    accepted: int
    deadline: int
    door: Door
    traceparent: str = ""


class FindingSummary(Wire, frozen=True):
    """That a rule fired, how often, and what it asked for; never what it found."""

    rule: str
    severity: str
    action: str
    count: int


class Statement(Wire, frozen=True):
    """What one gate says about one passage.

    ``facts`` is the digest of the facts, ``input`` and ``output`` of the bytes it saw and let out (the envelope on the way in, the
    response on the way back), ``previous`` of the statement before it (empty for the first). ``epoch`` is the policy epoch it decided under,
    ``rules`` the digest of the rule pack or policy set, ``rule`` the id of what decided, ``at`` milliseconds since 1970, ``took``
    microseconds spent deciding. ``score`` is what the inspection gate's model made of the request, in thousandths from 0 (honest) to 1,000;
    it alone sets one. ``outcome`` and ``code`` are set by the outcome role alone.
    """

    stage: str
    decision: Decision
    request_id: str
    facts: str
    input: str
    output: str
    previous: str
    at: int
    epoch: int = 0
    rule: str = ""
    rules: str = ""
    findings: tuple[FindingSummary, ...] = ()
    obligations: tuple[str, ...] = ()
    took: int = 0
    score: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 0
    outcome: Outcome | None = None
    code: str = ""


class Stamp(Wire, frozen=True):
    """A statement, in its exact bytes, and the proof that its stage signed it (c2sp.org/tlog-proof)."""

    statement: msgspec.Raw
    proof: str


class ResponseStatus(StrEnum):
    """Whether the agent says it did what was asked."""

    OK = "ok"
    ERROR = "error"


class Response(Wire, frozen=True):
    """What an agent answers: text or JSON, as text. For an error ``body`` is one sentence for the caller, never a traceback."""

    status: ResponseStatus
    body: str
    content_type: str = "text/plain"


class Passage(Wire, frozen=True):
    """A request on its way. ``facts`` and ``response`` keep their exact bytes; ``envelope`` is present on the way to the agent."""

    facts: msgspec.Raw
    stamps: tuple[Stamp, ...]
    envelope: str = ""
    response: msgspec.Raw = NOTHING


class Incident(Wire, frozen=True):
    """A message that a stage refused to handle: signed by the stage, about the digest of what it saw, and nothing more.

    It becomes an entry of the audit log; it never ends a request, because whoever forged the message would then decide that.
    """

    stamp: Stamp


class Release(Wire, frozen=True):
    """What the last gate says about a draft: how much of an answer that is still being written may be shown, or that nothing may.

    ``text`` is the answer's beginning as it may be shown, whose digest the stamp's statement names; it is absent where that is only recorded. It
    becomes an entry of the audit log, and never an outcome.
    """

    facts: msgspec.Raw
    stamp: Stamp
    text: str = ""


class Convoy(Wire, frozen=True):
    """Passages that cleared one gate together and travel to the next as one message."""

    passages: tuple[Passage, ...] = ()
    incidents: tuple[Incident, ...] = ()
    releases: tuple[Release, ...] = ()


class Reply(Wire, frozen=True):
    """An agent's answer on its reply topic: the passage it was given (without the envelope), with the response in it.

    ``draft`` is 0 for the answer. From 1 on it numbers drafts: the response then is the text so far of an answer that is still being written,
    always from its beginning, and is never taken for the answer.
    """

    dispatch_id: str
    passage: Passage
    draft: Annotated[int, msgspec.Meta(ge=0, le=MOST_DRAFTS)] = 0


class Cancel(Wire, frozen=True):
    """The notice that a dispatch is no longer wanted; ``stamp`` is the outcome role's."""

    dispatch_id: str
    facts: msgspec.Raw
    stamp: Stamp


class Receipt(Wire, frozen=True):
    """What a client keeps: the facts, every stamp up to the outcome's, and the response that the last gate let out."""

    facts: msgspec.Raw
    stamps: tuple[Stamp, ...]
    response: msgspec.Raw = NOTHING


class Acceptance(Wire, frozen=True):
    """The signed promise that goes with a 202: the facts and the ingress's stamp over them."""

    facts: msgspec.Raw
    stamp: Stamp


class _Reader(Generic[T]):
    """Decodes one wire type; what does not fit it exactly is a `MalformedError` that does not quote it."""

    def __init__(self, type_: type[T], what: str) -> None:
        self._decoder = msgspec.json.Decoder(type_)
        self._what = what

    def __call__(self, raw: bytes | msgspec.Raw) -> T:
        try:
            return self._decoder.decode(raw)
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            raise MalformedError(f"not {self._what}") from None


read_facts: Final = _Reader(Facts, "facts")
read_statement: Final = _Reader(Statement, "a statement")
read_response: Final = _Reader(Response, "a response")
read_convoy: Final = _Reader(Convoy, "a convoy")
read_reply: Final = _Reader(Reply, "a reply")
read_passage: Final = _Reader(Passage, "a passage")
read_receipt: Final = _Reader(Receipt, "a receipt")
read_acceptance: Final = _Reader(Acceptance, "an acceptance")
read_cancel: Final = _Reader(Cancel, "a cancel notice")
read_release: Final = _Reader(Release, "a release")

_encoder: Final = msgspec.json.Encoder()


def encode(value: Wire) -> bytes:
    """The JSON bytes of any wire type."""
    return _encoder.encode(value)


def raw(value: Wire) -> msgspec.Raw:
    """The JSON bytes of a wire type, to be embedded in another and to be digested as they stand."""
    return msgspec.Raw(_encoder.encode(value))
