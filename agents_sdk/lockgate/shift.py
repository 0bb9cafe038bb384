"""One run of an agent: pull, admit, work, reply, acknowledge, and drain at the end.

A delivery goes through eight steps. 1 to 4, which decide whether it is genuine, are `Gate.admit`; here follow

5. a dispatch that was answered before is answered the same again, one that is being worked on is joined to it;
6. the handler runs, within the concurrency limit, until the deadline or a verified cancel notice; where it yields its text, and the gateway
   says that it takes them, drafts are sent meanwhile (`lockgate.drafts`), and nothing depends on them;
7. the reply is published on this agent's own topic, and the broker confirms it;
8. only then the delivery is acknowledged.

A message that fails 1 to 4 is acknowledged and logged by its code: it proves nothing, so it can be neither answered nor allowed to block
the queue; what is missing is the gateway's to notice. Where nobody waits any more (cancelled, past the deadline) there is no
reply: the outcome is the gateway's. An acknowledgement that is lost means a redelivery, which step 5 answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import msgspec

from lockgate.actions import Action, crashed, failed
from lockgate.clock import Clock
from lockgate.dispatch import Dispatch, Gate
from lockgate.drafts import Drafts
from lockgate.finished import Finished
from lockgate.replies import CONFIRMED, Replies
from lockgate.request import ActionFailed, Request, moment
from lockgate.settings import AgentSettings
from lockgate_broker.port import Broker, Delivery, Intake, Outbound
from lockgate_schemas.errors import BrokerError, BrokerRefusedError, ChainRefusedError, LockgateError
from lockgate_schemas.limits import Limits
from lockgate_schemas.passage import Response, ResponseStatus, raw
from lockgate_schemas.stamping import ChainVerifier
from lockgate_schemas.topics import agent as agent_party
from lockgate_schemas.trust import Trust

LOG: Final = logging.getLogger("lockgate.agent")

_JOINED: Final = 8
"""Redeliveries of one running dispatch that are kept extended; older ones lapse and come again, which is harmless."""


@dataclass(slots=True)
class Tally:
    """What an agent counted since it was made."""

    refused: int = 0
    answered: int = 0


@dataclass(slots=True)
class _Job:
    """A dispatch that is being worked on, and the deliveries that wait for its end."""

    dispatch: Dispatch
    deliveries: list[Delivery]
    unwanted: asyncio.Event = field(default_factory=asyncio.Event)
    handler: asyncio.Task[msgspec.Raw] | None = None
    task: asyncio.Task[None] | None = None

    @property
    def id(self) -> str:
        return self.dispatch.facts.dispatch_id

    @property
    def attempt(self) -> int:
        return self.deliveries[0].attempt

    def join(self, delivery: Delivery) -> None:
        self.deliveries = [*self.deliveries[-_JOINED + 1 :], delivery]


class Shift:
    """Works for one agent over one connection. Every collaborator is passed in; `Agent.serve` makes one."""

    def __init__(
        self,
        *,
        name: str,
        actions: Mapping[str, Action],
        broker: Broker,
        trust: Trust,
        settings: AgentSettings,
        limits: Limits,
        clock: Clock,
        tally: Tally,
    ) -> None:
        self._party = agent_party(name)
        self._gate = Gate(name, ChainVerifier(trust, clock_skew=limits.clock_skew))
        self._actions = actions
        self._broker = broker
        self._replies = Replies(broker)
        self._settings = settings
        self._limits = limits
        self._clock = clock
        self._tally = tally
        self._finished = Finished(most=settings.remembered, most_bytes=settings.remembered_bytes)
        self._running: dict[str, _Job] = {}
        self._freed = asyncio.Event()

    async def work(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set, then drain. Raises `BrokerRefusedError` when the broker takes this agent no more."""
        await self._broker.listen(self._party.cancel_topic, self._on_cancel)
        intake = await self._broker.subscribe((self._party.inbound,), prefetch=self._settings.prefetch)
        LOG.info("the agent %s is ready", self._party.name)
        try:
            async with asyncio.TaskGroup() as tasks:
                extender = tasks.create_task(self._extend_all(intake))
                closer = tasks.create_task(_close_on(stop, intake))
                refusal = await self._pull(intake, tasks, stop)
                await self._drain()
                extender.cancel()
                if not stop.is_set():  # else it is closing, or has closed, and shall end by itself
                    closer.cancel()
        finally:
            self._replies.close()
            await intake.close()
        if refusal is not None:
            raise refusal
        LOG.info("the agent %s has stopped", self._party.name)

    # --- what comes in ---

    async def _pull(self, intake: Intake, tasks: asyncio.TaskGroup, stop: asyncio.Event) -> BrokerRefusedError | None:
        """Pull into free places until ``stop``; return a refusal instead of raising it, since what runs may still be answered."""
        while not stop.is_set():
            room = self._settings.concurrency - len(self._running)
            if room <= 0:
                await self._wait_for_room()
                continue
            try:
                for delivery in await intake.pull(room, self._settings.pull_wait):
                    await self._take(delivery, intake, tasks)
            except BrokerRefusedError as refusal:
                return refusal
            except BrokerError as error:
                if stop.is_set():  # closed under the pull, so that it need not wait for its end
                    break
                LOG.warning("the broker cannot be read now: %s", error.code)
                await asyncio.sleep(self._settings.broker_pause)
        return None

    async def _wait_for_room(self) -> None:
        self._freed.clear()
        with contextlib.suppress(TimeoutError):  # then the caller looks whether it should stop
            async with asyncio.timeout(self._settings.pull_wait):
                await self._freed.wait()

    async def _take(self, delivery: Delivery, intake: Intake, tasks: asyncio.TaskGroup) -> None:
        """Steps 1 to 5, and a task for the rest."""
        try:
            dispatch = self._gate.admit(delivery.body, self._clock())  # 1 to 4
            running, answer = self._known(dispatch)  # 5
        # Nothing is let through: whatever goes wrong while hostile bytes are looked at, they are refused.
        except Exception as error:  # noqa: BLE001
            await self._refuse(delivery, intake, error)
            return
        if running is not None:
            running.join(delivery)
            await intake.extend(delivery)
            return
        job = _Job(dispatch, [delivery])
        self._running[job.id] = job
        job.task = tasks.create_task(self._do(job, answer, intake))

    def _known(self, dispatch: Dispatch) -> tuple[_Job | None, msgspec.Raw | None]:
        dispatch_id, facts = dispatch.facts.dispatch_id, dispatch.chain.facts_digest
        running = self._running.get(dispatch_id)
        if running is not None and running.dispatch.chain.facts_digest != facts:
            raise ChainRefusedError("a dispatch id is in use for other facts")
        return running, self._finished.answer(dispatch_id, facts)

    async def _refuse(self, delivery: Delivery, intake: Intake, error: Exception) -> None:
        self._tally.refused += 1
        code = error.code if isinstance(error, LockgateError) else LockgateError.code
        LOG.warning("a message was refused before any handler saw it: %s (delivery %d)", code, delivery.attempt)
        await intake.ack((delivery,))

    # --- one job ---

    async def _do(self, job: _Job, answer: msgspec.Raw | None, intake: Intake) -> None:
        try:
            if answer is None:
                answer = await self._handle(job)  # 6
            if answer is None or await self._publish(job, answer):  # 7
                await self._acknowledge(job, intake)  # 8
            else:
                await self._give_back(job, intake, delay=self._settings.broker_pause)
        except asyncio.CancelledError:  # the end of the drain: another copy shall have it
            await self._give_back(job, intake, delay=0)
            raise
        finally:
            del self._running[job.id]
            self._freed.set()

    async def _handle(self, job: _Job) -> msgspec.Raw | None:
        """The answer to a dispatch seen for the first time; none when nobody waits for it any more."""
        action = self._actions.get(job.dispatch.facts.action)
        if action is None:
            answer: msgspec.Raw | None = raw(failed("unknown action"))
        elif job.attempt > self._limits.max_attempts:
            answer = raw(failed(f"this request was given to the agent {job.attempt - 1} times and never came to an end"))
        else:
            answer = await self._run(job, action)
        if answer is not None:
            self._finished.remember(job.id, job.dispatch.chain.facts_digest, answer)
        return answer

    async def _run(self, job: _Job, action: Action) -> msgspec.Raw | None:
        if job.unwanted.is_set():  # the notice was quicker
            return None
        try:
            request = self._request(job, action)
        except ActionFailed as failure:
            return raw(failed(failure.sentence))
        drafts = Drafts(partial(self._send_draft, job, action.content_type)) if job.dispatch.streamed else None
        job.handler = asyncio.create_task(action.call(request, self._limits.max_response_bytes, drafts))
        try:
            await asyncio.wait({job.handler}, timeout=request.remaining)
        finally:
            if drafts is not None:
                await drafts.close()
            if not job.handler.done():  # past the deadline, or this agent is stopping
                job.unwanted.set()
                await self._stop(job.handler)
        if job.unwanted.is_set():
            return None
        if job.handler.cancelled():  # by itself: nobody here asked for it
            return raw(crashed(asyncio.CancelledError()))
        return job.handler.result()

    def _request(self, job: _Job, action: Action) -> Request[Any]:
        facts = job.dispatch.facts
        return Request(
            data=action.read(job.dispatch.event.data),
            action=facts.action,
            principal=facts.principal,
            request_id=facts.request_id,
            dispatch_id=facts.dispatch_id,
            deadline=moment(facts.deadline),
            flagged=job.dispatch.chain.flagged,
            cancelled=job.unwanted,
            _clock=self._clock,
        )

    async def _stop(self, handler: asyncio.Task[msgspec.Raw]) -> None:
        handler.cancel()
        await asyncio.wait({handler}, timeout=self._settings.cancel_grace)
        if not handler.done():
            LOG.warning("a handler goes on in spite of its cancellation; its answer will be dropped")

    async def _send_draft(self, job: _Job, content_type: str, number: int, text: str) -> None:
        """Publish one draft, once: what is lost of it, the next one says again."""
        response = raw(Response(status=ResponseStatus.OK, body=text, content_type=content_type))
        message = Outbound(
            topic=f"{self._party.outbound.topic}.{job.id}",
            body=job.dispatch.reply(response, number),
            dedupe=f"{job.id}-{job.dispatch.chain.last_digest[:16]}-{number}",
        )
        code = await self._replies.publish(message)
        if code != CONFIRMED:
            LOG.debug("a draft for %s was not confirmed: %s", job.dispatch.facts.request_id, code)

    async def _publish(self, job: _Job, answer: msgspec.Raw) -> bool:
        """Store the reply; whether the broker confirmed it."""
        last = job.dispatch.chain.last_digest
        message = Outbound(
            topic=f"{self._party.outbound.topic}.{job.id}",
            body=job.dispatch.reply(answer),
            # With the chain in it: a dispatch that was stamped anew must be answerable anew.
            dedupe=f"{job.id}-{last[:16]}",
        )
        for attempt in range(self._settings.publish_attempts):
            if attempt:
                await asyncio.sleep(self._settings.broker_pause * 2 ** (attempt - 1))
            code = await self._replies.publish(message)
            if code == CONFIRMED:
                self._tally.answered += 1
                return True
            LOG.warning("the reply to %s was not confirmed: %s", job.dispatch.facts.request_id, code)
        return False

    # --- what is told to the broker ---

    async def _acknowledge(self, job: _Job, intake: Intake) -> None:
        try:
            await intake.ack(job.deliveries)
        except BrokerError as error:
            LOG.warning("an acknowledgement was lost, the dispatch will come again: %s", error.code)

    async def _give_back(self, job: _Job, intake: Intake, *, delay: float) -> None:
        for delivery in job.deliveries:
            with contextlib.suppress(BrokerError):  # then it comes again when its redelivery timer ends
                await intake.retry(delivery, delay)

    async def _extend_all(self, intake: Intake) -> None:
        while True:
            await asyncio.sleep(self._settings.extend_every)
            for job in tuple(self._running.values()):
                for delivery in job.deliveries:
                    with contextlib.suppress(BrokerError):  # at worst it is redelivered, and joined
                        await intake.extend(delivery)

    async def _drain(self) -> None:
        """Let what runs finish within the bound; cancel the rest, which gives it back."""
        tasks = {job.task for job in self._running.values() if job.task is not None}
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=self._settings.drain)
        for task in late:
            task.cancel()

    async def _on_cancel(self, body: bytes) -> None:
        try:
            dispatch_id, facts = self._gate.cancelled(body)
        # Nothing is let through: a notice that cannot be verified cancels nothing.
        except Exception as error:  # noqa: BLE001
            self._tally.refused += 1
            LOG.warning("a cancel notice was refused: %s", error.code if isinstance(error, LockgateError) else "internal")
            return
        job = self._running.get(dispatch_id)
        if job is None or job.dispatch.chain.facts_digest != facts:
            return
        job.unwanted.set()
        if job.handler is not None:
            asyncio.get_running_loop().call_later(self._settings.cancel_grace, job.handler.cancel)


async def _close_on(stop: asyncio.Event, intake: Intake) -> None:
    """Close as soon as the stop comes: the pull need not wait for its end, and what nobody pulled goes to another copy at once."""
    await stop.wait()
    await intake.close()
