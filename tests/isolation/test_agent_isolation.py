"""What an agent can do with its own broker credentials and a raw client: its three ways, and nothing else.

The table lists every kind of attempt. Each is run twice: against the real configuration, where it must gain and change nothing; and
against a configuration with one grant too many, where the very same attempt must succeed. An attempt that never succeeds
would prove nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

PULL = b'{"batch":1,"expires":200000000}'
OWN_NEXT = "$JS.API.CONSUMER.MSG.NEXT.D_alpha.agent"
INSIDE = {"inside_gateway": True}


@dataclass(frozen=True)
class Probe:
    """``control`` is the grant with which the attempt must succeed (the fields of `Widening`)."""

    id: str
    sentence: str
    attempt: Callable[[Any], Awaitable[bool]]
    control: dict[str, Any] = field(default_factory=dict)


def api(id_: str, sentence: str, call: str, body: bytes = b"") -> Probe:
    """A JetStream API call; the control exports it."""
    subject = f"$JS.API.{call}"
    return Probe(id_, sentence, lambda a: a.asks(subject, body), {"services": (subject,)})


def publish(id_: str, sentence: str, subject: str) -> Probe:
    """A plain publish; the control exports the subject."""
    return Probe(id_, sentence, lambda a: a.publishes(subject), {"services": (subject,)})


def hear(id_: str, sentence: str, subject: str, **control: Any) -> Probe:
    """A subscription; the control allows it."""
    return Probe(id_, sentence, lambda a: a.hears(subject), control or {"subscribe": (subject,)})


def redirect(id_: str, sentence: str, reply: str, subject: str = OWN_NEXT, body: bytes = PULL, **more: Any) -> Probe:
    """Something allowed whose answer is told to go elsewhere; it works inside the gateway's account, which is why nobody is in it."""
    return Probe(id_, sentence, lambda a: a.redirects(subject, body, reply, **more), INSIDE)


def ack(id_: str, sentence: str, verb: bytes) -> Probe:
    """An acknowledgement of a delivery that another agent holds."""
    return Probe(id_, sentence, lambda a: a.asks(a.foreign_ack, verb), {"services": ("$JS.ACK.D_beta.agent.>",)})


async def ack_elsewhere(attack: Any, reply: str, verb: bytes = b"+ACK") -> bool:
    """Acknowledge a delivery of its own, and have the answer sent to ``reply``."""
    return await attack.redirects(await attack.own_delivery(), verb, reply)


SPY = b'{"stream_name":"D_beta","config":{"name":"spy","durable_name":"spy","ack_policy":"none"},"action":"create"}'
MORE = b'{"stream_name":"D_alpha","config":{"name":"more","durable_name":"more","ack_policy":"explicit"},"action":"create"}'
STREAM = b'{"name":"MINE","subjects":["mine.>"],"storage":"file","num_replicas":1}'
TAP = b'{"name":"TAP","storage":"file","num_replicas":1,"sources":[{"name":"D_beta"}]}'
UPDATE = b'{"name":"R_alpha","subjects":["gw.reply.*.*"],"storage":"file","num_replicas":1}'

READING = (
    api("pull-dispatch-of-another", "read another agent's dispatches", "CONSUMER.MSG.NEXT.D_beta.agent", PULL),
    api("pull-authz", "read what waits for authz", "CONSUMER.MSG.NEXT.AUTHZ.authz", PULL),
    api("pull-inspection", "read what waits for inspection", "CONSUMER.MSG.NEXT.INSPECTION.inspection", PULL),
    api("pull-outcomes", "read outcomes before the ledger", "CONSUMER.MSG.NEXT.OUTCOMES.outcome", PULL),
    api("pull-replies", "take its own replies away from dlp", "CONSUMER.MSG.NEXT.R_alpha.dlp", PULL),
    api("pull-client-outcome", "read a client's outcomes", "CONSUMER.MSG.NEXT.O_shop.client", PULL),
    api("message-get", "read another's stream by sequence", "STREAM.MSG.GET.D_beta", b'{"seq":1}'),
    api("message-get-own", "read its own stream by sequence, past the consumer", "STREAM.MSG.GET.D_alpha", b'{"seq":1}'),
    api("message-get-quarantine", "read refused messages", "STREAM.MSG.GET.QUARANTINE", b'{"seq":1}'),
)

