"""The JetStream API calls of the provisioner: create, look up, delete, count. The only code that makes any.

Decides nothing but what an answer means; which streams and consumers there should be stands in `topology.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import nats.errors

from lockgate_broker.nats.topology import (
    CONSUMER_DEFAULTS,
    STREAM_DEFAULTS,
    Consumer,
    Stream,
    Topology,
    consumer_name,
    difference,
)
from lockgate_broker.nats.wire import Wire
from lockgate_schemas.errors import BrokerError, TopologyError
from lockgate_schemas.topics import Queue

API: Final = "$JS.API"
AT_ONCE: Final = 32
"""Requests on their way at the same time; a thousand parties are four thousand of them."""
STREAM_NOT_FOUND: Final = 10059
CONSUMER_NOT_FOUND: Final = 10014
ABSENT: Final = frozenset({STREAM_NOT_FOUND, CONSUMER_NOT_FOUND})


async def ensure(wire: Wire, topology: Topology) -> None:
    """Create what is missing; raise `TopologyError` on the first thing that exists and differs."""
    for start in range(0, len(topology.streams), AT_ONCE):
        await asyncio.gather(*(_ensure_stream(wire, stream) for stream in topology.streams[start : start + AT_ONCE]))
    for start in range(0, len(topology.consumers), AT_ONCE):
        await asyncio.gather(*(_ensure_consumer(wire, consumer) for consumer in topology.consumers[start : start + AT_ONCE]))


async def delete(wire: Wire, topology: Topology) -> None:
    """Delete the streams of ``topology``, and with them their consumers; what is gone already is fine."""
    for stream in topology.streams:
        await _ask(wire, f"STREAM.DELETE.{stream.name}", None)


async def waiting(wire: Wire, queue: Queue) -> int:
    """How many messages the queue holds, delivered or not; raise `BrokerError` if there is no such queue."""
    answer = await _ask(wire, f"CONSUMER.INFO.{queue.stream}.{consumer_name(queue)}", None)
    if answer is None:
        raise BrokerError("there is no such queue")
    return int(answer["num_pending"]) + int(answer["num_ack_pending"])


async def _ensure_stream(wire: Wire, stream: Stream) -> None:
    found = await _ask(wire, f"STREAM.INFO.{stream.name}", None)
    if found is None:
        found = await _ask(wire, f"STREAM.CREATE.{stream.name}", stream.config)
    _same(f"stream {stream.name}", stream.config, found, STREAM_DEFAULTS)


async def _ensure_consumer(wire: Wire, consumer: Consumer) -> None:
    found = await _ask(wire, f"CONSUMER.INFO.{consumer.stream}.{consumer.name}", None)
    if found is None:
        request = {"stream_name": consumer.stream, "config": consumer.config, "action": "create"}
        found = await _ask(wire, f"CONSUMER.DURABLE.CREATE.{consumer.stream}.{consumer.name}", request)
    _same(f"consumer {consumer.name} of {consumer.stream}", consumer.config, found, CONSUMER_DEFAULTS)


def _same(what: str, wanted: Mapping[str, Any], answer: Mapping[str, Any] | None, defaults: Mapping[str, object]) -> None:
    if answer is None:
        raise BrokerError(f"the {what} was not created")
    field = difference(wanted, answer["config"], defaults)
    if field is not None:
        raise TopologyError(f"the {what} differs in {field}")


async def _ask(wire: Wire, call: str, request: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Make one API call; None means that the thing does not exist."""
    body = msgspec.json.encode(request) if request is not None else b""
    try:
        reply = await wire.client.request(f"{API}.{call}", body, timeout=wire.timing.publish)
    except (nats.errors.Error, OSError, TimeoutError) as error:
        raise BrokerError("the broker's administration does not answer") from error
    answer: dict[str, Any] = msgspec.json.decode(reply.data, type=dict[str, Any])
    problem = answer.get("error")
    if problem is None:
        return answer
    if problem.get("err_code") in ABSENT:
        return None
    raise BrokerError(f"the broker's administration refused (code {problem.get('err_code')})")
