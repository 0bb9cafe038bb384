"""The one runner that drives every gate.

What it decides: which messages are handled together, what is refused for its chain, what counts as poison, and the order in
which things become true. What it leaves to the stage: the decision. The order is the point of it:

1. Pull what is there. A message that came before is handled alone, so that one that kills its worker takes no neighbour along.
2. Open and verify. What does not verify is reported as an incident and its bytes are kept in quarantine; it goes nowhere else.
3. Let the stage gather facts (the policy epoch is read after the pull) and decide. If it cannot ask, wait here: nothing goes on.
4. Sign all statements of the batch at once (`lockgate_workers.outgoing`).
5. Publish, and wait until everything is confirmed. The report that something was dispatched follows only on its confirmation.
6. Send the notices that only say sooner what is stored by then, and acknowledge. A crash before this line means that it all comes again, and every step is idempotent.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from lockgate_broker.port import Broker, Delivery, Intake, Outbound, PublishRefusedError
from lockgate_schemas.errors import BrokerError, LockgateError, PublishFailedError, UnavailableError
from lockgate_schemas.limits import Limits
from lockgate_schemas.passage import Convoy, Decision
from lockgate_schemas.signing import NoteSigner
from lockgate_schemas.stamping import ChainVerifier
from lockgate_schemas.topics import NOTICE_EPOCH, Queue
from lockgate_workers.convoys import lone
from lockgate_workers.outgoing import Item, Outgoing
from lockgate_workers.ruling import Expired, Faulty, Opened, Ruling, Settled, Verdict, Withheld
from lockgate_workers.shelf import Shelf
from lockgate_workers.stage import Drafted, Stage

T = TypeVar("T")

_log = logging.getLogger(__name__)

POISON = "too-many-attempts"

_IDLE = 1.0
"""Seconds an empty pull waits, and between two looks whether the stage's queues have changed."""


