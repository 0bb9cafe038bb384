"""From what a request came to, to what is written: the outcome's own statement, the ending, and the audit entries. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from lockgate_ledger.records import Ending, Progress
from lockgate_schemas.audit import decision_entry
from lockgate_schemas.envelope import digest_of
from lockgate_schemas.names import Role
from lockgate_schemas.passage import NOTHING, Decision, Facts, Stamp, Statement
from lockgate_schemas.signing import NoteSigner
from lockgate_schemas.stamping import stamp_batch, statement_digest
from lockgate_workers.outcome.classify import Ended
from lockgate_workers.ruling import Opened


@dataclass(frozen=True, slots=True)
class ToEnd:
    """A request that is to end: its chain so far, and how."""

    facts: Facts
    facts_raw: msgspec.Raw
    stamps: tuple[Stamp, ...]
    statements: tuple[Statement, ...]
    ended: Ended
    response: msgspec.Raw = field(default_factory=lambda: NOTHING)


def endings(batch: Sequence[ToEnd], signer: NoteSigner, at: int) -> list[Ending]:
    """Sign the outcomes of a batch at once, and put everything that belongs to each into one record."""
    statements = [_statement(one, at) for one in batch]
    stamps = stamp_batch(signer, statements)
    return [_ending(one, s, stamp) for one, s, stamp in zip(batch, statements, stamps, strict=True)]


def _ending(one: ToEnd, statement: Statement, stamp: Stamp) -> Ending:
    chain = (*one.stamps, stamp)
    return Ending(
        request_id=one.facts.request_id,
        outcome=one.ended.outcome,
        code=one.ended.code,
        at=statement.at,
        stamps=chain,
        entries=tuple(decision_entry(one.facts, s, t) for s, t in zip((*one.statements, statement), chain, strict=True)),
        response=one.response if bytes(one.response) else NOTHING,
    )


def _statement(one: ToEnd, at: int) -> Statement:
    body = digest_of(bytes(one.response))
    return Statement(
        stage=str(Role.OUTCOME),
        decision=Decision.RECORD,
        request_id=one.facts.request_id,
        facts=digest_of(bytes(one.facts_raw)),
        input=body,
        output=body,
        previous=statement_digest(one.stamps[-1]),
        at=at,
        outcome=one.ended.outcome,
        code=one.ended.code,
    )


def progress_of(opened: Opened) -> Progress:
    """The record that a request was handed to its agent, with the decisions that led there."""
    stamps = opened.passage.stamps
    return Progress(
        request_id=opened.chain.facts.request_id,
        stamps=stamps,
        entries=tuple(decision_entry(opened.chain.facts, s, t) for s, t in zip(opened.chain.statements, stamps, strict=True)),
    )
