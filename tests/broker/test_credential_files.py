"""Credential files: private or refused, and never quoted."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from lockgate_broker.connect import connect, load_credential, save_credential
from lockgate_broker.limits import Timing
from lockgate_broker.nats.keys import new_seed, public_key
from lockgate_broker.port import Credential
from lockgate_broker.private_files import make_private_folder, write_private
from lockgate_schemas.errors import BrokerError, ConfigurationError

CREDENTIAL = Credential(("nats://127.0.0.1:1",), "AG_alpha", "SUSECRET", "_INBOX_AG_alpha")


def test_a_saved_credential_is_private_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "alpha.json"
    save_credential(path, CREDENTIAL)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_credential(path) == CREDENTIAL
    assert [each.name for each in tmp_path.iterdir()] == ["alpha.json"], "no draft is left"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666, 0o620])
def test_a_file_that_others_reach_is_refused_with_what_to_do(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "alpha.json"
    save_credential(path, CREDENTIAL)
    path.chmod(mode)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        load_credential(path)


@pytest.mark.parametrize(
    "content", [b"", b"SUSECRET", b'{"seed":"SUSECRET"}', b'{"servers":["x"],"user":1,"seed":"SUSECRET","inbox":""}']
)
def test_a_malformed_file_is_refused_without_quoting_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "alpha.json"
    write_private(path, content)
    with pytest.raises(ConfigurationError) as refusal:
        load_credential(path)
    assert "SUSECRET" not in f"{refusal.value} {refusal.value.__cause__}"


def test_a_missing_file_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        load_credential(tmp_path / "none.json")


def test_a_shared_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "broker"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    with pytest.raises(ConfigurationError, match="chmod 700"):
        make_private_folder(folder)


def test_a_seed_is_never_shown() -> None:
    assert "SUSECRET" not in repr(CREDENTIAL)
    with pytest.raises(ConfigurationError) as refusal:
        public_key("SUSECRET")
    assert "SUSECRET" not in str(refusal.value)


def test_seeds_are_fresh_and_have_a_public_half() -> None:
    first, second = new_seed(), new_seed()
    assert first != second
    assert first.startswith("SU")
    assert public_key(first).startswith("U")
    assert public_key(first) != public_key(second)


@pytest.mark.parametrize("servers", [(), ("http://127.0.0.1:1",), ("nats://127.0.0.1:1", "ws://127.0.0.1:1")])
async def test_an_address_no_adapter_knows_is_a_configuration_error(servers: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError):
        await connect(Credential(servers, "x", new_seed(), "_INBOX_x"), name="x")


async def test_nobody_there_is_a_broker_error_within_the_bound() -> None:
    credential = Credential(("nats://127.0.0.1:1",), "x", new_seed(), "_INBOX_x")
    with pytest.raises(BrokerError):
        await connect(credential, name="x", timing=Timing(connect=0.3))
