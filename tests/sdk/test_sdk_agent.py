"""An agent at work: dedupe, cancellation, deadline, concurrency, failures, a broker in trouble, and the drain."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from lockgate import ActionFailed, Agent, AgentSettings, Reply, Request
from lockgate.finished import Finished
from lockgate.testing import ThrowawayGateway, ask, on_bench
from lockgate_broker.memory.connection import MemoryBroker
from lockgate_broker.memory.provisioner import MemoryProvisioner
from lockgate_broker.memory.server import MemoryServer
from lockgate_broker.port import Outbound
from lockgate_schemas.errors import BrokerRefusedError, ConfigurationError, NameRefusedError, PublishFailedError
from lockgate_schemas.limits import Limits
from lockgate_schemas.names import Role
from lockgate_schemas.passage import Cancel, Decision, Outcome, encode, raw, read_cancel, read_reply
from lockgate_schemas.principal import Principal
from lockgate_schemas.topics import agent as agent_party

Recording = Callable[..., Any]
Until = Callable[..., Awaitable[None]]


# --- what a handler sees ---


async def test_a_handler_sees_the_verified_facts(gateway: ThrowawayGateway, recorder: Recording) -> None:
    made = recorder()
    somebody = Principal(tenant="harbour", client="test-client", user="mira", method="ed25519", kid="k1")
    async with on_bench(made.agent, gateway) as bench:
        stamped = gateway.request("recorder", "echo", {"a": 1}, principal=somebody, flagged=True)
        await bench.send(stamped.dispatch)
        assert (await bench.answer(stamped)).json() == {"a": 1}
    (request,) = made.seen
    assert request.principal == somebody
    assert (request.action, request.data, request.flagged) == ("echo", {"a": 1}, True)
    assert (request.request_id, request.dispatch_id) == (stamped.facts.request_id, stamped.facts.dispatch_id)
    assert request.deadline.timestamp() * 1000 == stamped.facts.deadline
    assert 0 < request.remaining <= 30
    with pytest.raises(AttributeError):
        request.principal = None
    with pytest.raises(AttributeError):
        request.principal.user = "root"


async def test_a_clean_request_is_not_flagged(recorder: Recording) -> None:
    made = recorder()
    await ask(made.agent, "echo", 1)
    assert made.seen[0].flagged is False


async def test_an_unknown_action_is_an_error() -> None:
    agent = Agent("empty-handed")

    @agent.action("something")
    async def something(_request: Request[Any]) -> str:
        return ""

    answer = await ask(agent, "nothing")
    assert (answer.ok, answer.body) == (False, "unknown action")


# --- what a handler may do ---


def one_action(result: Callable[[], Any], **options: Any) -> Agent:
    agent = Agent("single", **options)

    @agent.action("act")
    async def act(_request: Request[Any]) -> Any:
        return result()

    return agent


def throwing(error: BaseException) -> Callable[[], Any]:
    def result() -> Any:
        raise error

    return result


class Point(msgspec.Struct):
    x: int


@pytest.mark.parametrize(
    ("value", "body", "content_type"),
    [
        ("plain", "plain", "text/plain"),
        ({"a": [1]}, '{"a":[1]}', "application/json"),
        (Point(3), '{"x":3}', "application/json"),
        (None, "null", "application/json"),
        (Reply("<p>", "text/html"), "<p>", "text/html"),
    ],
)
async def test_answers(value: Any, body: str, content_type: str) -> None:
    answer = await ask(one_action(lambda: value), "act")
    assert (answer.ok, answer.body, answer.response.content_type) == (True, body, content_type)


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (ValueError("password is hunter2"), "ValueError"),
        (SystemExit("hunter2"), "SystemExit"),
        (asyncio.CancelledError("hunter2"), "CancelledError"),
        (ExceptionGroup("hunter2", [KeyError("hunter2")]), "ExceptionGroup"),
    ],
)
async def test_a_failure_tells_its_type_and_nothing_else(
    error: BaseException, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await ask(one_action(throwing(error)), "act")
    assert (answer.ok, answer.body) == (False, f"the agent failed while handling this request ({name})")
    assert "hunter2" not in caplog.text


async def test_a_sentence_for_the_caller_is_passed_on() -> None:
    answer = await ask(one_action(throwing(ActionFailed("there is no such report"))), "act")
    assert (answer.ok, answer.body) == (False, "there is no such report")


@pytest.mark.parametrize("value", [object(), "\ud800", {"a": "\ud800"}])
async def test_an_answer_that_cannot_be_written_is_a_failure(value: Any) -> None:
    answer = await ask(one_action(lambda: value), "act")
    assert not answer.ok
    assert answer.body.startswith("the agent failed")


async def test_a_sentence_that_cannot_be_written_is_a_failure_too() -> None:
    answer = await ask(one_action(throwing(ActionFailed("\ud800"))), "act")
    assert not answer.ok


async def test_too_large_an_answer_is_an_error_that_says_so() -> None:
    limits = Limits(max_response_bytes=2000)
    answer = await ask(one_action(lambda: "x" * 2000, limits=limits), "act")
    assert not answer.ok
    assert "larger than the 2000 bytes" in answer.body
    assert (await ask(one_action(lambda: "x" * 1500, limits=limits), "act")).ok


# --- dedupe ---


async def test_a_finished_dispatch_is_answered_the_same_without_the_handler(
    gateway: ThrowawayGateway, recorder: Recording, until: Until
) -> None:
    made = recorder()
    async with on_bench(made.agent, gateway) as bench:
        stamped = gateway.request("recorder", "echo", "once")
        bodies = []
        for _ in range(3):
            await bench.send(stamped.dispatch)
            await until(lambda: bench.waiting() == 0)
            # The broker's own window would store the repeated reply only once.
            bodies += [message.body for message in bench.server.stores["R_recorder"].messages.values()]
            bench.server.stores["R_recorder"].messages.clear()
            bench.server.stores["R_recorder"]._ids.clear()
        assert len(bodies) == 3
        assert len(set(bodies)) == 1
    assert len(made.seen) == 1
    assert made.agent.answered == 3


async def test_a_dispatch_that_was_stamped_anew_is_answered_with_the_new_stamps(
    gateway: ThrowawayGateway, recorder: Recording, until: Until
) -> None:
    """A newer policy epoch sends a request through the gates again: the dlp gate will want the new stamps back."""
    made = recorder()
    first = gateway.request("recorder", "echo", "once")
    second = replace(first, stamps=())
    for role in (Role.INGRESS, Role.AUTHZ, Role.INSPECTION):
        statement = msgspec.structs.replace(gateway.statement(role, Decision.ALLOW, second, first.signed.digest), epoch=2)
        second = gateway.pass_on(second, statement)
    async with on_bench(made.agent, gateway) as bench:
        await bench.send(first.dispatch)
        await until(lambda: bench.replies() == 1)
        await bench.send(second.dispatch)
        await until(lambda: bench.replies() == 2)
        replies = [read_reply(message.body) for message in bench.server.stores["R_recorder"].messages.values()]
    assert [reply.passage.stamps for reply in replies] == [first.stamps, second.stamps]
    assert bytes(replies[0].passage.response) == bytes(replies[1].passage.response)
    assert len(made.seen) == 1


async def test_a_running_dispatch_is_joined_not_run_again(gateway: ThrowawayGateway, recorder: Recording, until: Until) -> None:
    made = recorder()
    async with on_bench(made.agent, gateway) as bench:
        stamped = gateway.request("recorder", "hold", "once")
        await bench.send(stamped.dispatch)
        await until(lambda: made.running == 1)
        await bench.send(stamped.dispatch)
        await bench.ask("echo", "behind it")
        assert bench.waiting() == 2  # neither is acknowledged before there is an answer
        made.go.set()
        assert (await bench.answer(stamped)).ok
        await until(lambda: bench.waiting() == 0)
    assert made.ended == ["finished"]


async def test_work_is_extended_so_that_it_is_not_delivered_again(
    gateway: ThrowawayGateway, recorder: Recording, until: Until
) -> None:
    made = recorder()
    async with on_bench(made.agent, gateway) as bench:
        extended: list[int] = []
        store = bench.server.stores["D_recorder"]
        extend = store.extend
        store.extend = lambda number, now: (extended.append(number), extend(number, now))  # type: ignore[method-assign, assignment, func-returns-value]
        stamped = gateway.request("recorder", "hold", "long")
        await bench.send(stamped.dispatch)
        await until(lambda: len(extended) >= 3)
        made.go.set()
        assert (await bench.answer(stamped)).ok
        await until(lambda: bench.waiting() == 0)
        before = len(extended)
        await bench.ask("echo")
        assert len(extended) <= before + 1


def test_answers_are_remembered_within_bounds() -> None:
    finished = Finished(most=3, most_bytes=100)
    for number in range(5):
        finished.remember(str(number), "facts", msgspec.Raw(b"x" * 10))
    assert [finished.answer(str(number), "facts") is not None for number in range(5)] == [False, False, True, True, True]
    finished.answer("2", "facts")  # asked for: the newest now
    finished.remember("large", "facts", msgspec.Raw(b"x" * 85))
    assert finished.answer("2", "facts") is not None
    assert finished.answer("3", "facts") is None
    assert len(finished) == 2
    finished.remember("large", "facts", msgspec.Raw(b"y" * 85))
    assert len(finished) == 2


# --- ends that are not the handler's ---


async def test_a_verified_notice_cancels_the_handler_and_leaves_no_reply(
    gateway: ThrowawayGateway, recorder: Recording, until: Until
) -> None:
    made = recorder()
    async with on_bench(made.agent, gateway) as bench:
        stamped = gateway.request("recorder", "hold", "unwanted")
        await bench.send(stamped.dispatch)
        await until(lambda: made.running == 1)
        await bench.cancel(gateway.cancel(stamped))
        await until(lambda: bench.waiting() == 0)
        assert made.seen[0].cancelled.is_set()
        assert bench.replies() == 0
    assert made.ended == ["cancelled"]


async def test_a_handler_may_end_by_itself_when_it_is_told(
    gateway: ThrowawayGateway, recorder: Recording, until: Until, quick: AgentSettings
) -> None:
    made = recorder(replace(quick, cancel_grace=5.0))
    async with on_bench(made.agent, gateway) as bench:
        stamped = gateway.request("recorder", "polite", "unwanted")
        await bench.send(stamped.dispatch)
        await until(lambda: made.running == 1)
        await bench.cancel(gateway.cancel(stamped))
        await until(lambda: bench.waiting() == 0)
        assert bench.replies() == 0
    assert made.ended == ["finished"]


def forged_notices(gateway: ThrowawayGateway, stamped: Any) -> dict[str, bytes]:
    other = gateway.request("recorder", "hold", "other")
    genuine: Cancel = read_cancel(gateway.cancel(stamped))
    by_authz = gateway.statement(Role.OUTCOME, Decision.RECORD, stamped, "", outcome=Outcome.CANCELLED)
    not_an_end = gateway.statement(Role.OUTCOME, Decision.ALLOW, stamped, "")
    return {
        "rubbish": b"{}",
        "other keys": ThrowawayGateway().cancel(stamped),
        "of another request": encode(
            msgspec.structs.replace(read_cancel(gateway.cancel(other)), dispatch_id=stamped.facts.dispatch_id)
        ),
        "stamp of another": encode(msgspec.structs.replace(genuine, stamp=read_cancel(gateway.cancel(other)).stamp)),
        "a gate's stamp": encode(msgspec.structs.replace(genuine, stamp=stamped.stamps[2])),
        "another role's key": encode(msgspec.structs.replace(genuine, stamp=gateway.stamp(Role.AUTHZ, by_authz))),
        "no end": encode(msgspec.structs.replace(genuine, stamp=gateway.stamp(Role.OUTCOME, not_an_end))),
        "other facts": encode(msgspec.structs.replace(genuine, facts=raw(msgspec.structs.replace(stamped.facts, accepted=1)))),
    }


async def test_a_forged_notice_cancels_nothing(gateway: ThrowawayGateway, recorder: Recording, until: Until) -> None:
    made = recorder()
    async with on_bench(made.agent, gateway) as bench:
        stamped = gateway.request("recorder", "hold", "wanted")
        notices = forged_notices(gateway, stamped)
        await bench.send(stamped.dispatch)
        await until(lambda: made.running == 1)
        for notice in notices.values():
            await bench.cancel(notice)
        await bench.ask("echo", "later")
        assert not made.seen[0].cancelled.is_set()
        made.go.set()
        assert (await bench.answer(stamped)).body == "wanted"
    assert made.ended == ["finished"]
    # The notice of another request verifies, and is about none that runs here.
    assert made.agent.refused == len(notices) - 1


async def test_the_deadline_ends_the_handler_and_leaves_the_outcome_to_the_gateway(
    gateway: ThrowawayGateway, recorder: Recording, until: Until
) -> None:
    made = recorder()
    async with on_bench(made.agent, gateway) as bench:
        await bench.send(gateway.request("recorder", "hold", "slow", lifetime=0.1).dispatch)
        await until(lambda: made.running == 1)
        await until(lambda: bench.waiting() == 0)
        assert bench.replies() == 0
    assert made.ended == ["cancelled"]


async def test_a_handler_that_ignores_its_cancellation_does_not_stop_the_agent(
    gateway: ThrowawayGateway, until: Until, quick: AgentSettings
) -> None:
    agent = Agent("stubborn", settings=quick)
    started, release = asyncio.Event(), asyncio.Event()

    @agent.action("stay")
    async def stay(_request: Request[Any]) -> str:
        started.set()
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        return "too late"

    @agent.action("echo")
    async def echo(request: Request[Any]) -> Any:
        return request.data

    async with on_bench(agent, gateway) as bench:
        await bench.send(gateway.request("stubborn", "stay", lifetime=0.1).dispatch)
        await started.wait()
        await until(lambda: bench.waiting() == 0)
        assert (await bench.ask("echo", 1)).json() == 1
        release.set()
        assert bench.replies() == 0


# --- bounds ---


async def test_no_more_handlers_run_than_allowed_and_no_more_is_pulled(
    gateway: ThrowawayGateway, recorder: Recording, until: Until
) -> None:
    made = recorder()
    async with on_bench(made.agent, gateway) as bench:
        batch = [gateway.request("recorder", "hold", number) for number in range(7)]
        for stamped in batch:
            await bench.send(stamped.dispatch)
        await until(lambda: made.running == 3)
        delivered = [message.attempt for message in bench.server.stores["D_recorder"].messages.values()]
        assert delivered == [1, 1, 1, 0, 0, 0, 0]
        made.go.set()
        for stamped in batch:
            assert (await bench.answer(stamped)).ok
    assert made.most == 3


async def test_a_request_that_never_came_to_an_end_is_not_tried_for_ever(
    gateway: ThrowawayGateway, recorder: Recording
) -> None:
    made = recorder()
    async with on_bench(made.agent, gateway) as bench:
        stamped = gateway.request("recorder", "echo", "poison")
        store = bench.server.stores["D_recorder"]
        deliver = store._deliver

        def fifth(message: Any, now: float) -> Any:
            message.attempt = Limits().max_attempts
            return deliver(message, now)

        store._deliver = fifth  # type: ignore[method-assign]
        await bench.send(stamped.dispatch)
        answer = await bench.answer(stamped)
    assert not answer.ok
    assert "never came to an end" in answer.body
    assert made.seen == []


# --- a broker in trouble ---


class Flaky(MemoryBroker):
    """Does not confirm the first replies."""

    failures = 1

    async def publish(self, messages: Sequence[Outbound]) -> None:
        if self.failures:
            self.failures -= 1
            raise PublishFailedError((0,), "no confirmation in time")
        await super().publish(messages)


@pytest.mark.parametrize("failures", [1, 3])
async def test_the_delivery_is_acknowledged_only_behind_a_confirmed_reply(
    failures: int, gateway: ThrowawayGateway, recorder: Recording, until: Until
) -> None:
    """One failure is repeated at once, three give the delivery back (two tries each); the handler runs once in both cases."""
    made = recorder()
    server, party, stop = MemoryServer(), agent_party("recorder"), asyncio.Event()
    await MemoryProvisioner(server).assert_topology([party])
    broker = Flaky(server, party)
    broker.failures = failures
    work = asyncio.create_task(made.agent.serve(broker, gateway.trust, stop=stop))
    body = gateway.request("recorder", "echo", 1).dispatch
    await MemoryBroker(server, Role.INSPECTION).publish((Outbound(party.inbound.topic, body),))
    await until(lambda: len(made.seen) == 1)
    assert len(server.stores["D_recorder"].messages) == 1
    await until(lambda: not server.stores["D_recorder"].messages)
    stop.set()
    await work
    assert len(server.stores["R_recorder"].messages) == 1
    assert len(made.seen) == 1


async def test_an_agent_that_is_removed_ends_with_an_error(gateway: ThrowawayGateway, recorder: Recording) -> None:
    made = recorder()
    server, party = MemoryServer(), agent_party("recorder")
    provisioner = MemoryProvisioner(server)
    await provisioner.assert_topology([party])
    work = asyncio.create_task(made.agent.serve(MemoryBroker(server, party), gateway.trust))
    await asyncio.sleep(0)
    await provisioner.revoke(party)
    with pytest.raises(BrokerRefusedError):
        await asyncio.wait_for(work, 5)


# --- the end ---


async def test_a_drain_finishes_what_it_can_and_gives_back_the_rest(
    gateway: ThrowawayGateway, recorder: Recording, until: Until, quick: AgentSettings
) -> None:
    made = recorder(replace(quick, drain=0.2))
    server, party, stop = MemoryServer(), agent_party("recorder"), asyncio.Event()
    await MemoryProvisioner(server).assert_topology([party])
    sender = MemoryBroker(server, Role.INSPECTION)
    work = asyncio.create_task(made.agent.serve(MemoryBroker(server, party), gateway.trust, stop=stop))
    held = [gateway.request("recorder", "hold", number).dispatch for number in range(2)]
    await sender.publish([Outbound(party.inbound.topic, body) for body in held])
    await until(lambda: made.running == 2)
    stop.set()
    await sender.publish((Outbound(party.inbound.topic, gateway.request("recorder", "echo", "late").dispatch),))
    await asyncio.wait_for(work, 5)
    assert made.ended == ["cancelled", "cancelled"]
    assert len(made.seen) == 2
    assert len(server.stores["R_recorder"].messages) == 0

    made.go.set()  # another copy gets them without waiting for the redelivery timer
    copy = recorder(quick)
    copy.go.set()
    stop = asyncio.Event()
    work = asyncio.create_task(copy.agent.serve(MemoryBroker(server, party), gateway.trust, stop=stop))
    await until(lambda: len(server.stores["R_recorder"].messages) == 3)
    stop.set()
    await work


async def test_a_drain_waits_for_what_is_nearly_done(
    gateway: ThrowawayGateway, recorder: Recording, until: Until, quick: AgentSettings
) -> None:
    made = recorder(replace(quick, drain=5.0))
    async with on_bench(made.agent, gateway) as bench:
        stamped = gateway.request("recorder", "hold", "nearly done")
        await bench.send(stamped.dispatch)
        await until(lambda: made.running == 1)
        asyncio.get_running_loop().call_later(0.02, made.go.set)
    assert made.ended == ["finished"]
    assert bench.replies() == 1
    assert bench.waiting() == 0


async def test_a_cancelled_run_gives_everything_back(gateway: ThrowawayGateway, recorder: Recording, until: Until) -> None:
    made = recorder()
    server, party = MemoryServer(), agent_party("recorder")
    await MemoryProvisioner(server).assert_topology([party])
    work = asyncio.create_task(made.agent.serve(MemoryBroker(server, party), gateway.trust))
    body = gateway.request("recorder", "hold", 1).dispatch
    await MemoryBroker(server, Role.INSPECTION).publish((Outbound(party.inbound.topic, body),))
    await until(lambda: made.running == 1)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    (message,) = server.stores["D_recorder"].messages.values()
    assert message.due <= server.now()
    assert made.ended == ["cancelled"]


# --- what cannot be started ---


def test_an_address_is_no_name() -> None:
    with pytest.raises(NameRefusedError):
        Agent("http://10.0.0.1")


def test_one_action_has_one_handler(recorder: Recording) -> None:
    made = recorder()
    with pytest.raises(ConfigurationError):
        made.agent.action("echo")(made.agent._actions["echo"].handler)


async def test_an_agent_without_actions_does_not_start(gateway: ThrowawayGateway) -> None:
    with pytest.raises(ConfigurationError):
        await Agent("idle").serve(MemoryBroker(MemoryServer(), agent_party("idle")), gateway.trust)


async def test_credentials_of_another_agent_are_refused(gateway: ThrowawayGateway, recorder: Recording) -> None:
    with pytest.raises(ConfigurationError, match="another agent"):
        await recorder().agent.run(gateway.agent_credentials("other"))
