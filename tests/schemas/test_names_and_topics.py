"""Names are safe wherever they are put, and the table of rights gives nobody more than its part of the way."""

from __future__ import annotations

import re
import string
from itertools import combinations
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate_schemas.errors import NameRefusedError
from lockgate_schemas.names import NAME_PATTERN, PartyKind, Role, checked_name
from lockgate_schemas.topics import (
    HEALTH_STREAM,
    HEALTH_TOPIC,
    NOTICE_EPOCH,
    NOTICE_OUTCOMES,
    QUARANTINE_STREAM,
    QUARANTINE_TOPIC,
    QUEUES,
    RIGHTS,
    Party,
    Queue,
    agent,
    client,
)

NAMES = st.from_regex(NAME_PATTERN, fullmatch=True)
_ALLOWED = set(string.ascii_lowercase + string.digits + "-")


def accepted(value: str) -> bool:
    try:
        return checked_name(value, what="agent") == value
    except NameRefusedError:
        return False


def simple(value: str) -> bool:
    """The grammar said a second time, without a regular expression."""
    return (
        2 <= len(value) <= 63
        and set(value) <= _ALLOWED
        and value[0] in string.ascii_lowercase
        and value[-1] != "-"
        and "--" not in value
    )


@given(NAMES | st.text(max_size=70) | st.text(alphabet="ab09-", max_size=70) | st.text(alphabet="a-.\n*>/", max_size=6))
def test_the_grammar_is_what_it_says(value: str) -> None:
    assert accepted(value) == simple(value)


@given(NAMES)
def test_an_accepted_name_means_itself_everywhere(name: str) -> None:
    assert accepted(name)
    assert quote(name, safe="") == name  # a segment of a URL
    assert name.encode("idna").decode() == name  # a label of a host name, in one form only
    assert re.fullmatch(r"[A-Za-z0-9_-]+", name)  # a NATS stream's name and a token of a subject
    assert not set(name) & set(". *>\t\r\n\x00/\\:$%@#")
    assert not name.startswith(("-", ".", "_", "$"))  # no option, no hidden file, no inbox, no API
    assert len(name.encode()) == len(name) <= 63
    assert name == name.lower() == name.strip()


@given(NAMES, st.sampled_from(["\n", "\r\n", "\x00", " ", ".", "*", ">", "/", "-", "\u200b", "\N{CYRILLIC SMALL LETTER A}"]))
def test_nothing_can_be_added_at_either_end(name: str, extra: str) -> None:
    assert not accepted(name + extra)
    assert not accepted(extra + name)


@pytest.mark.parametrize("value", ["a.b", "*", ">", "a\n", "http://a", "a:1", "A", "a--b", "a" * 64, ""])
def test_a_refusal_does_not_quote(value: str) -> None:
    with pytest.raises(NameRefusedError) as caught:
        checked_name(value, what="agent")
    assert caught.value.detail == "the agent is not a logical name"


@pytest.mark.parametrize("make", [agent, client])
@pytest.mark.parametrize("value", ["a.b", "*", ">", "a\n", "a/../b", "A", "", "a b"])
def test_a_party_without_a_name_cannot_be_made(make: type[Party], value: str) -> None:
    with pytest.raises(NameRefusedError):
        make(value)


# --- queues -----------------------------------------------------------------------------------------------------------


def _matches(pattern: str, subject: str) -> bool:
    wanted, given_ = pattern.split("."), subject.split(".")
    return len(wanted) == len(given_) and all(w in {"*", g} for w, g in zip(wanted, given_, strict=True))


def _all_queues(first: str, second: str) -> list[Queue]:
    parties = [make(name) for make in (agent, client) for name in dict.fromkeys((first, second))]
    return [*QUEUES, *(queue for party in parties for queue in (party.inbound, party.outbound))]