ACKNOWLEDGING = (
    ack("ack-of-another", "acknowledge another's delivery", b"+ACK"),
    ack("nak-of-another", "give another's delivery back", b"-NAK"),
    ack("term-of-another", "end another's delivery", b"+TERM"),
    ack("progress-of-another", "keep another's delivery from coming again", b"+WPI"),
    Probe(
        "ack-long-form",
        "acknowledge another's delivery in the long form with domain and account",
        lambda a: a.publishes(a.foreign_ack.replace("$JS.ACK.", "$JS.ACK._._."), b"+ACK"),
        {"publish": ("$JS.ACK._._.D_beta.agent.>",)},
    ),
    Probe(
        "ack-replies",
        "acknowledge its own reply in place of dlp",
        lambda a: a.asks(a.reply_ack, b"+ACK"),
        {"services": ("$JS.ACK.R_alpha.dlp.>",)},
    ),
)

ADMINISTERING = (
    api("consumer-info", "look at another's consumer", "CONSUMER.INFO.D_beta.agent"),
    api("consumer-info-own", "look at its own consumer", "CONSUMER.INFO.D_alpha.agent"),
    api("consumer-create", "make a consumer on another's stream", "CONSUMER.CREATE.D_beta.spy", SPY),
    api("consumer-create-durable", "make a durable consumer there", "CONSUMER.DURABLE.CREATE.D_beta.spy", SPY),
    api("consumer-create-own", "make a second consumer on its own stream", "CONSUMER.CREATE.D_alpha.more", MORE),
    api("consumer-delete", "delete another's consumer", "CONSUMER.DELETE.D_beta.agent"),
    api("consumer-delete-own", "delete its own consumer", "CONSUMER.DELETE.D_alpha.agent"),
    api("consumer-pause", "pause dlp on its replies", "CONSUMER.PAUSE.R_alpha.dlp", b'{"pause_until":"2100-01-01T00:00:00Z"}'),
    api("consumer-names", "list consumers by name", "CONSUMER.NAMES.D_beta"),
    api("consumer-list", "list consumers", "CONSUMER.LIST.D_beta"),
    api("stream-info", "look at a stream", "STREAM.INFO.AUTHZ"),
    api("stream-info-own", "look at its own stream, which holds counts of the gateway", "STREAM.INFO.D_alpha"),
    api("stream-create", "make a stream", "STREAM.CREATE.MINE", STREAM),
    api("stream-tap", "make a stream that copies another's", "STREAM.CREATE.TAP", TAP),
    api("stream-update", "take other agents' replies into its own stream", "STREAM.UPDATE.R_alpha", UPDATE),
    api("stream-purge", "empty another's stream", "STREAM.PURGE.D_beta"),
    api("stream-purge-own", "empty its own reply stream", "STREAM.PURGE.R_alpha"),
    api("stream-delete", "delete a stream", "STREAM.DELETE.AUTHZ"),
    api("stream-names", "list streams by name", "STREAM.NAMES"),
    api("stream-list", "list streams", "STREAM.LIST"),
    api("message-delete", "delete a message", "STREAM.MSG.DELETE.AUTHZ", b'{"seq":1}'),
    api("stream-snapshot", "copy a whole stream", "STREAM.SNAPSHOT.D_beta", b'{"deliver_subject":"_INBOX_AG_alpha.snapshot"}'),
    api("stream-restore", "bring a stream of its own making", "STREAM.RESTORE.FAKE", b'{"config":{"name":"FAKE"},"state":{}}'),
    api("account-info", "read the gateway's JetStream account", "INFO"),
)

