"""Actions: from a handler's signature to typed input, and from whatever it did to a `Response`.

Decides what a handler may look like, what of its failure the caller learns, and that an answer is not too large. It knows no broker and
verifies nothing: by the time a handler is called, `lockgate.dispatch` has done that.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final, cast

import msgspec

from lockgate.drafts import Drafts
from lockgate.request import ActionFailed, Reply, Request
from lockgate_schemas.errors import ConfigurationError
from lockgate_schemas.names import checked_name
from lockgate_schemas.passage import Response, ResponseStatus, raw

Handler = Callable[[Request[Any]], Awaitable[Any]] | Callable[[Request[Any]], AsyncIterator[str]]
"""An async function from a request to an answer, or an async generator of the pieces of its text."""

PLAIN: Final = "text/plain"
_WRITTEN: Final = frozenset({PLAIN, "text/markdown"})
_JSON: Final = "application/json"
_LONGEST_SENTENCE: Final = 1000


@dataclass(frozen=True, slots=True)
class Action:
    """One registered handler, with the decoder of its data."""

    name: str
    handler: Handler
    decoder: msgspec.json.Decoder[Any]
    content_type: str = PLAIN

    @classmethod
    def of(cls, name: str, handler: Handler, content_type: str = PLAIN) -> Action:
        """Check a handler. Raises `ConfigurationError`, at import time of the agent, for anything that could not work later."""
        checked_name(name, what="action")
        if inspect.isasyncgenfunction(handler):
            if content_type not in _WRITTEN:
                raise ConfigurationError(f"the handler of {name!r} yields text: plain, or Markdown")
        elif not inspect.iscoroutinefunction(handler):
            raise ConfigurationError(f"the handler of {name!r} must be an async function, or an async generator of text")
        elif content_type != PLAIN:
            raise ConfigurationError(f"the handler of {name!r} returns its answer: let it return a Reply with its content type")
        return cls(name, handler, _decoder(name, handler), content_type)

    def read(self, data: msgspec.Raw) -> Any:
        """Decode what the caller wrote. Raises `ActionFailed` with a sentence that says what does not fit."""
        try:
            return self.decoder.decode(data)
        except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
            reason = str(error) if isinstance(error, msgspec.MsgspecError) else "not decodable"
            raise ActionFailed(f"the data does not fit the action {self.name!r}: {reason}") from None

    async def call(self, request: Request[Any], limit: int, drafts: Drafts | None = None) -> msgspec.Raw:
        """Run the handler and return the encoded `Response`, at most ``limit`` bytes. Only a cancellation gets out of it.

        ``drafts`` are told of a text that grows, where the gateway shows it while it is being written.
        """
        try:
            try:
                response = await self._answer(request, limit, drafts)
            except ActionFailed as failure:
                response = failed(failure.sentence)
            return bounded(response, limit)
        # Whatever a handler raises is the agent's own affair: the caller learns that it failed and the type's name, since a message or a
        # traceback may hold what the handler was working on. SystemExit too: one request must not end the agent.
        except (Exception, SystemExit) as error:  # noqa: BLE001
            return raw(crashed(error))

    async def _answer(self, request: Request[Any], limit: int, drafts: Drafts | None) -> Response:
        given = self.handler(request)
        if isinstance(given, Awaitable):
            return answer(await given)
        pieces: list[str] = []
        length = 0
        async with aclosing(cast("AsyncGenerator[str, None]", given)) as written:  # of a generator function, as `of` saw to it
            async for piece in written:
                pieces.append(piece)
                length += len(piece)
                if length > limit:  # and so are its bytes: what follows need not be written
                    return _too_large(limit)
                if drafts is not None:
                    drafts.grown(pieces, length)
        return Response(status=ResponseStatus.OK, body="".join(pieces), content_type=self.content_type)


def answer(value: Any) -> Response:
    """A handler's return value as a response: text as text, a `Reply` as it says, everything else as JSON."""
    if isinstance(value, str):
        return Response(status=ResponseStatus.OK, body=value)
    if isinstance(value, Reply):
        return Response(status=ResponseStatus.OK, body=value.body, content_type=value.content_type)
    return Response(status=ResponseStatus.OK, body=msgspec.json.encode(value).decode(), content_type=_JSON)


def failed(sentence: str) -> Response:
    """An error response with a sentence for the caller. It can always be encoded: half a surrogate in it becomes a question mark."""
    printable = sentence[:_LONGEST_SENTENCE].encode(errors="replace").decode()
    return Response(status=ResponseStatus.ERROR, body=printable)


def crashed(error: BaseException) -> Response:
    """An error response for an exception that carries nothing of it but the type's name."""
    return failed(f"the agent failed while handling this request ({type(error).__name__})")


def bounded(response: Response, limit: int) -> msgspec.Raw:
    """Encode ``response``; one over ``limit`` bytes becomes an error that says so. Raises what msgspec raises on half a surrogate."""
    encoded = raw(response)
    if len(bytes(encoded)) <= limit:
        return encoded
    return raw(_too_large(limit))


def _too_large(limit: int) -> Response:
    return failed(f"the agent's answer is larger than the {limit} bytes this gateway carries")


def _decoder(name: str, handler: Handler) -> msgspec.json.Decoder[Any]:
    data = _data_type(name, handler)
    try:
        return msgspec.json.Decoder(data)
    except TypeError as error:
        raise ConfigurationError(f"the handler of {name!r} asks for data of a type that cannot be decoded: {error}") from None


def _data_type(name: str, handler: Handler) -> Any:
    """The ``T`` of the parameter's ``Request[T]``; anything at all where the author did not say."""
    parameters = list(inspect.signature(handler).parameters.values())
    if len(parameters) != 1 or parameters[0].kind not in {
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
    }:
        raise ConfigurationError(f"the handler of {name!r} must take exactly one parameter, the request")
    annotation = _annotation(name, handler, parameters[0].name)
    if annotation is Request or annotation is inspect.Parameter.empty:
        return Any
    if typing.get_origin(annotation) is not Request:
        raise ConfigurationError(f"the handler of {name!r} must annotate its parameter as Request or Request[SomeType]")
    return typing.get_args(annotation)[0]


def _annotation(name: str, handler: Handler, parameter: str) -> Any:
    names = inspect.getclosurevars(handler).nonlocals  # a type defined inside a function is found if the handler uses it
    try:
        return typing.get_type_hints(handler, localns=dict(names)).get(parameter, inspect.Parameter.empty)
    except NameError as error:
        raise ConfigurationError(
            f"the handler of {name!r} names a type that cannot be found ({error.name}): define it at module level"
        ) from None
