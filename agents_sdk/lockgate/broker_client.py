"""The client over the broker: the same signed requests, published to the client's own topic, answered in its own mailbox.

For services that already live on the broker. Acceptances and receipts are verified as over HTTP. A letter that does not verify is dropped,
counted and logged by its code: it must not end a wait that the genuine one can still satisfy.

One mailbox has one reader: two processes with the same credentials would take each other's mail. There is no cancelling and no event stream over the
broker; use `lockgate.Client` for those.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from lockgate.clock import Clock, system_clock
from lockgate.credentials import ClientCredentials
from lockgate.envelopes import Signed, sign_request
from lockgate.orders import Order, Submitted, submit_all
from lockgate.problems import error_of_code
from lockgate.results import Result, Submission, Verification
from lockgate.settings import ClientSettings
from lockgate_broker.port import Broker, Delivery, Intake, Outbound
from lockgate_schemas.errors import (
    BrokerError,
    BrokerRefusedError,
    ConfigurationError,
    DeadlineError,
    LockgateError,
    RateLimitedError,
    UnavailableError,
)
from lockgate_schemas.limits import Limits
from lockgate_schemas.mailbox import Refused, read_mail
from lockgate_schemas.passage import Acceptance, Receipt, read_facts
from lockgate_schemas.topics import client as client_party

LOG: Final = logging.getLogger("lockgate.client")

_BATCH: Final = 64
_PULL_WAIT: Final = 5.0
_K = TypeVar("_K")
_V = TypeVar("_V")


class _Waiting(OrderedDict[_K, "asyncio.Future[_V]"]):
    """Futures by key, the oldest out first beyond ``most``: what nobody fetched is forgotten, not hoarded."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def of(self, key: _K) -> asyncio.Future[_V]:
        found = self.get(key)
        if found is None:
            found = self[key] = asyncio.get_running_loop().create_future()
            if len(self) > self._most:
                self.popitem(last=False)[1].cancel()
        return found

    def fail(self, error: LockgateError) -> None:
        for future in self.values():
            if not future.done():
                future.set_exception(error)
                future.exception()  # retrieved: those whom nobody awaits are not worth a warning


