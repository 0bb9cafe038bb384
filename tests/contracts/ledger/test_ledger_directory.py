"""The directory and the operator's changes: each raises the epoch, is seen at once, and is audited with it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ledger_crafting import NOW, Reopen, agent_record, client_with_key

from lockgate_ledger.ledger import Ledger
from lockgate_ledger.records import Binding, ContentRecord, KeyRecord, PolicyRecord
from lockgate_schemas.audit import AuditEntry, EntryKind
from lockgate_schemas.errors import AlreadyExistsError, ConfigurationError, InvalidRequestError, NotFoundError
from lockgate_schemas.signing import public_key_of

GRANT = Binding("acme", "alice", "writer", "caller", ("draft",))


async def _entries(ledger: Ledger) -> list[AuditEntry]:
    return [entry.entry async for entry in ledger.entries()]


async def test_an_empty_directory_holds_nobody_and_no_policy(ledger: Ledger) -> None:
    found = await ledger.directory()
    assert (found.epoch, found.policy) == (await ledger.epoch(), None)
    assert not any((found.clients, found.keys, found.agents, found.bindings))


async def test_every_change_raises_the_epoch_and_is_audited_with_it(ledger: Ledger) -> None:
    client, key = client_with_key()
    second = KeyRecord("shop-2", "shop", public_key_of(bytes([41]) * 32), ends=NOW + 5)
    changes = [
        ("client-add", lambda: ledger.add_client(client, key, NOW + 1)),
        ("key-add", lambda: ledger.add_key(second, NOW + 2)),
        ("agent-add", lambda: ledger.add_agent(agent_record(), NOW + 3)),
        ("grant", lambda: ledger.grant(GRANT, NOW + 4)),
        ("policy-apply", lambda: ledger.apply_policy("permit();", "d1", NOW + 5)),
        ("revoke", lambda: ledger.revoke(GRANT, NOW + 6)),
        ("key-revoke", lambda: ledger.revoke_key("shop-1", NOW + 7)),
        ("agent-remove", lambda: ledger.remove_agent("writer", NOW + 8)),
        ("client-remove", lambda: ledger.remove_client("shop", NOW + 9)),
    ]
    start = await ledger.epoch()
    for step, (_, change) in enumerate(changes, start=1):
        await change()
        assert await ledger.epoch() == start + step
    found = await _entries(ledger)
    assert [entry.rule for entry in found] == [what for what, _ in changes]
    assert [entry.epoch for entry in found] == [start + step for step in range(1, len(changes) + 1)]
    assert [entry.at for entry in found] == [NOW + step for step in range(1, len(changes) + 1)]
    assert {entry.kind for entry in found} == {EntryKind.CHANGE}
    assert (await ledger.verify()).intact


async def test_the_directory_shows_what_was_registered(ledger: Ledger) -> None:
    client, key = client_with_key()
    await ledger.add_client(replace(client, broker=True), replace(key, ends=NOW), NOW)
    await ledger.add_agent(agent_record(), NOW)
    await ledger.grant(GRANT, NOW)
    await ledger.grant(replace(GRANT, role="owner", actions=()), NOW)
    found = await ledger.directory()
    assert found.clients == {"shop": replace(client, broker=True)}
    assert found.keys == {"shop-1": replace(key, ends=NOW)}
    assert found.agents == {"writer": agent_record()}
    assert found.bindings == {("acme", "alice", "writer"): (GRANT, replace(GRANT, role="owner", actions=()))}


async def test_a_change_by_another_process_is_seen_on_the_next_look(ledger: Ledger, reopen: Reopen) -> None:
    reader = await reopen(audit_signer=None)
    before = await reader.directory()
    assert await reader.directory() is before, "the same epoch is the same object"
    await ledger.add_agent(agent_record(), NOW)
    assert await reader.epoch() == before.epoch + 1
    assert (await reader.directory()).agents == {"writer": agent_record()}


async def test_a_directory_cannot_be_changed_by_who_reads_it(ledger: Ledger) -> None:
    found = await ledger.directory()
    with pytest.raises(TypeError):
        found.agents["writer"] = agent_record()


async def test_a_clients_name_is_given_out_once(ledger: Ledger) -> None:
    client, key = client_with_key()
    await ledger.add_client(client, key, NOW)
    other = replace(key, kid="other")
    with pytest.raises(AlreadyExistsError):
        await ledger.add_client(client, other, NOW)
    await ledger.remove_client("shop", NOW)
    with pytest.raises(AlreadyExistsError):  # its requests are kept under the name
        await ledger.add_client(client, other, NOW)
    assert "other" not in (await ledger.directory()).keys


async def test_a_removed_clients_keys_are_revoked(ledger: Ledger) -> None:
    client, key = client_with_key()
    await ledger.add_client(client, key, NOW)
    await ledger.remove_client("shop", NOW)
    found = await ledger.directory()
    assert not found.clients["shop"].active
    assert found.keys["shop-1"].revoked
    with pytest.raises(NotFoundError):
        await ledger.remove_client("shop", NOW)
    with pytest.raises(NotFoundError):
        await ledger.add_key(replace(key, kid="shop-2"), NOW)


async def test_a_key_id_is_given_out_once(ledger: Ledger) -> None:
    client, key = client_with_key()
    await ledger.add_client(client, key, NOW)
    with pytest.raises(AlreadyExistsError):
        await ledger.add_key(key, NOW)
    other, _ = client_with_key("bank")
    with pytest.raises(AlreadyExistsError):
        await ledger.add_client(other, replace(key, client="bank"), NOW)
    assert "bank" not in (await ledger.directory()).clients, "the client goes with its key or not at all"


async def test_a_first_key_must_be_the_clients_own(ledger: Ledger) -> None:
    client, key = client_with_key()
    with pytest.raises(InvalidRequestError):
        await ledger.add_client(client, replace(key, client="bank"), NOW)


@pytest.mark.parametrize("weak", [bytes(32), bytes([1]) + bytes(31), b"short"])
async def test_a_weak_public_key_is_not_enrolled(ledger: Ledger, weak: bytes) -> None:
    client, key = client_with_key()
    with pytest.raises(InvalidRequestError):
        await ledger.add_client(client, replace(key, public_key=weak), NOW)
    assert not (await ledger.directory()).clients


async def test_a_revoked_key_stays_revoked(ledger: Ledger) -> None:
    client, key = client_with_key()
    await ledger.add_client(client, key, NOW)
    await ledger.revoke_key("shop-1", NOW)
    await ledger.revoke_key("shop-1", NOW)
    assert (await ledger.directory()).keys["shop-1"].revoked
    with pytest.raises(NotFoundError):
        await ledger.revoke_key("nobody", NOW)


async def test_an_agents_name_can_be_given_out_again_without_its_old_grants(ledger: Ledger) -> None:
    await ledger.add_agent(agent_record(), NOW)
    with pytest.raises(AlreadyExistsError):
        await ledger.add_agent(agent_record(), NOW)
    await ledger.grant(GRANT, NOW)
    await ledger.remove_agent("writer", NOW)
    with pytest.raises(NotFoundError):
        await ledger.remove_agent("writer", NOW)
    assert not (await ledger.directory()).agents["writer"].active
    await ledger.add_agent(agent_record(tenant="globex"), NOW)
    found = await ledger.directory()
    assert found.agents == {"writer": agent_record(tenant="globex")}
    assert found.bindings == {}


async def test_granting_again_replaces_the_actions(ledger: Ledger) -> None:
    await ledger.add_agent(agent_record(), NOW)
    await ledger.grant(GRANT, NOW)
    await ledger.grant(replace(GRANT, actions=("send",)), NOW)
    assert (await ledger.directory()).bindings["acme", "alice", "writer"] == (replace(GRANT, actions=("send",)),)


async def test_grants_are_for_agents_that_are_there(ledger: Ledger) -> None:
    with pytest.raises(NotFoundError):
        await ledger.grant(GRANT, NOW)
    await ledger.add_agent(agent_record(), NOW)
    with pytest.raises(NotFoundError):
        await ledger.revoke(GRANT, NOW)
    await ledger.remove_agent("writer", NOW)
    with pytest.raises(NotFoundError):
        await ledger.grant(GRANT, NOW)


async def test_a_refused_change_changes_neither_the_epoch_nor_the_log(ledger: Ledger) -> None:
    before = await ledger.epoch()
    with pytest.raises(NotFoundError):
        await ledger.grant(GRANT, NOW)
    assert await ledger.epoch() == before
    assert await _entries(ledger) == []


async def test_the_newest_policy_is_in_force_and_may_be_empty(ledger: Ledger) -> None:
    assert await ledger.apply_policy("permit();", "d1", NOW) == 1
    assert (await ledger.directory()).policy == PolicyRecord("permit();", 1, "d1")
    assert await ledger.apply_policy("", "d2", NOW) == 2
    assert (await ledger.directory()).policy == PolicyRecord("", 2, "d2")


async def test_the_newest_content_policy_is_in_force_with_a_new_epoch_and_an_entry(ledger: Ledger, reopen: Reopen) -> None:
    assert (await ledger.directory()).content is None
    before = await ledger.epoch()
    assert await ledger.apply_content("links: [a]", "d1", NOW) == 1
    assert await ledger.apply_content("links: [b]", "d2", NOW) == 2
    found = await ledger.directory()
    assert found.content == ContentRecord("links: [b]", 2, "d2")
    assert found.epoch == await ledger.epoch() == before + 2
    assert (await (await reopen()).directory()).content == found.content
    told = [(entry.rule, entry.code, entry.epoch) for entry in await _entries(ledger)]
    assert sorted(told) == [("content-apply", "1 d1", before + 1), ("content-apply", "2 d2", before + 2)]


async def test_a_content_policy_is_seen_by_everybody_and_outlives_other_changes(ledger: Ledger, reopen: Reopen) -> None:
    other = await reopen()
    assert (await other.directory()).content is None
    await ledger.apply_content("", "d1", NOW)
    assert (await other.directory()).content == ContentRecord("", 1, "d1")
    await ledger.add_agent(agent_record(), NOW)
    assert (await other.directory()).content == ContentRecord("", 1, "d1")
    assert (await other.directory()).agents


async def test_a_content_policy_does_not_show_in_what_is_logged(ledger: Ledger) -> None:
    await ledger.apply_content("a line nobody prints", "d1", NOW)
    assert "nobody prints" not in repr((await ledger.directory()).content)


async def test_nothing_changes_without_an_audit_key(ledger: Ledger, reopen: Reopen) -> None:
    reader = await reopen(audit_signer=None)
    client, key = client_with_key()
    for change in (
        lambda: reader.add_client(client, key, NOW),
        lambda: reader.remove_client("shop", NOW),
        lambda: reader.add_key(key, NOW),
        lambda: reader.revoke_key("shop-1", NOW),
        lambda: reader.add_agent(agent_record(), NOW),
        lambda: reader.remove_agent("writer", NOW),
        lambda: reader.grant(GRANT, NOW),
        lambda: reader.revoke(GRANT, NOW),
        lambda: reader.apply_policy("", "d", NOW),
        lambda: reader.apply_content("", "d", NOW),
    ):
        with pytest.raises(ConfigurationError):
            await change()
    assert not (await ledger.directory()).clients
