"""The embedded server as a process: quick, private, restartable, and never an orphan."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from lockgate_broker.limits import DEFAULT_LIMITS
from lockgate_broker.nats.embedded import EmbeddedServer, server_configuration
from lockgate_broker.nats.folder import BrokerFolder
from lockgate_broker.nats.reload import reload_server
from lockgate_schemas.errors import BrokerError, ConfigurationError
from lockgate_schemas.names import Role

PARENT = """
import asyncio, sys
from pathlib import Path
from lockgate_broker.nats.embedded import EmbeddedServer
async def main():
    server = EmbeddedServer(Path(sys.argv[1]))
    await server.start()
    print(server.pid, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


def wait_gone(pid: int, bound: float) -> bool:
    end = time.monotonic() + bound
    while time.monotonic() < end:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


async def test_it_starts_and_stops_leaving_nothing(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path / "broker")
    await server.start()
    process = psutil.Process(server.pid)
    watchers = process.children()
    await server.stop()
    await server.stop()
    assert not process.is_running()
    for watcher in watchers:
        assert wait_gone(watcher.pid, 5.0)
    with pytest.raises(BrokerError):
        server.pid  # noqa: B018  # the property raises


async def test_its_folder_is_private_and_no_secret_is_in_arguments_environment_or_log(tmp_path: Path) -> None:
    async with EmbeddedServer(tmp_path / "broker") as server:
        root = server.folder.root
        assert stat.S_IMODE(root.stat().st_mode) == 0o700
        for name in ("server.conf", "accounts.conf", "server.log", "credentials/dlp.json"):
            assert stat.S_IMODE((root / name).stat().st_mode) == 0o600, name
        seeds = [server.folder.role_credential(role).seed for role in Role]
        process = psutil.Process(server.pid)
        shown = " ".join(process.cmdline()) + str(process.environ()) + server.folder.log.read_text()
        shown += server.folder.accounts_conf.read_text() + server.folder.server_conf.read_text()
        assert not [seed for seed in seeds if seed in shown]


async def test_it_listens_on_one_loopback_port_alone(tmp_path: Path) -> None:
    async with EmbeddedServer(tmp_path / "broker") as server:
        listening = [each for each in psutil.Process(server.pid).net_connections() if each.status == psutil.CONN_LISTEN]
        assert [each.laddr.ip for each in listening] == ["127.0.0.1"]


async def test_it_comes_back_on_the_same_port_with_the_same_keys(tmp_path: Path) -> None:
    async with EmbeddedServer(tmp_path / "broker") as server:
        url, credential = server.url, server.folder.role_credential(Role.DLP)
    async with EmbeddedServer(tmp_path / "broker") as server:
        assert (server.url, server.folder.role_credential(Role.DLP)) == (url, credential)
        server.kill()
        await server.start()
        assert server.url == url


async def test_a_taken_port_of_an_earlier_run_is_an_error_not_another_port(tmp_path: Path) -> None:
    async with EmbeddedServer(tmp_path / "broker") as server:
        port = int(server.url.rpartition(":")[2])
    with socket.socket() as thief:
        thief.bind(("127.0.0.1", port))
        thief.listen()
        with pytest.raises(BrokerError, match=str(port)):
            await EmbeddedServer(tmp_path / "broker").start()


async def test_a_second_server_on_the_same_folder_is_refused_and_disturbs_nothing(tmp_path: Path) -> None:
    async with EmbeddedServer(tmp_path / "broker") as server:
        with pytest.raises(BrokerError, match="another gateway"):
            await EmbeddedServer(tmp_path / "broker", bound=0.2).start()
        await server.reload()


async def test_a_start_right_after_a_killed_parent_waits_for_the_old_server_to_end(tmp_path: Path) -> None:
    old = leave_behind(tmp_path / "broker")
    async with EmbeddedServer(tmp_path / "broker") as server:
        assert server.pid != old


def leave_behind(root: Path) -> int:
    """Start a server in a process of its own and kill that process at once."""
    with subprocess.Popen([sys.executable, "-c", PARENT, str(root)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        server = int(parent.stdout.readline())
        parent.kill()
    return server


def test_the_light_install_reaches_no_server_code() -> None:
    code = "import sys, lockgate_broker.connect as c; print({'psutil', 'lockgate_broker.nats.embedded'} & sys.modules.keys() or 'light')"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "light"


async def test_a_broken_configuration_stops_the_start_and_keeps_a_running_server(tmp_path: Path) -> None:
    async with EmbeddedServer(tmp_path / "broker") as server:
        good = server.folder.accounts_conf.read_bytes()
        server.folder.accounts_conf.write_bytes(b"accounts: { broken")
        with pytest.raises(ConfigurationError):
            await server.reload()
        assert psutil.pid_exists(server.pid)
        server.folder.accounts_conf.write_bytes(good)
        await server.reload()


@pytest.mark.parametrize("frozen", [False, True])
def test_it_ends_with_a_parent_that_was_killed(tmp_path: Path, *, frozen: bool) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path / "broker")], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        server = int(parent.stdout.readline())
        try:
            assert psutil.pid_exists(server)
            if frozen:
                os.kill(server, signal.SIGSTOP)
            parent.kill()
            parent.wait()
            assert wait_gone(server, 10.0), "the server outlived its parent"
        finally:
            if psutil.pid_exists(server):
                os.kill(server, signal.SIGKILL)


async def test_a_reload_never_signals_a_process_that_is_not_the_server(tmp_path: Path) -> None:
    async with EmbeddedServer(tmp_path / "broker") as server:
        folder = server.folder
    with pytest.raises(BrokerError):
        await reload_server(folder)
    bystander = await asyncio.create_subprocess_exec("sleep", "60")
    try:
        folder.pid.write_text(f"{bystander.pid}\n")
        with pytest.raises(BrokerError):
            await reload_server(folder)
        assert bystander.returncode is None
    finally:
        bystander.kill()
        await bystander.wait()


def test_the_configuration_opens_no_other_door(tmp_path: Path) -> None:
    text = server_configuration(BrokerFolder.at(tmp_path / 'odd "name'), "127.0.0.1", 4222, DEFAULT_LIMITS)
    for word in ("http", "websocket", "mqtt", "leafnodes", "cluster", "gateway", "no_auth_user", "authorization"):
        assert word not in text
    assert 'listen: "127.0.0.1:4222"' in text
    assert r"odd \"name" in text
