"""The client over HTTP: submit a signed request, get its outcome, keep the proof.

Everything the gateway says about acceptance and outcome is verified against the keys in the credentials before it is returned; what does not
verify raises `ChainRefusedError`, and its content stays unread. Errors are those of `lockgate_schemas.errors`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable
from contextlib import AsyncExitStack
from functools import partial
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from lockgate.clock import Clock, system_clock
from lockgate.credentials import ClientCredentials
from lockgate.envelopes import Signed, sign_request
from lockgate.orders import Order, Submitted, submit_all
from lockgate.problems import error_of, pause_of, read_problem
from lockgate.results import Progress, Result, Submission, Verification
from lockgate.settings import ClientSettings
from lockgate.sse import lines_of, read_events
from lockgate.streaming import Piece, Streamed, Withdrawal, read_step
from lockgate_schemas.envelope import MAX_ACCESS_SECONDS, Access, sign_access
from lockgate_schemas.errors import (
    ChainRefusedError,
    DeadlineError,
    LockgateError,
    NotFoundError,
    RateLimitedError,
    UnavailableError,
)
from lockgate_schemas.limits import Limits
from lockgate_schemas.passage import Outcome, Receipt, read_acceptance, read_receipt

if TYPE_CHECKING:
    import httpx

_OK: Final = 200
_ACCEPTED: Final = 202
_ENDED: Final = frozenset(Outcome)
_ENVELOPE: Final = {"Content-Type": "application/jose"}


class _State(msgspec.Struct, frozen=True):
    request_id: str
    status: str
    code: str = ""
    receipt: Receipt | None = None


_read_state: Final = msgspec.json.Decoder(_State)


class _RefusedError(Exception):
    """An answer that is no success. Never leaves this module.

    ``pause`` is what its sender asked for; ``receipt`` is there when the request was accepted and ended other than delivered.
    """

    def __init__(self, error: LockgateError, pause: float | None = None, receipt: Receipt | None = None) -> None:
        self.error = error
        self.pause = pause
        self.receipt = receipt
        super().__init__(error.code)

    @property
    def passing(self) -> bool:
        """Whether the identical bytes may be sent again."""
        return isinstance(self.error, RateLimitedError | UnavailableError)


class Client:
    """A client of one gateway, to be used with ``async with``.

    ``credentials`` is the object or the path of its file; ``settings`` bounds waiting and repeating; ``transport`` is httpx's, for tests.
    """

    def __init__(
        self,
        credentials: ClientCredentials | str | Path,
        *,
        settings: ClientSettings | None = None,
        limits: Limits | None = None,
        clock: Clock = system_clock,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.credentials = credentials if isinstance(credentials, ClientCredentials) else ClientCredentials.load(credentials)
        self.settings = settings or ClientSettings()
        self._limits = limits or Limits()
        self._clock = clock
        self._transport = transport
        self._verification = Verification(self.credentials, limits=self._limits, clock=clock)
        self._stack = AsyncExitStack()
        self._opened: httpx.AsyncClient | None = None
        self._token = ""
        self._token_until = 0

    async def __aenter__(self) -> Self:
        import httpx  # noqa: PLC0415 - whoever only names the class does not pay for HTTP

        http = httpx.AsyncClient(base_url=self.credentials.url, transport=self._transport, timeout=self.settings.connect)
        self._opened = await self._stack.enter_async_context(http)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened = None
        await self._stack.aclose()

    # --- submitting ---

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
        """Sign and submit one request; return when the gateway has accepted it for good.

        ``data`` is anything msgspec writes as JSON. ``id`` is unique among this client's requests and chosen at random by default. ``lifetime`` is in
        seconds. With ``wait`` the gateway is asked to answer with the outcome if it comes within so many seconds; `Submission.result` then holds it.
        """
        signed = self.sign(agent, action, data, id=id, lifetime=lifetime, traceparent=traceparent)
        return await self.send(signed, wait=wait)

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
        """Sign a request without sending it: keep it, and `send` it as often as needed; it is one request."""
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

    async def send(self, signed: Signed, *, wait: float | None = None, repeats: int = 0) -> Submission:
        """Send a signed request, and the identical bytes again up to ``repeats`` times after 429, 503 or a lost connection."""
        for attempt in count():
            try:
                return await self._post(signed, wait)
            except _RefusedError as refused:
                if not refused.passing or attempt >= repeats:
                    raise refused.error from None
                await asyncio.sleep(self._pause(refused, attempt))
        raise AssertionError  # count() has no end

    async def call(
        self,
        agent: str,
        action: str,
        data: Any = None,
        *,
        id: str | None = None,  # noqa: A002 - the name it has in the envelope
        lifetime: float | None = None,
        timeout: float = 60.0,  # noqa: ASYNC109 - it bounds a loop of polls, each with a bound of its own
    ) -> Result:
        """Submit and wait for the outcome, whatever it is. Raises `DeadlineError` when none comes within ``timeout`` seconds."""
        until = asyncio.get_running_loop().time() + timeout
        submission = await self.submit(agent, action, data, id=id, lifetime=lifetime, wait=min(timeout, self.settings.poll))
        return await self.result(submission, timeout=until - asyncio.get_running_loop().time())

    def submit_many(
        self, orders: Iterable[Order] | AsyncIterable[Order], *, concurrency: int = 16, wait: float | None = None
    ) -> AsyncGenerator[Submitted, None]:
        """Submit many, at most ``concurrency`` at a time, and yield each as it is done, in whatever order.

        After 429 and 503 the identical envelope is sent again, at the pace the gateway asks for. One that fails for good is yielded
        with its error and stops nobody else. An order is taken from the iterable only when there is room for it.
        """

        async def submit(order: Order) -> Submission:
            signed = self.sign(order.agent, order.action, order.data, id=order.id, lifetime=order.lifetime)
            return await self.send(signed, wait=wait, repeats=self.settings.repeats)

        return submit_all(orders, submit, concurrency)

    # --- what became of it ---

    async def result(
        self,
        request: Submission | str,
        timeout: float = 60.0,  # noqa: ASYNC109 - it bounds a loop of polls, each with a bound of its own
    ) -> Result:
        """Wait for the outcome of a submission, or of a request id, and return what its receipt proves.

        Raises `DeadlineError` when there is none within ``timeout`` seconds, `ChainRefusedError` when the receipt does not verify.
        """
        if isinstance(request, Submission) and request.result is not None:
            return request.result
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout
        for attempt in count():
            started = loop.time()
            wait = max(0.0, min(self.settings.poll, until - started))
            try:
                progress = self._progress(request, await self._state(request, wait))
                if progress.result is not None:
                    return progress.result
                pause = 0.0 if loop.time() - started >= self.settings.pause else self.settings.pause
            except _RefusedError as refused:
                if not refused.passing:
                    raise refused.error from None
                pause = self._pause(refused, attempt)
            if loop.time() + pause >= until:
                raise DeadlineError
            await asyncio.sleep(pause)
        raise AssertionError  # count() has no end

    async def status(self, request: Submission | str) -> Progress:
        """Where a request is now."""
        try:
            return self._progress(request, await self._state(request, 0.0))
        except _RefusedError as refused:
            raise refused.error from None

    async def events(self, request: Submission | str) -> AsyncIterator[Progress]:
        """Yield each step of a request as it happens; the last one has the result. Raises `UnavailableError` if the stream is cut off."""
        async for step in self._steps(request):
            if isinstance(step, Progress):
                yield step

    def stream(self, request: Submission | str) -> Streamed:
        """The answer to a request while it is being written: iterate over its pieces; then it has the result.

        Where nothing is shown before the end, the whole answer is one piece. The last gate let each piece be shown, which is proved; that they are the
        answer, only the result says.
        """
        digest = request.signed.digest if isinstance(request, Submission) else ""
        check = partial(self._verification.beginning, digest=digest, request_id=_id(request))
        return Streamed(self._steps(request, {"deltas": "1"}), check)

    async def _steps(
        self, request: Submission | str, params: dict[str, str] | None = None
    ) -> AsyncIterator[Piece | Withdrawal | Progress]:
        """The events of a request until its result."""
        import httpx  # noqa: PLC0415 - loaded with the connection

        path = f"/v1/requests/{_id(request)}/events"
        headers = {**self._bearer(), "Accept": "text/event-stream"}
        # The gateway sends comments while nothing happens, so that silence beyond a poll means a dead connection.
        timeout = httpx.Timeout(self.settings.connect, read=self.settings.poll + self.settings.connect)
        try:
            async with self._http.stream("GET", path, headers=headers, params=params, timeout=timeout) as answer:
                if answer.status_code != _OK:
                    raise error_of(answer.status_code, read_problem(await answer.aread()))
                async for event in read_events(lines_of(answer.aiter_bytes())):
                    if (step := read_step(event)) is not None:
                        yield step
                        continue
                    progress = self._progress(request, _state_of(event.data.encode()))
                    yield progress
                    if progress.result is not None:
                        return
        except httpx.HTTPError:
            raise UnavailableError("the connection to the gateway failed") from None
        raise UnavailableError("the stream of events ended before the request did")

    async def cancel(self, request: Submission | str) -> None:
        """Ask the gateway to end the request as cancelled; its outcome then says whether that came in time."""
        try:
            await self._exchange("DELETE", f"/v1/requests/{_id(request)}", headers=self._bearer())
        except _RefusedError as refused:
            raise refused.error from None

    # --- one exchange ---

    @property
    def _http(self) -> httpx.AsyncClient:
        if self._opened is None:
            raise RuntimeError("use the client inside 'async with'")
        return self._opened

    async def _post(self, signed: Signed, wait: float | None) -> Submission:
        headers = _ENVELOPE if wait is None else {**_ENVELOPE, "Prefer": f"wait={max(1, int(wait))}"}
        try:
            answer = await self._exchange(
                "POST", "/v1/requests", headers=headers, content=signed.compact.encode(), patience=wait or 0.0
            )
        except _RefusedError as refused:
            if refused.receipt is None:
                raise
            return self._ended(signed, refused.receipt)
        if answer.status_code == _ACCEPTED:
            acceptance = read_acceptance(answer.content)
            return Submission(signed, self._verification.acceptance(acceptance, signed), acceptance)
        return self._ended(signed, read_receipt(answer.content))

    def _ended(self, signed: Signed, receipt: Receipt) -> Submission:
        result = self._verification.receipt(receipt, digest=signed.digest)
        return Submission(signed, result.chain.facts, result=result)

    async def _state(self, request: Submission | str, wait: float) -> _State:
        path = f"/v1/requests/{_id(request)}"
        params = {"wait": str(int(wait))} if wait >= 1 else None
        answer = await self._exchange("GET", path, headers=self._bearer(), params=params, patience=wait)
        return _state_of(answer.content)

    def _progress(self, request: Submission | str, state: _State) -> Progress:
        """Believe a state as far as it is proved: an outcome only with the receipt that says the same."""
        if state.receipt is None:
            if state.status in _ENDED:
                raise ChainRefusedError("an outcome without a receipt")
            return Progress(_id(request), state.status, state.code)
        digest = request.signed.digest if isinstance(request, Submission) else ""
        result = self._verification.receipt(state.receipt, digest=digest, request_id=_id(request))
        if state.status != result.outcome:
            raise ChainRefusedError("the receipt proves another outcome")
        return Progress(_id(request), state.status, result.code, result)

    async def _exchange(
        self,
        method: str,
        path: str,
        *,
        headers: dict[str, str],
        content: bytes | None = None,
        params: dict[str, str] | None = None,
        patience: float = 0.0,
    ) -> httpx.Response:
        import httpx  # noqa: PLC0415 - loaded with the connection

        timeout = httpx.Timeout(self.settings.connect, read=self.settings.answer + patience)
        try:
            answer = await self._http.request(method, path, headers=headers, content=content, params=params, timeout=timeout)
        except httpx.HTTPError:
            # Without the cause: it may hold the request, and the request holds a token.
            raise _RefusedError(UnavailableError("the gateway cannot be reached")) from None
        if answer.status_code in {_OK, _ACCEPTED}:
            return answer
        problem = read_problem(answer.content)
        error = error_of(answer.status_code, problem)
        raise _RefusedError(error, pause_of(answer.headers, self._clock()), problem.receipt)

    def _pause(self, refused: _RefusedError, attempt: int) -> float:
        pause = self.settings.pause * 2 ** min(attempt, 16) if refused.pause is None else refused.pause
        return min(pause, self.settings.longest_pause)

    def _bearer(self) -> dict[str, str]:
        """A token of our own signing, made anew long before the gateway would call it old."""
        now = self._clock()
        if not now < self._token_until:
            claims = Access(
                iss=self.credentials.name,
                aud=self.credentials.gateway,
                iat=now // 1000,
                exp=now // 1000 + MAX_ACCESS_SECONDS,
            )
            self._token = sign_access(self.credentials.signer, self.credentials.kid, claims)
            self._token_until = now + int(self.settings.token_age * 1000)
        return {"Authorization": f"Bearer {self._token}"}


def _id(request: Submission | str) -> str:
    """The request id, safe in a path: letters, digits and underscores; anything else would be somebody else's address."""
    found = request.request_id if isinstance(request, Submission) else request
    if not found.isascii() or not found.replace("_", "").isalnum():
        raise NotFoundError("not a request id")
    return found


def _state_of(body: bytes) -> _State:
    try:
        return _read_state.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        raise ChainRefusedError("the gateway's answer is not the state of a request") from None
