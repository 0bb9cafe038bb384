"""Taking a request back: the message with which the ingress asks the outcome role to end it as cancelled. Pure.

It ends nothing itself. The outcome role verifies the stamp, and whichever outcome is written first stands.
"""

from __future__ import annotations

from lockgate_broker.port import Outbound
from lockgate_ingress.door import cancel_statement
from lockgate_ledger.records import RequestRecord
from lockgate_schemas.passage import Convoy, Passage, encode, read_facts
from lockgate_schemas.signing import NoteSigner
from lockgate_schemas.stamping import stamp_batch
from lockgate_schemas.topics import OUTCOMES


def cancellation(record: RequestRecord, signer: NoteSigner, *, now: int, epoch: int) -> Outbound:
    """A convoy of one passage: the accepted facts under a new ingress stamp that says cancel."""
    facts_raw = record.acceptance.facts
    statement = cancel_statement(read_facts(facts_raw), facts_raw, now=now, epoch=epoch)
    passage = Passage(facts=facts_raw, stamps=tuple(stamp_batch(signer, [statement])))
    return Outbound(OUTCOMES.topic, encode(Convoy(passages=(passage,))), f"{record.request_id}:cancel")
