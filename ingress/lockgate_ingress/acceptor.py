"""The group commit behind every door: what waits is verified, stamped, recorded and published as one batch.

It decides the order of effects, on which the promise of a 202 rests:

1. Nothing is recorded while the broker is not known to store (the breaker), and nothing is verified without the ledger's directory.
2. A batch is one signature, one transaction, one publish. Only what the ledger took as new is published.
3. Somebody is told "accepted" after both. If the publish was not confirmed, the request is in the ledger and the sweeper will drive it; its
   client is told 503, and gets the stored acceptance for the identical envelope later.

Three batches may be under way, one in each of the three phases. Whatever fails, everybody who waits gets an answer, within a bound.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from lockgate_broker.packing import packed
from lockgate_broker.port import Broker, Outbound
from lockgate_ingress.bounds import Bounds
from lockgate_ingress.breaker import Breaker
from lockgate_ingress.deadlines import Deadlines
from lockgate_ingress.door import ID_BYTES, Admission, Ids, Refusal, admit, ingress_statement, shaped
from lockgate_ingress.faults import described
from lockgate_ingress.lanes import Lanes
from lockgate_ingress.refusals import RefusalLog
from lockgate_ledger.port import AcceptancePort, DirectoryPort
from lockgate_ledger.records import Accepted, AcceptResult, ClientRecord, Conflict, Directory, NewRequest
from lockgate_schemas.audit import decision_entry
from lockgate_schemas.envelope import UnverifiedEnvelope
from lockgate_schemas.errors import (
    BrokerError,
    LedgerError,
    LockgateError,
    PublishFailedError,
    RateLimitedError,
    ReplayConflictError,
    UnavailableError,
    UnconfirmedError,
)
from lockgate_schemas.limits import Limits
from lockgate_schemas.passage import Acceptance, Door, Passage, Stamp, Statement
from lockgate_schemas.signing import NoteSigner
from lockgate_schemas.stamping import stamp_batch
from lockgate_schemas.topics import AUTHZ

_log = logging.getLogger(__name__)

T = TypeVar("T")

RECORDED: Final = (
    "recorded, but not confirmed by the broker; it will be driven on, and the identical envelope returns its acceptance"
)
STOPPING: Final = "the gateway is stopping; nothing was accepted"
LATE: Final = "no confirmation in time; send the identical envelope again to learn whether it was accepted"


class AcceptorLedger(AcceptancePort, DirectoryPort, Protocol):
    """What the acceptor needs of the ledger."""


@dataclass(slots=True)
class _Waiting:
    """One envelope and whoever waits for the answer."""

    unverified: UnverifiedEnvelope
    door: Door
    via_client: str | None
    answer: asyncio.Future[Accepted]

    def accepted(self, result: Accepted) -> None:
        if not self.answer.done():
            self.answer.set_result(result)

    def refused(self, error: LockgateError) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)

    def late(self) -> None:
        self.refused(UnconfirmedError(LATE))


@dataclass(frozen=True, slots=True)
class _Admitted:
    """One that passed the door, on its way into the ledger."""

    waiting: _Waiting
    admission: Admission
    statement: Statement

    def passage(self, stamp: Stamp) -> Passage:
        return Passage(facts=self.admission.facts_raw, stamps=(stamp,), envelope=self.admission.envelope.compact)

    def record(self, stamp: Stamp) -> NewRequest:
        facts = self.admission.facts
        return NewRequest(
            request_id=facts.request_id,
            issuer=facts.principal.client,
            event_id=facts.event_id,
            digest=facts.envelope,
            tenant=facts.principal.tenant,
            agent=facts.agent,
            action=facts.action,
            door=str(facts.door),
            accepted=facts.accepted,
            deadline=facts.deadline,
            envelope=self.admission.envelope.compact,
            acceptance=Acceptance(facts=self.admission.facts_raw, stamp=stamp),
            entry=decision_entry(facts, self.statement, stamp),
        )


class Acceptor:
    """Takes envelopes from all doors. `run` must be running for `submit` to be answered."""

    def __init__(
        self,
        *,
        ledger: AcceptorLedger,
        broker: Broker,
        signer: NoteSigner,
        gateway: str,
        limits: Limits,
        bounds: Bounds,
        breaker: Breaker,
        refusals: RefusalLog,
        clock: Callable[[], int],
        randomness: Callable[[int], bytes],
        stopwatch: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        """``clock`` gives milliseconds since 1970, ``stopwatch`` nanoseconds of any origin."""
        self._ledger = ledger
        self._broker = broker
        self._signer = signer
        self._gateway = gateway
        self._limits = limits
        self._bounds = bounds
        self._breaker = breaker
        self._refusals = refusals
        self._clock = clock
        self._randomness = randomness
        self._stopwatch = stopwatch
        self._lanes: Lanes[_Waiting] = Lanes(items=bounds.waiting_items, weight=bounds.waiting_bytes)
        self._known_keys: frozenset[str] = frozenset()
        self._known_epoch = -1
        self._slots = asyncio.Semaphore(bounds.batches)
        self._committing = asyncio.Lock()
        self._publishing = asyncio.Lock()
        self._deadlines = Deadlines((limits.ledger_timeout + limits.publish_timeout) / 1000)
        self._stopped = False

    async def submit(self, compact: bytes, door: Door, via_client: str | None = None) -> Accepted:
        """Offer an envelope; return its acceptance once it is recorded and published, or the stored one if it is a repetition.

        Raises the refusal as a `LockgateError`; 503 when nothing could be decided.
        """
        self._check_open()
        try:
            unverified = shaped(compact, self._limits)
        except LockgateError as error:
            self._refusals.note(error)
            raise
        waiting = _Waiting(unverified, door, via_client, asyncio.get_running_loop().create_future())
        lane = unverified.kid if unverified.kid in self._known_keys else ""
        if not self._lanes.put(lane, waiting, len(compact)):
            full = RateLimitedError("too many envelopes are waiting")
            self._refusals.note(full)
            raise full
        deadline = self._deadlines.start(waiting.late)
        try:
            return await waiting.answer
        finally:
            deadline.met()

    def _check_open(self) -> None:
        if self._stopped:
            raise UnavailableError(STOPPING)
        if self._breaker.open:
            raise _broker_down()

    async def run(self) -> None:
        """Carry batches until cancelled; then whoever still waits is told so."""
        try:
            async with asyncio.TaskGroup() as batches:
                while True:
                    await self._slots.acquire()
                    batch = await self._lanes.take(self._limits.batch)
                    admitted = await self._guarded(self._admitted(batch), batch)
                    if admitted:
                        batches.create_task(self._carried(admitted))
                    else:
                        self._slots.release()
        finally:
            self._stopped = True
            self._deadlines.close()
            for waiting in self._lanes.taken(self._bounds.waiting_items):
                waiting.refused(UnavailableError(STOPPING))

    async def _carried(self, admitted: list[_Admitted]) -> None:
        try:
            await self._guarded(self._carry(admitted), [one.waiting for one in admitted])
        finally:
            self._slots.release()

    async def _guarded(self, work: Awaitable[T], batch: Sequence[_Waiting]) -> T | None:
        """Await ``work``; if it fails, everybody in ``batch`` who has no answer yet is refused."""
        try:
            return await work
        except LockgateError as error:
            for waiting in batch:
                waiting.refused(_unavailable(error))
        except asyncio.CancelledError:
            for waiting in batch:
                waiting.refused(UnconfirmedError(LATE))
            raise
        except Exception as error:  # noqa: BLE001 - a defect: nobody in the batch is accepted, nobody is left waiting, the loop lives on
            _log.error("a batch failed: %s", described(error))
            for waiting in batch:
                waiting.refused(LockgateError())
        return None

    # --- phase 1: verify -------------------------------------------------------------------------------------------

    async def _admitted(self, batch: Sequence[_Waiting]) -> list[_Admitted]:
        directory = await self._ledger.directory()
        if directory.epoch != self._known_epoch:
            self._known_keys, self._known_epoch = frozenset(directory.keys), directory.epoch
        admitted: list[_Admitted] = []
        for start in range(0, len(batch), self._bounds.verify_chunk):
            if start:
                await asyncio.sleep(0)  # let connections be served between chunks
            admitted += self._verified(batch[start : start + self._bounds.verify_chunk], directory)
        return admitted

    def _verified(self, chunk: Sequence[_Waiting], directory: Directory) -> list[_Admitted]:
        now, bits = self._clock(), self._randomness(ID_BYTES * len(chunk))
        ids = [Ids.minted(bits[start : start + ID_BYTES]) for start in range(0, len(bits), ID_BYTES)]
        judged = (self._judged(waiting, directory, now, own) for waiting, own in zip(chunk, ids, strict=True))
        return [one for one in judged if one is not None]

    def _judged(self, waiting: _Waiting, directory: Directory, now: int, ids: Ids) -> _Admitted | None:
        began = self._stopwatch()
        result = admit(
            waiting.unverified,
            directory=directory,
            now=now,
            gateway=self._gateway,
            limits=self._limits,
            ids=ids,
            door=waiting.door,
            via_client=waiting.via_client,
        )
        if isinstance(result, Refusal):
            self._refusals.note(result.error, rule=result.rule, client=result.client)
            waiting.refused(result.error)
            return None
        took = (self._stopwatch() - began) // 1000
        return _Admitted(waiting, result, ingress_statement(result, took=took))

    # --- phase 2: record -------------------------------------------------------------------------------------------

    async def _carry(self, admitted: Sequence[_Admitted]) -> None:
        stamps = stamp_batch(self._signer, [one.statement for one in admitted])
        records = [one.record(stamp) for one, stamp in zip(admitted, stamps, strict=True)]
        async with self._committing:
            self._check_open()
            results = await self._ledger.accept(records, open_limit=self._limits.open_requests)
        new: list[tuple[_Admitted, Accepted]] = []
        for one, result in zip(admitted, results, strict=True):
            if isinstance(result, Accepted) and result.new:
                new.append((one, result))
            else:
                self._settle(one, result)
        if new:
            await self._publish(new)

    def _settle(self, one: _Admitted, result: AcceptResult) -> None:
        """Answer what needs no publishing: a repetition of an accepted request, or one that the ledger did not take."""
        if isinstance(result, Accepted):
            one.waiting.accepted(result)
            return
        if isinstance(result, Conflict):
            error: LockgateError = ReplayConflictError()
        else:
            error = RateLimitedError("the client has too many open requests")
        principal = one.admission.principal
        self._refusals.note(error, client=ClientRecord(name=principal.client, tenant=principal.tenant, user=principal.user))
        one.waiting.refused(error)

    # --- phase 3: publish ------------------------------------------------------------------------------------------

    async def _publish(self, new: Sequence[tuple[_Admitted, Accepted]]) -> None:
        passages = [one.passage(result.acceptance.stamp) for one, result in new]
        # The id names the first request and the count: the same batch, published again after a lost confirmation, is stored once.
        messages = [
            (Outbound(AUTHZ.topic, body, f"{new[group.start][0].admission.facts.request_id}:{len(group)}"), group)
            for group, body in packed(passages, limit=self._limits.convoy_bytes)
        ]
        async with self._publishing:
            unconfirmed = await self._unconfirmed([message for message, _ in messages])
        for number, (_, group) in enumerate(messages):
            for position in group:
                one, result = new[position]
                if number in unconfirmed:
                    one.waiting.refused(UnconfirmedError(RECORDED))
                else:
                    one.waiting.accepted(result)

    async def _unconfirmed(self, messages: Sequence[Outbound]) -> frozenset[int]:
        """Publish; return the positions of what was not confirmed. Any of them opens the breaker."""
        if self._breaker.open:  # the batch before this one found the broker gone: do not make these wait for the same answer
            return frozenset(range(len(messages)))
        try:
            async with asyncio.timeout(self._limits.publish_timeout / 1000):
                await self._broker.publish(messages)
        except PublishFailedError as error:
            self._breaker.trip()
            _log.warning("the broker did not confirm a batch: %s", error.code)
            return frozenset(error.unconfirmed)
        except Exception as error:  # noqa: BLE001 - whatever it was, nothing is confirmed; the requests are recorded and will be swept
            self._breaker.trip()
            _log.warning("the broker did not take a batch: %s", described(error))
            return frozenset(range(len(messages)))
        return frozenset()


def _broker_down() -> BrokerError:
    return BrokerError("the broker is not known to store; nothing was accepted")


def _unavailable(error: LockgateError) -> UnavailableError:
    """The error for one of many who wait: each gets an object of its own, since raising one marks it."""
    if isinstance(error, LedgerError):
        return LedgerError(error.detail)
    if isinstance(error, BrokerError):
        return BrokerError(error.detail)
    return UnavailableError(error.detail if isinstance(error, UnavailableError) else "")
