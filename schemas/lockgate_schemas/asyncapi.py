"""The AsyncAPI 3.1 document, made from `lockgate_schemas.topics`: which address carries what, who may send to it, who receives from it.

There is one operation for each right in the table, so that the document says what the broker enforces. Pure; `generate` writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from lockgate_schemas import __version__
from lockgate_schemas.json_schema import MAIL_FILE, file_of
from lockgate_schemas.names import PartyKind
from lockgate_schemas.passage import Cancel, Convoy, Release, Reply
from lockgate_schemas.topics import (
    HEALTH_TOPIC,
    NOTICE_EPOCH,
    NOTICE_OUTCOMES,
    NOTICE_RELEASES,
    QUARANTINE_TOPIC,
    QUEUES,
    RIGHTS,
    Party,
    Queue,
    Rights,
)

_ANY: Final = {kind: Party(kind, "any-name") for kind in PartyKind}
"""A party that stands for all of its kind; its name becomes a parameter of the address."""

_SCHEMAS: Final = "schemas/"
_COMPACT: Final = r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$"

_MESSAGES: Final[dict[str, dict[str, Any]]] = {
    "envelope": {
        "summary": "One signed request: a compact JWS whose payload is an Event",
        "contentType": "application/jose",
        "payload": {"type": "string", "pattern": _COMPACT},
    },
    "convoy": {"summary": "Passages that cleared one gate together", "payload": {"$ref": _SCHEMAS + file_of(Convoy)}},
    "reply": {"summary": "An agent's answer to one dispatch, or a draft of it", "payload": {"$ref": _SCHEMAS + file_of(Reply)}},
    "mail": {"summary": "What was accepted, refused, or has ended", "payload": {"$ref": _SCHEMAS + MAIL_FILE}},
    "cancel": {"summary": "A dispatch is no longer wanted", "payload": {"$ref": _SCHEMAS + file_of(Cancel)}},
    "release": {
        "summary": "What of an answer that is still being written may be shown",
        "payload": {"$ref": _SCHEMAS + file_of(Release)},
    },
    "ended": {
        "summary": "The ids of requests that have just ended",
        "payload": {"type": "array", "items": {"type": "string"}},
    },
    "epoch": {"summary": "The policy epoch as the ledger says it now", "payload": {"type": "integer"}},
    "refused": {
        "summary": "The bytes of a message that a gate refused to handle",
        "contentType": "application/octet-stream",
        "payload": {"type": "string"},
    },
    "probe": {
        "summary": "A readiness probe; its content means nothing",
        "contentType": "application/octet-stream",
        "payload": {"type": "string"},
    },
}
_PARAMETERS: Final = {
    "agent": "The agent's logical name",
    "client": "The client's logical name",
    "token": "A token of the sender's own, by which the broker tells repeated messages apart",
    "role": "The role that sends",
}


@dataclass(frozen=True, slots=True)
class Channel:
    """One address with the one kind of message that goes there."""

    name: str
    address: str
    message: str
    description: str


def _party_channel(kind: PartyKind, name: str, topic: str, message: str, description: str, *, wild: bool = False) -> Channel:
    address = topic.replace(_ANY[kind].name, f"{{{kind}}}") + (".{token}" if wild else "")
    return Channel(name, address, message, description)


def _queue_channel(kind: PartyKind, name: str, queue: Queue, message: str, description: str) -> Channel:
    return _party_channel(kind, name, queue.topic, message, description, wild=queue.wild)


_OWN: Final = {q: Channel(q.stream.lower(), q.topic, "convoy", f"The work queue of the {q.reader} role") for q in QUEUES}
_INBOUND: Final = {
    PartyKind.AGENT: _queue_channel(
        PartyKind.AGENT, "dispatch", _ANY[PartyKind.AGENT].inbound, "convoy", "What the gateway hands to one agent: one passage"
    ),
    PartyKind.CLIENT: _queue_channel(
        PartyKind.CLIENT, "mailbox", _ANY[PartyKind.CLIENT].inbound, "mail", "What one client is told"
    ),
}
_OUTBOUND: Final = {
    PartyKind.AGENT: _queue_channel(
        PartyKind.AGENT, "reply", _ANY[PartyKind.AGENT].outbound, "reply", "What one agent answers; the dlp role reads it"
    ),
    PartyKind.CLIENT: _queue_channel(
        PartyKind.CLIENT, "requests", _ANY[PartyKind.CLIENT].outbound, "envelope", "What one client asks; the ingress reads it"
    ),
}
_CANCEL: Final = _party_channel(
    PartyKind.AGENT, "cancel", _ANY[PartyKind.AGENT].cancel_topic, "cancel", "A notice to every copy of one agent; not stored"
)
_NOTICES: Final = {
    NOTICE_OUTCOMES: Channel("outcomes-notice", NOTICE_OUTCOMES, "ended", "Wakes the ingress; not stored, and never believed"),
    NOTICE_RELEASES: Channel(
        "releases-notice", NOTICE_RELEASES, "release", "For whoever follows an answer; not stored, and verified"
    ),
    NOTICE_EPOCH: Channel("epoch-notice", NOTICE_EPOCH, "epoch", "Wakes the workers; not stored, and never believed"),
}
_QUARANTINE: Final = Channel("quarantine", f"{QUARANTINE_TOPIC}.{{role}}", "refused", "A bounded record for operators")
_HEALTH: Final = Channel("health", f"{HEALTH_TOPIC}.{{role}}", "probe", "Only the last probe is kept")

CHANNELS: Final = (
    *(*_OWN.values(), *_INBOUND.values(), *_OUTBOUND.values()),
    *(_CANCEL, *_NOTICES.values(), _QUARANTINE, _HEALTH),
)


def document() -> dict[str, Any]:
    """The whole document."""
    return {
        "asyncapi": "3.1.0",
        "info": {
            "title": "Lockgate",
            "version": __version__,
            "description": "The topics of a gateway. The broker refuses whatever is not an operation here.",
        },
        "defaultContentType": "application/json",
        "channels": {channel.name: _channel(channel) for channel in CHANNELS},
        "operations": dict(_operations()),
        "components": {"messages": _MESSAGES},
    }


def _channel(channel: Channel) -> dict[str, Any]:
    parameters = {name: {"description": text} for name, text in _PARAMETERS.items() if f"{{{name}}}" in channel.address}
    return {
        "address": channel.address,
        "description": channel.description,
        "messages": {channel.message: {"$ref": f"#/components/messages/{channel.message}"}},
    } | ({"parameters": parameters} if parameters else {})


def _operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for role, rights in RIGHTS.items():
        for channel in _received(rights):
            yield _operation(str(role), "receive", channel)
        for channel in _sent(rights):
            yield _operation(str(role), "send", channel)
    agent, client = PartyKind.AGENT, PartyKind.CLIENT
    for kind, action, channel in (
        (agent, "receive", _INBOUND[agent]),
        (agent, "receive", _CANCEL),
        (agent, "send", _OUTBOUND[agent]),
        (client, "receive", _INBOUND[client]),
        (client, "send", _OUTBOUND[client]),
    ):
        yield _operation(str(kind), action, channel)


def _received(rights: Rights) -> Iterator[Channel]:
    yield from (_OWN[queue] for queue in rights.reads)
    yield from (_OUTBOUND[kind] for kind in rights.reads_from)
    yield from (_NOTICES[topic] for topic in rights.hears)


def _sent(rights: Rights) -> Iterator[Channel]:
    yield from (_OWN[queue] for queue in rights.writes)
    yield from (_INBOUND[kind] for kind in rights.writes_to)
    yield from (_NOTICES[topic] for topic in rights.notifies)
    if rights.cancels:
        yield _CANCEL
    yield from (_QUARANTINE, _HEALTH)


def _operation(who: str, action: str, channel: Channel) -> tuple[str, dict[str, Any]]:
    return f"{who}-{action}-{channel.name}", {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel.name}"},
        "summary": f"{who} {action}s on {channel.address}",
        "tags": [{"name": who}],
        "messages": [{"$ref": f"#/channels/{channel.name}/messages/{channel.message}"}],
    }
