"""The client of the hops without gates: publishes to the first, keeping a bounded number in flight, every one confirmed."""

from __future__ import annotations

import asyncio

import nats
from nats.aio.msg import Msg

from lockgate_cli.bench.arrivals import numbered
from lockgate_cli.bench.bare_server import DONE_SUBJECT, subject
from lockgate_cli.bench.child import run_child, say
from lockgate_cli.bench.plans import DONE, READY, Plan

_CHUNK = 64
"""Messages published between two looks at what has come back."""


async def load(plan: Plan, stop: asyncio.Event) -> None:
    """Send ``plan.total`` messages; a message is in flight until the last hop has reported it."""
    client = await nats.connect(plan.server)
    inbox = client.new_inbox()
    arrived = confirmed = sent = 0
    moved = asyncio.Event()

    async def on_done(message: Msg) -> None:
        nonlocal arrived
        arrived = int(message.data)
        moved.set()

    async def on_confirmed(message: Msg) -> None:
        nonlocal confirmed
        confirmed += b'"seq"' in message.data
        moved.set()

    await client.subscribe(DONE_SUBJECT, cb=on_done)
    await client.subscribe(inbox, cb=on_confirmed)
    await client.flush()
    say(READY)
    while not stop.is_set() and (sent < plan.total or confirmed < sent):
        room = min(_CHUNK, plan.total - sent, plan.window - (sent - min(arrived, confirmed)))
        for number in range(sent, sent + room):
            await client.publish(subject(1), numbered(number, plan.payload), inbox)
        sent += max(room, 0)
        if room <= 0:
            moved.clear()
            await moved.wait()
        else:
            await asyncio.sleep(0)
    say(DONE, count=confirmed)
    await stop.wait()
    await client.close()


if __name__ == "__main__":
    run_child(Plan, load)
