"""A handler never sees a byte that was not verified: each way to forge a dispatch, end to end over the broker."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from lockgate.dispatch import Gate
from lockgate.testing import Stamped, ThrowawayGateway, on_bench
from lockgate_schemas.errors import ChainRefusedError, DeadlineError, LockgateError
from lockgate_schemas.names import Role
from lockgate_schemas.passage import Convoy, Decision, Incident, Passage, encode, raw
from lockgate_schemas.stamping import ChainVerifier

AGENT = "recorder"
Recording = Callable[..., Any]
Until = Callable[..., Awaitable[None]]


def genuine(gateway: ThrowawayGateway, agent: str = AGENT, data: object = "secret words") -> Stamped:
    return gateway.request(agent, "echo", data)


def as_dispatch(passage: Passage) -> bytes:
    return encode(Convoy(passages=(passage,)))


def changed(stamped: Stamped, **members: object) -> bytes:
    return as_dispatch(msgspec.structs.replace(stamped.passage, **members))


def facts_changed(gateway: ThrowawayGateway, **members: object) -> bytes:
    stamped = genuine(gateway)
    return changed(stamped, facts=raw(msgspec.structs.replace(stamped.facts, **members)))


def stamped_as_refused(gateway: ThrowawayGateway, decision: Decision) -> bytes:
    signed = genuine(gateway).signed
    return gateway.stamped(signed, decisions=(Decision.ALLOW, Decision.ALLOW, decision)).dispatch


def envelope_of_another_action(gateway: ThrowawayGateway) -> bytes:
    """Every stamp is genuine, and yet the ingress (or whoever has its key) wrote facts that its envelope does not bear out."""
    other = gateway.request(AGENT, "delete", "secret words").signed
    return gateway.stamped(replace(other, action="echo")).dispatch


def stamps_of_another_request(gateway: ThrowawayGateway) -> bytes:
    return changed(genuine(gateway), stamps=genuine(gateway).stamps)


def one_foreign_stamp(gateway: ThrowawayGateway, index: int) -> bytes:
    own, foreign = genuine(gateway), genuine(gateway)
    stamps = list(own.stamps)
    stamps[index] = foreign.stamps[index]
    return changed(own, stamps=tuple(stamps))


def stamp_by_another_role(gateway: ThrowawayGateway) -> bytes:
    """The inspection statement, signed with the authz key: whoever owns one gate must not be able to open the next."""
    own = genuine(gateway)
    statement = gateway.statement(Role.INSPECTION, Decision.ALLOW, replace(own, stamps=own.stamps[:2]), own.signed.digest)
    return changed(own, stamps=(*own.stamps[:2], gateway.stamp(Role.AUTHZ, statement)))


def byte_of_the_statement_changed(gateway: ThrowawayGateway) -> bytes:
    own = genuine(gateway)
    altered = bytes(own.stamps[2].statement).replace(b'"decision":"allow"', b'"decision":"flag"')
    stamp = msgspec.structs.replace(own.stamps[2], statement=msgspec.Raw(altered))
    return changed(own, stamps=(*own.stamps[:2], stamp))


def tampered_envelope(gateway: ThrowawayGateway) -> bytes:
    own = genuine(gateway)
    head, payload, signature = own.signed.compact.split(".")
    return changed(own, envelope=f"{head}.{payload[:-2]}AA.{signature}")


FORGERIES: dict[str, Callable[[ThrowawayGateway], bytes]] = {
    "not json": lambda _: b"\x00\xff",
    "deep": lambda _: b"[" * 100_000,
    "empty convoy": lambda _: encode(Convoy()),
    "two passages": lambda g: encode(Convoy(passages=(genuine(g).passage, genuine(g).passage))),
    "an incident beside": lambda g: encode(
        Convoy(passages=(genuine(g).passage,), incidents=(Incident(stamp=genuine(g).stamps[0]),))
    ),
    "no envelope": lambda g: changed(genuine(g), envelope=""),
    "no stamps": lambda g: changed(genuine(g), stamps=()),
    "uninspected": lambda g: changed(genuine(g), stamps=genuine(g).stamps[:2]),
    "inspection dropped": lambda g: changed(own := genuine(g), stamps=own.stamps[:2]),
    "authz dropped": lambda g: changed(own := genuine(g), stamps=(own.stamps[0], own.stamps[2])),
    "out of order": lambda g: changed(own := genuine(g), stamps=(own.stamps[1], own.stamps[0], own.stamps[2])),
    "one twice": lambda g: changed(own := genuine(g), stamps=(*own.stamps, own.stamps[2])),
    "other keys": lambda _: genuine(ThrowawayGateway()).dispatch,
    "another gateway": lambda _: genuine(ThrowawayGateway("other-gateway")).dispatch,
    "stamps of another request": stamps_of_another_request,
    "ingress stamp of another request": lambda g: one_foreign_stamp(g, 0),
    "authz stamp of another request": lambda g: one_foreign_stamp(g, 1),
    "inspection stamp of another request": lambda g: one_foreign_stamp(g, 2),
    "stamp by another role": stamp_by_another_role,
    "statement altered": byte_of_the_statement_changed,
    "tampered envelope": tampered_envelope,
    "envelope of another request": lambda g: changed(genuine(g), envelope=genuine(g).signed.compact),
    "facts with another agent": lambda g: facts_changed(g, agent="other"),
    "facts with another action": lambda g: facts_changed(g, action="other"),
    "facts with a later deadline": lambda g: facts_changed(g, deadline=2**50),
    "facts with another dispatch id": lambda g: facts_changed(g, dispatch_id="0" * 32),
    "facts with another user": lambda g: facts_changed(
        g, principal=msgspec.structs.replace(genuine(g).facts.principal, user="root")
    ),
    "wrong agent": lambda g: genuine(g, "other").dispatch,
    "denied": lambda g: stamped_as_refused(g, Decision.DENY),
    "blocked": lambda g: stamped_as_refused(g, Decision.BLOCK),
    "quarantined": lambda g: stamped_as_refused(g, Decision.QUARANTINE),
    "envelope of another action": envelope_of_another_action,
}


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_no_forgery_reaches_a_handler(
    recorder: Recording, until: Until, forgery: str, gateway: ThrowawayGateway, caplog: pytest.LogCaptureFixture
) -> None:
    made = recorder()
    async with on_bench(made.agent, gateway) as bench:
        await bench.send(FORGERIES[forgery](gateway))
        genuine_one = await bench.ask("echo", "genuine")  # it was sent later, so the forgery was dealt with

        assert genuine_one.body == "genuine"
        assert [request.data for request in made.seen] == ["genuine"]
        assert made.agent.refused == 1
        await until(lambda: bench.waiting() == 0)  # it blocks nobody
        assert bench.replies() == 0  # and it gets no answer
    assert "secret words" not in caplog.text


def test_every_forgery_is_one_only_by_its_change(gateway: ThrowawayGateway) -> None:
    gate = Gate(AGENT, ChainVerifier(gateway.trust, clock_skew=60_000))
    stamped = genuine(gateway)
    assert bytes(gate.admit(stamped.dispatch, gateway.clock()).event.data) == b'"secret words"'
    assert gate.admit(as_dispatch(stamped.passage), gateway.clock()).facts == stamped.facts


def test_a_dispatch_past_its_deadline_is_refused(gateway: ThrowawayGateway) -> None:
    gate = Gate(AGENT, ChainVerifier(gateway.trust, clock_skew=60_000))
    stamped = genuine(gateway)
    assert gate.admit(stamped.dispatch, stamped.facts.deadline - 1).facts == stamped.facts
    with pytest.raises(DeadlineError):
        gate.admit(stamped.dispatch, stamped.facts.deadline)


async def test_an_expired_dispatch_never_reaches_a_handler(
    recorder: Recording, until: Until, gateway: ThrowawayGateway
) -> None:
    made = recorder(clock=lambda: gateway.clock() + 31_000)  # the skew allowed is longer than the lifetime
    async with on_bench(made.agent, gateway) as bench:
        await bench.send(gateway.request(AGENT, "echo", "late", lifetime=30).dispatch)
        await until(lambda: bench.waiting() == 0)
    assert made.seen == []
    assert made.agent.refused == 1


def test_stamps_are_checked_before_the_envelope_is_opened(gateway: ThrowawayGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(_: str) -> None:
        raise AssertionError("the envelope was opened")

    monkeypatch.setattr("lockgate.dispatch.event_of", opened)
    gate = Gate(AGENT, ChainVerifier(gateway.trust, clock_skew=60_000))
    for forgery in set(FORGERIES) - {"envelope of another action"}:
        with pytest.raises(LockgateError):
            gate.admit(FORGERIES[forgery](gateway), gateway.clock())


async def test_a_refusal_is_logged_by_its_code_alone(
    recorder: Recording, until: Until, gateway: ThrowawayGateway, caplog: pytest.LogCaptureFixture
) -> None:
    made = recorder()
    async with on_bench(made.agent, gateway) as bench:
        await bench.send(FORGERIES["tampered envelope"](gateway))
        await until(lambda: made.agent.refused == 1)
    (line,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert ChainRefusedError.code in line
    assert gateway.name not in line


async def test_hostile_bytes_that_break_the_verifier_itself_are_refused(
    recorder: Recording, until: Until, gateway: ThrowawayGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = recorder()

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    async with on_bench(made.agent, gateway) as bench:
        with monkeypatch.context() as patch:
            patch.setattr(ChainVerifier, "verify", broken)
            await bench.send(genuine(gateway).dispatch)
            await until(lambda: bench.waiting() == 0)
        assert made.seen == []
        assert made.agent.refused == 1
        assert (await bench.ask("echo", 1)).json() == 1


def twin_of(gateway: ThrowawayGateway, first: Stamped) -> Stamped:
    """Genuine stamps over other facts with the same dispatch id: only the ingress's key could make it."""
    facts = msgspec.structs.replace(gateway.stamped(first.signed).facts, dispatch_id=first.facts.dispatch_id)
    twin = Stamped(first.signed, facts, raw(facts), ())
    for role in (Role.INGRESS, Role.AUTHZ, Role.INSPECTION):
        twin = gateway.pass_on(twin, gateway.statement(role, Decision.ALLOW, twin, first.signed.digest))
    return twin


async def test_a_finished_dispatch_id_with_other_facts_is_refused(
    recorder: Recording, until: Until, gateway: ThrowawayGateway
) -> None:
    """Ids are minted once: a finished answer cannot be made to stand for another request."""
    made = recorder()
    first = genuine(gateway)
    async with on_bench(made.agent, gateway) as bench:
        await bench.send(first.dispatch)
        await bench.answer(first)
        await bench.send(twin_of(gateway, first).dispatch)
        await until(lambda: made.agent.refused == 1)
        await until(lambda: bench.waiting() == 0)
    assert len(made.seen) == 1


async def test_a_running_dispatch_id_with_other_facts_is_refused(
    recorder: Recording, until: Until, gateway: ThrowawayGateway
) -> None:
    made = recorder()
    first = gateway.request(AGENT, "hold", "first")
    async with on_bench(made.agent, gateway) as bench:
        await bench.send(first.dispatch)
        await until(lambda: made.running == 1)
        await bench.send(twin_of(gateway, first).dispatch)
        await until(lambda: made.agent.refused == 1)
        assert bench.waiting() == 1
        made.go.set()
        assert (await bench.answer(first)).body == "first"
    assert len(made.seen) == 1
