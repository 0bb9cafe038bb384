"""For authors of agents and clients: a gateway of throw-away keys, and an in-memory broker to run an agent on. Nothing is mocked away.

::

    from lockgate.testing import ask

    async def test_summary() -> None:
        answer = await ask(agent, "summarise", "a long text")
        assert answer.ok and answer.body == "a long text"

The request is signed and stamped by every gate's own key, travels over the broker's in-memory twin with the same permissions, and is verified by the
agent as in production; so is the reply.
"""

from __future__ import annotations

from lockgate.testing.bench import Answer, Bench, ask, on_bench
from lockgate.testing.gateway import Stamped, ThrowawayGateway

__all__ = ["Answer", "Bench", "Stamped", "ThrowawayGateway", "ask", "on_bench"]
