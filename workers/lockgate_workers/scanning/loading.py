"""Read rule packs and build a scanner from them: the thin shell around the pure engine, which alone does IO here (with `gate_cache`).

The packaged packs, their patterns and their examples were checked by the tests; an operator's packs are checked here, every time.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Final, Literal

from lockgate_schemas.errors import ConfigurationError
from lockgate_workers.scanning.engine import ScanLimits, Scanner
from lockgate_workers.scanning.examples import verify
from lockgate_workers.scanning.gate import Gate
from lockgate_workers.scanning.gate_cache import GateCache
from lockgate_workers.scanning.packs import Pack, Rule, all_rules, parse_pack

ScannerKind = Literal["injection", "dlp"]

_PACKAGES: Final[dict[str, str]] = {"injection": "lockgate_workers.inspection", "dlp": "lockgate_workers.dlp"}
_EVIDENCE_KEY_BYTES: Final = 32


def load_scanner(
    kind: ScannerKind,
    extra_folder: Path | None = None,
    *,
    limits: ScanLimits | None = None,
    evidence_key: bytes | None = None,
    cache: Path | None = None,
    clock: Callable[[], float] = time.thread_time,
    decode: bool = True,
) -> Scanner:
    """Build the scanner of a stage from the packaged packs and, if given, every ``*.yaml`` of a folder.

    Without ``evidence_key`` a random one is drawn: evidence hashes then compare within this process only. ``cache`` is a folder of this
    user's own, in which the compiled gate is kept for the next start (`gate_cache`); it is authenticated by means of the evidence key. ``clock`` should
    tell the thread's processor time (`meter`), and ``decode`` is off in measurements alone.

    Raises:
        ConfigurationError: there is a ``cache`` and no ``evidence_key``; a pack is missing, unreadable, empty or wrong, or an example of a pack that is not packaged does not behave; it names the pack and the rule.
    """
    if cache is not None and evidence_key is None:
        raise ConfigurationError("compiled gates can only be kept where there is an evidence key to authenticate them with")
    packaged, extra = packaged_packs(kind), folder_packs(extra_folder)
    key = secrets.token_bytes(_EVIDENCE_KEY_BYTES) if evidence_key is None else evidence_key
    packs = [*packaged, *extra]
    rules = all_rules(packs)
    gate = _gate(rules) if cache is None else GateCache(cache, key).gate(rules)
    scanner = Scanner(packs, clock=clock, evidence_key=key, limits=limits, gate=gate, decode=decode)
    _verify(scanner, extra)
    return scanner


@lru_cache(maxsize=4)
def _gate(rules: tuple[Rule, ...]) -> Gate:
    """The gate over ``rules``, compiled once in a process: it keeps nothing of what it sees, and any number of scanners may share it."""
    return Gate(rules)


def own_scanner(packs: Sequence[Pack], *, evidence_key: bytes, clock: Callable[[], float] = time.thread_time) -> Scanner:
    """Build a scanner from an installation's packs alone, which takes milliseconds: it is joined to the shipped one (`joined`).

    Raises:
        ConfigurationError: two rules are named alike, or an example does not behave; it names the pack and the rule.
    """
    scanner = Scanner(packs, clock=clock, evidence_key=evidence_key)
    _verify(scanner, packs)
    return scanner


def _verify(scanner: Scanner, packs: Iterable[Pack]) -> None:
    for pack in packs:
        try:
            verify(scanner, frozenset(rule.id for rule in pack.rules))
        except ConfigurationError as error:
            raise ConfigurationError(f"rule pack {pack.name}, {error.detail}") from error


def packaged_packs(kind: ScannerKind, *, strict: bool = False) -> list[Pack]:
    """Read the packs that are shipped. ``strict`` compiles their patterns as well, which the tests do once for everybody."""
    folder = resources.files(_PACKAGES[kind]) / "rules"
    entries = sorted((one for one in folder.iterdir() if one.name.endswith(".yaml")), key=lambda one: one.name)
    return [parse_pack(entry.name, entry.read_bytes(), strict=strict) for entry in entries]


def folder_packs(folder: Path | None) -> list[Pack]:
    """Read the packs of an operator's folder, if there is one.

    Raises:
        ConfigurationError: it is missing or holds no pack, which is a mistake and not an empty set of rules; or a pack is not usable.
    """
    return [] if folder is None else list(_folder(folder))


def _folder(folder: Path) -> Iterator[Pack]:
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix in {".yaml", ".yml"})
        read = [(path.name, path.read_bytes()) for path in paths]
    except OSError as error:
        raise ConfigurationError(f"the folder of extra rule packs cannot be read: {error.strerror}") from error
    if not read:
        raise ConfigurationError("the folder of extra rule packs holds no .yaml file")
    for name, data in read:
        yield parse_pack(f"extra/{name}", data)
