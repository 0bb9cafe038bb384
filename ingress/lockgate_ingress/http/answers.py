"""What a request looks like from outside: its status, its receipt, and the answer to whoever waited for its outcome. Pure.

Nothing is shown but what the ledger holds behind the last gate, and a response only together with the whole chain of stamps.
"""

from __future__ import annotations

from typing import Final

import msgspec

from lockgate_ingress.http.problems import JSON, Headers, problem_of_ending
from lockgate_ledger.records import RequestRecord
from lockgate_schemas.errors import LockgateError
from lockgate_schemas.passage import NOTHING, Acceptance, Outcome, Receipt, encode
from lockgate_schemas.stamping import ORDER

_WHOLE_CHAIN: Final = len(ORDER) + 1  # every gate, and the outcome's stamp


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How a request stands. ``status`` is accepted, dispatched or the outcome; ``receipt`` is there once it has ended."""

    request_id: str
    status: str
    code: str
    receipt: Receipt | None


_encode: Final = msgspec.json.Encoder().encode


def status_word(record: RequestRecord) -> str:
    """The status in one word."""
    if record.outcome is not None:
        return str(record.outcome)
    return "dispatched" if record.dispatched else "accepted"


def receipt_of(record: RequestRecord) -> Receipt:
    """The receipt of a request that has ended. Raises `LockgateError` rather than show a response without its whole chain."""
    response = record.response if bytes(record.response) else NOTHING
    if response is not NOTHING and len(record.stamps) != _WHOLE_CHAIN:
        raise LockgateError
    return Receipt(facts=record.acceptance.facts, stamps=record.stamps, response=response)


def status_of(record: RequestRecord) -> bytes:
    """The JSON of a request's status."""
    ended = record.outcome is not None
    return _encode(
        Status(
            request_id=record.request_id,
            status=status_word(record),
            code=record.code if ended else "",
            receipt=receipt_of(record) if ended else None,
        )
    )


def location(request_id: str) -> tuple[bytes, bytes]:
    """The header that says where the request is to be found."""
    return (b"location", b"/v1/requests/" + request_id.encode())


def accepted_answer(acceptance: Acceptance, request_id: str, extra: Headers = ()) -> tuple[int, bytes, Headers]:
    """202 with the signed acceptance."""
    return 202, encode(acceptance), (JSON, location(request_id), *extra)


def ended_answer(record: RequestRecord, extra: Headers = ()) -> tuple[int, bytes, Headers]:
    """The answer to whoever waited until the end: the receipt when it was delivered, else the problem that the outcome is."""
    receipt = receipt_of(record)
    if record.outcome is None or record.outcome is Outcome.DELIVERED:
        return 200, encode(receipt), (JSON, location(record.request_id), *extra)
    status, body, headers = problem_of_ending(record.outcome, record.request_id, receipt)
    return status, body, (*headers, location(record.request_id), *extra)
