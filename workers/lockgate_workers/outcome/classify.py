"""What the last stamp of a verified chain means for the request. One table, pure; an unknown combination means nothing good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lockgate_schemas.errors import ChainRefusedError, MalformedError
from lockgate_schemas.names import Role
from lockgate_schemas.passage import PASSING, Decision, Outcome, Passage, ResponseStatus, Statement, read_response


@dataclass(frozen=True, slots=True)
class Ended:
    """The request ends so; ``code`` is the stable error code for the client, empty when it was delivered."""

    outcome: Outcome
    code: str = ""


@dataclass(frozen=True, slots=True)
class Dispatched:
    """The request is with its agent."""


_TABLE: Final[dict[tuple[str, Decision], Ended]] = {
    (Role.INGRESS, Decision.CANCEL): Ended(Outcome.CANCELLED, "cancelled"),
    (Role.AUTHZ, Decision.DENY): Ended(Outcome.DENIED, "forbidden"),
    (Role.INSPECTION, Decision.BLOCK): Ended(Outcome.BLOCKED, "content-blocked"),
    (Role.DLP, Decision.DENY): Ended(Outcome.DENIED, "forbidden"),
    (Role.DLP, Decision.BLOCK): Ended(Outcome.BLOCKED, "response-blocked"),
}


def classify(passage: Passage, last: Statement) -> Ended | Dispatched:
    """Say what ``last``, the newest statement of the verified ``passage``, means. Raises `ChainRefusedError` when it has no meaning here."""
    found = _TABLE.get((last.stage, last.decision))
    if found is not None:
        return found
    if last.decision is Decision.QUARANTINE and last.stage != Role.INGRESS:
        return Ended(Outcome.QUARANTINED, "quarantined")
    if last.stage == Role.INSPECTION and last.decision in PASSING:
        return Dispatched()
    if last.stage == Role.DLP and last.decision in PASSING:
        return _answered(passage)
    raise ChainRefusedError("a passage that has no business with the outcome stage")


def _answered(passage: Passage) -> Ended:
    try:
        response = read_response(passage.response)
    except MalformedError:
        raise ChainRefusedError("a released response that is none") from None
    if response.status is ResponseStatus.OK:
        return Ended(Outcome.DELIVERED)
    return Ended(Outcome.FAILED, "agent-failed")
