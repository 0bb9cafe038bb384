"""The agent: a name, its actions, and how to run it.

This is all an author touches. What happens to a message before a handler sees it is decided in `lockgate.dispatch`, how the work is done
in `lockgate.shift`, what a handler may return in `lockgate.actions`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from lockgate.actions import PLAIN, Action, Handler
from lockgate.clock import Clock, system_clock
from lockgate.credentials import AgentCredentials
from lockgate.settings import AgentSettings
from lockgate.shift import Shift, Tally
from lockgate_broker.port import Broker
from lockgate_schemas.errors import ConfigurationError
from lockgate_schemas.limits import Limits
from lockgate_schemas.names import checked_name
from lockgate_schemas.trust import Trust

H = TypeVar("H", bound=Handler)


class Agent:
    """A named set of actions that the gateway can dispatch requests to.

    ``name`` is the logical name under which it is registered. A handler runs only for requests whose authentication, authorisation and inspection
    stamps verified over the very bytes it is given. Dispatch is at-least-once: `Request.dispatch_id` is the idempotency key.

    ``settings`` bounds concurrency, draining and memory; ``limits`` are the gateway's; ``clock`` returns milliseconds since 1970.
    """

    def __init__(
        self,
        name: str,
        *,
        settings: AgentSettings | None = None,
        limits: Limits | None = None,
        clock: Clock = system_clock,
    ) -> None:
        self.name = checked_name(name, what="agent")
        self.settings = settings or AgentSettings()
        self._limits = limits or Limits()
        self._clock = clock
        self._actions: dict[str, Action] = {}
        self._tally = Tally()

    @property
    def actions(self) -> tuple[str, ...]:
        """The names of the registered actions."""
        return tuple(self._actions)

    @property
    def refused(self) -> int:
        """Messages that did not verify, so that no handler saw them."""
        return self._tally.refused

    @property
    def answered(self) -> int:
        """Replies that the broker confirmed."""
        return self._tally.answered

    def action(self, name: str, *, content_type: str = PLAIN) -> Callable[[H], H]:
        """Register an async function, or an async generator of text, as the handler of the action ``name``.

        The function takes one parameter, annotated ``Request`` or ``Request[SomeType]``, and returns text, a `Reply`, or any value that is
        JSON to msgspec. A generator yields the text of its answer piece by piece, plain or, by ``content_type``, ``text/markdown``; where the
        gateway allows it, the client is shown what is there already. To fail with a sentence for the caller it raises `ActionFailed`. Raises `ConfigurationError` for a handler that could not work.
        """

        def register(handler: H) -> H:
            if name in self._actions:
                raise ConfigurationError(f"the action {name!r} has a handler already")
            self._actions[name] = Action.of(name, handler, content_type)
            return handler

        return register

    async def run(self, credentials: AgentCredentials | str | Path, *, stop: asyncio.Event | None = None) -> None:
        """Connect and work until ``stop`` is set, then drain: finish what runs within a bound and give back the rest.

        ``credentials`` is the object or the path of its file. Raises `ConfigurationError`, or `BrokerRefusedError` when the broker takes the
        credentials no more; anything that may pass is waited out.
        """
        from lockgate_broker.connect import connect  # noqa: PLC0415 - the broker's client library is loaded when it is used

        found = credentials if isinstance(credentials, AgentCredentials) else AgentCredentials.load(credentials)
        if found.name != self.name:
            raise ConfigurationError("the credentials are another agent's")
        async with await connect(found.broker, name=f"agent {self.name}") as broker:
            await self.serve(broker, found.trust, stop=stop)

    async def serve(self, broker: Broker, trust: Trust, *, stop: asyncio.Event | None = None) -> None:
        """The same over a connection that is already there: for tests, and for several agents in one process."""
        if not self._actions:
            raise ConfigurationError("the agent has no actions")
        shift = Shift(
            name=self.name,
            actions=dict(self._actions),
            broker=broker,
            trust=trust,
            settings=self.settings,
            limits=self._limits,
            clock=self._clock,
            tally=self._tally,
        )
        await shift.work(stop or asyncio.Event())

    def main(self, arguments: Sequence[str] | None = None) -> None:
        """Run as a program: ``--credentials FILE`` (or ``LOCKGATE_CREDENTIALS``); SIGTERM and SIGINT drain."""
        from lockgate.program import run_program  # noqa: PLC0415 - only a program needs it

        run_program(self, arguments)
