"""One broker round trip, by hand on nats-py and one at a time: the unit in which the gateway's own latency is told.

Two of them: ``publish`` is a publish until the server confirmed that it is stored; ``hop`` is a message all the way through, from its publish over
its delivery on a waiting pull request to the server's confirmation of the acknowledgement.
"""

from __future__ import annotations

import asyncio
import time

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg

from lockgate_cli.bench.arrivals import numbered
from lockgate_cli.bench.bare_server import CONSUMER, stream, subject
from lockgate_cli.bench.child import run_child, say
from lockgate_cli.bench.plans import DONE, READY, Plan


class _Trips:
    def __init__(self, client: Client, payload: int) -> None:
        self._client = client
        self._body = numbered(0, payload)
        self._inbox = client.new_inbox()
        self._sure: asyncio.Queue[Msg] = asyncio.Queue()
        self._pulled: asyncio.Queue[Msg] = asyncio.Queue()

    async def start(self) -> None:
        await self._client.subscribe(f"{self._inbox}.sure", cb=self._sure.put)
        await self._client.subscribe(f"{self._inbox}.pull", cb=self._pulled.put)

    async def publish(self) -> float:
        started = time.perf_counter()
        await self._client.publish(subject(2), self._body, f"{self._inbox}.sure")
        await self._sure.get()
        return time.perf_counter() - started

    async def hop(self) -> float:
        await self._client.publish(
            f"$JS.API.CONSUMER.MSG.NEXT.{stream(1)}.{CONSUMER}", b'{"batch":1,"expires":5000000000}', f"{self._inbox}.pull"
        )
        await self._client.flush()
        started = time.perf_counter()
        await self._client.publish(subject(1), self._body, f"{self._inbox}.sure")
        message = await self._pulled.get()
        await self._client.publish(message.reply, b"+ACK", f"{self._inbox}.sure")
        await self._sure.get()  # stored
        await self._sure.get()  # acknowledged
        return time.perf_counter() - started


async def measure(plan: Plan, stop: asyncio.Event) -> None:
    """Measure ``plan.requests`` of each after a warm-up."""
    client = await nats.connect(plan.server)
    trips = _Trips(client, plan.payload)
    await trips.start()
    say(READY)
    for _ in range(plan.warmup):
        await trips.publish()
        await trips.hop()
    publish = tuple([await trips.publish() for _ in range(plan.requests)])
    hop = tuple([await trips.hop() for _ in range(plan.requests)])
    say(DONE, count=plan.requests, publish=publish, hop=hop)
    await stop.wait()
    await client.close()


if __name__ == "__main__":
    run_child(Plan, measure)
