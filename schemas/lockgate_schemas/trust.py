"""Which keys may speak for which role: the pinned public keys that every verifier starts from.

A `Trust` is a closed list. A role signs under the name ``<gateway>/<role>``; a key that carries another name, or a role
that is not listed, is not trusted, whatever it signed. An empty list trusts nobody.
"""

from __future__ import annotations

from typing import Final, Self

import msgspec

from lockgate_schemas.errors import ConfigurationError
from lockgate_schemas.names import Role
from lockgate_schemas.signing import VerifierKey

STAMPING_ROLES: Final = (Role.INGRESS, Role.AUTHZ, Role.INSPECTION, Role.DLP, Role.OUTCOME)
AUDIT: Final = "audit"
"""The audit log's own signing name; it stamps nothing."""


class TrustedKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One public key of one role. ``until`` (milliseconds since 1970, 0 for none) ends it: later statements by it are refused."""

    role: str
    key: str
    until: int = 0


class Trust(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The keys of one gateway, as written to ``trust.json`` and into every credential file."""

    gateway: str
    keys: tuple[TrustedKey, ...]

    def verifiers(self) -> dict[str, tuple[tuple[VerifierKey, int], ...]]:
        """The parsed keys of each role with their ends. Raises `ConfigurationError` on a key listed twice or not named for its role."""
        table: dict[str, list[tuple[VerifierKey, int]]] = {}
        for entry in self.keys:
            key = VerifierKey.parse(entry.key)
            if key.name != signing_name(self.gateway, entry.role):
                raise ConfigurationError(f"a trusted key of {entry.role} is not named for it")
            known = table.setdefault(entry.role, [])
            if any(key == other for other, _ in known):  # it would have two ends, and which of them counts would be a guess
                raise ConfigurationError(f"a trusted key of {entry.role} is listed twice")
            known.append((key, entry.until))
        return {role: tuple(keys) for role, keys in table.items()}

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read a trust file. Raises `ConfigurationError`."""
        try:
            return msgspec.json.decode(raw, type=cls)
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            raise ConfigurationError("the trust file is malformed") from None


def signing_name(gateway: str, role: str) -> str:
    """The name under which ``role`` signs."""
    return f"{gateway}/{role}"
