"""The shape of a stage, as the runner sees it: which queues, how a message opens, and what it says about a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from lockgate_broker.port import Delivery
from lockgate_schemas.errors import ChainRefusedError
from lockgate_schemas.names import Role
from lockgate_schemas.passage import Convoy, Passage, read_convoy
from lockgate_schemas.stamping import Chain, ChainVerifier
from lockgate_schemas.topics import Queue
from lockgate_workers.ruling import Opened, Verdict


class Drafted(Convoy, frozen=True):
    """A convoy of one passage that carries a draft, as `Stage.open` tells it from an answer. It is never written to the wire."""

    number: int = 1


class Stage(Protocol):
    """One gate. ``role`` is whose key signs and whose broker user reads."""

    role: Role

    async def queues(self) -> Sequence[Queue]:
        """The queues to read now. Raises `UnavailableError` when that cannot be told."""
        ...

    def may_wait(self, delivery: Delivery) -> bool:
        """Whether a message, not verified yet, may be handled a moment later. Nothing else may be concluded from it."""
        ...

    def open(self, delivery: Delivery) -> Convoy:
        """What is in a message; a `Drafted` where it is a draft. Raises `MalformedError`, or `ChainRefusedError` when it may not have come this way."""
        ...

    def verify(self, passage: Passage, verifier: ChainVerifier, now: int) -> Chain:
        """The chain that a passage must bring to be let in here. Raises `ChainRefusedError`."""
        ...

    async def rule(self, batch: Sequence[Opened]) -> Sequence[Verdict]:
        """Gather the facts for a batch, then decide each; one verdict each, in order.

        Raises `UnavailableError` when something that must be asked does not answer: the runner then waits and asks again, and nothing
        goes on.
        """
        ...

    async def report(self, convoy: Convoy, verifier: ChainVerifier) -> None:
        """Record the incidents and releases in a convoy. Raises `ChainRefusedError` where none may come, `UnavailableError` as `rule` does."""
        ...


def open_inbound(delivery: Delivery) -> Convoy:
    """Open a convoy on the way to the agent: passages only, and each brings the envelope that it is about."""
    convoy = read_convoy(delivery.body)
    if convoy.incidents or convoy.releases or not convoy.passages:
        raise ChainRefusedError("only passages travel between these gates")
    if not all(passage.envelope for passage in convoy.passages):
        raise ChainRefusedError("a passage without its envelope")
    return convoy
