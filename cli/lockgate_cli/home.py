"""The home folder of one gateway: where its keys, credentials, ledger and broker live, each file readable by its owner only.

Made on the first start; never overwritten. A folder that others can write to is refused, because whoever can write here is
the gateway.
"""

from __future__ import annotations

import os
import secrets
from base64 import b64decode, b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from lockgate_broker.private_files import read_private, write_private
from lockgate_cli.config import Config, load_config
from lockgate_schemas.errors import ConfigurationError, UnavailableError
from lockgate_schemas.names import Role, checked_name
from lockgate_schemas.signing import NoteSigner
from lockgate_schemas.trust import AUDIT, STAMPING_ROLES, Trust, TrustedKey, signing_name

SALT_FILE: Final = "content.salt"
_SALT_BYTES: Final = 32
SIGNING_ROLES: Final = (*(str(role) for role in STAMPING_ROLES), AUDIT)


class Running(msgspec.Struct, frozen=True):
    """Where the gateway that runs in this folder can be reached."""

    url: str
    admin_url: str
    pid: int


@dataclass(frozen=True, slots=True)
class Home:
    """The layout. Made by `open_home` or `prepare_home`."""

    folder: Path
    config: Config
    trust: Trust

    @property
    def broker(self) -> Path:
        """The embedded broker's own folder."""
        return self.folder / "broker"

    @property
    def ledger_url(self) -> str:
        """The configured database, or SQLite here."""
        return self.config.ledger or f"sqlite:///{self.folder.resolve() / 'ledger.db'}"

    def signer(self, role: str) -> NoteSigner:
        """The signing key of ``role``. Raises `ConfigurationError` when it is missing or others can read it."""
        seed = b64decode(read_private(_seed_file(self.folder, role)), validate=True)
        return NoteSigner(signing_name(self.config.gateway, role), seed)

    def admin_token(self) -> str:
        """The bearer token of the operator's door."""
        return read_private(self.folder / "admin.token").decode()

    @property
    def compiled(self) -> Path:
        """Where compiled rules are kept, so that the next start need not compile them."""
        return self.folder / "compiled"

    def content_salt(self) -> bytes:
        """What keys evidence and the list of allowed values: the same for every worker of this gateway, and told to nobody."""
        salt = read_private(self.folder / SALT_FILE)
        if len(salt) < _SALT_BYTES:
            raise ConfigurationError(f"{SALT_FILE} is too short to keep a value secret: remove it, and `lockgate up` makes one")
        return salt

    def content_secret(self, name: str) -> bytes:
        """A key that the content policy names: the bytes of a file in the folder ``content``. Raises `ConfigurationError`."""
        return read_private(self.folder / "content" / checked_name(name, what="key"))

    def rules_folder(self, stage: str) -> Path | None:
        """Where the configuration keeps more rule packs for a stage, if it does."""
        return Path(self.config.rules) / stage if self.config.rules else None

    def client_file(self, name: str) -> Path:
        """The credential file of a client."""
        return self.folder / "clients" / f"{checked_name(name, what='client')}.json"

    def agent_file(self, name: str) -> Path:
        """The credential file of an agent."""
        return self.folder / "agents" / f"{checked_name(name, what='agent')}.json"

    def running(self) -> Running:
        """The gateway that runs here. Raises `UnavailableError` when none does."""
        try:
            running = msgspec.json.decode((self.folder / "run.json").read_bytes(), type=Running)
            os.kill(running.pid, 0)
        except (OSError, msgspec.MsgspecError):
            raise UnavailableError(f"no gateway runs in {self.folder}: start one with `lockgate up`") from None
        return running

    def record_running(self, running: Running | None) -> None:
        """Note where the gateway is reached, or that it is not."""
        path = self.folder / "run.json"
        if running is None:
            path.unlink(missing_ok=True)
        else:
            write_private(path, msgspec.json.encode(running))


def open_home(folder: Path) -> Home:
    """The home at ``folder``, which must have been prepared. Raises `ConfigurationError`."""
    path = folder / "trust.json"
    if not path.exists():
        raise ConfigurationError(f"{folder} is not a gateway's home: `lockgate up` makes one")
    config = load_config(folder)
    trust = Trust.parse(path.read_bytes())
    if trust.gateway != config.gateway:
        raise ConfigurationError("gateway.toml and trust.json name different gateways")
    return Home(folder, config, trust)


def prepare_home(folder: Path) -> Home:
    """Make what is missing: the folder, the signing keys, the trust file, the operator's token, the salt; then open it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_mode & 0o022:
        raise ConfigurationError(f"others can write to {folder}: chmod go-w it")
    config = load_config(folder)
    if not (folder / "trust.json").exists():
        keys = tuple(_make_key(folder, config.gateway, role) for role in SIGNING_ROLES)
        write_private(folder / "trust.json", msgspec.json.encode(Trust(config.gateway, keys)))
    if not (folder / "admin.token").exists():
        write_private(folder / "admin.token", secrets.token_urlsafe(32).encode())
    if not (folder / SALT_FILE).exists():
        write_private(folder / SALT_FILE, secrets.token_hex(_SALT_BYTES).encode())
    return open_home(folder)


def _make_key(folder: Path, gateway: str, role: str) -> TrustedKey:
    path = _seed_file(folder, role)
    if not path.exists():
        path.parent.mkdir(mode=0o700, exist_ok=True)
        write_private(path, b64encode(secrets.token_bytes(32)))
    signer = NoteSigner(signing_name(gateway, role), b64decode(read_private(path)))
    return TrustedKey(role, str(signer.verifier))


def _seed_file(folder: Path, role: str) -> Path:
    return folder / "keys" / f"{role}.seed"


ROLE_NAMES: Final = tuple(str(role) for role in Role if role is not Role.PROVISIONER)