@given(NAMES, NAMES)
def test_no_two_queues_share_a_store_or_an_address(first: str, second: str) -> None:
    queues = _all_queues(first, second)
    assert len({queue.stream for queue in queues}) == len(queues)
    assert not {queue.stream for queue in queues} & {QUARANTINE_STREAM, HEALTH_STREAM}
    others = [NOTICE_OUTCOMES, NOTICE_EPOCH, agent(first).cancel_topic, f"{QUARANTINE_TOPIC}.dlp", f"{HEALTH_TOPIC}.dlp"]
    for left, right in combinations(queues, 2):
        for one, other in ((left, right), (right, left)):
            assert not _matches(one.filter, other.filter.replace("*", "token"))
    for queue in queues:
        assert not any(_matches(queue.filter, topic) for topic in others)
        assert re.fullmatch(r"[A-Za-z0-9_-]+", queue.stream)


def test_only_what_a_party_writes_has_a_token_behind_it() -> None:
    assert agent("some-agent").outbound.filter == "gw.reply.some-agent.*"
    assert client("some-client").outbound.filter == "gw.ingress.some-client.*"
    assert agent("some-agent").inbound.filter == "gw.dispatch.some-agent"
    assert client("some-client").inbound.filter == "gw.outcome.some-client"
    assert not any(queue.wild for queue in QUEUES)


# --- rights -----------------------------------------------------------------------------------------------------------


def test_every_role_has_its_rights_written_down() -> None:
    assert set(RIGHTS) == set(Role)


def test_every_queue_has_the_one_reader_it_names() -> None:
    for queue in QUEUES:
        assert [str(role) for role, rights in RIGHTS.items() if queue in rights.reads] == [queue.reader]
    for party in (agent("some-name"), client("some-name")):
        assert party.inbound.reader == str(party.kind)
        assert [str(role) for role, rights in RIGHTS.items() if party.kind in rights.reads_from] == [party.outbound.reader]


def test_only_inspection_writes_to_agents() -> None:
    assert [role for role, rights in RIGHTS.items() if PartyKind.AGENT in rights.writes_to] == [Role.INSPECTION]


def test_only_dlp_hears_agents_and_it_can_only_hand_on_to_the_outcome() -> None:
    assert [role for role, rights in RIGHTS.items() if PartyKind.AGENT in rights.reads_from] == [Role.DLP]
    assert RIGHTS[Role.DLP].writes_to == ()
    assert [queue.reader for queue in RIGHTS[Role.DLP].writes] == [Role.OUTCOME]


def test_only_the_two_ends_write_to_clients() -> None:
    assert {role for role, rights in RIGHTS.items() if PartyKind.CLIENT in rights.writes_to} == {Role.INGRESS, Role.OUTCOME}
    assert [role for role, rights in RIGHTS.items() if PartyKind.CLIENT in rights.reads_from] == [Role.INGRESS]


def test_nobody_skips_authz_on_the_way_to_inspection() -> None:
    into = {role for role, rights in RIGHTS.items() if any(q.reader == Role.INSPECTION for q in rights.writes)}
    assert into == {Role.AUTHZ, Role.INSPECTION}  # its own retries, and the gate before it


def test_the_provisioner_touches_no_message() -> None:
    rights = RIGHTS[Role.PROVISIONER]
    assert (rights.reads, rights.writes, rights.reads_from, rights.writes_to, rights.cancels) == ((), (), (), (), False)


def test_only_the_outcome_role_cancels_and_tells_what_ended() -> None:
    assert [role for role, rights in RIGHTS.items() if rights.cancels] == [Role.OUTCOME]
    assert [role for role, rights in RIGHTS.items() if NOTICE_OUTCOMES in rights.notifies] == [Role.OUTCOME]
    assert [role for role, rights in RIGHTS.items() if NOTICE_EPOCH in rights.notifies] == [Role.PROVISIONER]


def test_whoever_decides_hears_of_a_new_epoch() -> None:
    assert {role for role, rights in RIGHTS.items() if NOTICE_EPOCH in rights.hears} == set(Role) - {Role.PROVISIONER}


def test_no_right_is_a_pattern() -> None:
    for rights in RIGHTS.values():
        for topic in (*(q.filter for q in (*rights.reads, *rights.writes)), *rights.hears, *rights.notifies):
            assert re.fullmatch(r"gw(\.[a-z]+)+", topic)
