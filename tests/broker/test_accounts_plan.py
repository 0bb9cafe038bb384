"""The pure generation of accounts and permissions: exact subjects, allow lists only, one account a party."""

from __future__ import annotations

import re

import pytest

from lockgate_broker.limits import DEFAULT_LIMITS
from lockgate_broker.nats.accounts import Permissions, Plan, User, party_permissions, plan, render, role_permissions
from lockgate_schemas.errors import ConfigurationError
from lockgate_schemas.names import PartyKind, Role
from lockgate_schemas.topics import RIGHTS, Party, agent, client

PARTIES = [agent("alpha"), agent("beta"), client("alpha"), client("shop")]
ROLE_KEYS = {role: f"U{str(role).upper()}" for role in Role}
PARTY_KEYS = {party: f"U{party.kind.upper()}{party.name.upper()}" for party in PARTIES}
ALLOWED_WILDCARDS = re.compile(
    r"_INBOX_[A-Za-z_-]+\.>"  # one's own inbox
    r"|\$JS\.ACK\.[A-Za-z_-]+\.[a-z]+\.>"  # the counters behind an acknowledgement of one's own consumer
    r"|gw\.(reply|ingress)\.[a-z-]+\.\*"  # the dispatch id behind one's own way out
)


def layout() -> Plan:
    return plan(ROLE_KEYS, PARTIES, PARTY_KEYS)


def everyone() -> list[User]:
    made = layout()
    return [*made.roles, *(account.user for account in made.parties)]


@pytest.mark.parametrize("user", everyone(), ids=lambda user: user.name)
def test_no_wildcard_but_the_intended_ones(user: User) -> None:
    for subject in (*user.permissions.publish, *user.permissions.subscribe):
        if "*" in subject or ">" in subject:
            provisioning = user.name == Role.PROVISIONER and subject == "$JS.API.>"
            assert provisioning or ALLOWED_WILDCARDS.fullmatch(subject), subject


@pytest.mark.parametrize("user", everyone(), ids=lambda user: user.name)
def test_only_the_provisioner_reaches_the_api_beyond_a_pull(user: User) -> None:
    if user.name != Role.PROVISIONER:
        api = [subject for subject in user.permissions.publish if subject.startswith("$JS.API")]
        assert all(subject.startswith("$JS.API.CONSUMER.MSG.NEXT.") for subject in api)
        assert not [subject for subject in user.permissions.publish if subject.startswith("$SYS")]


def test_there_is_no_deny_rule_and_no_default_user() -> None:
    text = render(layout(), DEFAULT_LIMITS)
    for word in ("deny", "no_auth_user", "password", "token", "allow_responses", "default_permissions"):
        assert word not in text
    assert text.count("nkey:") == len(Role) + len(PARTIES)


def test_a_user_without_limits_is_refused() -> None:
    # An empty allow list means "everything" to this server.
    for permissions in (Permissions((), ("_INBOX_x.>",)), Permissions(("gw.authz",), ())):
        with pytest.raises(ConfigurationError):
            render(Plan((User("bare", "UBARE", permissions),), ()), DEFAULT_LIMITS)


def test_an_agent_has_three_services_and_one_stream_and_nothing_of_another() -> None:
    account = next(each for each in layout().parties if each.name == "AG_alpha")
    assert [(share.subject, share.service, share.streamed) for share in account.shares] == [
        ("$JS.API.CONSUMER.MSG.NEXT.D_alpha.agent", True, True),
        ("$JS.ACK.D_alpha.agent.>", True, False),
        ("gw.reply.alpha.*", True, False),
        ("gw.cancel.alpha", False, False),
    ]
    assert account.user.permissions == Permissions(
        ("$JS.API.CONSUMER.MSG.NEXT.D_alpha.agent", "$JS.ACK.D_alpha.agent.>", "gw.reply.alpha.*"),
        ("_INBOX_AG_alpha.>", "gw.cancel.alpha"),
    )


def test_a_client_has_three_services_and_hears_nothing() -> None:
    account = next(each for each in layout().parties if each.name == "CL_shop")
    assert [share.subject for share in account.shares] == [
        "$JS.API.CONSUMER.MSG.NEXT.O_shop.client",
        "$JS.ACK.O_shop.client.>",
        "gw.ingress.shop.*",
    ]
    assert all(share.service for share in account.shares)
    assert account.user.permissions.subscribe == ("_INBOX_CL_shop.>",)


def test_every_export_names_one_account() -> None:
    exports = [line for line in render(layout(), DEFAULT_LIMITS).splitlines() if "accounts: [" in line]
    assert len(exports) == 2 * 4 + 2 * 3
    for line in exports:
        accounts = re.search(r"accounts: \[([^\]]+)\]", line)
        subject = re.search(r'"([^"]+)"', line)
        assert accounts is not None
        assert subject is not None
        name = accounts[1].strip('"')
        assert name.partition("_")[2] in re.split(r"[._]", subject[1])


@pytest.mark.parametrize("role", Role)
def test_a_role_gets_its_row_and_its_own_records(role: Role) -> None:
    granted = role_permissions(role, PARTIES)
    rights = RIGHTS[role]
    publish = set(granted.publish)
    for queue in rights.writes:
        assert queue.topic in publish
        publish.discard(queue.topic)
    for party in PARTIES:
        if party.kind in rights.writes_to:
            publish.remove(party.inbound.topic)
        if rights.cancels and party.kind is PartyKind.AGENT:
            publish.remove(party.cancel_topic)
    for queue in (*rights.reads, *(party.outbound for party in PARTIES if party.kind in rights.reads_from)):
        publish.remove(f"$JS.API.CONSUMER.MSG.NEXT.{queue.stream}.{queue.reader}")
        publish.remove(f"$JS.ACK.{queue.stream}.{queue.reader}.>")
    publish -= {f"gw.quarantine.{role}", f"gw.health.{role}", *rights.notifies}
    assert publish == ({"$JS.API.>"} if role is Role.PROVISIONER else set())
    assert set(granted.subscribe) == {f"_INBOX_{role}.>", *rights.hears}


def test_rights_over_parties_end_with_the_party() -> None:
    assert "gw.dispatch.beta" in role_permissions(Role.INSPECTION, PARTIES).publish
    assert "gw.dispatch.beta" not in role_permissions(Role.INSPECTION, [agent("alpha")]).publish
    assert not [subject for subject in role_permissions(Role.DLP, []).publish if "R_" in subject]


def test_a_party_without_a_key_has_no_account_and_still_its_readers() -> None:
    made = plan(ROLE_KEYS, PARTIES, {})
    assert made.parties == ()
    dlp = next(user for user in made.roles if user.name == Role.DLP)
    assert "$JS.ACK.R_alpha.dlp.>" in dlp.permissions.publish


def test_an_agent_and_a_client_of_one_name_share_nothing() -> None:
    first, second = party_permissions(Party(PartyKind.AGENT, "alpha")), party_permissions(Party(PartyKind.CLIENT, "alpha"))
    assert not {*first.publish, *first.subscribe} & {*second.publish, *second.subscribe}


def test_the_same_registrations_give_the_same_text_in_any_order() -> None:
    assert render(plan(ROLE_KEYS, PARTIES[::-1], PARTY_KEYS), DEFAULT_LIMITS) == render(layout(), DEFAULT_LIMITS)
