"""Beside everything refused: what must work with an agent's credentials, what it may not use up, and how nobody gets in."""

from __future__ import annotations

import base64
import json
from typing import Any

import nats
import nats.errors
import nkeys
import pytest
from nats.aio.client import Client

from lockgate_broker.nats.keys import new_seed, public_key

NEXT = "$JS.API.CONSUMER.MSG.NEXT.D_alpha.agent"


async def test_an_agent_pulls_its_own_dispatches_and_a_double_ack_is_confirmed(fresh_site: Any) -> None:
    async with fresh_site.attacker("alpha") as mine:
        subject = await mine.own_delivery()
        assert subject.startswith("$JS.ACK.D_alpha.agent.1.")
        assert await mine.asks(subject, b"+ACK")
        assert not mine.complaints
    state = await fresh_site.state()
    assert state["D_alpha"]["counts"]["messages"] == 299


async def test_an_agent_s_own_reply_is_confirmed(fresh_site: Any) -> None:
    async with fresh_site.attacker("alpha") as mine:
        answer = await mine.client.request("gw.reply.alpha.d1", b"result", timeout=30)
        assert json.loads(answer.data) == {"stream": "R_alpha", "seq": 2}


async def test_an_agent_hears_its_own_cancellations(site: Any) -> None:
    async with site.attacker("alpha") as mine, site.attacker("outcome") as outcome:
        subscription = await mine.client.subscribe("gw.cancel.alpha")
        await mine.client.flush()
        await mine.client.flush()
        await outcome.client.publish("gw.cancel.alpha", b"d1")
        assert (await subscription.next_msg(timeout=30)).data == b"d1"
        assert not mine.complaints


async def redirected(site: Any, listener: str, subject: str, reply: str) -> bool:
    """Have a delivery of alpha's sent to ``reply``; say whether ``listener`` hears it on ``subject``."""
    async with site.attacker("alpha") as mine, site.attacker(listener) as victim:
        subscription = await victim.client.subscribe(subject)
        await victim.client.flush()
        await victim.client.flush()  # the first PING overtakes what is still buffered
        await mine.client.publish(NEXT, b'{"batch":1,"no_wait":true}', reply)
        await mine.own_delivery()  # the same way behind it: what was to be sent elsewhere has been by now
        await victim.client.flush()
        await victim.client.flush()  # the first PING overtakes what is still buffered
        return subscription.pending_msgs > 0


LISTENERS = [
    ("dlp", "gw.notice.epoch", "gw.notice.epoch"),
    ("dlp", "_INBOX_dlp.>", "_INBOX_dlp.x"),
    ("ingress", "gw.notice.outcomes", "gw.notice.outcomes"),
    ("ingress", "_INBOX_ingress.>", "_INBOX_ingress.x"),
]


@pytest.mark.parametrize(("listener", "subject", "reply"), LISTENERS)
async def test_redirected_answers_reach_no_listener(site: Any, listener: str, subject: str, reply: str) -> None:
    assert not await redirected(site, listener, subject, reply)


@pytest.mark.parametrize(("listener", "subject", "reply"), LISTENERS)
async def test_inside_the_gateway_s_account_redirected_answers_would(
    fresh_site: Any, widening: Any, listener: str, subject: str, reply: str
) -> None:
    await fresh_site.widen("alpha", widening(inside_gateway=True))
    assert await redirected(fresh_site, listener, subject, reply)


@pytest.mark.parametrize(("victim", "subject"), [("beta", "_INBOX_AG_beta.>"), ("beta", "gw.cancel.beta")])
async def test_redirected_answers_reach_no_other_agent(site: Any, victim: str, subject: str) -> None:
    assert not await redirected(site, victim, subject, subject.replace(">", "x"))


async def collision(site: Any, subject: str) -> bool:
    """Use a message id before beta does; say whether beta's own reply was taken for a duplicate."""
    async with site.attacker("alpha") as mine, site.attacker("beta") as victim:
        header = {"Nats-Msg-Id": "dispatch-7"}
        await mine.client.request(subject, b"early", timeout=30, headers=header)
        answer = await victim.client.request("gw.reply.beta.d7", b"true", timeout=30, headers=header)
        return bool(json.loads(answer.data).get("duplicate"))


async def test_a_message_id_taken_early_suppresses_no_other_agent_s_reply(fresh_site: Any) -> None:
    assert not await collision(fresh_site, "gw.reply.alpha.d7")


