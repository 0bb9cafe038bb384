"""Who a request is made by. A principal is minted by an authenticator from verified credentials, and by nothing else."""

from __future__ import annotations

import msgspec


class Actor(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One link of RFC 8693's ``act`` chain: ``subject`` acts, for whoever is named further out."""

    subject: str
    act: Actor | None = None


class Principal(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A verified identity.

    ``tenant``, ``client`` and ``user`` come from the ledger's record of the key that verified, never from the message. ``method`` says how
    it was authenticated. ``act`` is set when an agent acts for a user.
    """

    tenant: str
    client: str
    user: str
    method: str
    kid: str = ""
    act: Actor | None = None

    @property
    def subject(self) -> str:
        """The principal in one string, for policies and the audit log: ``tenant/user``."""
        return f"{self.tenant}/{self.user}"
