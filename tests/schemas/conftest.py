"""What the tests of the wire contract share: one gateway with its keys, and honest chains of any length to tamper with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import msgspec
import pytest

from lockgate_schemas.envelope import EVENT_TYPE, Event, digest_of, sign_event, timestamp
from lockgate_schemas.limits import Limits
from lockgate_schemas.names import Role
from lockgate_schemas.passage import (
    NOTHING,
    Decision,
    Door,
    Facts,
    Outcome,
    Passage,
    Receipt,
    Response,
    ResponseStatus,
    Stamp,
    Statement,
    raw,
    read_facts,
)
from lockgate_schemas.principal import Principal
from lockgate_schemas.signing import NoteSigner
from lockgate_schemas.stamping import NO_BYTES, ORDER, ChainVerifier, stamp_batch, statement_digest
from lockgate_schemas.trust import STAMPING_ROLES, Trust, TrustedKey

NOW = 1_800_000_000_000
GATEWAY = "lockgate.test"
LIMITS = Limits()


def seed(label: str) -> bytes:
    """A private seed that is the same in every run."""
    return sha256(label.encode()).digest()


@dataclass
class Gateway:
    """One gateway: the keys of its roles, one enrolled client, and the making of honest data."""

    name: str = GATEWAY
    now: int = NOW
    limits: Limits = LIMITS
    skew: int = LIMITS.clock_skew
    signers: dict[str, NoteSigner] = field(init=False)
    client: NoteSigner = field(init=False)

    def __post_init__(self) -> None:
        self.signers = {str(role): NoteSigner(f"{self.name}/{role}", seed(f"{self.name}/{role}")) for role in STAMPING_ROLES}
        self.client = NoteSigner("acme-app", seed("acme-app"))

    @property
    def client_key(self) -> bytes:
        return self.client.verifier.public_key

    def trust(self, **until: int) -> Trust:
        """Every role's key; ``authz=5`` ends the one of authz at 5."""
        return Trust(
            self.name,
            tuple(TrustedKey(role, str(signer.verifier), until.get(role, 0)) for role, signer in self.signers.items()),
        )

    def verifier(self, **until: int) -> ChainVerifier:
        return ChainVerifier(self.trust(**until), clock_skew=self.skew)

    def event(self, **changes: Any) -> Event:
        honest = Event(
            specversion="1.0",
            id="evt-1",
            source="acme-app",
            type=EVENT_TYPE,
            time=timestamp(self.now),
            expirytime=timestamp(self.now + 60_000),
            audience=self.name,
            agent="code-review",
            action="review",
            data=msgspec.Raw(b'{"text":"hello"}'),
        )
        return msgspec.structs.replace(honest, **changes)

    def envelope(self, **changes: Any) -> str:
        return sign_event(self.client, "k1", self.event(**changes))

    def facts(self, number: int, envelope: str, **changes: Any) -> Facts:
        honest = Facts(
            request_id=f"r{number:031d}",
            dispatch_id=f"d{number:031d}",
            gateway=self.name,
            agent="code-review",
            action="review",
            principal=Principal("acme", "acme-app", "robot", "jws", "k1"),
            envelope=digest_of(envelope.encode()),
            event_id=f"evt-{number}",
            accepted=self.now,
            deadline=self.now + 60_000,
            door=Door.HTTP,
        )
        return msgspec.structs.replace(honest, **changes)

    def fresh(self, count: int = 1, **changes: Any) -> list[Passage]:
        """Passages without any stamp."""
        envelopes = [self.envelope(id=f"evt-{number}") for number in range(count)]
        return [Passage(facts=raw(self.facts(n, e, **changes)), stamps=(), envelope=e) for n, e in enumerate(envelopes)]

    def statement(self, role: str, passage: Passage, **changes: Any) -> Statement:
        """What ``role`` honestly says about ``passage``."""
        facts = read_facts(passage.facts)
        on_the_way_back = role in {Role.DLP, Role.OUTCOME}
        seen = digest_of(bytes(passage.response)) if on_the_way_back else facts.envelope
        honest = Statement(
            stage=str(role),
            decision=Decision.RECORD if role == Role.OUTCOME else Decision.ALLOW,
            request_id=facts.request_id,
            facts=digest_of(bytes(passage.facts)),
            input=seen,
            output=seen,
            previous=statement_digest(passage.stamps[-1]) if passage.stamps else "",
            at=self.now,
            epoch=1,
            rule="clean",
        )
        return msgspec.structs.replace(honest, **changes)

    def stamp(self, statement: Statement, *, signer: NoteSigner | None = None) -> Stamp:
        return stamp_batch(signer or self.signers[statement.stage], [statement])[0]

    def stamped(self, role: str, passages: Sequence[Passage], **changes: Any) -> list[Passage]:
        """``passages`` after the gate ``role`` has stamped them in one batch."""
        stamps = stamp_batch(self.signers[role], [self.statement(role, passage, **changes) for passage in passages])
        return [
            msgspec.structs.replace(passage, stamps=(*passage.stamps, stamp))
            for passage, stamp in zip(passages, stamps, strict=True)
        ]

    def through(self, through: Role, count: int = 1, **last: Any) -> list[Passage]:
        """Honest passages that cleared the gates up to ``through``; ``last`` changes that gate's statements."""
        passages = self.fresh(count)
        for role in ORDER[: ORDER.index(through) + 1]:
            if role is Role.DLP:
                passages = [self.answered(passage) for passage in passages]
            passages = self.stamped(role, passages, **(last if role is through else {}))
        return passages

    def answered(self, passage: Passage, body: str = "looks good") -> Passage:
        response = raw(Response(status=ResponseStatus.OK, body=body))
        return msgspec.structs.replace(passage, envelope="", response=response)

    def receipt(self, through: Role = Role.DLP, *, gate: Decision | None = None, **end: Any) -> Receipt:
        """What a client keeps of a request that ended behind ``through``, whose gate decided ``gate``."""
        ends = {Role.INGRESS: Decision.CANCEL, Role.AUTHZ: Decision.DENY, Role.INSPECTION: Decision.BLOCK}
        decision = gate or ends.get(through, Decision.ALLOW)
        blocked = through is Role.DLP and decision is not Decision.ALLOW
        change: dict[str, Any] = {"decision": decision} | ({"output": NO_BYTES} if blocked else {})
        (passage,) = self.through(through, **change)
        if blocked or through is not Role.DLP:
            passage = msgspec.structs.replace(passage, response=NOTHING)
        outcome = Outcome.DELIVERED if through is Role.DLP and not blocked else Outcome.DENIED
        statement = self.statement(Role.OUTCOME, passage, **({"outcome": outcome} | end))
        return Receipt(facts=passage.facts, stamps=(*passage.stamps, self.stamp(statement)), response=passage.response)


@pytest.fixture
def gateway() -> Gateway:
    """The gateway under test."""
    return Gateway()


@pytest.fixture
def other_gateway() -> Gateway:
    """Another gateway, with keys of its own."""
    return Gateway(name="other.test")


@pytest.fixture
def signer_of() -> Callable[[str], NoteSigner]:
    """A signer under any name, with a key of its own."""
    return lambda name: NoteSigner(name, seed(name))