class StageRunner:
    """Runs one stage on one broker connection until it is told to stop."""

    def __init__(
        self,
        stage: Stage,
        broker: Broker,
        *,
        signer: NoteSigner,
        verifier: ChainVerifier,
        limits: Limits,
        clock: Callable[[], int],
        timer: Callable[[], float],
    ) -> None:
        """``clock`` tells milliseconds since 1970, ``timer`` monotonic seconds."""
        self._stage = stage
        self._broker = broker
        self._verifier = verifier
        self._limits = limits
        self._clock = clock
        self._timer = timer
        self._news = asyncio.Event()
        self._pulling: asyncio.Timeout | None = None
        self._outgoing = Outgoing(stage.role, signer, limits, clock)

    async def run(self, stop: asyncio.Event) -> None:
        """Handle messages until ``stop`` is set; then finish the batch at hand and give the rest back."""
        queues = await self._patient(self._stage.queues, stop)
        if queues is None:
            return
        await self._broker.listen(NOTICE_EPOCH, self._heard)
        intake = await self._broker.subscribe(queues, prefetch=2 * self._limits.batch)
        looked = self._timer()
        shelf = Shelf(self._timer)
        stopped = asyncio.ensure_future(stop.wait())
        stopped.add_done_callback(self._interrupt)
        try:
            while not stop.is_set():
                deliveries = await self._pull(intake, shelf.pause(_IDLE))
                await self._handle(intake, shelf.sorted(deliveries, self._stage.may_wait), stop)
                if self._news.is_set() or self._timer() - looked >= _IDLE:
                    self._news.clear()
                    queues, looked = await self._follow(intake, queues), self._timer()
            await self._handle(intake, shelf.cleared(), stop)
        finally:
            stopped.cancel()
            await intake.close()

    async def _pull(self, intake: Intake, longest: float) -> Sequence[Delivery]:
        """What is there; nothing when told to stop, or of a new epoch, while waiting. An interrupted pull's messages go to the next one."""
        pulling = self._pulling = asyncio.timeout(0 if self._news.is_set() else None)
        try:
            async with pulling:
                return await intake.pull(self._limits.batch, longest)
        except TimeoutError:
            if not pulling.expired():  # the broker's, not ours
                raise
            return ()
        finally:
            self._pulling = None

    def _interrupt(self, _: object = None) -> None:
        """End the pull that is waiting now, if there is one."""
        if self._pulling is not None and not self._pulling.expired():
            self._pulling.reschedule(asyncio.get_running_loop().time())

    async def _heard(self, _: bytes) -> None:
        self._news.set()
        self._interrupt()

    async def _follow(self, intake: Intake, queues: Sequence[Queue]) -> Sequence[Queue]:
        try:
            now = await self._stage.queues()
        except UnavailableError:
            return queues  # the queues of before are still this stage's, and each passage is checked against the epoch anyway
        if set(now) != set(queues):
            await intake.follow(now)
        return now

    async def _handle(self, intake: Intake, deliveries: Sequence[Delivery], stop: asyncio.Event) -> None:
        fresh = [d for d in deliveries if d.attempt == 1]
        if fresh:
            await self._batch(intake, fresh, stop)
        for delivery in deliveries:
            if delivery.attempt > 1 and not stop.is_set():
                await self._batch(intake, [delivery], stop)

    async def _batch(self, intake: Intake, batch: Sequence[Delivery], stop: asyncio.Event) -> None:
        items, refused, convoys = self._open(batch)
        messages = [message for delivery, reason in refused for message in self._outgoing.quarantined(delivery, reason)]
        if batch[0].attempt > 1 and len(items) > 1:
            # Attempts are counted by message: alone, each passage is tried, and counted, for itself.
            messages += [lone(i.delivery.queue.topic, i.opened.passage) for i in items]
        else:
            if batch[0].attempt > self._limits.max_attempts:
                messages += self._poisoned(items)
            elif not await self._decided(items, convoys, batch, stop, intake):
                return  # told to stop while waiting: it comes again, to whoever runs then
            messages += self._outgoing.messages(items)
        unsent = await self._publish(messages, batch, stop, intake)
        if unsent is None:
            return
        reports = self._outgoing.dispatch_reports(items, {m.dedupe for m in unsent})
        if await self._publish(reports, batch, stop, intake) is None:
            return
        await self._notify(self._outgoing.notices(items))
        await self._release(intake, batch, items)

    def _poisoned(self, items: Sequence[Item]) -> list[Outbound]:
        """End what has failed too often.

        The outcome stage cannot end a request by a stamp on itself: it keeps the bytes, and the sweeper ends the request at its deadline.
        """
        for item in items:
            if item.opened.draft:  # it ends nothing: the answer is still to come
                item.verdict = Withheld(POISON)
            else:
                item.verdict = Ruling(Decision.QUARANTINE, POISON) if self._stage.role in self._outgoing.gates else Settled()
        if self._stage.role in self._outgoing.gates:
            return []
        return [m for item in items for m in self._outgoing.quarantined(item.delivery, POISON)]

    async def _decided(
        self, items: Sequence[Item], convoys: list[Convoy], batch: Sequence[Delivery], stop: asyncio.Event, intake: Intake
    ) -> bool:
        async def ask() -> bool:
            while convoys:  # what was recorded is not recorded again when the rest has to wait
                await self._stage.report(convoys[0], self._verifier)
                convoys.pop(0)
            with self._keeping(batch, intake):
                await self._rule(items)
            return True

        return bool(await self._patient(ask, stop, batch, intake))

    @contextmanager
    def _keeping(self, batch: Sequence[Delivery], intake: Intake) -> Iterator[None]:
        """Keep the batch from being given to somebody else while a stage decides for long: it may ask a model or a judge. A timer is all it costs."""
        loop, extending = asyncio.get_running_loop(), set[asyncio.Task[None]]()
        timer: asyncio.TimerHandle

        def again() -> None:
            nonlocal timer
            task = loop.create_task(_extend(batch, intake))
            extending.add(task)  # the loop alone would not keep it
            task.add_done_callback(extending.discard)
            timer = loop.call_later(self._limits.park / 1000, again)

        timer = loop.call_later(self._limits.park / 1000, again)
        try:
            yield
        finally:
            timer.cancel()

    async def _release(self, intake: Intake, batch: Sequence[Delivery], items: Sequence[Item]) -> None:
        again = {id(i.delivery) for i in items if isinstance(i.verdict, Faulty) and i.lone}
        for delivery in batch:
            if id(delivery) in again:
                await intake.retry(delivery, self._limits.park / 1000)
        await intake.ack([d for d in batch if id(d) not in again])

    def _open(self, batch: Sequence[Delivery]) -> tuple[list[Item], list[tuple[Delivery, str]], list[Convoy]]:
        items: list[Item] = []
        refused: list[tuple[Delivery, str]] = []
        convoys: list[Convoy] = []
        now = self._clock()
        for delivery in batch:
            try:
                # All or nothing: one bad passage in a convoy means that no gate packed it.
                convoy = self._stage.open(delivery)
                chains = [self._stage.verify(passage, self._verifier, now) for passage in convoy.passages]
                for incident in convoy.incidents:
                    self._verifier.incident(incident)
                for release in convoy.releases:
                    self._verifier.release(release)
            except LockgateError as error:
                _log.warning("refused a message on %s: %s", delivery.queue.topic, error.code)
                refused.append((delivery, error.code))
                continue
            lone_one = len(convoy.passages) == 1
            draft = convoy.number if isinstance(convoy, Drafted) else 0
            items += [Item(Opened(p, c, draft), delivery, lone=lone_one) for p, c in zip(convoy.passages, chains, strict=True)]
            if convoy.incidents or convoy.releases:
                convoys.append(convoy)
        return items, refused, convoys

    async def _rule(self, items: Sequence[Item]) -> None:
        """Fill in the verdict of every item. Raises `UnavailableError` when the stage cannot ask."""
        now = self._clock()
        alive = []
        for item in items:
            if self._stage.role in self._outgoing.gates and item.opened.chain.facts.deadline <= now:
                item.verdict = Expired()
            else:
                alive.append(item)
        if not alive:
            return
        started = self._timer()
        verdicts = await self._verdicts([i.opened for i in alive])
        took = int((self._timer() - started) * 1e6 / len(alive))
        for item, verdict in zip(alive, verdicts, strict=True):
            item.verdict, item.took = verdict, took

    async def _verdicts(self, batch: Sequence[Opened]) -> Sequence[Verdict]:
        """Ask the stage about a batch; when it fails, about each alone, so that the one it fails on is known."""
        try:
            return await self._stage.rule(batch)
        except UnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - lets nothing through: what the gate fails on gets no stamp
            _log.error("the %s stage failed: %s", self._stage.role, type(error).__name__)
            if len(batch) == 1:
                return [Faulty(type(error).__name__)]
        return [verdict for one in batch for verdict in await self._verdicts([one])]

    async def _publish(
        self, messages: Sequence[Outbound], batch: Sequence[Delivery], stop: asyncio.Event, intake: Intake
    ) -> Sequence[Outbound] | None:
        """Publish until all is confirmed; return what was given up on (full agent queues), or None when told to stop first."""
        left, given_up = list(messages), []
        while left:
            try:
                await self._broker.publish(left)
                break
            except PublishFailedError as error:
                # Refused dispatches mean that an agent's queue is full or gone: the ledger drives them again, until their deadline.
                refused = set(error.refused) if isinstance(error, PublishRefusedError) else set()
                given_up += [left[i] for i in refused if left[i].dedupe]
                left = [left[i] for i in error.unconfirmed if not (i in refused and left[i].dedupe)]
            except BrokerError as error:
                _log.warning("the %s stage cannot publish: %s", self._stage.role, error.code)
            if left and not await self._pause(stop, batch, intake):
                return None
        return given_up

    async def _notify(self, notices: Sequence[Outbound]) -> None:
        """Send notices, of which none is needed: what is lost is said again by the next, and by the outcome."""
        try:
            for notice in notices:
                await self._broker.notify(notice.topic, notice.body)
        except BrokerError as error:
            _log.warning("the %s stage sends no notice: %s", self._stage.role, error.code)

    async def _patient(
        self,
        ask: Callable[[], Awaitable[T]],
        stop: asyncio.Event,
        held: Sequence[Delivery] = (),
        intake: Intake | None = None,
    ) -> T | None:
        """Ask until there is an answer; None when told to stop first."""
        while True:
            try:
                return await ask()
            except UnavailableError as error:
                _log.warning("the %s stage waits: %s", self._stage.role, error.code)
            if not await self._pause(stop, held, intake):
                return None

    async def _pause(self, stop: asyncio.Event, held: Sequence[Delivery], intake: Intake | None) -> bool:
        """Wait for the parking time, keeping what is held from being given to somebody else; false when told to stop."""
        if intake is not None:
            for delivery in held:
                await intake.extend(delivery)
        try:
            await asyncio.wait_for(stop.wait(), self._limits.park / 1000)
        except TimeoutError:
            return True
        return False


async def _extend(batch: Sequence[Delivery], intake: Intake) -> None:
    """Ask for more time. A broker that cannot give it hands the messages to somebody else, and every step is idempotent."""
    try:
        for delivery in batch:
            await intake.extend(delivery)
    except BrokerError as error:
        _log.warning("the broker gives no more time: %s", error.code)
