"""Credential files: how a workload keeps the `Credential` it was granted.

One JSON object, mode 0600. This module decides what is a well-formed credential; whether it still opens anything is the
broker's decision.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockgate_broker.port import Credential
from lockgate_broker.private_files import read_private, write_private
from lockgate_schemas.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path


class _File(msgspec.Struct, forbid_unknown_fields=True):
    servers: tuple[str, ...]
    user: str
    seed: str
    inbox: str


def save_credential(path: Path, credential: Credential) -> None:
    """Write ``credential`` to ``path``, for its owner alone."""
    content = _File(credential.servers, credential.user, credential.seed, credential.inbox)
    write_private(path, msgspec.json.format(msgspec.json.encode(content)) + b"\n")


def load_credential(path: Path) -> Credential:
    """Read a credential; raise `ConfigurationError` if it is missing, open to others, or not one."""
    try:
        content = msgspec.json.decode(read_private(path), type=_File)
    except msgspec.MsgspecError:
        # Without the cause: a decoder may quote what it read, and what it read is a seed.
        raise ConfigurationError(f"{path} is not a broker credential") from None
    return Credential(content.servers, content.user, content.seed, content.inbox)
