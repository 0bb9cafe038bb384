"""Files that hold secrets or permissions: written whole or not at all, readable by their owner alone.

Decides nothing about their content. Reading refuses a file that others may read, because a seed that was once readable is
no longer a secret and the operator has to know.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from lockgate_schemas.errors import ConfigurationError

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700


def make_private_folder(folder: Path) -> None:
    """Create ``folder`` for its owner alone; refuse one that others can look into."""
    folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    _refuse_shared(folder, PRIVATE_FOLDER)


def write_private(path: Path, content: bytes) -> None:
    """Replace ``path`` atomically with ``content``, mode 0600, on disk before the old one is gone."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def read_private(path: Path) -> bytes:
    """Return the content of ``path``; raise `ConfigurationError` if it is missing or not private."""
    try:
        _refuse_shared(path, PRIVATE_FILE)
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error


def _refuse_shared(path: Path, mode: int) -> None:
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise ConfigurationError(f"{path} is open to other users: chmod {mode:o} {path}")
