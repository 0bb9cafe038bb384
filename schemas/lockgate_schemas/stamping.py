"""Making stamps for a batch, and the one verifier of a stamp chain.

A stage signs a batch, not a message: the statements of one pull become the leaves of a Merkle tree, one checkpoint over it is
signed, and each stamp carries its path. One signature serves 1 to some hundred messages. The origin of such a tree ends in the beginning
of its root: every batch is a tree of its own, and nobody can read two of them as two versions of one log.

The verifier is an ordered ladder in which the first failure wins; whatever is not proved is refused. It decides whether the chain is
complete, in order, by the right roles, over these very bytes, and fresh. It leaves to the caller what the decisions mean, whether the
deadline has passed, and whether the policy epoch is still the current one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from lockgate_schemas.envelope import digest_of
from lockgate_schemas.errors import ChainRefusedError, MalformedError
from lockgate_schemas.merkle import inclusion_path, leaf_hash, tree_levels
from lockgate_schemas.names import Role
from lockgate_schemas.passage import (
    ABOUT_DRAFTS,
    PASSING,
    Decision,
    Facts,
    Incident,
    Outcome,
    Passage,
    Release,
    Stamp,
    Statement,
    raw,
    read_facts,
    read_statement,
)
from lockgate_schemas.proofs import Checkpoint, proof_text, split_proof
from lockgate_schemas.proven import ProvenTree
from lockgate_schemas.signing import NoteSigner
from lockgate_schemas.trust import Trust

NO_BYTES: Final = digest_of(b"")
"""The digest that stands for an absent response."""

ORDER: Final = (Role.INGRESS, Role.AUTHZ, Role.INSPECTION, Role.DLP)
"""The gates in the order in which a passage goes through them. The outcome's stamp may follow after any of them."""

_REMEMBERED_TREES: Final = 512
"""Batches whose signature and nodes are remembered: those in flight. A batch of 256 takes about 100 KB at the most."""


def stamp_batch(signer: NoteSigner, statements: Sequence[Statement]) -> list[Stamp]:
    """Sign ``statements`` with one signature; return a stamp for each, in order."""
    if not statements:
        return []
    texts = [raw(statement) for statement in statements]
    levels = tree_levels([leaf_hash(bytes(text)) for text in texts])
    root = levels[-1][0]
    note = Checkpoint(f"{signer.name}/{root.hex()[:16]}", len(texts), root).signed(signer)
    return [
        Stamp(statement=text, proof=proof_text(index, inclusion_path(levels, index), note)) for index, text in enumerate(texts)
    ]


def statement_digest(stamp: Stamp) -> str:
    """What the next statement names as its ``previous``."""
    return digest_of(bytes(stamp.statement))


@dataclass(frozen=True, slots=True)
class Chain:
    """A verified passage: its facts and the statements over it. Made by `ChainVerifier.verify` only."""

    facts: Facts
    facts_digest: str
    statements: tuple[Statement, ...]
    last_digest: str

    @property
    def last(self) -> Statement:
        """The newest statement."""
        return self.statements[-1]

    def by(self, role: Role) -> Statement | None:
        """The statement of ``role``, if the chain has one."""
        return next((s for s in self.statements if s.stage == role), None)

    @property
    def flagged(self) -> bool:
        """Whether inspection let it pass with a warning: the content is tainted."""
        return any(s.decision is Decision.FLAG for s in self.statements)


