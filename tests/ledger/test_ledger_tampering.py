"""Whoever can write the database, and does not hold the audit key, is found out; and the log that was tampered with does not grow on."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from ledger_crafting import AUDIT_SIGNER, GATEWAY, NOW, Reopen, accepted, delivered

from lockgate_ledger.ledger import Ledger
from lockgate_ledger.tree import grown, pack
from lockgate_schemas.audit import refusal_entry
from lockgate_schemas.errors import ConfigurationError, LedgerError
from lockgate_schemas.merkle import Frontier, leaf_hash
from lockgate_schemas.proofs import Checkpoint
from lockgate_schemas.signing import NoteSigner
from lockgate_schemas.trust import AUDIT, Trust, TrustedKey

Tamper = Callable[[sqlite3.Connection], object]
_OTHER_KEY = NoteSigner(AUDIT_SIGNER.name, bytes([66]) * 32)


async def _fill(ledger: Ledger) -> None:
    """300 entries: 150 in one transaction (0 to 149), then ten of 15 each."""
    cases = accepted(150)
    await ledger.accept([case.new() for case in cases], open_limit=1000)
    for turn in range(10):
        await ledger.refuse([refusal_entry(at=NOW + turn, code=f"code-{turn}-{n}") for n in range(15)])


def _recomputed(database: sqlite3.Connection, *, signer: NoteSigner | None = None) -> None:
    """Everything that follows from the raw entries, made to follow from them again, as far as it goes without the key."""
    rows = database.execute("SELECT raw FROM audit_entries ORDER BY sequence").fetchall()
    hashes = [leaf_hash(raw) for (raw,) in rows]
    database.executemany("UPDATE audit_entries SET leaf_hash = ? WHERE sequence = ?", [(h, i) for i, h in enumerate(hashes)])
    head, completed = grown(Frontier(), hashes)
    database.execute("UPDATE audit_head SET size = ?, peaks = ?", (head.size, pack(head)))
    database.executemany("UPDATE audit_subtrees SET hash = ? WHERE place = ?", [(h, p) for p, h in completed.items()])
    for (size,) in database.execute("SELECT size FROM audit_checkpoints").fetchall():
        root = Frontier().extended(hashes[:size]).root
        database.execute("UPDATE audit_checkpoints SET root = ? WHERE size = ?", (root, size))
        if signer is not None:
            note = Checkpoint(signer.name, size, root).signed(signer)
            database.execute("UPDATE audit_checkpoints SET note = ? WHERE size = ?", (note, size))


def _alter_and_recompute(database: sqlite3.Connection, signer: NoteSigner | None = None) -> None:
    database.execute(
        "UPDATE audit_entries SET raw = CAST(replace(CAST(raw AS TEXT), 'code-3-4', 'code-3-5') AS BLOB) WHERE sequence = 199"
    )
    _recomputed(database, signer=signer)


def _swap(database: sqlite3.Connection) -> None:
    database.execute("UPDATE audit_entries SET sequence = -1 WHERE sequence = 170")
    database.execute("UPDATE audit_entries SET sequence = 170 WHERE sequence = 171")
    database.execute("UPDATE audit_entries SET sequence = 171 WHERE sequence = -1")


def _insert_in_the_middle(database: sqlite3.Connection) -> None:
    database.execute("UPDATE audit_entries SET sequence = -sequence - 1000 WHERE sequence >= 180")
    database.execute("UPDATE audit_entries SET sequence = -sequence - 1000 + 1 WHERE sequence < 0")
    _copy(database, 179, 180)
    _recomputed(database)


def _copy(database: sqlite3.Connection, source: int, target: int) -> None:
    names = [row[1] for row in database.execute("PRAGMA table_info(audit_entries)") if row[1] != "sequence"]
    columns = ", ".join(f'"{name}"' for name in names)
    database.execute(
        f"INSERT INTO audit_entries (sequence, {columns}) SELECT ?, {columns} FROM audit_entries WHERE sequence = ?",  # noqa: S608
        (target, source),
    )


def _truncate(database: sqlite3.Connection) -> None:
    database.execute("DELETE FROM audit_entries WHERE sequence >= 280")
    database.execute("DELETE FROM audit_checkpoints WHERE size > 280")
    _recomputed(database)


def _another_origin(database: sqlite3.Connection) -> None:
    [(root,)] = database.execute("SELECT root FROM audit_checkpoints WHERE size = 180").fetchall()
    note = Checkpoint(f"{AUDIT_SIGNER.name}/elsewhere", 180, root).signed(AUDIT_SIGNER)
    database.execute("UPDATE audit_checkpoints SET note = ? WHERE size = 180", (note,))


def _sql(text: str) -> Tamper:
    return lambda database: database.execute(text)


# What was done, the first entry that verification names, and a word of the reason it gives.
TAMPERING: dict[str, tuple[Tamper, int, str]] = {
    "an entry altered": (
        _sql(
            "UPDATE audit_entries SET raw = CAST(replace(CAST(raw AS TEXT), 'code-3-4', 'code-3-5') AS BLOB) WHERE sequence = 199"
        ),
        199,
        "not what was hashed",
    ),
    "only a column altered": (_sql("UPDATE audit_entries SET client = 'bank' WHERE sequence = 42"), 42, "columns"),
    "only the time altered": (_sql("UPDATE audit_entries SET at = at + 1 WHERE sequence = 42"), 42, "columns"),
    "only a leaf hash altered": (_sql("UPDATE audit_entries SET leaf_hash = zeroblob(32) WHERE sequence = 7"), 7, "hashed"),
    "an entry deleted in the middle": (_sql("DELETE FROM audit_entries WHERE sequence = 100"), 100, "missing"),
    "the first entry deleted": (_sql("DELETE FROM audit_entries WHERE sequence = 0"), 0, "missing"),
    "entries deleted at the end": (_sql("DELETE FROM audit_entries WHERE sequence >= 298"), 298, "missing"),
    "two entries swapped": (_swap, 165, "not those it was signed over"),
    "an entry inserted, hashes recomputed": (_insert_in_the_middle, 180, "another tree"),
    "an entry added at the end": (lambda database: _copy(database, 299, 300), 300, "after the head"),
    "an entry added, head moved": (lambda d: (_copy(d, 299, 300), _recomputed(d)), 300, "under no checkpoint"),
    "an entry altered, hashes recomputed": (_alter_and_recompute, 195, "another tree"),
    "an entry altered, all signed by another key": (
        lambda d: _alter_and_recompute(d, _OTHER_KEY),
        0,
        "no signature by a trusted key",
    ),
    "truncated, hashes recomputed": (_truncate, 270, "under no checkpoint"),
    "a checkpoint removed": (_sql("DELETE FROM audit_checkpoints WHERE size = 180"), 165, "checkpoint is missing"),
    "the last checkpoint removed": (_sql("DELETE FROM audit_checkpoints WHERE size = 300"), 285, "under no checkpoint"),
    "a checkpoint added": (
        _sql("INSERT INTO audit_checkpoints SELECT 301, 300, root, note FROM audit_checkpoints WHERE size = 300"),
        300,
        "after the head",
    ),
    "a signature altered": (
        _sql("UPDATE audit_checkpoints SET note = replace(note, substr(note, -10, 4), 'AAAA') WHERE size = 180"),
        165,
        "does not verify",
    ),
    "a checkpoint replaced by an older one": (
        _sql("UPDATE audit_checkpoints SET note = (SELECT note FROM audit_checkpoints WHERE size = 165) WHERE size = 180"),
        165,
        "another tree",
    ),
    "a checkpoint of another log of the same key": (_another_origin, 165, "origin"),
    "a subtree hash altered": (_sql("UPDATE audit_subtrees SET hash = zeroblob(32)"), 255, "subtree"),
    "a subtree hash removed": (_sql("DELETE FROM audit_subtrees"), 255, "subtree"),
    "the head altered": (_sql("UPDATE audit_head SET peaks = zeroblob(length(peaks))"), 300, "head"),
    "the head moved back": (_sql("UPDATE audit_head SET size = 8, peaks = substr(peaks, 1, 32)"), 8, "after the head"),
}


@pytest.mark.parametrize("what", TAMPERING)
async def test_tampering_is_found_and_the_first_bad_entry_named(ledger: Ledger, path: Path, what: str) -> None:
    tamper, first_bad, reason = TAMPERING[what]
    await _fill(ledger)
    assert (await ledger.verify()).intact
    with sqlite3.connect(path) as database:
        tamper(database)
    database.close()
    found = await ledger.verify()
    assert not found.intact
    assert (found.first_bad, reason in found.reason) == (first_bad, True), found


def _put_back(path: Path) -> None:
    """The state that the log really was in after 285 entries: only a checkpoint that left the machine can tell."""
    with sqlite3.connect(path) as database:
        database.execute("DELETE FROM audit_entries WHERE sequence >= 285")
        database.execute("DELETE FROM audit_checkpoints WHERE size > 285")
        hashes = [leaf for (leaf,) in database.execute("SELECT leaf_hash FROM audit_entries ORDER BY sequence")]
        head = Frontier().extended(hashes)
        database.execute("UPDATE audit_head SET size = ?, peaks = ?", (head.size, pack(head)))
    database.close()


async def test_a_log_that_was_put_back_is_found_by_a_checkpoint_that_left_the_machine(ledger: Ledger, path: Path) -> None:
    await _fill(ledger)
    with sqlite3.connect(path) as database:
        notes = dict(database.execute("SELECT size, note FROM audit_checkpoints"))
    database.close()
    _put_back(path)
    assert (await ledger.verify([notes[285], notes[150]])).intact
    found = await ledger.verify([notes[300]])
    assert (found.first_bad, "witnessed" in found.reason) == (285, True)


async def test_another_history_is_found_by_a_checkpoint_that_left_the_machine(ledger: Ledger, path: Path) -> None:
    await _fill(ledger)
    with sqlite3.connect(path) as database:
        [(note,)] = database.execute("SELECT note FROM audit_checkpoints WHERE size = 300").fetchall()
    database.close()
    _put_back(path)
    await ledger.refuse([refusal_entry(at=NOW, code="another past") for _ in range(20)])  # the owner of the key rewrites it
    assert (await ledger.verify()).intact
    found = await ledger.verify([note])
    assert (found.first_bad, "witnessed" in found.reason) == (285, True)


@pytest.mark.parametrize(
    "what",
    [
        "UPDATE audit_head SET peaks = zeroblob(length(peaks))",
        "UPDATE audit_head SET peaks = x'00'",
        "UPDATE audit_head SET size = size + 1",
        "DELETE FROM audit_head",
        "DELETE FROM audit_checkpoints WHERE size = 300",
        "UPDATE audit_checkpoints SET note = 'x' WHERE size = 300",
        "UPDATE audit_checkpoints SET root = zeroblob(32) WHERE size = 300",
    ],
)
async def test_a_log_whose_head_was_tampered_with_does_not_grow_on(ledger: Ledger, path: Path, what: str) -> None:
    await _fill(ledger)
    with sqlite3.connect(path) as database:
        database.execute(what)
    database.close()
    case = accepted(1, first=900)
    with pytest.raises(LedgerError):
        await ledger.accept([case[0].new()], open_limit=1000)
    with pytest.raises(LedgerError):
        await ledger.refuse([refusal_entry(at=NOW, code="x")])
    with sqlite3.connect(path) as database:
        [(entries,)] = database.execute("SELECT count(*) FROM audit_entries").fetchall()
    database.close()
    assert entries == 300


@pytest.mark.parametrize(
    "what",
    [
        "UPDATE audit_entries SET leaf_hash = zeroblob(32) WHERE sequence = 3",
        "UPDATE audit_entries SET leaf_hash = zeroblob(32) WHERE sequence = 299",
        "DELETE FROM audit_entries WHERE sequence = 3",
        "DELETE FROM audit_subtrees",
        "UPDATE audit_subtrees SET hash = zeroblob(32)",
        "UPDATE audit_checkpoints SET note = 'x' WHERE size = 300",
        "UPDATE audit_checkpoints SET size = 999 WHERE size = 300",
        "UPDATE audit_entries SET raw = x'7b' WHERE sequence = 0",
    ],
)
async def test_nothing_is_proved_from_a_log_that_does_not_recompute(ledger: Ledger, path: Path, what: str) -> None:
    await _fill(ledger)
    proved = accepted(1)[0].request_id
    assert len(await ledger.prove(proved)) == 1
    with sqlite3.connect(path) as database:
        database.execute(what)
    database.close()
    with pytest.raises(LedgerError):
        await ledger.prove(proved)


async def test_a_damaged_record_is_an_error_and_not_an_empty_value(ledger: Ledger, path: Path) -> None:
    case = accepted()
    await ledger.accept([case[0].new()], open_limit=10)
    await ledger.end([delivered(case)[0].ending()])
    for what in (
        "UPDATE requests SET outcome = 'fine'",
        "UPDATE chains SET stamps = x'5b'",
        "UPDATE bodies SET acceptance = x'7b'",
    ):
        with sqlite3.connect(path) as database:
            database.execute(what)
        database.close()
        with pytest.raises(LedgerError):
            await ledger.request(case[0].request_id)
    with sqlite3.connect(path) as database:
        database.execute("DELETE FROM policy_epoch")
    database.close()
    with pytest.raises(LedgerError):
        await ledger.epoch()
    with pytest.raises(LedgerError):
        await ledger.directory()


async def test_without_a_pinned_key_nothing_is_verified(ledger: Ledger, reopen: Reopen) -> None:
    await _fill(ledger)
    reader = await reopen(audit_signer=None, audit_trust=None)
    with pytest.raises(ConfigurationError):
        await reader.verify()
    with pytest.raises(ConfigurationError):
        await reader.prove(accepted(1)[0].request_id)


async def test_a_rotated_key_vouches_for_the_past_only(ledger: Ledger, reopen: Reopen) -> None:
    await ledger.refuse([refusal_entry(at=NOW, code="old")])
    old = TrustedKey(AUDIT, str(AUDIT_SIGNER.verifier), until=NOW)
    both = Trust(GATEWAY, (old, TrustedKey(AUDIT, str(_OTHER_KEY.verifier))))
    rotated = await reopen(audit_signer=_OTHER_KEY, audit_trust=both)
    await rotated.refuse([refusal_entry(at=NOW + 1, code="new")])
    assert (await rotated.verify()).intact
    late = await reopen(audit_signer=AUDIT_SIGNER, audit_trust=both)
    await late.refuse([refusal_entry(at=NOW + 2, code="by the old key")])
    found = await late.verify()
    assert (found.first_bad, "end of its key" in found.reason) == (2, True)


async def test_a_signer_that_is_not_pinned_opens_nothing(ledger: Ledger, reopen: Reopen) -> None:
    with pytest.raises(ConfigurationError):
        await reopen(audit_signer=_OTHER_KEY)
    assert (await ledger.verify()).intact


async def test_checkpoints_by_a_key_that_is_not_pinned_are_not_built_upon(ledger: Ledger, reopen: Reopen) -> None:
    stranger = await reopen(audit_signer=_OTHER_KEY, audit_trust=None)
    await stranger.refuse([refusal_entry(at=NOW, code="by a stranger")])
    with pytest.raises(LedgerError):
        await ledger.refuse([refusal_entry(at=NOW, code="on top")])
    assert not (await ledger.verify()).intact