async def test_in_a_shared_stream_a_message_id_taken_early_would(fresh_site: Any, widening: Any) -> None:
    await fresh_site.widen("alpha", widening(services=("gw.reply.beta.*",)))
    assert await collision(fresh_site, "gw.reply.beta.x")


async def refused(site: Any, **options: object) -> bool:
    client = Client()
    errors: list[str] = []

    async def note(error: Exception) -> None:
        errors.append(str(error).lower())

    try:
        await client.connect([site.server.url], allow_reconnect=False, error_cb=note, **options)
    except nats.errors.Error as error:
        return "authorization violation" in str(error).lower()
    finally:
        await client.close()
    return False


async def test_nobody_gets_in_without_a_key(site: Any) -> None:
    assert await refused(site)


@pytest.mark.parametrize("user", ["AG_beta", "dlp", "GW", "SYS", "sys", "provisioner", "admin", ""])
async def test_no_name_and_password_gets_in(site: Any, user: str) -> None:
    assert await refused(site, user=user, password="s3cret")
    assert await refused(site, user=user, password="")


async def test_an_unknown_key_does_not_get_in(site: Any) -> None:
    assert await refused(site, nkeys_seed_str=new_seed())


async def test_another_s_public_key_with_one_s_own_signature_does_not_get_in(site: Any) -> None:
    pair = nkeys.from_seed(bytearray(site.credentials["alpha"].seed.encode()))

    def sign(nonce: str) -> bytes:
        return base64.b64encode(pair.sign(nonce.encode()))

    for victim in ("beta", "dlp", "provisioner"):
        client = Client()
        client._public_nkey = public_key(site.credentials[victim].seed)
        with pytest.raises(nats.errors.Error, match="Authorization Violation"):
            await client.connect([site.server.url], allow_reconnect=False, signature_cb=sign, error_cb=ignore)
        await client.close()


async def ignore(error: Exception) -> None:
    # After its refusal the server hangs up, which the library may report in its own turn.
    assert isinstance(error, ConnectionError) or "authorization" in str(error).lower()


async def test_naming_another_user_beside_one_s_own_key_changes_nothing(site: Any) -> None:
    client = Client()
    await client.connect(
        [site.server.url],
        allow_reconnect=False,
        nkeys_seed_str=site.credentials["alpha"].seed,
        user="dlp",
        password="x",
        error_cb=ignore,
    )
    try:
        assert client._server_info["auth_required"]
        complaints: list[str] = []

        async def note(error: Exception) -> None:
            complaints.append(str(error))

        client._error_cb = note
        await client.publish("gw.outcomes", b"forged")
        await client.flush()
        await client.flush()  # the first PING overtakes what is still buffered
        assert "permissions violation" in complaints[0].lower()
    finally:
        await client.close()


async def test_an_agent_cannot_take_more_connections_than_it_has(fresh_site: Any) -> None:
    held = [await fresh_site.raw(fresh_site.credentials["alpha"], tolerate) for _ in range(4)]
    with pytest.raises(nats.errors.Error, match=r"(?i)maximum account active connections exceeded"):
        await fresh_site.raw(fresh_site.credentials["alpha"], tolerate)
    async with fresh_site.attacker("beta") as neighbour:
        assert await neighbour.asks("gw.reply.beta.x", b"fine")
    for client in held:
        await client.close()


async def test_an_agent_cannot_take_more_subscriptions_than_it_has(fresh_site: Any) -> None:
    async with fresh_site.attacker("alpha") as mine:
        for number in range(25):
            await mine.client.subscribe(f"_INBOX_AG_alpha.{number}")
        assert any("maximum subscriptions exceeded" in complaint.lower() for complaint in await flushed(mine))


async def test_a_payload_over_the_limit_ends_the_connection_and_is_not_stored(fresh_site: Any) -> None:
    async with fresh_site.attacker("alpha") as mine:
        mine.client._max_payload = 1 << 30
        await mine.client.publish("gw.reply.alpha.x", b"x" * (LIMIT + 1))
        await flushed(mine)
        assert mine.client.is_closed
    assert (await fresh_site.state())["R_alpha"]["counts"]["last_seq"] == 1


LIMIT = 256 * 1024


async def tolerate(error: Exception) -> None:
    assert isinstance(
        error, nats.errors.Error | ConnectionResetError
    )  # the server says why, and hangs up: either may be read first


async def flushed(attack: Any) -> list[str]:
    try:
        await attack.client.flush(timeout=30)
        await attack.client.flush(timeout=30)
    except (nats.errors.Error, AttributeError):
        assert attack.client.is_closed or attack.complaints
    return [*attack.complaints, str(attack.client.last_error)]