class ChainVerifier:
    """Verifies stamps against pinned keys. Remembers the trees it verified: a batch costs one signature check, and each node one hash."""

    def __init__(self, trust: Trust, *, clock_skew: int) -> None:
        """``clock_skew`` (milliseconds) bounds how far the clocks of two stages may be apart."""
        self._gateway = trust.gateway
        self._keys = trust.verifiers()
        self._skew = clock_skew
        self._trees: OrderedDict[tuple[str, str], tuple[ProvenTree, int]] = OrderedDict()

    def verify(self, passage: Passage, *, through: Role, now: int, ended: bool = False) -> Chain:
        """Verify that ``passage`` cleared the gates up to and including ``through``, over these very bytes.

        1. The facts parse, are this gateway's, and the envelope, when present, is the one they name.
        2. The stamps are exactly those of the roles up to ``through``, in order.
        3. Each verifies (`statement_of`), is about these facts, names its predecessor, and continues its bytes.
        4. Each gate before the last let it pass; so did the last, unless ``ended`` asks for a chain that may end there.
        5. The times do not run backwards, and none lies in the future, beyond the allowed skew.
        6. The bytes at hand are the last statement's output.

        ``now`` is in milliseconds. Raises `ChainRefusedError` (or its kin) with a reason made of constants.
        """
        facts = self._facts(passage.facts)
        facts_digest = digest_of(bytes(passage.facts))
        if facts.gateway != self._gateway:
            raise ChainRefusedError("the facts are another gateway's")
        if passage.envelope and digest_of(passage.envelope.encode()) != facts.envelope:
            raise ChainRefusedError("the envelope is not the one that was accepted")
        roles = ORDER[: ORDER.index(through) + 1]
        if len(passage.stamps) != len(roles):
            raise ChainRefusedError("the chain has not exactly the stamps of the gates so far")
        statements: list[Statement] = []
        previous, carried, earliest = "", facts.envelope, facts.accepted
        for role, stamp in zip(roles, passage.stamps, strict=True):
            statement = self.statement_of(stamp, role)
            _check_link(statement, facts, facts_digest, previous)
            if role is not Role.DLP and (statement.input != carried or statement.output != carried):
                raise ChainRefusedError("a statement is about other bytes")
            last = role is through
            if statement.decision in ABOUT_DRAFTS:
                raise ChainRefusedError("a statement about a draft is part of no chain")
            if statement.decision not in PASSING and not (last and ended):
                raise ChainRefusedError("a gate did not let this pass")
            if statement.at < earliest - self._skew or statement.at > now + self._skew:
                raise ChainRefusedError("a statement is out of time")
            previous, earliest = statement_digest(stamp), max(earliest, statement.at)
            statements.append(statement)
        if through is Role.DLP and statements[-1].output != digest_of(bytes(passage.response)):
            raise ChainRefusedError("the response is not the one that was let out")
        return Chain(facts, facts_digest, tuple(statements), previous)

    def verify_end(self, facts_raw: msgspec.Raw, stamps: Sequence[Stamp], response: msgspec.Raw, *, now: int) -> Chain:
        """Verify a whole receipt: the gates in order, then the outcome's statement over the response, which names its predecessor.

        The chain before the outcome may be of any length from the ingress's stamp on, since a request can end after each gate.
        A response is only ever accepted behind a dlp stamp that let it out. Raises `ChainRefusedError`.
        """
        if len(stamps) < 2 or len(stamps) > len(ORDER) + 1:  # noqa: PLR2004 - the ingress and the outcome
            raise ChainRefusedError("the receipt has not the stamps of an ended request")
        through = ORDER[len(stamps) - 2]
        body = response if through is Role.DLP else msgspec.Raw(b"")
        if through is not Role.DLP and bytes(response):
            raise ChainRefusedError("a response without the last gate's stamp")
        passage = Passage(facts=facts_raw, stamps=tuple(stamps[:-1]), response=body)
        chain = self.verify(passage, through=through, now=now, ended=True)
        end = self.statement_of(stamps[-1], Role.OUTCOME)
        _check_link(end, chain.facts, chain.facts_digest, chain.last_digest)
        if end.decision is not Decision.RECORD or end.outcome is None or end.output != digest_of(bytes(body)):
            raise ChainRefusedError("the outcome's statement is not about this response")
        answered = through is Role.DLP and chain.last.decision in PASSING
        if bool(bytes(body)) != answered or (end.outcome is Outcome.DELIVERED and not answered):
            raise ChainRefusedError("the outcome does not follow from the last gate's decision")
        if not chain.last.at - self._skew <= end.at <= now + self._skew:
            raise ChainRefusedError("a statement is out of time")
        return Chain(chain.facts, chain.facts_digest, (*chain.statements, end), statement_digest(stamps[-1]))

    def incident(self, incident: Incident) -> Statement:
        """The verified statement of an incident report, by whichever stage signed it. Raises `ChainRefusedError`."""
        statement = self.statement_of(incident.stamp, self._read(incident.stamp).stage)
        if statement.decision is not Decision.QUARANTINE:
            raise ChainRefusedError("an incident that is not a quarantine")
        return statement

    def release(self, release: Release) -> tuple[Facts, Statement]:
        """The verified facts and the last gate's statement about a draft of theirs. Raises `ChainRefusedError`.

        Left to the caller: that a text which comes with it is the one that the statement names (`shown_text`).
        """
        statement = self.statement_of(release.stamp, Role.DLP)
        facts = self._facts(release.facts)
        if facts.gateway != self._gateway:
            raise ChainRefusedError("the facts are another gateway's")
        if statement.request_id != facts.request_id or statement.facts != digest_of(bytes(release.facts)):
            raise ChainRefusedError("a statement is about another request")
        if statement.decision not in ABOUT_DRAFTS:
            raise ChainRefusedError("a release that is not about a draft")
        return facts, statement

    def shown_text(self, release: Release) -> tuple[Facts, Statement]:
        """The same for a release that carries its text: these very characters may be shown, or none. Raises `ChainRefusedError`."""
        facts, statement = self.release(release)
        shown = release.text.encode(errors="surrogatepass")
        if statement.output != digest_of(shown) or (shown and statement.decision is not Decision.SHOW):
            raise ChainRefusedError("a text that the last gate did not let be shown")
        return facts, statement

    def statement_of(self, stamp: Stamp, role: str) -> Statement:
        """The statement of one stamp, if a key of ``role`` signed it. Raises `ChainRefusedError`."""
        index, path, note = split_proof(stamp.proof)
        tree, until = self._tree(note, role)
        tree.check(leaf_hash(bytes(stamp.statement)), index, path)
        statement = self._read(stamp)
        if statement.stage != role:
            raise ChainRefusedError("a statement names another stage than its key")
        if until and statement.at > until:
            raise ChainRefusedError("a statement is later than the end of its key")
        return statement

    @staticmethod
    def _facts(facts: msgspec.Raw) -> Facts:
        try:
            return read_facts(facts)
        except MalformedError as error:  # as unproved as missing ones
            raise ChainRefusedError(error.detail) from None

    @staticmethod
    def _read(stamp: Stamp) -> Statement:
        try:
            return read_statement(stamp.statement)
        except MalformedError as error:  # as unproved as a missing one
            raise ChainRefusedError(error.detail) from None

    def _tree(self, note: str, role: str) -> tuple[ProvenTree, int]:
        if (found := self._trees.get((role, note))) is not None:
            return found
        keys = self._keys.get(role, ())
        head, signers = Checkpoint.opened(note, [key for key, _ in keys])
        if head.origin != f"{signers[0].name}/{head.root.hex()[:16]}":
            raise ChainRefusedError("a checkpoint's origin is not that of a batch of this role")
        until = next(end for key, end in keys if key == signers[0])
        found = self._trees[role, note] = (ProvenTree(head), until)
        if len(self._trees) > _REMEMBERED_TREES:
            self._trees.popitem(last=False)
        return found


def _check_link(statement: Statement, facts: Facts, facts_digest: str, previous: str) -> None:
    if statement.request_id != facts.request_id or statement.facts != facts_digest:
        raise ChainRefusedError("a statement is about another request")
    if statement.previous != previous:
        raise ChainRefusedError("a statement does not follow the one before it")
