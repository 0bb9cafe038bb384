"""A folder in which compiled gates are kept, so that the next start loads in milliseconds what the first one compiled in a second.

A compiled gate is code for a small machine inside Hyperscan: who may write one decides what is found, and may do worse. So a file
counts only when all of this holds, and is compiled anew otherwise, which costs time and nothing else:

1. the folder and the file belong to this user, nobody else may write or read them, and the file is a plain one;
2. the file ends as it should, and an HMAC-SHA256 over its content and over what it was compiled from fits. The key is derived from the
   installation's evidence key, which does not lie in the folder: a file from elsewhere, or changed by whoever can write here alone, is not ours;
3. it was compiled from these very expressions, by this Hyperscan, on a processor with these abilities (`platform_of_this_machine`);
4. asked about every rule's own examples, it says what the compiler's gate said (`Gate.fingerprint`): the last word, should a library or a
   processor differ in a way that none of the above shows.

Nothing is read before (1) and (2) hold, and Hyperscan sees no byte that was not authenticated. What a gate is, is left to `gate`.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import platform
import secrets
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from lockgate_schemas.errors import ConfigurationError
from lockgate_workers.scanning.gate import Gate, GateError, identity_of
from lockgate_workers.scanning.packs import Rule

_MAGIC: Final = b"lockgate gate 1\n"
_DIGEST: Final = hashlib.sha256().digest_size
_PURPOSE: Final = b"lockgate: authenticates compiled gates"
_MOST_BYTES: Final = 134_217_728
_KEPT: Final = 16
"""Gates kept in a folder: both scanners, under the rule packs that an installation changes between."""
_PROCESSOR: Final = Path("/proc/cpuinfo")


class GateCache:
    """One folder of compiled gates. ``secret`` is the installation's evidence key; a key for this purpose alone is derived from it."""

    def __init__(self, folder: Path, secret: bytes) -> None:
        self._folder = folder
        self._key = hmac.digest(secret, _PURPOSE, "sha256")

    def gate(self, rules: Sequence[Rule]) -> Gate:
        """The gate over ``rules``: from the folder, or compiled and put there for the next time.

        Raises:
            ConfigurationError: a pattern of a rule is wrong, or there is no Hyperscan on this machine.
        """
        identity = identity_of(rules, platform_of_this_machine())
        return self._load(identity, rules) or self._compile(identity, rules)

    def _load(self, identity: bytes, rules: Sequence[Rule]) -> Gate | None:
        content = self._read(self._path(identity))
        if not content.startswith(_MAGIC):
            return None
        seal, sealed = content[len(_MAGIC) :][:_DIGEST], content[len(_MAGIC) + _DIGEST :]
        if not hmac.compare_digest(seal, self._seal(identity, sealed)):
            return None
        try:
            gate = Gate(rules, sealed[_DIGEST:])
            fits = hmac.compare_digest(gate.fingerprint(), sealed[:_DIGEST])
        except (ConfigurationError, GateError):  # another build of Hyperscan refuses it, or stumbles over it
            return None
        return gate if fits else None

    def _compile(self, identity: bytes, rules: Sequence[Rule]) -> Gate:
        gate = Gate(rules)
        sealed = gate.fingerprint() + gate.serialised()
        self._write(self._path(identity), _MAGIC + self._seal(identity, sealed) + sealed)
        return gate

    def _seal(self, identity: bytes, sealed: bytes) -> bytes:
        return hmac.digest(self._key, identity + sealed, "sha256")

    def _path(self, identity: bytes) -> Path:
        return self._folder / f"{identity.hex()[:32]}.gate"

    def _read(self, path: Path) -> bytes:
        """The content of a file that is ours alone; nothing for any other, and for one that is not there."""
        if not _private_folder(self._folder):
            return b""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return b""
        with os.fdopen(descriptor, "rb") as file:
            facts = os.fstat(file.fileno())
            if not stat.S_ISREG(facts.st_mode) or not _private(facts) or facts.st_size > _MOST_BYTES:
                return b""
            return file.read(_MOST_BYTES)

    def _write(self, path: Path, content: bytes) -> None:
        """Put a file into the folder, whole or not at all. A folder in which that is not possible costs time at the next start only."""
        partial = path.with_name(f".{secrets.token_hex(8)}.partial")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not _private_folder(self._folder):
                return
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            partial.replace(path)
            self._prune()
        except OSError:
            with suppress(OSError):
                partial.unlink()

    def _prune(self) -> None:
        """Leave the newest: every change of a rule makes a new gate, and the old ones are of no more use."""
        newest = sorted(self._folder.glob("*.gate"), key=lambda one: one.stat().st_mtime, reverse=True)
        for path in newest[_KEPT:]:
            path.unlink(missing_ok=True)


def platform_of_this_machine() -> bytes:
    """What Hyperscan compiles for: the architecture and, where the system tells, what the processor is able to do."""
    try:
        lines = _PROCESSOR.read_text("ascii", "replace").splitlines()
    except OSError:
        lines = []
    abilities = next((line for line in lines if line.lower().startswith(("flags", "features"))), platform.processor())
    return f"{platform.system()} {platform.machine()} {abilities}".encode()


def _private_folder(folder: Path) -> bool:
    try:
        facts = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(facts.st_mode) and _private(facts)


def _private(facts: os.stat_result) -> bool:
    """Whether it belongs to this user and nobody else may do anything with it."""
    return facts.st_uid == os.geteuid() and not facts.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
