"""What a follower of an unfinished answer is shown, and whom it is believed: pure decisions, and the bound on followers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from lockgate.testing import Stamped, ThrowawayGateway
from lockgate_ingress.http.preferences import queried_deltas
from lockgate_ingress.releases import Feed, Releases
from lockgate_ingress.showing import CONTRADICTED, REFUSED, Beginning, Delta, Showing, Withdrawn
from lockgate_schemas.envelope import digest_of
from lockgate_schemas.errors import InvalidRequestError
from lockgate_schemas.names import Role
from lockgate_schemas.passage import Decision, Outcome, Release, Response, ResponseStatus, encode, raw
from lockgate_schemas.stamping import NO_BYTES, ChainVerifier


def ended(body: str = "", outcome: Outcome = Outcome.DELIVERED, code: str = "") -> Any:
    return SimpleNamespace(outcome=outcome, code=code, response=raw(Response(status=ResponseStatus.OK, body=body)))


def test_only_what_is_new_is_shown_and_the_outcome_completes_it() -> None:
    showing = Showing()
    assert showing.next(Beginning("one ")) == Delta(0, "one ")
    assert showing.next(Beginning("one two ")) == Delta(4, "two ")
    assert showing.next(Beginning("one two ")) is None
    assert showing.next(Beginning("one ")) is None
    assert showing.end(ended("one two three")) == Delta(8, "three")


def test_an_answer_that_is_there_already_is_not_shown_again() -> None:
    showing = Showing()
    assert showing.next(Beginning("one")) == Delta(0, "one")
    assert showing.end(ended("one")) is None


def test_a_contradiction_takes_back_what_was_shown_and_ends_it() -> None:
    showing = Showing()
    showing.next(Beginning("one two"))
    assert showing.next(Beginning("one TWO three")) == Withdrawn(CONTRADICTED, 7)
    assert showing.next(Beginning("one two three")) is None
    assert showing.end(ended("one two three")) is None


@pytest.mark.parametrize("body", ["one", "one tw", "ONE two", ""])
def test_an_answer_that_does_not_begin_like_what_was_shown_takes_it_back(body: str) -> None:
    showing = Showing()
    showing.next(Beginning("one two"))
    assert showing.end(ended(body)) == Withdrawn(CONTRADICTED, 7)


def test_a_refused_draft_takes_back_what_was_shown_and_nothing_more_is() -> None:
    showing = Showing()
    showing.next(Beginning("one"))
    assert showing.next(Beginning("", refused=True)) == Withdrawn(REFUSED, 3)
    assert showing.next(Beginning("one two")) is None
    assert showing.end(ended("one two")) is None


def test_where_nothing_was_shown_there_is_nothing_to_take_back() -> None:
    showing = Showing()
    assert showing.next(Beginning("", refused=True)) is None
    assert showing.next(Beginning("one")) is None, "refused is refused"
    assert showing.end(ended("the whole")) == Delta(0, "the whole"), "and the answer is the authority"
    assert Showing().end(ended(outcome=Outcome.BLOCKED, code="response-blocked")) is None


@pytest.mark.parametrize("outcome", sorted(set(Outcome) - {Outcome.DELIVERED}))
def test_any_other_outcome_takes_back_what_was_shown(outcome: Outcome) -> None:
    showing = Showing()
    showing.next(Beginning("one"))
    assert showing.end(ended("one two", outcome, "why")) == Withdrawn("why", 3)


def test_a_feed_keeps_the_longest_and_a_refusal_before_all() -> None:
    feed = Feed("facts")
    assert feed.taken() is None
    for text in ("one", "one two", "on"):
        feed.put(Beginning(text))
    assert feed.news.is_set()
    assert feed.taken() == Beginning("one two")
    assert (feed.taken(), feed.news.is_set()) == (None, False)
    feed.put(Beginning("one two three"))
    feed.put(Beginning("", refused=True))
    feed.put(Beginning("one two three four"))
    assert feed.taken() == Beginning("", refused=True)


# --- what is believed -------------------------------------------------------------------------------------------------


def release(
    gateway: ThrowawayGateway, stamped: Stamped, text: str, *, decision: Decision = Decision.SHOW, role: Role = Role.DLP
) -> Release:
    digest = digest_of(text.encode()) if decision is Decision.SHOW else NO_BYTES
    stamp = gateway.stamp(role, gateway.statement(role, decision, stamped, digest))
    return Release(facts=stamped.facts_raw, stamp=stamp, text=text)


@pytest.fixture
def gateway() -> ThrowawayGateway:
    return ThrowawayGateway()


def door(gateway: ThrowawayGateway, most: int = 10, ahead: int = 0) -> Releases:
    return Releases(ChainVerifier(gateway.trust, clock_skew=60_000), lambda: gateway.clock() + ahead, most=most)


async def heard(releases: Releases, stamped: Stamped, *bodies: Release) -> Beginning | None:
    with releases.followed(stamped.facts.request_id, stamped.facts_raw) as feed:
        for body in bodies:
            await releases.heard(encode(body))
        return feed.taken()


async def test_what_the_last_gate_signed_reaches_who_follows_that_request(gateway: ThrowawayGateway) -> None:
    stamped, other = gateway.request("writer", "say"), gateway.request("writer", "say")
    assert await heard(door(gateway), stamped, release(gateway, stamped, "one")) == Beginning("one")
    assert await heard(door(gateway), other, release(gateway, stamped, "one")) is None
    refused = release(gateway, stamped, "", decision=Decision.WITHHOLD)
    assert await heard(door(gateway), stamped, refused) == Beginning("", refused=True)


async def test_what_does_not_verify_reaches_nobody(gateway: ThrowawayGateway) -> None:
    stamped, other = gateway.request("writer", "say"), gateway.request("writer", "say")
    genuine = release(gateway, stamped, "one")
    forged = {
        "another text": msgspec.structs.replace(genuine, text="two"),
        "more text": msgspec.structs.replace(genuine, text="one two"),
        "no text": msgspec.structs.replace(genuine, text=""),
        "another request's facts": msgspec.structs.replace(genuine, facts=other.facts_raw),
        "another gate's key": release(gateway, stamped, "one", role=Role.INSPECTION),
        "a stamp on an answer": release(gateway, stamped, "one", decision=Decision.ALLOW),
        "text with a refusal": msgspec.structs.replace(release(gateway, stamped, "", decision=Decision.WITHHOLD), text="one"),
        "another gateway": release(ThrowawayGateway(), stamped, "one"),
    }
    for what, body in forged.items():
        assert await heard(door(gateway), stamped, body) is None, what
    assert await heard(door(gateway), other, msgspec.structs.replace(genuine, facts=other.facts_raw)) is None
    for noise in (b"", b"{}", b"[" * 10_000, b"\xff", encode(genuine)[:-1]):
        await door(gateway).heard(noise)


async def test_past_the_deadline_nothing_is_shown(gateway: ThrowawayGateway) -> None:
    stamped = gateway.request("writer", "say", lifetime=5)
    assert await heard(door(gateway, ahead=6_000), stamped, release(gateway, stamped, "one")) is None


async def test_beyond_the_bound_a_follower_is_shown_only_the_end(gateway: ThrowawayGateway) -> None:
    stamped = gateway.request("writer", "say")
    releases = door(gateway, most=1)
    who = stamped.facts.request_id, stamped.facts_raw
    with releases.followed(*who) as first:
        with releases.followed(*who) as second:
            await releases.heard(encode(release(gateway, stamped, "one")))
            assert (first.taken(), second.taken()) == (Beginning("one"), None)
        await releases.heard(encode(release(gateway, stamped, "one two")))
        assert first.taken() == Beginning("one two")
    assert not releases._feeds


@pytest.mark.parametrize(
    ("query", "wanted"), [(b"", False), (b"deltas=1", True), (b"deltas=0", False), (b"x=y&deltas=1", True), (b"x", False)]
)
def test_deltas_are_asked_for(query: bytes, *, wanted: bool) -> None:
    assert queried_deltas(query) is wanted


@pytest.mark.parametrize("query", [b"deltas", b"deltas=yes", b"deltas=1&deltas=1", b"deltas=\xff", b"&".join([b"a=1"] * 9)])
def test_what_asks_for_something_else_is_refused(query: bytes) -> None:
    with pytest.raises(InvalidRequestError):
        queried_deltas(query)
