"""The same questions for a client's credentials and for each stage worker's: what is not in its row of the table is refused.

Inside the gateway's account the answers of a worker's requests can still be redirected (see the agents' table); that is why every
hop verifies stamps. What a permission can stop, it stops here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

Attempt = Callable[[Any], Awaitable[bool]]
PULL = b'{"batch":1,"expires":200000000}'


def pull(stream: str, consumer: str) -> Attempt:
    return lambda attack: attack.asks(f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}", PULL)


def api(call: str, body: bytes = b"") -> Attempt:
    return lambda attack: attack.asks(f"$JS.API.{call}", body)


def publish(subject: str) -> Attempt:
    return lambda attack: attack.publishes(subject)


def hear(subject: str) -> Attempt:
    return lambda attack: attack.hears(subject)


def redirect(reply: str) -> Attempt:
    return lambda attack: attack.redirects("$JS.API.CONSUMER.MSG.NEXT.O_shop.client", PULL, reply)


CLIENT = {
    "pull-dispatch": pull("D_alpha", "agent"),
    "pull-replies": pull("R_alpha", "dlp"),
    "pull-own-requests": pull("I_shop", "ingress"),
    "pull-outcome-of-another": pull("O_mart", "client"),
    "pull-authz": pull("AUTHZ", "authz"),
    "message-get": api("STREAM.MSG.GET.O_mart", b'{"seq":1}'),
    "stream-list": api("STREAM.LIST"),
    "stream-purge": api("STREAM.PURGE.I_mart"),
    "consumer-create": api("CONSUMER.CREATE.O_mart.spy", b'{"stream_name":"O_mart","config":{"name":"spy"}}'),
    "consumer-delete": api("CONSUMER.DELETE.O_shop.client"),
    "account-info": api("INFO"),
    "dispatch": publish("gw.dispatch.alpha"),
    "reply-as-agent": publish("gw.reply.alpha.x"),
    "reply-as-namesake": publish("gw.reply.shop.x"),
    "ingress-of-another": publish("gw.ingress.mart.x"),
    "ingress-bare": publish("gw.ingress.shop"),
    "outcome-to-itself": publish("gw.outcome.shop"),
    "past-the-door": publish("gw.authz"),
    "past-authz": publish("gw.inspection"),
    "outcomes": publish("gw.outcomes"),
    "cancel": publish("gw.cancel.alpha"),
    "release": publish("gw.notice.releases"),
    "hear-releases": hear("gw.notice.releases"),
    "quarantine": publish("gw.quarantine.ingress"),
    "health": publish("gw.health.ingress"),
    "hear-cancels": hear("gw.cancel.alpha"),
    "hear-everything": hear(">"),
    "hear-gateway": hear("gw.>"),
    "hear-inboxes": hear("_INBOX.>"),
    "hear-inbox-of-another": hear("_INBOX_CL_mart.>"),
    "hear-system": hear("$SYS.>"),
    "hear-advisories": hear("$JS.EVENT.ADVISORY.>"),
    "redirect-to-authz": redirect("gw.authz"),
    "redirect-to-agent": redirect("gw.dispatch.alpha"),
    "redirect-to-reply": redirect("gw.reply.alpha.x"),
    "redirect-to-another-client": redirect("gw.outcome.mart"),
}

EVERY_WORKER = {
    "stream-list": api("STREAM.LIST"),
    "stream-info": api("STREAM.INFO.D_alpha"),
    "stream-purge": api("STREAM.PURGE.AUTHZ"),
    "stream-delete": api("STREAM.DELETE.D_alpha"),
    "stream-create": api("STREAM.CREATE.MINE", b'{"name":"MINE","subjects":["mine.>"]}'),
    "message-get": api("STREAM.MSG.GET.QUARANTINE", b'{"seq":1}'),
    "consumer-create": api("CONSUMER.CREATE.AUTHZ.spy", b'{"stream_name":"AUTHZ","config":{"name":"spy"}}'),
    "consumer-info": api("CONSUMER.INFO.AUTHZ.authz"),
    "consumer-delete": api("CONSUMER.DELETE.OUTCOMES.outcome"),
    "account-info": api("INFO"),
    "pull-dispatch": pull("D_alpha", "agent"),
    "pull-client-outcome": pull("O_shop", "client"),
    "notify-epoch": publish("gw.notice.epoch"),
    "reply-as-agent": publish("gw.reply.alpha.x"),
    "enter-as-client": publish("gw.ingress.shop.x"),
    "quarantine-as-provisioner": publish("gw.quarantine.provisioner"),
    "hear-everything": hear(">"),
    "hear-gateway": hear("gw.>"),
    "hear-replies": hear("gw.reply.*.*"),
    "hear-inboxes": hear("_INBOX.>"),
    "hear-provisioner": hear("_INBOX_provisioner.>"),
    "hear-system": hear("$SYS.>"),
    "hear-advisories": hear("$JS.EVENT.ADVISORY.>"),
}

WORKERS = {
    "ingress": {
        "pull-authz": pull("AUTHZ", "authz"),
        "pull-outcomes": pull("OUTCOMES", "outcome"),
        "pull-replies": pull("R_alpha", "dlp"),
        "inspection": publish("gw.inspection"),
        "dispatch": publish("gw.dispatch.alpha"),
        "cancel": publish("gw.cancel.alpha"),
        "notify-outcomes": publish("gw.notice.outcomes"),
        "release": publish("gw.notice.releases"),
    },
    "authz": {
        "pull-inspection": pull("INSPECTION", "inspection"),
        "pull-requests": pull("I_shop", "ingress"),
        "dispatch": publish("gw.dispatch.alpha"),
        "client-outcome": publish("gw.outcome.shop"),
        "hear-outcomes": hear("gw.notice.outcomes"),
        "hear-inbox": hear("_INBOX_inspection.>"),
        "release": publish("gw.notice.releases"),
        "hear-releases": hear("gw.notice.releases"),
    },
    "inspection": {
        "pull-authz": pull("AUTHZ", "authz"),
        "pull-outcomes": pull("OUTCOMES", "outcome"),
        "pull-replies": pull("R_alpha", "dlp"),
        "client-outcome": publish("gw.outcome.shop"),
        "cancel": publish("gw.cancel.alpha"),
        "hear-inbox": hear("_INBOX_authz.>"),
        "release": publish("gw.notice.releases"),
        "hear-releases": hear("gw.notice.releases"),
    },
    "dlp": {
        "pull-authz": pull("AUTHZ", "authz"),
        "pull-inspection": pull("INSPECTION", "inspection"),
        "pull-outcomes": pull("OUTCOMES", "outcome"),
        "pull-requests": pull("I_shop", "ingress"),
        "authz": publish("gw.authz"),
        "inspection": publish("gw.inspection"),
        "dispatch": publish("gw.dispatch.alpha"),
        "client-outcome": publish("gw.outcome.shop"),
        "cancel": publish("gw.cancel.alpha"),
        "health-of-another": publish("gw.health.authz"),
        "hear-inbox": hear("_INBOX_outcome.>"),
        "hear-releases": hear("gw.notice.releases"),
    },
    "outcome": {
        "pull-authz": pull("AUTHZ", "authz"),
        "pull-replies": pull("R_alpha", "dlp"),
        "inspection": publish("gw.inspection"),
        "dispatch": publish("gw.dispatch.alpha"),
        "hear-outcomes": hear("gw.notice.outcomes"),
        "hear-inbox": hear("_INBOX_ingress.>"),
        "release": publish("gw.notice.releases"),
        "hear-releases": hear("gw.notice.releases"),
    },
}


@pytest.mark.parametrize("name", CLIENT)
async def test_a_client_cannot(site: Any, name: str) -> None:
    assert not await site.attack("shop", CLIENT[name])


@pytest.mark.parametrize("role", WORKERS)
@pytest.mark.parametrize("name", EVERY_WORKER)
async def test_no_worker_can(site: Any, role: str, name: str) -> None:
    assert not await site.attack(role, EVERY_WORKER[name])


@pytest.mark.parametrize(("role", "name"), [(role, name) for role, probes in WORKERS.items() for name in probes])
async def test_a_worker_cannot(site: Any, role: str, name: str) -> None:
    assert not await site.attack(role, WORKERS[role][name])


async def test_the_provisioner_cannot_publish_into_any_queue(site: Any) -> None:
    for topic in ("gw.authz", "gw.inspection", "gw.outcomes", "gw.dispatch.alpha", "gw.outcome.shop", "gw.cancel.alpha"):
        assert not await site.attack("provisioner", publish(topic))


@pytest.mark.parametrize(
    ("who", "attempt", "grant"),
    [
        ("dlp", publish("gw.inspection"), {"publish": ("gw.inspection",)}),
        ("inspection", pull("AUTHZ", "authz"), {"publish": ("$JS.API.CONSUMER.MSG.NEXT.AUTHZ.authz",)}),
        ("authz", api("STREAM.PURGE.AUTHZ"), {"publish": ("$JS.API.STREAM.PURGE.AUTHZ",)}),
        ("outcome", hear("gw.>"), {"subscribe": ("gw.>",)}),
        ("shop", pull("D_alpha", "agent"), {"services": ("$JS.API.CONSUMER.MSG.NEXT.D_alpha.agent",)}),
        ("shop", publish("gw.dispatch.alpha"), {"services": ("gw.dispatch.alpha",)}),
        ("shop", redirect("gw.dispatch.alpha"), {"inside_gateway": True}),
    ],
)
async def test_with_one_grant_too_many_they_could(fresh_site: Any, widening: Any, who: str, attempt: Any, grant: dict) -> None:
    await fresh_site.widen(who, widening(**grant))
    assert await fresh_site.attack(who, attempt)
