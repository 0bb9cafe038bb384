"""What every broker adapter must do, whichever broker it is: publish, pull, acknowledge, redeliver, limit, refuse.

Times are short (see `LIMITS` in conftest.py): an unacknowledged delivery comes again after half a second.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest

from lockgate_broker.port import Broker, Delivery, Intake, Outbound, PublishRefusedError
from lockgate_schemas.errors import BrokerError, BrokerRefusedError, PublishFailedError
from lockgate_schemas.names import Role
from lockgate_schemas.topics import AUTHZ, INSPECTION, NOTICE_EPOCH, NOTICE_OUTCOMES, OUTCOMES, agent, client

ALPHA, BETA = agent("alpha"), agent("beta")


def outbound(topic: str, *bodies: str) -> list[Outbound]:
    return [Outbound(topic, body.encode()) for body in bodies]


async def gather(intake: Intake, count: int, *, most: int = 64, bound: float = 10.0) -> list[Delivery]:
    """Pull and acknowledge until ``count`` deliveries came."""
    found: list[Delivery] = []
    end = time.monotonic() + bound
    while len(found) < count:
        assert time.monotonic() < end, f"only {len(found)} of {count} came"
        batch = await intake.pull(most, 0.2)
        assert len(batch) <= most
        await intake.ack(batch)
        found += batch
    return found


async def pull_nothing(intake: Intake) -> None:
    """Pull for ten seconds, in which nothing may come; for when it is the refusal that is waited for."""
    for _ in range(50):
        assert not await intake.pull(1, 0.2)


async def pull_one(intake: Intake) -> Delivery:
    deliveries = await intake.pull(1, 5.0)
    assert len(deliveries) == 1
    return deliveries[0]


def bodies(deliveries: Sequence[Delivery]) -> list[str]:
    return sorted(delivery.body.decode() for delivery in deliveries)


async def test_a_published_message_is_pulled_once_and_gone_after_the_ack(bench: Any, eventually: Any) -> None:
    ingress, authz = await bench.role(Role.INGRESS), await bench.role(Role.AUTHZ)
    await ingress.publish(outbound(AUTHZ.topic, "one"))
    assert await bench.provisioner.depth(AUTHZ) == 1
    intake = await authz.subscribe([AUTHZ])
    delivery = await pull_one(intake)
    assert (delivery.queue, delivery.topic, delivery.body, delivery.attempt) == (AUTHZ, AUTHZ.topic, b"one", 1)
    assert await bench.provisioner.depth(AUTHZ) == 1, "unacknowledged still counts"
    await intake.ack([delivery])

    async def empty() -> bool:
        return await bench.provisioner.depth(AUTHZ) == 0

    await eventually(empty)
    assert not await intake.pull(1, 0.7), "it came again after the ack"


async def test_hundreds_of_messages_come_each_once_and_in_order(bench: Any) -> None:
    ingress, authz = await bench.role(Role.INGRESS), await bench.role(Role.AUTHZ)
    intake = await authz.subscribe([AUTHZ], prefetch=50)
    sent = [f"{number:04}" for number in range(700)]
    await ingress.publish(outbound(AUTHZ.topic, *sent))
    found = await gather(intake, 700)
    assert [delivery.body.decode() for delivery in found] == sent
    assert {delivery.attempt for delivery in found} == {1}


async def test_an_empty_queue_answers_with_nothing_after_the_wait(bench: Any) -> None:
    intake = await (await bench.role(Role.AUTHZ)).subscribe([AUTHZ])
    before = time.monotonic()
    assert not await intake.pull(10, 0.3)
    assert time.monotonic() - before > 0.25


async def test_a_waiting_pull_wakes_up_for_the_first_message_without_filling_its_batch(bench: Any) -> None:
    ingress, authz = await bench.role(Role.INGRESS), await bench.role(Role.AUTHZ)
    intake = await authz.subscribe([AUTHZ])
    waiting = asyncio.create_task(intake.pull(100, 60.0))
    await ingress.publish(outbound(AUTHZ.topic, "lone"))
    async with asyncio.timeout(30):
        deliveries = await waiting
    assert bodies(deliveries) == ["lone"]
    await intake.ack(deliveries)


async def test_nothing_to_publish_is_not_an_error(bench: Any) -> None:
    await (await bench.role(Role.INGRESS)).publish([])


async def test_a_retried_delivery_comes_again_no_sooner_than_asked_and_counts_its_attempts(bench: Any) -> None:
    ingress, authz = await bench.role(Role.INGRESS), await bench.role(Role.AUTHZ)
    intake = await authz.subscribe([AUTHZ])
    await ingress.publish(outbound(AUTHZ.topic, "again"))
    for attempt in (1, 2, 3):
        before = time.monotonic()
        delivery = await pull_one(intake)
        assert delivery.attempt == attempt
        if attempt > 1:
            assert time.monotonic() - before > 0.25
        await intake.retry(delivery, 0.3)


async def test_a_retry_without_delay_comes_at_once(patient_bench: Any) -> None:
    ingress, authz = await patient_bench.role(Role.INGRESS), await patient_bench.role(Role.AUTHZ)
    intake = await authz.subscribe([AUTHZ])
    await ingress.publish(outbound(AUTHZ.topic, "now"))
    await intake.retry(await pull_one(intake), 0.0)
    await intake.ack([await pull_one(intake)])


async def test_what_is_never_acknowledged_comes_again(bench: Any) -> None:
    ingress, authz = await bench.role(Role.INGRESS), await bench.role(Role.AUTHZ)
    intake = await authz.subscribe([AUTHZ])
    await ingress.publish(outbound(AUTHZ.topic, "lost"))
    await pull_one(intake)
    before = time.monotonic()
    again = await pull_one(intake)
    assert again.attempt == 2
    assert time.monotonic() - before > 0.2
    await intake.ack([again])


async def test_extending_keeps_others_away_until_it_stops(bench: Any) -> None:
    ingress, authz = await bench.role(Role.INGRESS), await bench.role(Role.AUTHZ)
    first, second = await authz.subscribe([AUTHZ]), await (await bench.role(Role.AUTHZ)).subscribe([AUTHZ])
    await ingress.publish(outbound(AUTHZ.topic, "slow"))
    holder, other = (first, second)
    deliveries = await holder.pull(1, 0.2)
    if not deliveries:  # the other one was asked first
        holder, other = second, first
        deliveries = [await pull_one(holder)]
    for _ in range(4):
        assert not await other.pull(1, 0.2), "redelivered although its timer was restarted"
        await holder.extend(deliveries[0])
    end = time.monotonic() + 5
    while time.monotonic() < end:
        if await other.pull(1, 0.1) or await holder.pull(1, 0.1):
            return
    pytest.fail("never redelivered after the extensions ended")


async def test_a_worker_that_dies_with_a_delivery_leaves_it_to_another(bench: Any) -> None:
    ingress, dying, living = await bench.role(Role.INGRESS), await bench.role(Role.AUTHZ), await bench.role(Role.AUTHZ)
    await ingress.publish(outbound(AUTHZ.topic, "orphan"))
    await pull_one(await dying.subscribe([AUTHZ]))
    await dying.close()
    delivery = await pull_one(await living.subscribe([AUTHZ]))
    assert (delivery.body, delivery.attempt) == (b"orphan", 2)


async def test_the_same_dedupe_id_is_stored_once_within_its_window(bench: Any, eventually: Any) -> None:
    ingress = await bench.role(Role.INGRESS)
    message = Outbound(AUTHZ.topic, b"same", dedupe="id-1")
    await ingress.publish([message, message])
    await ingress.publish([message])
    await ingress.publish([Outbound(AUTHZ.topic, b"same")])
    assert await bench.provisioner.depth(AUTHZ) == 2

    async def stored_again() -> bool:
        await ingress.publish([message])
        return await bench.provisioner.depth(AUTHZ) == 3

    # JetStream refreshes nothing on a duplicate: the window counts from the stored one.
    await eventually(stored_again)


async def test_a_full_queue_refuses_the_newest_and_keeps_the_old(bench: Any) -> None:
    credential = await bench.provisioner.grant(ALPHA)
    await bench.provisioner.grant(BETA)
    flooding, inspection = await bench.party(credential), await bench.role(Role.INSPECTION)
    await flooding.publish([Outbound("gw.reply.alpha.x", b"%d" % number) for number in range(18)])
    with pytest.raises(PublishRefusedError) as refusal:
        await flooding.publish([Outbound("gw.reply.alpha.x", b"more%d" % number) for number in range(4)])
    assert refusal.value.refused == refusal.value.unconfirmed == (2, 3)
    assert refusal.value.code == "broker-refused"
    assert isinstance(refusal.value, BrokerRefusedError)
    assert isinstance(refusal.value, PublishFailedError)
    await inspection.publish(outbound(BETA.inbound.topic, "unhurt"))
    found = await gather(await (await bench.role(Role.DLP)).subscribe([ALPHA.outbound]), 20)
    assert found[0].body == b"0"


async def test_a_message_over_the_party_limit_is_refused(bench: Any) -> None:
    party = await bench.party(await bench.provisioner.grant(ALPHA))
    with pytest.raises(BrokerRefusedError):
        await party.publish([Outbound("gw.reply.alpha.x", b"x" * (64 * 1024 + 1))])
    assert await bench.provisioner.depth(ALPHA.outbound) == 0


@pytest.mark.parametrize(
    ("role", "topic"),
    [
        (Role.INGRESS, "gw.inspection"),
        (Role.INGRESS, "gw.dispatch.alpha"),
        (Role.AUTHZ, "gw.dispatch.alpha"),
        (Role.DLP, "gw.inspection"),
        (Role.DLP, "gw.authz"),
        (Role.OUTCOME, "gw.inspection"),
        (Role.INSPECTION, "gw.reply.alpha.x"),
        (Role.INSPECTION, "gw.quarantine.dlp"),
        (Role.PROVISIONER, "gw.outcomes"),
    ],
)
async def test_a_role_cannot_publish_where_its_row_does_not_say_so(bench: Any, role: Role, topic: str) -> None:
    await bench.provisioner.grant(ALPHA)
    broker = await bench.role(role)
    with pytest.raises(BrokerRefusedError):
        await broker.publish(outbound(topic, "forged"))
    for queue in (AUTHZ, INSPECTION, OUTCOMES, ALPHA.inbound, ALPHA.outbound):
        assert await bench.provisioner.depth(queue) == 0


async def test_a_refused_message_does_not_take_its_batch_along(bench: Any) -> None:
    dlp = await bench.role(Role.DLP)
    mixed = [*outbound("gw.outcomes", "a"), *outbound("gw.authz", "forged"), *outbound("gw.outcomes", "b")]
    with pytest.raises(PublishRefusedError) as refusal:
        await dlp.publish(mixed)
    assert refusal.value.unconfirmed == (1,)
    assert await bench.provisioner.depth(OUTCOMES) == 2


async def test_reading_a_queue_of_another_role_is_refused(bench: Any) -> None:
    ingress, inspection = await bench.role(Role.INGRESS), await bench.role(Role.INSPECTION)
    await ingress.publish(outbound(AUTHZ.topic, "not yours"))
    intake = await inspection.subscribe([AUTHZ])
    with pytest.raises(BrokerRefusedError):
        await pull_nothing(intake)
    assert await bench.provisioner.depth(AUTHZ) == 1


async def test_a_notice_reaches_who_listens_and_a_failing_handler_goes_on_listening(bench: Any, eventually: Any) -> None:
    outcome, ingress = await bench.role(Role.OUTCOME), await bench.role(Role.INGRESS)
    heard: list[bytes] = []

    async def handler(body: bytes) -> None:
        heard.append(body)
        if body == b"one":
            raise ValueError

    await ingress.listen(NOTICE_OUTCOMES, handler)
    await outcome.notify(NOTICE_OUTCOMES, b"one")
    await outcome.notify(NOTICE_OUTCOMES, b"two")

    async def both() -> bool:
        return heard == [b"one", b"two"]

    await eventually(both)


async def test_a_cancel_notice_reaches_that_agent_alone(bench: Any, eventually: Any) -> None:
    alpha = await bench.party(await bench.provisioner.grant(ALPHA))
    beta = await bench.party(await bench.provisioner.grant(BETA))
    outcome = await bench.role(Role.OUTCOME)
    heard: list[tuple[str, bytes]] = []

    async def of_alpha(body: bytes) -> None:
        heard.append(("alpha", body))

    async def of_beta(body: bytes) -> None:
        heard.append(("beta", body))

    await alpha.listen(ALPHA.cancel_topic, of_alpha)
    await beta.listen(BETA.cancel_topic, of_beta)
    with pytest.raises(BrokerRefusedError):
        await beta.listen(ALPHA.cancel_topic, of_beta)
    await outcome.notify(ALPHA.cancel_topic, b"stop")
    await outcome.notify(BETA.cancel_topic, b"end")

    async def both() -> bool:
        return len(heard) >= 2

    await eventually(both)
    assert sorted(heard) == [("alpha", b"stop"), ("beta", b"end")]


async def test_a_notice_that_may_not_be_sent_goes_nowhere(bench: Any, eventually: Any) -> None:
    dlp, outcome, ingress = await bench.role(Role.DLP), await bench.role(Role.OUTCOME), await bench.role(Role.INGRESS)
    heard: list[bytes] = []

    async def handler(body: bytes) -> None:
        heard.append(body)

    await ingress.listen(NOTICE_OUTCOMES, handler)
    await dlp.notify(NOTICE_OUTCOMES, b"forged")
    await dlp.probe(Role.DLP)  # by now the forged one was handled, or never will be
    await outcome.notify(NOTICE_OUTCOMES, b"true")

    async def some() -> bool:
        return bool(heard)

    await eventually(some)
    assert heard == [b"true"]


async def test_listening_without_the_right_is_refused(bench: Any) -> None:
    dlp = await bench.role(Role.DLP)

    async def handler(body: bytes) -> None:
        raise AssertionError(body)

    with pytest.raises(BrokerRefusedError):
        await dlp.listen(NOTICE_OUTCOMES, handler)


async def test_a_probe_is_a_confirmed_publish_to_ones_own_health(bench: Any) -> None:
    dlp = await bench.role(Role.DLP)
    for _ in range(3):
        await dlp.probe(Role.DLP)
    with pytest.raises(BrokerRefusedError):
        await dlp.probe(Role.AUTHZ)


async def test_every_role_can_report_to_quarantine_under_its_own_name(bench: Any) -> None:
    for role in (Role.INGRESS, Role.AUTHZ, Role.INSPECTION, Role.DLP, Role.OUTCOME):
        await (await bench.role(role)).publish(outbound(f"gw.quarantine.{role}", "poison"))


async def test_follow_adds_and_drops_queues_while_running(bench: Any) -> None:
    alpha = await bench.party(await bench.provisioner.grant(ALPHA))
    dlp = await bench.role(Role.DLP)
    intake = await dlp.subscribe([ALPHA.outbound])
    beta = await bench.party(await bench.provisioner.grant(BETA))
    await beta.publish(outbound("gw.reply.beta.1", "from beta"))
    assert not await intake.pull(1, 0.2)
    await intake.follow([ALPHA.outbound, BETA.outbound])
    delivery = await pull_one(intake)
    assert (delivery.queue, delivery.topic) == (BETA.outbound, "gw.reply.beta.1")
    await intake.follow([BETA.outbound])
    await intake.ack([delivery])
    await alpha.publish(outbound("gw.reply.alpha.1", "unread"))
    await beta.publish(outbound("gw.reply.beta.2", "read"))
    assert bodies(await gather(intake, 1)) == ["read"]
    assert not await intake.pull(1, 0.3)
    assert await bench.provisioner.depth(ALPHA.outbound) == 1
    await intake.follow([])
    assert not await intake.pull(1, 0.1)


async def test_closing_gives_back_what_was_never_pulled(patient_bench: Any) -> None:
    ingress, first = await patient_bench.role(Role.INGRESS), await patient_bench.role(Role.AUTHZ)
    second = await patient_bench.role(Role.AUTHZ)
    intake = await first.subscribe([AUTHZ], prefetch=10)
    await ingress.publish(outbound(AUTHZ.topic, *"abcdefghij"))
    pulled = await pull_one(intake)
    await intake.ack([pulled])
    await intake.close()
    found = await gather(await second.subscribe([AUTHZ]), 9)
    assert bodies([pulled, *found]) == list("abcdefghij")
    with pytest.raises(BrokerError):
        await intake.pull(1, 0.1)


async def test_a_worker_holds_about_its_prefetch_and_leaves_the_rest_to_others(bench: Any) -> None:
    ingress, slow, fast = await bench.role(Role.INGRESS), await bench.role(Role.AUTHZ), await bench.role(Role.AUTHZ)
    hoarding = await slow.subscribe([AUTHZ], prefetch=8)
    await ingress.publish(outbound(AUTHZ.topic, *(str(number) for number in range(100))))
    kept = await hoarding.pull(1, 5.0)
    found = await gather(await fast.subscribe([AUTHZ]), 84, bound=3.0)
    assert len(kept) + len(found) >= 85


async def test_what_waits_here_unpulled_is_not_redelivered_while_the_worker_lives(bench: Any) -> None:
    ingress, authz = await bench.role(Role.INGRESS), await bench.role(Role.AUTHZ)
    intake = await authz.subscribe([AUTHZ], prefetch=30)
    await ingress.publish(outbound(AUTHZ.topic, *(str(number) for number in range(30))))
    attempts: list[int] = []
    for _ in range(10):  # two seconds of slow work, four times the redelivery timer
        batch = await intake.pull(3, 1.0)
        attempts += [delivery.attempt for delivery in batch]
        await intake.ack(batch)
        await slow_work()
    assert attempts == [1] * 30


async def slow_work() -> None:
    await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=0.2)


async def test_a_flooding_neighbour_does_not_hold_up_a_quiet_one(bench: Any) -> None:
    alpha = await bench.party(await bench.provisioner.grant(ALPHA))
    beta = await bench.party(await bench.provisioner.grant(BETA))
    dlp = await bench.role(Role.DLP)
    await alpha.publish([Outbound("gw.reply.alpha.x", b"flood") for _ in range(20)])
    await beta.publish(outbound("gw.reply.beta.x", "quiet"))
    intake = await dlp.subscribe([ALPHA.outbound, BETA.outbound], prefetch=4)
    first: list[Delivery] = []
    while len(first) < 8:
        batch = await intake.pull(2, 5.0)
        await intake.ack(batch)
        first += batch
    assert b"quiet" in [delivery.body for delivery in first]


async def test_a_granted_party_works_at_once_and_its_neighbours_notice_nothing(bench: Any) -> None:
    alpha = await bench.party(await bench.provisioner.grant(ALPHA))
    dlp, inspection = await bench.role(Role.DLP), await bench.role(Role.INSPECTION)
    theirs = await alpha.subscribe([ALPHA.inbound])
    replies = await dlp.subscribe([ALPHA.outbound])
    pending = asyncio.create_task(theirs.pull(1, 10.0))
    beta = await bench.party(await bench.provisioner.grant(BETA))
    assert not pending.done()
    await inspection.publish([*outbound(ALPHA.inbound.topic, "to alpha"), *outbound(BETA.inbound.topic, "to beta")])
    assert bodies(await pending) == ["to alpha"]
    assert bodies(await gather(await beta.subscribe([BETA.inbound]), 1)) == ["to beta"]
    await beta.publish(outbound("gw.reply.beta.id", "answer"))
    await replies.follow([ALPHA.outbound, BETA.outbound])
    assert bodies(await gather(replies, 1)) == ["answer"]


async def test_a_revoked_party_is_out_and_its_neighbours_notice_nothing(bench: Any) -> None:
    credential = await bench.provisioner.grant(ALPHA)
    alpha, beta = await bench.party(credential), await bench.party(await bench.provisioner.grant(BETA))
    inspection = await bench.role(Role.INSPECTION)
    intake, neighbour = await alpha.subscribe([ALPHA.inbound]), await beta.subscribe([BETA.inbound])
    pending = asyncio.create_task(neighbour.pull(1, 10.0))
    await bench.provisioner.revoke(ALPHA)
    with pytest.raises(BrokerRefusedError):
        await pull_nothing(intake)
    with pytest.raises(BrokerRefusedError):
        await alpha.publish(outbound("gw.reply.alpha.x", "late"))
    with pytest.raises(BrokerRefusedError):
        await bench.party(credential)
    with pytest.raises(BrokerRefusedError):
        await inspection.publish(outbound(ALPHA.inbound.topic, "nobody"))
    with pytest.raises(BrokerError):
        await bench.provisioner.depth(ALPHA.inbound)
    await inspection.publish(outbound(BETA.inbound.topic, "still here"))
    assert bodies(await pending) == ["still here"]
    await bench.provisioner.revoke(ALPHA)  # again is fine


async def test_granting_again_replaces_the_credential_and_keeps_the_queue(bench: Any) -> None:
    old = await bench.provisioner.grant(ALPHA)
    connected = await bench.party(old)
    await (await bench.role(Role.INSPECTION)).publish(outbound(ALPHA.inbound.topic, "waiting"))
    new = await bench.provisioner.grant(ALPHA)
    assert new.seed != old.seed
    with pytest.raises(BrokerRefusedError):
        await bench.party(old)
    with pytest.raises(BrokerRefusedError):
        await outlasting(connected)
    assert bodies(await gather(await (await bench.party(new)).subscribe([ALPHA.inbound]), 1)) == ["waiting"]


async def outlasting(broker: Broker) -> None:
    intake = await broker.subscribe([ALPHA.inbound])
    for _ in range(50):
        await intake.pull(1, 0.2)  # the one waiting message may still come to it


async def test_a_client_is_a_party_like_an_agent_with_topics_of_its_own(bench: Any) -> None:
    shop = client("shop")
    await bench.provisioner.grant(agent("shop"))  # the same name on the other side is somebody else
    party = await bench.party(await bench.provisioner.grant(shop))
    ingress = await bench.role(Role.INGRESS)
    await party.publish(outbound("gw.ingress.shop.r1", "please"))
    delivery = (await gather(await ingress.subscribe([shop.outbound]), 1))[0]
    assert (delivery.queue, delivery.topic) == (shop.outbound, "gw.ingress.shop.r1")
    await ingress.publish(outbound("gw.outcome.shop", "done"))
    assert bodies(await gather(await party.subscribe([shop.inbound]), 1)) == ["done"]
    for topic in ("gw.reply.shop.x", "gw.dispatch.shop", "gw.authz", "gw.outcome.shop", "gw.ingress.shop"):
        with pytest.raises(BrokerError):
            await party.publish(outbound(topic, "forged"))


async def test_the_topology_can_be_asserted_again_and_keeps_what_is_stored(bench: Any) -> None:
    await bench.provisioner.grant(ALPHA)
    await (await bench.role(Role.INSPECTION)).publish(outbound(ALPHA.inbound.topic, "kept"))
    await bench.provisioner.assert_topology([ALPHA, BETA])
    assert await bench.provisioner.depth(ALPHA.inbound) == 1
    assert await bench.provisioner.depth(BETA.inbound) == 0
    await (await bench.role(Role.INSPECTION)).publish(outbound(BETA.inbound.topic, "stored"))
    assert await bench.provisioner.depth(BETA.inbound) == 1


async def test_a_closed_connection_says_so(bench: Any) -> None:
    broker = await bench.role(Role.INGRESS)
    await broker.close()
    await broker.close()
    with pytest.raises(BrokerError):
        await broker.publish(outbound(AUTHZ.topic, "late"))
    with pytest.raises(BrokerError):
        await broker.subscribe([AUTHZ])
    with pytest.raises(BrokerError):
        await broker.notify(NOTICE_EPOCH, b"")
