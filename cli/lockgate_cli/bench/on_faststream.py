"""One or more hops on FastStream, as its documentation writes a durable JetStream pipeline.

Durable pull subscribers (the kind its documentation recommends for a large flow), which fetch up to ``batch`` messages and handle those concurrently; each
handler returns the message to a publisher of the next hop's stream, which waits for the server's confirmation; the acknowledgement comes
after. ``lean`` also switches off its logging and its validation of arguments. Push subscribers and worker pools were tried and are slower.
"""

from __future__ import annotations

import asyncio
from typing import Any

from faststream import AckPolicy
from faststream.nats import JStream, NatsBroker, PullSub
from nats.js.api import ConsumerConfig

from lockgate_broker.limits import DEFAULT_LIMITS
from lockgate_cli.bench.arrivals import Arrivals
from lockgate_cli.bench.bare_server import CONSUMER, DONE_SUBJECT, stream, subject
from lockgate_cli.bench.child import run_child, say
from lockgate_cli.bench.plans import HOPS, READY, Plan

_REPORT_EVERY = 16


def _subscribed(broker: NatsBroker, plan: Plan, hop: int) -> Any:
    return broker.subscriber(
        subject(hop),
        stream=JStream(stream(hop), declare=False),
        durable=CONSUMER,
        ack_policy=AckPolicy.NACK_ON_ERROR,
        config=ConsumerConfig(ack_wait=DEFAULT_LIMITS.ack_wait, max_ack_pending=DEFAULT_LIMITS.queue_pending),
        pull_sub=PullSub(batch_size=plan.batch),
    )


def _add_hop(broker: NatsBroker, plan: Plan, hop: int) -> None:
    if hop == HOPS:
        arrivals = Arrivals(plan)

        @_subscribed(broker, plan, hop)  # type: ignore[untyped-decorator]
        async def arrive(body: bytes) -> None:
            arrivals.take(body)
            if arrivals.count % _REPORT_EVERY == 0 or arrivals.count == plan.total:
                await broker.publish(b"%d" % arrivals.count, DONE_SUBJECT)

        return

    @_subscribed(broker, plan, hop)  # type: ignore[untyped-decorator]
    @broker.publisher(subject(hop + 1), stream=JStream(stream(hop + 1), declare=False))
    async def pass_on(body: bytes) -> bytes:
        return body


async def serve(plan: Plan, stop: asyncio.Event) -> None:
    """Serve the hops of ``plan`` until told to stop."""
    lean: dict[str, Any] = {"logger": None, "apply_types": False} if plan.lean else {}
    broker = NatsBroker(plan.server, **lean)
    for hop in plan.hops:
        _add_hop(broker, plan, hop)
    async with broker:
        await broker.start()
        say(READY)
        await stop.wait()


if __name__ == "__main__":
    run_child(Plan, serve)
