"""One or more hops by hand on nats-py, one message per message: the limit of what can be had.

Own pull requests that keep a batch outstanding, publishes with a reply inbox whose confirmations are awaited a batch at a time, and
the acknowledgement after that. No gate, no framework, no decoding.
"""

from __future__ import annotations

import asyncio
from collections import deque

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg

from lockgate_cli.bench.arrivals import Arrivals
from lockgate_cli.bench.bare_server import CONSUMER, DONE_SUBJECT, stream, subject
from lockgate_cli.bench.child import run_child, say
from lockgate_cli.bench.plans import HOPS, READY, Plan

_EXPIRES = 5_000_000_000
"""Nanoseconds a pull request lives."""


class Hop:
    """One hop: what has come, what has been asked for, and what waits for its confirmation."""

    def __init__(self, client: Client, plan: Plan, hop: int) -> None:
        self._client = client
        self._plan = plan
        self._hop = hop
        self._stream = client.jetstream()
        self._inbox = client.new_inbox()
        self._held: deque[Msg] = deque()
        self._credit = 0
        self._unconfirmed = 0
        self._changed = asyncio.Event()
        self._arrivals = Arrivals(plan)

    async def start(self) -> None:
        """Subscribe to both inboxes."""
        await self._client.subscribe(f"{self._inbox}.pull", cb=self._on_message)
        await self._client.subscribe(f"{self._inbox}.sure", cb=self._on_confirmed)

    async def work(self) -> None:
        """Move messages until cancelled."""
        while True:
            await self._ask()
            while not self._held:
                self._changed.clear()
                await self._changed.wait()
                await self._ask()
            batch = [self._held.popleft() for _ in range(min(len(self._held), self._plan.batch))]
            if self._hop < HOPS:
                await self._pass_on(batch)
            for message in batch:
                await self._client.publish(message.reply, b"+ACK")
            if self._hop == HOPS:
                await self._arrive(batch)

    async def _pass_on(self, batch: list[Msg]) -> None:
        if not self._plan.lean:
            await asyncio.gather(*[await self._stream.publish_async(subject(self._hop + 1), m.data) for m in batch])
            return
        self._unconfirmed = len(batch)
        for message in batch:
            await self._client.publish(subject(self._hop + 1), message.data, f"{self._inbox}.sure")
        while self._unconfirmed:
            self._changed.clear()
            await self._changed.wait()

    async def _arrive(self, batch: list[Msg]) -> None:
        for message in batch:
            self._arrivals.take(message.data)
        await self._client.publish(DONE_SUBJECT, b"%d" % self._arrivals.count)

    async def _ask(self) -> None:
        want = self._plan.batch - self._credit
        if want > self._plan.batch // 2:
            body = b'{"batch":%d,"expires":%d}' % (want, _EXPIRES)
            self._credit += want
            await self._client.publish(f"$JS.API.CONSUMER.MSG.NEXT.{stream(self._hop)}.{CONSUMER}", body, f"{self._inbox}.pull")

    async def _on_message(self, message: Msg) -> None:
        if message.reply:
            self._credit -= 1
            self._held.append(message)
        else:  # the request expired
            left = (message.headers or {}).get("Nats-Pending-Messages", "0")
            self._credit -= min(self._credit, int(left))
        self._changed.set()

    async def _on_confirmed(self, message: Msg) -> None:
        if b'"seq"' not in message.data:
            raise RuntimeError("a message was not stored")
        self._unconfirmed -= 1
        if not self._unconfirmed:
            self._changed.set()


async def serve(plan: Plan, stop: asyncio.Event) -> None:
    """Serve the hops of ``plan`` until told to stop."""
    client = await nats.connect(plan.server)
    hops = [Hop(client, plan, hop) for hop in plan.hops]
    for hop in hops:
        await hop.start()
    await client.flush()
    say(READY)
    working = [asyncio.create_task(hop.work()) for hop in hops]
    waiting = asyncio.create_task(stop.wait())
    await asyncio.wait([*working, waiting], return_when=asyncio.FIRST_COMPLETED)
    for task in (*working, waiting):
        task.cancel()
    await asyncio.gather(*working, waiting, return_exceptions=True)
    await client.close()


if __name__ == "__main__":
    run_child(Plan, serve)
