"""Compiled gates that are kept: loaded when they are ours and fit, compiled anew whenever anything differs, never trusted otherwise."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from pathlib import Path

import pytest

from lockgate_schemas.errors import ConfigurationError
from lockgate_workers.scanning import gate, gate_cache
from lockgate_workers.scanning.engine import Scanner
from lockgate_workers.scanning.gate import Gate, identity_of
from lockgate_workers.scanning.gate_cache import GateCache
from lockgate_workers.scanning.loading import load_scanner, packaged_packs
from lockgate_workers.scanning.packs import Rule, parse_pack

SECRET = b"thirty-two bytes of evidence key"

PACK = """rules:
  - id: canary
    description: a made-up secret
    severity: high
    action: redact
    pattern: 'canary-[0-9]{4}'
    examples: {match: ['canary-1234'], skip: ['canary-bird']}
"""


def rules_of(text: str = PACK) -> tuple[Rule, ...]:
    return parse_pack("own.yaml", text.encode()).rules


class Compilations:
    """Counts what Hyperscan is asked to compile."""

    def __init__(self) -> None:
        self.count = 0


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> Compilations:
    counted = Compilations()
    compiler = gate._compiled

    def count(plan: gate._Plan) -> object:
        counted.count += 1
        return compiler(plan)

    monkeypatch.setattr(gate, "_compiled", count)
    return counted


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def only_file(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def finds(rules: tuple[Rule, ...], made: Gate) -> bool:
    return 0 in made.hits(b"canary-1234") and made.rules == rules


def test_the_second_start_compiles_nothing_and_finds_the_same(folder: Path, compilations: Compilations) -> None:
    rules = rules_of()
    assert finds(rules, GateCache(folder, SECRET).gate(rules))
    assert finds(rules, GateCache(folder, SECRET).gate(rules))
    assert compilations.count == 1


def test_nobody_else_may_read_or_write_what_is_kept(folder: Path) -> None:
    GateCache(folder, SECRET).gate(rules_of())
    assert folder.stat().st_mode & 0o777 == 0o700
    assert only_file(folder).stat().st_mode & 0o777 == 0o600


def test_the_key_lies_in_no_file_and_is_not_the_evidence_key(folder: Path) -> None:
    GateCache(folder, SECRET).gate(rules_of())
    content = only_file(folder).read_bytes()
    assert SECRET not in content
    sealed = content[16 + 32 :]
    identity = identity_of(rules_of(), gate_cache.platform_of_this_machine())
    assert content[16 : 16 + 32] != hmac.digest(SECRET, identity + sealed, "sha256")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content[:0],
        lambda content: content[:-1],
        lambda content: content[: len(content) // 2],
        lambda content: content + b"\0",
        lambda content: content[:-200] + bytes([content[-200] ^ 1]) + content[-199:],
        lambda content: b"L" + content[1:],
        lambda content: content[:20] + bytes([content[20] ^ 1]) + content[21:],
        lambda content: content[:16] + hashlib.sha256(content[48:]).digest() + content[48:],
    ],
    ids=["empty", "truncated", "half", "longer", "one bit", "magic", "seal", "unkeyed digest"],
)
def test_a_file_that_was_changed_is_compiled_anew_and_replaced(
    folder: Path, compilations: Compilations, spoil: Callable[[bytes], bytes]
) -> None:
    rules = rules_of()
    GateCache(folder, SECRET).gate(rules)
    sound = only_file(folder).read_bytes()
    only_file(folder).write_bytes(spoil(sound))
    assert finds(rules, GateCache(folder, SECRET).gate(rules))
    assert compilations.count == 2
    assert finds(rules, GateCache(folder, SECRET).gate(rules))
    assert compilations.count == 2


def test_a_file_of_another_installation_is_compiled_anew(folder: Path, compilations: Compilations) -> None:
    GateCache(folder, b"another installation's key").gate(rules_of())
    GateCache(folder, SECRET).gate(rules_of())
    assert compilations.count == 2


def test_hyperscan_is_not_shown_what_was_not_authenticated(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    GateCache(folder, b"another installation's key").gate(rules_of())
    monkeypatch.setattr(gate, "_deserialised", lambda *_: pytest.fail("Hyperscan was handed a stranger's file"))
    GateCache(folder, SECRET).gate(rules_of())


def test_other_rules_under_the_name_of_these_are_compiled_anew(folder: Path, compilations: Compilations) -> None:
    weak = rules_of(PACK.replace("canary-[0-9]{4}", "canary-[0-9]{5}").replace("'canary-1234'", "'canary-12345'"))
    cache = GateCache(folder, SECRET)
    cache.gate(weak)
    poisoned = only_file(folder)
    cache.gate(rules_of())
    (sound,) = set(folder.iterdir()) - {poisoned}
    poisoned.replace(sound)
    assert finds(rules_of(), cache.gate(rules_of()))
    assert compilations.count == 3


def test_a_gate_that_answers_otherwise_than_the_compiled_one_is_not_used(folder: Path, compilations: Compilations) -> None:
    rules = rules_of()
    cache = GateCache(folder, SECRET)
    identity = identity_of(rules, gate_cache.platform_of_this_machine())
    blind = Gate(rules_of(PACK.replace("canary-[0-9]{4}", "zebra-[0-9]{4}")))
    sealed = Gate(rules).fingerprint() + blind.serialised()
    cache.gate(rules)
    only_file(folder).write_bytes(gate_cache._MAGIC + cache._seal(identity, sealed) + sealed)
    before = compilations.count
    assert finds(rules, cache.gate(rules))
    assert compilations.count == before + 1


@pytest.mark.parametrize("part", ["library", "processor", "format", "order"])
def test_whatever_decides_what_is_compiled_makes_another_gate(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = rules_of(PACK + PACK.removeprefix("rules:\n").replace("id: canary", "id: other"))
    before = identity_of(rules, b"processor")
    assert identity_of(rules, b"processor") == before
    if part == "library":
        monkeypatch.setattr(gate.hyperscan, "__version__", "0.0.0 1.2.3")
    if part == "format":
        monkeypatch.setattr(gate, "_FORMAT", 99)
    changed = identity_of(rules[::-1] if part == "order" else rules, b"another" if part == "processor" else b"processor")
    assert changed != before


@pytest.mark.parametrize(
    ("old", "new"), [("canary-[0-9]{4}", "canary-[0-9]{3}"), ("severity: high", "severity: high\n    caseless: true")]
)
def test_another_expression_or_flag_makes_another_gate(old: str, new: str) -> None:
    assert identity_of(rules_of(PACK.replace(old, new)), b"") != identity_of(rules_of(), b"")


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777, 0o750])
def test_a_folder_that_others_can_get_into_is_neither_read_nor_written(
    folder: Path, mode: int, compilations: Compilations
) -> None:
    folder.mkdir()
    folder.chmod(mode)
    for _ in range(2):
        assert finds(rules_of(), GateCache(folder, SECRET).gate(rules_of()))
    assert compilations.count == 2
    assert list(folder.iterdir()) == []


def test_a_file_that_others_can_write_is_not_read(folder: Path, compilations: Compilations) -> None:
    GateCache(folder, SECRET).gate(rules_of())
    only_file(folder).chmod(0o660)
    GateCache(folder, SECRET).gate(rules_of())
    assert compilations.count == 2


def test_a_link_in_the_place_of_a_file_or_of_the_folder_is_not_followed(
    folder: Path, tmp_path: Path, compilations: Compilations
) -> None:
    GateCache(folder, SECRET).gate(rules_of())
    path = only_file(folder)
    path.replace(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    GateCache(folder, SECRET).gate(rules_of())
    assert compilations.count == 2
    linked = tmp_path / "linked"
    linked.symlink_to(folder)
    GateCache(linked, SECRET).gate(rules_of())
    assert compilations.count == 3


def test_a_folder_that_cannot_be_made_costs_time_only(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert finds(rules_of(), GateCache(tmp_path / "file" / "cache", SECRET).gate(rules_of()))


def test_old_gates_go_and_nothing_partial_stays(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_cache, "_KEPT", 2)
    for digits in range(1, 6):
        rules = rules_of(PACK.replace("[0-9]{4}", f"[0-9]{{{digits}}}"))
        GateCache(folder, SECRET).gate(rules)
    assert len(list(folder.iterdir())) == 2


def test_a_scanner_from_the_folder_finds_what_one_without_it_finds(
    folder: Path, dlp_scanner: Scanner, compilations: Compilations
) -> None:
    texts = [text for rule in dlp_scanner.rules for text in (*rule.examples.match, *rule.examples.skip)]
    key = b"k" * 32
    load_scanner("dlp", evidence_key=key, cache=folder)
    cached = load_scanner("dlp", evidence_key=key, cache=folder)
    assert compilations.count == 1
    assert [cached.scan(text) for text in texts] == [dlp_scanner.scan(text) for text in texts]


def test_there_is_no_cache_without_a_key(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="evidence key"):
        load_scanner("injection", cache=folder)


def test_a_scanner_takes_no_gate_of_other_rules() -> None:
    pack = parse_pack("own.yaml", PACK.encode())
    other = Gate(rules_of(PACK.replace("canary-[0-9]{4}", "zebra-[0-9]{4}")))
    with pytest.raises(ConfigurationError, match="other rules"):
        Scanner([pack], clock=lambda: 0.0, evidence_key=b"k", gate=other)


@pytest.mark.parametrize("kind", ["dlp", "injection"])
def test_every_packaged_pattern_stands_the_check_that_is_left_out_at_the_start(kind: str) -> None:
    packs = packaged_packs(kind, strict=True)  # type: ignore[arg-type]
    assert all(pack.rules for pack in packs)


def test_a_part_hits_the_same_whether_or_not_the_whole_is_known(dlp_scanner: Scanner) -> None:
    made = dlp_scanner._gate
    parts = [rule.examples.match[0] for rule in dlp_scanner.rules[::7]]
    for first, second in zip(parts, parts[1:] + parts[:1], strict=True):
        together = made.hits(f"{first}\n{second}".encode(), min(len(first), len(second)))
        for part in (first, second):
            assert sorted(made.hits(part.encode(), len(part), together)) == sorted(made.hits(part.encode(), len(part)))