PUBLISHING = (
    publish("publish-authz", "put something before authz", "gw.authz"),
    publish("publish-inspection", "put something behind authz", "gw.inspection"),
    publish("publish-own-dispatch", "dispatch to itself", "gw.dispatch.alpha"),
    publish("publish-dispatch", "dispatch to another agent", "gw.dispatch.beta"),
    publish("publish-outcomes", "decide an outcome", "gw.outcomes"),
    publish("publish-ingress", "enter as a client", "gw.ingress.shop.x"),
    publish("publish-client-outcome", "answer a client past dlp", "gw.outcome.shop"),
    publish("publish-reply-of-another", "reply as another agent", "gw.reply.beta.x"),
    publish("publish-quarantine", "fill the quarantine record", "gw.quarantine.dlp"),
    publish("publish-health", "pretend that a role is well", "gw.health.dlp"),
    publish("publish-notice-outcomes", "tell the ingress about outcomes", "gw.notice.outcomes"),
    publish("publish-notice-epoch", "tell workers that policy changed", "gw.notice.epoch"),
    publish("publish-notice-releases", "have a client shown what no gate let be shown", "gw.notice.releases"),
    publish("publish-cancel", "cancel another agent's work", "gw.cancel.beta"),
    publish("publish-own-cancel", "cancel its own copies in the gateway's name", "gw.cancel.alpha"),
    publish("publish-reply-bare", "reply without a dispatch", "gw.reply.alpha"),
    publish("publish-reply-deep", "reply one level too deep", "gw.reply.alpha.x.y"),
    publish("publish-inbox-of-role", "answer in a server's place to a role", "_INBOX_dlp.x"),
)

HEARING = (
    hear("hear-everything", "hear everything", ">"),
    hear("hear-gateway", "hear all gateway topics", "gw.>"),
    hear("hear-dispatches", "hear all dispatches", "gw.dispatch.*"),
    hear("hear-own-replies", "hear its own replies", "gw.reply.alpha.*"),
    hear("hear-inboxes", "hear the common inboxes", "_INBOX.>"),
    hear("hear-role-inbox", "hear a role's inbox", "_INBOX_dlp.>"),
    hear("hear-agent-inbox", "hear another agent's inbox", "_INBOX_AG_beta.>"),
    hear("hear-jetstream", "hear the JetStream API", "$JS.>"),
    hear("hear-advisories", "hear JetStream's advisories", "$JS.EVENT.ADVISORY.>"),
    hear("hear-system", "hear system events", "$SYS.>"),
    hear("hear-service-replies", "hear the server's routes for answers", "_R_.>"),
    hear("hear-cancels", "hear another agent's cancellations", "gw.cancel.beta", streams=("gw.cancel.beta",)),
    hear("hear-all-cancels", "hear all cancellations", "gw.cancel.*"),
    hear("hear-epoch", "hear that policy changed", "gw.notice.epoch", streams=("gw.notice.epoch",)),
    hear("hear-releases", "read other answers along", "gw.notice.releases", streams=("gw.notice.releases",)),
    hear("hear-outcomes", "hear which requests ended", "gw.notice.outcomes", streams=("gw.notice.outcomes",)),
    Probe(
        "hear-in-a-group", "share a subject in a queue group", lambda a: a.hears("gw.>", "workers"), {"subscribe": ("gw.>",)}
    ),
)

SYSTEM = (
    Probe(
        "system-user-info", "ask what the server knows of it", lambda a: a.asks("$SYS.REQ.USER.INFO"),
        {"publish": ("$SYS.REQ.USER.INFO",)},
    ),
    Probe(
        "system-account-connections", "ask who is connected", lambda a: a.asks("$SYS.REQ.ACCOUNT.PING.CONNZ"),
        {"publish": ("$SYS.REQ.ACCOUNT.PING.CONNZ",)},
    ),
    Probe(
        "system-ping", "ask every server for its state", lambda a: a.publishes("$SYS.REQ.SERVER.PING"),
        {"publish": ("$SYS.REQ.SERVER.PING",)},
    ),
    Probe(
        "system-reload", "make the server reload", lambda a: a.publishes(f"$SYS.REQ.SERVER.{a.client._server_info['server_id']}.RELOAD"),
        {"publish": ("$SYS.REQ.SERVER.*.RELOAD",)},
    ),
)  # fmt: skip