class BrokerClient:
    """A client of one gateway over the broker, to be used with ``async with``.

    ``credentials`` must contain broker credentials. ``broker`` is a connection that is already there, for tests.
    """

    def __init__(
        self,
        credentials: ClientCredentials | str | Path,
        *,
        settings: ClientSettings | None = None,
        limits: Limits | None = None,
        clock: Clock = system_clock,
        broker: Broker | None = None,
    ) -> None:
        self.credentials = credentials if isinstance(credentials, ClientCredentials) else ClientCredentials.load(credentials)
        self.settings = settings or ClientSettings()
        self._limits = limits or Limits()
        self._clock = clock
        self._given = broker
        self._verification = Verification(self.credentials, limits=self._limits, clock=clock)
        self._party = client_party(self.credentials.name)
        self._stack = AsyncExitStack()
        self._broker: Broker | None = None
        self._signed: OrderedDict[str, Signed] = OrderedDict()
        self._accepted: _Waiting[str, Submission] = _Waiting(self.settings.remembered)
        self._results: _Waiting[str, Result] = _Waiting(self.settings.remembered)
        self.refused = 0
        """Items of mail that did not verify."""

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            broker = self._given
            if broker is None:
                broker = await stack.enter_async_context(await self._connect())
            intake = await broker.subscribe((self._party.inbound,), prefetch=_BATCH)
            stack.push_async_callback(intake.close)
            reader = asyncio.create_task(self._read(intake), name="lockgate-mailbox")
            stack.push_async_callback(_end, reader)
            self._stack = stack.pop_all()
        self._broker = broker
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._broker = None
        await self._stack.aclose()

    async def submit(
        self,
        agent: str,
        action: str,
        data: Any = None,
        *,
        id: str | None = None,  # noqa: A002 - the name it has in the envelope
        lifetime: float | None = None,
        wait: float | None = None,
        traceparent: str = "",
    ) -> Submission:
        """Sign and publish one request; return when the gateway has accepted it. See `lockgate.Client.submit`."""
        signed = self.sign(agent, action, data, id=id, lifetime=lifetime, traceparent=traceparent)
        submission = await self.send(signed)
        if wait is None or submission.result is not None:
            return submission
        with contextlib.suppress(DeadlineError):
            result = await self.result(submission, timeout=wait)
            return Submission(signed, submission.facts, submission.acceptance, result)
        return submission

    def sign(
        self,
        agent: str,
        action: str,
        data: Any = None,
        *,
        id: str | None = None,  # noqa: A002 - the name it has in the envelope
        lifetime: float | None = None,
        traceparent: str = "",
    ) -> Signed:
        """Sign a request without sending it."""
        return sign_request(
            self.credentials,
            agent,
            action,
            data,
            now=self._clock(),
            lifetime=self.settings.lifetime if lifetime is None else lifetime,
            limits=self._limits,
            event_id=id,
            traceparent=traceparent,
        )

    async def send(self, signed: Signed, *, repeats: int = 0) -> Submission:
        """Publish a signed request, and the identical bytes again up to ``repeats`` times when the gateway is busy or silent."""
        for attempt in range(repeats + 1):
            if attempt:
                await asyncio.sleep(min(self.settings.pause * 2 ** (attempt - 1), self.settings.longest_pause))
            try:
                return await self._publish(signed)
            except (RateLimitedError, UnavailableError, DeadlineError) as error:
                if attempt == repeats or isinstance(error, BrokerRefusedError):
                    raise
        raise AssertionError  # the last attempt returns or raises

    async def call(
        self,
        agent: str,
        action: str,
        data: Any = None,
        *,
        id: str | None = None,  # noqa: A002 - the name it has in the envelope
        lifetime: float | None = None,
        timeout: float = 60.0,  # noqa: ASYNC109 - the same signature as over HTTP
    ) -> Result:
        """Submit and wait for the outcome, whatever it is. Raises `DeadlineError` when none comes within ``timeout`` seconds."""
        until = asyncio.get_running_loop().time() + timeout
        submission = await self.submit(agent, action, data, id=id, lifetime=lifetime)
        return await self.result(submission, timeout=max(0.0, until - asyncio.get_running_loop().time()))

    def submit_many(
        self, orders: Iterable[Order] | AsyncIterable[Order], *, concurrency: int = 16
    ) -> AsyncGenerator[Submitted, None]:
        """Submit many, at most ``concurrency`` at a time. See `lockgate.Client.submit_many`."""

        async def submit(order: Order) -> Submission:
            signed = self.sign(order.agent, order.action, order.data, id=order.id, lifetime=order.lifetime)
            return await self.send(signed, repeats=self.settings.repeats)

        return submit_all(orders, submit, concurrency)

    async def result(
        self,
        request: Submission | str,
        timeout: float = 60.0,  # noqa: ASYNC109 - the same signature as over HTTP
    ) -> Result:
        """Wait for the receipt of a submission, or of a request id. Raises `DeadlineError` when none comes in time."""
        if isinstance(request, Submission) and request.result is not None:
            return request.result
        key = request if isinstance(request, str) else request.request_id
        return await _within(self._results.of(key), timeout)

    # --- the mailbox ---

    async def _connect(self) -> Broker:
        from lockgate_broker.connect import connect  # noqa: PLC0415 - the broker's client library is loaded when it is used

        if self.credentials.broker is None:
            raise ConfigurationError("these credentials are for HTTP only: they contain no broker credentials")
        return await connect(self.credentials.broker, name=f"client {self.credentials.name}")

    async def _publish(self, signed: Signed) -> Submission:
        if self._broker is None:
            raise RuntimeError("use the client inside 'async with'")
        self._signed[signed.digest] = signed
        if len(self._signed) > self.settings.remembered:
            self._signed.popitem(last=False)
        answer = self._accepted.of(signed.digest)
        # The token is the digest's beginning: an event id may hold characters that a topic may not.
        topic = f"{self._party.outbound.topic}.{signed.digest[:32]}"
        try:
            await self._broker.publish((Outbound(topic, signed.compact.encode()),))
            return await _within(answer, self.settings.poll)
        finally:
            self._accepted.pop(signed.digest, None)

    async def _read(self, intake: Intake) -> None:
        while True:
            try:
                for delivery in await intake.pull(_BATCH, _PULL_WAIT):
                    self._open(delivery)
                    await intake.ack((delivery,))
            except BrokerRefusedError as refusal:
                self._accepted.fail(refusal)
                self._results.fail(refusal)
                return
            except BrokerError as error:
                LOG.warning("the mailbox cannot be read now: %s", error.code)
                await asyncio.sleep(self.settings.pause)

    def _open(self, delivery: Delivery) -> None:
        try:
            mail = read_mail(delivery.body)
        except LockgateError as error:
            self._drop(error)
            return
        for item in mail.items:
            try:
                self._item(item)
            # Nothing is let through: whatever goes wrong while an item is looked at, it is dropped, and the next one is looked at.
            except Exception as error:  # noqa: BLE001
                self._drop(error)

    def _item(self, item: Acceptance | Refused | Receipt) -> None:
        if isinstance(item, Acceptance):
            self._on_accepted(item)
        elif isinstance(item, Receipt):
            self._on_outcome(item)
        else:
            self._on_refused(item)

    def _on_accepted(self, acceptance: Acceptance) -> None:
        signed = self._signed.get(read_facts(acceptance.facts).envelope)
        if signed is not None:
            facts = self._verification.acceptance(acceptance, signed)
            self._settle(signed.digest, Submission(signed, facts, acceptance))

    def _on_outcome(self, receipt: Receipt) -> None:
        result = self._verification.receipt(receipt)
        future = self._results.of(result.request_id)
        if not future.done():
            future.set_result(result)
        # Another role writes outcomes than acceptances, so this letter may be the first to come.
        signed = self._signed.get(result.chain.facts.envelope)
        if signed is not None:
            self._settle(signed.digest, Submission(signed, result.chain.facts, result=result))

    def _on_refused(self, refused: Refused) -> None:
        waiting = self._accepted.get(refused.envelope)
        if waiting is not None and not waiting.done():
            waiting.set_exception(error_of_code(refused.code, refused.detail))

    def _settle(self, digest: str, submission: Submission) -> None:
        waiting = self._accepted.get(digest)
        if waiting is not None and not waiting.done():
            waiting.set_result(submission)

    def _drop(self, error: Exception) -> None:
        self.refused += 1
        LOG.warning("an item of mail was dropped: %s", error.code if isinstance(error, LockgateError) else "internal")


async def _within(future: asyncio.Future[_V], seconds: float) -> _V:
    """Wait for a future that others may wait for too. Raises `DeadlineError`."""
    done, _ = await asyncio.wait({future}, timeout=seconds)
    if not done:
        raise DeadlineError
    return future.result()


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
