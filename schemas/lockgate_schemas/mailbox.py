"""The mail of a client that came in over the broker: what arrives on its own outcomes queue.

Three kinds of letter, told apart by ``kind``, each with ``items``: what the ingress accepted, what it refused, and how requests ended.
A client matches items to its requests by the digest of the envelope: ``facts.envelope`` in the signed kinds, ``envelope`` in a refusal. An acceptance and
a receipt prove themselves; a refusal is not signed, so it says only that the ingress did not take the envelope, never how a request ended.
This module only describes; who may write to the queue is the broker's decision, what an item proves is `lockgate_schemas.stamping`'s.
"""

from __future__ import annotations

from typing import Final

import msgspec

from lockgate_schemas.errors import MalformedError
from lockgate_schemas.passage import Acceptance, Receipt, Wire


class Refused(Wire, frozen=True):
    """One envelope that the ingress did not accept: its SHA-256 in hex, and the ``code`` of `lockgate_schemas.errors` with one sentence."""

    envelope: str
    code: str
    detail: str
    event_id: str = ""


class Accepted(Wire, frozen=True, tag_field="kind", tag="accepted"):
    """Envelopes that are stored and will reach an outcome each."""

    items: tuple[Acceptance, ...]


class Refusals(Wire, frozen=True, tag_field="kind", tag="refused"):
    """Envelopes that were not accepted."""

    items: tuple[Refused, ...]


class Outcomes(Wire, frozen=True, tag_field="kind", tag="outcomes"):
    """Requests that have ended."""

    items: tuple[Receipt, ...]


Mail = Accepted | Refusals | Outcomes
"""One message of the queue, as JSON: ``{"kind": "accepted" | "refused" | "outcomes", "items": [...]}``. `passage.encode` writes it."""

_decoder: Final[msgspec.json.Decoder[Mail]] = msgspec.json.Decoder(Mail)


def read_mail(raw: bytes) -> Mail:
    """Read one message of the queue. Raises `MalformedError`, which does not quote it."""
    try:
        return _decoder.decode(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        raise MalformedError("not a letter of a client's mailbox") from None
