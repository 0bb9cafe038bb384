"""Topology as data: what is compared, and what the streams promise."""

from __future__ import annotations

import pytest

from lockgate_broker.limits import DEFAULT_LIMITS
from lockgate_broker.nats.topology import STREAM_DEFAULTS, difference, gateway_topology, party_topology, whole_topology
from lockgate_schemas.topics import QUEUES, agent

TOPOLOGY = whole_topology([agent("alpha")], DEFAULT_LIMITS)
WORK_QUEUES = [stream for stream in TOPOLOGY.streams if stream.config["retention"] == "workqueue"]


@pytest.mark.parametrize("stream", WORK_QUEUES, ids=lambda stream: stream.name)
def test_a_work_queue_refuses_when_full_and_drops_nothing_by_itself(stream) -> None:  # parametrised above
    config = stream.config
    assert (config["discard"], config["storage"]) == ("new", "file")
    assert config["max_bytes"] > 0
    assert config["max_msg_size"] > 0
    assert not {"max_age", "allow_direct", "allow_rollup_hdrs", "allow_msg_ttl", "allow_msg_schedules"} & config.keys()


def test_every_queue_has_one_explicit_consumer_without_a_delivery_limit() -> None:
    consumers = {consumer.stream: consumer for consumer in TOPOLOGY.consumers}
    assert consumers.keys() == {stream.name for stream in WORK_QUEUES}
    for consumer in TOPOLOGY.consumers:
        assert consumer.config["ack_policy"] == "explicit"
        assert consumer.config["max_deliver"] == -1
        assert consumer.config["max_ack_pending"] > 0


def test_the_gateway_has_its_queues_and_two_records() -> None:
    names = [stream.name for stream in gateway_topology(DEFAULT_LIMITS).streams]
    assert names == [*(queue.stream for queue in QUEUES), "QUARANTINE", "HEALTH"]
    assert len(party_topology(agent("alpha"), DEFAULT_LIMITS).streams) == 2


@pytest.mark.parametrize(
    ("found", "field"),
    [
        ({}, None),
        ({"allow_direct": False, "mirror": None, "max_age": 0, "sources": []}, None),
        ({"metadata": {"_nats.ver": "9"}}, None),
        ({"allow_direct": True}, "allow_direct"),
        ({"mirror": {"name": "X"}}, "mirror"),
        ({"republish": {"src": ">", "dest": "spy.>"}}, "republish"),
        ({"subjects": ["gw.>"]}, "subjects"),
        ({"max_bytes": 1}, "max_bytes"),
        ({"something_new": "on"}, "something_new"),
    ],
)
def test_a_difference_is_named_also_in_fields_nobody_asked_for(found: dict[str, object], field: str | None) -> None:
    wanted = TOPOLOGY.streams[0].config
    assert difference(wanted, {**wanted, **found}, STREAM_DEFAULTS) == field


def test_a_missing_field_is_a_difference() -> None:
    wanted = TOPOLOGY.streams[0].config
    assert difference(wanted, {key: value for key, value in wanted.items() if key != "discard"}, STREAM_DEFAULTS) == "discard"
