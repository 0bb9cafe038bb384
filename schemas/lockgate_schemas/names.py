"""Names that may stand in a topic: agents, clients, tenants, actions, roles.

A name is an identifier, never an address. The grammar is the intersection of what a NATS subject token, a JetStream
stream name, a RabbitMQ queue name, a file name and a URL path segment accept without quoting, so that a name can
be put into any of them and mean the same everywhere. Anything else (dots, slashes, wildcards, ports, upper case, look-alikes,
control characters) is refused before it is used, with the same error for all of them.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

from lockgate_schemas.errors import NameRefusedError

NAME_PATTERN: Final = r"^[a-z](?:[a-z0-9]|-(?!-)){0,61}[a-z0-9]$"
"""2 to 63 characters: lower-case ASCII letters, digits and single inner hyphens (an RFC 1123 label that starts with a letter)."""

_NAME = re.compile(NAME_PATTERN.removesuffix("$") + r"\Z")


class Role(StrEnum):
    """A workload of the gateway: each holds its own broker user and, where it stamps, its own signing key."""

    INGRESS = "ingress"
    AUTHZ = "authz"
    INSPECTION = "inspection"
    DLP = "dlp"
    OUTCOME = "outcome"
    PROVISIONER = "provisioner"


class PartyKind(StrEnum):
    """Who may be given credentials of its own on the broker."""

    AGENT = "agent"
    CLIENT = "client"


def checked_name(value: str, *, what: str) -> str:
    """Return ``value`` if it is a name; raise `NameRefusedError` otherwise.

    ``what`` says which name was meant ("agent", "tenant"); the refused value itself is never put into the error,
    because it may be an address or a credential that somebody pasted.
    """
    if not _NAME.match(value):
        raise NameRefusedError(what)
    return value
