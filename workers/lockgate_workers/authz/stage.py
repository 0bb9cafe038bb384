"""The shell of the authorisation gate: reads the directory for each batch, and asks `lockgate_workers.authz.decide`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lockgate_broker.port import Delivery
from lockgate_ledger.port import DirectoryPort
from lockgate_ledger.records import Directory
from lockgate_schemas.errors import ChainRefusedError
from lockgate_schemas.names import Role
from lockgate_schemas.passage import Convoy, Passage
from lockgate_schemas.stamping import Chain, ChainVerifier
from lockgate_schemas.topics import AUTHZ, Queue
from lockgate_workers.authz.decide import decide
from lockgate_workers.authz.policy import PolicyDecisionPoint
from lockgate_workers.ruling import Opened, Verdict
from lockgate_workers.stage import open_inbound


class DecisionPoints:
    """The policy decision point for the directory of the moment; built anew when the epoch moves."""

    def __init__(self, ledger: DirectoryPort) -> None:
        self._ledger = ledger
        self._directory: Directory | None = None
        self._point: PolicyDecisionPoint | None = None

    async def current(self) -> tuple[Directory, PolicyDecisionPoint]:
        """The directory, read after the call, and its decision point. Raises `LedgerError`: without it nobody may go on."""
        directory = await self._ledger.directory()
        if self._point is None or directory is not self._directory:
            self._directory, self._point = directory, PolicyDecisionPoint(directory)
        return directory, self._point


class AuthzStage:
    """Reads the authz queue; allows on to inspection, or denies."""

    role = Role.AUTHZ

    def __init__(self, ledger: DirectoryPort, clock: Callable[[], int]) -> None:
        """``clock`` tells milliseconds since 1970."""
        self._points = DecisionPoints(ledger)
        self._clock = clock

    async def queues(self) -> Sequence[Queue]:
        """Its one queue."""
        return (AUTHZ,)

    def may_wait(self, delivery: Delivery) -> bool:
        """Nothing waits here."""
        del delivery
        return False

    def open(self, delivery: Delivery) -> Convoy:
        """See `open_inbound`."""
        return open_inbound(delivery)

    def verify(self, passage: Passage, verifier: ChainVerifier, now: int) -> Chain:
        """The ingress's stamp, and no other, must be on it."""
        return verifier.verify(passage, through=Role.INGRESS, now=now)

    async def rule(self, batch: Sequence[Opened]) -> Sequence[Verdict]:
        """Decide each under one directory."""
        directory, point = await self._points.current()
        now = self._clock()
        return [decide(opened.chain.facts, directory, point, now) for opened in batch]

    async def report(self, convoy: Convoy, verifier: ChainVerifier) -> None:
        """No incident is reported to this gate."""
        del convoy, verifier
        raise ChainRefusedError("incidents are the outcome stage's")