REDIRECTING = (
    redirect("redirect-pull-to-authz", "have a delivery stored before authz", "gw.authz"),
    redirect("redirect-pull-to-inspection", "have a delivery stored behind authz", "gw.inspection"),
    redirect("redirect-pull-to-ingress", "have a delivery stored as a client's request", "gw.ingress.shop.x"),
    redirect("redirect-pull-to-agent", "have a delivery stored for another agent", "gw.dispatch.beta"),
    redirect("redirect-pull-to-reply", "have a delivery stored as another agent's reply", "gw.reply.beta.x"),
    redirect("redirect-pull-to-outcomes", "have a delivery stored as an outcome", "gw.outcomes"),
    redirect("redirect-malformed", "have the error of a malformed pull stored", "gw.authz", body=b"{not json"),
    redirect("redirect-status", "have the status of an empty pull stored", "gw.dispatch.beta", body=b'{"batch":0,"expires":-1}'),
    redirect("redirect-puback", "have a publish confirmation stored", "gw.authz", "gw.reply.alpha.x", b"bait"),
    redirect("redirect-puback-to-agent", "have a publish confirmation stored for an agent", "gw.dispatch.beta", "gw.reply.alpha.x", b"bait"),
    Probe(
        "redirect-ack-next", "have the next delivery after an ack stored elsewhere",
        lambda a: ack_elsewhere(a, "gw.authz", b'+NXT {"batch":1}'), INSIDE,
    ),
    Probe("redirect-double-ack", "have the confirmation of an ack stored elsewhere", lambda a: ack_elsewhere(a, "gw.authz"), INSIDE),
    Probe(
        "redirect-to-api", "have the confirmation of an ack delete a stream",
        lambda a: ack_elsewhere(a, "$JS.API.STREAM.DELETE.D_beta"), INSIDE,
    ),
    # No control: this server does not act on it inside one account either. It stays in the table in case a later one does.
    Probe(
        "redirect-to-ack", "have the confirmation of an ack acknowledge for another agent",
        lambda a: ack_elsewhere(a, a.foreign_ack),
    ),
)  # fmt: skip


def header(id_: str, sentence: str, control: dict[str, Any], **headers: str) -> Probe:
    """A reply of its own with a header that would act on more than this message."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Probe(id_, sentence, lambda a: a.redirects("gw.reply.alpha.h", b"bait", "", named), control)


HEADERS = (
    header(
        "header-schedule", "have the server publish elsewhere later", {},
        Nats_Schedule="@at 2020-01-01T00:00:00Z", Nats_Schedule_Target="gw.authz",
    ),
    header("header-schedule-own", "have the server publish to another's replies", {}, Nats_Schedule="@every 1s", Nats_Schedule_Target="gw.reply.beta.x"),
    header("header-rollup-all", "replace everything stored", {}, Nats_Rollup="all"),
    header("header-rollup-subject", "replace everything of one subject", {}, Nats_Rollup="sub"),
    header("header-ttl", "let a message vanish by itself", {}, Nats_TTL="1s"),
    header("header-batch", "begin an atomic batch", {}, Nats_Batch_Id="b", Nats_Batch_Sequence="1", Nats_Batch_Commit="1"),
    header("header-counter", "count instead of storing", {}, Nats_Incr="1"),
    header("header-expected-stream", "aim at another stream", {}, Nats_Expected_Stream="AUTHZ"),
    header("header-expected-sequence", "aim at another sequence", {}, Nats_Expected_Last_Sequence="0"),
    header("header-marker", "delete by marker", {}, Nats_Marker_Reason="Purge"),
    header("header-trace", "have the server report its way into a queue", {}, Nats_Trace_Dest="gw.authz", Nats_Trace_Only="true"),
)  # fmt: skip

PROBES = (
    *READING,
    *ACKNOWLEDGING,
    *ADMINISTERING,
    *PUBLISHING,
    *HEARING,
    *SYSTEM,
    *REDIRECTING,
    *HEADERS,
)
CONTROLLED = tuple(probe for probe in PROBES if probe.control)


def test_the_table_is_as_wide_as_promised() -> None:
    assert len({probe.id for probe in PROBES}) == len(PROBES) >= 37


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.id)
@pytest.mark.requirement("P6")
async def test_an_agent_cannot(site: Any, probe: Probe) -> None:
    assert not await site.attack("alpha", probe.attempt), probe.sentence


@pytest.mark.parametrize("probe", CONTROLLED, ids=lambda probe: probe.id)
async def test_with_one_grant_too_many_an_agent_could(fresh_site: Any, widening: Any, probe: Probe) -> None:
    await fresh_site.widen("alpha", widening(**probe.control))
    assert await fresh_site.attack("alpha", probe.attempt), f"the probe does not bite: {probe.sentence}"
