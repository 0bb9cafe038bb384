"""The configuration of one gateway: a small TOML file, every member with a default, unknown members refused.

Nothing here decides anything; the bounds themselves are documented in `lockgate_schemas.limits`.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Final

import msgspec

from lockgate_schemas.errors import ConfigurationError
from lockgate_schemas.limits import Limits
from lockgate_workers.alerts.destinations import AlertSettings

FILE_NAME: Final = "gateway.toml"
HOME_VARIABLE: Final = "LOCKGATE_HOME"
DEFAULT_HOME: Final = ".lockgate"


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What ``gateway.toml`` may say.

    ``gateway`` is the id that clients name as audience; ``host``/``port`` the public door, ``admin_port`` the operator's (loopback only); port 0 takes a
    free one. ``ledger`` is a database URL, empty for SQLite in the home folder. ``ack_wait`` (seconds) is after how long an unacknowledged
    message of a dead worker comes again. ``rules`` is a folder with more rule packs, ``inspection/*.yaml`` and ``dlp/*.yaml``. ``alerts`` says to whom alerts are told
    (`lockgate_workers.alerts.destinations`).
    """

    gateway: str = "lockgate.local"
    host: str = "127.0.0.1"
    port: int = 8321
    admin_port: int = 0
    ledger: str = ""
    ack_wait: float = 30.0
    rules: str = ""
    copies: dict[str, int] = {}
    limits: Limits = Limits()
    alerts: AlertSettings = AlertSettings()


def load_config(folder: Path) -> Config:
    """Read ``gateway.toml``, or take the defaults when there is none. Raises `ConfigurationError` naming the member."""
    path = folder / FILE_NAME
    if not path.exists():
        return Config()
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Config)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path.name}: {error}") from None


def default_home() -> Path:
    """The home folder when none is named: ``$LOCKGATE_HOME``, or ``.lockgate`` in the current folder."""
    return Path(os.environ.get(HOME_VARIABLE) or DEFAULT_HOME)
