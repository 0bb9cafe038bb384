"""A live server with something worth stealing in every stream, and an attacker with nothing but credentials and a raw client.

`Site.attack` runs one attempt and compares everything the server holds before and after it. What an identity may do by right
(its own way out growing, its own deliveries) is left out of the comparison; everything else must be untouched.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nats.errors
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from lockgate_broker.connect import connect
from lockgate_broker.limits import Limits
from lockgate_broker.nats.accounts import Permissions, Plan, Share, User, account_name, render
from lockgate_broker.nats.embedded import EmbeddedServer
from lockgate_broker.nats.provisioner import NatsProvisioner
from lockgate_broker.port import Credential, Outbound
from lockgate_broker.private_files import write_private
from lockgate_schemas.names import Role
from lockgate_schemas.topics import Queue, agent, client

# A delivery that nobody acknowledges must not come again during a test: it would look like somebody's doing.
LIMITS = Limits(ack_wait=3600.0, party_connections=4, party_message_bytes=256 * 1024)
PARTIES = {"alpha": agent("alpha"), "beta": agent("beta"), "shop": client("shop"), "mart": client("mart")}
OWN = {"alpha": ("R_alpha", "D_alpha"), "shop": ("I_shop", "O_shop")}
PATIENCE = 0.25


@dataclass(frozen=True)
class Widening:
    """One grant too many, for the control: subjects added to a user, shares added to its account, or no account of its own."""

    publish: tuple[str, ...] = ()
    subscribe: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()
    inside_gateway: bool = False


@dataclass
class Attack:
    """A raw connection with somebody's credentials, and what the server complained about on it."""

    client: Client
    credential: Credential
    foreign_ack: str
    reply_ack: str
    complaints: list[str] = field(default_factory=list)

    async def asks(self, subject: str, body: bytes = b"", headers: dict[str, str] | None = None) -> bool:
        """Send a request; say whether anybody answered."""
        inbox = f"{self.credential.inbox}.ask"
        answers: asyncio.Queue[Msg] = asyncio.Queue()
        subscription = await self.client.subscribe(inbox, cb=answers.put)
        await self.client.publish(subject, body, inbox, headers)
        try:
            answer = await asyncio.wait_for(answers.get(), PATIENCE)
        except TimeoutError:
            return False
        finally:
            await subscription.unsubscribe()
        return (answer.headers or {}).get("Status") != "503"

    async def publishes(self, subject: str, body: bytes = b"forged", headers: dict[str, str] | None = None) -> bool:
        """Publish; say whether the server did not object."""
        before = len(self.complaints)
        await self.client.publish(subject, body, headers=headers)
        await flushed(self.client)
        return len(self.complaints) == before

    async def hears(self, subject: str, queue: str = "") -> bool:
        """Subscribe; say whether the server did not object."""
        before = len(self.complaints)
        await self.client.subscribe(subject, queue=queue)
        await flushed(self.client)
        return len(self.complaints) == before

    async def own_delivery(self) -> str:
        """Pull one message by right, and return where it is acknowledged."""
        inbox = f"{self.credential.inbox}.own"
        subscription = await self.client.subscribe(inbox)
        await self.client.publish("$JS.API.CONSUMER.MSG.NEXT.D_alpha.agent", b'{"batch":1,"no_wait":true}', inbox)
        reply = (await subscription.next_msg(timeout=30)).reply
        await subscription.unsubscribe()
        return reply

    async def redirects(self, subject: str, body: bytes, reply: str, headers: dict[str, str] | None = None) -> bool:
        """Send something allowed whose answer should go elsewhere; only the comparison shows whether it did."""
        await self.client.publish(subject, body, reply, headers)
        await flushed(self.client)
        return False


Attempt = Callable[[Attack], Awaitable[bool]]
State = dict[str, Any]


@dataclass
class Site:
    """The server and everybody's credentials."""

    server: EmbeddedServer
    credentials: dict[str, Credential]
    foreign_ack: str = ""
    reply_ack: str = ""

    async def attack(self, who: str, attempt: Attempt) -> bool:
        """Run ``attempt`` as ``who``; say whether it got anything or changed anything."""
        before = await self.state()
        async with self.attacker(who) as attack:
            gained = await attempt(attack)
            await self._settle(who, attack)
        after = await self.state()
        return gained or _without_own(before, who) != _without_own(after, who)

    @asynccontextmanager
    async def attacker(self, who: str) -> AsyncIterator[Attack]:
        complaints: list[str] = []

        async def note(error: Exception) -> None:
            complaints.append(str(error))

        raw = await self.raw(self.credentials[who], note)
        try:
            yield Attack(raw, self.credentials[who], self.foreign_ack, self.reply_ack, complaints)
        finally:
            await raw.close()

    async def raw(self, credential: Credential, error_cb: Callable[[Exception], Awaitable[None]] | None = None) -> Client:
        client = Client()
        try:
            await client.connect(
                list(credential.servers),
                nkeys_seed_str=credential.seed,
                inbox_prefix=credential.inbox,
                error_cb=error_cb,
                allow_reconnect=False,
            )
        except nats.errors.Error:
            await client.close()
            raise
        return client

    async def state(self) -> State:
        """Everything the server holds: streams with configuration and counts, consumers with configuration and progress."""
        admin = await self.raw(self.credentials[Role.PROVISIONER])
        try:
            streams = (await _api(admin, "STREAM.LIST"))["streams"]
            found: State = {}
            for stream in streams:
                name, state = stream["config"]["name"], stream["state"]
                consumers = (await _api(admin, f"CONSUMER.LIST.{name}"))["consumers"]
                found[name] = {
                    "config": stream["config"],
                    "counts": {key: state.get(key) for key in ("messages", "bytes", "first_seq", "last_seq", "num_deleted")},
                    "consumers": {each["name"]: _progress(each) for each in consumers},
                }
            return found
        finally:
            await admin.close()

    async def widen(self, who: str, widening: Widening) -> None:
        """Rewrite the accounts with one grant more than there should be."""
        folder = self.server.folder
        layout = folder.layout(folder.entries())
        changed = _widened(layout, who, widening)
        assert changed != layout, "this control changes nothing"
        write_private(folder.accounts_conf, render(changed, LIMITS).encode())
        await self.server.reload()
        await self.server.reload()

    async def _settle(self, who: str, attack: Attack) -> None:
        """Send something harmless the same way behind the attack and wait for its answers: then the attack has been dealt with."""
        if attack.client.is_closed:
            return
        if who in PARTIES:
            party = PARTIES[who]
            reader = party.inbound.reader
            await attack.asks(f"$JS.API.CONSUMER.MSG.NEXT.{party.inbound.stream}.{reader}", b'{"batch":1,"no_wait":true}')
            await attack.asks(f"{party.outbound.topic}.settled", b"settled")
        else:
            await attack.asks(f"gw.health.{who}", b"settled")


async def flushed(client: Client) -> None:
    """Return when the server has seen everything sent. One flush is not enough: its PING overtakes what is still buffered."""
    await client.flush()
    await client.flush()


async def _api(admin: Client, call: str) -> dict[str, Any]:
    return json.loads((await admin.request(f"$JS.API.{call}", timeout=30)).data)


def _progress(consumer: dict[str, Any]) -> dict[str, Any]:
    keys = ("delivered", "ack_floor", "num_ack_pending", "num_redelivered", "num_pending")
    kept = {key: consumer[key] for key in keys}
    for key in ("delivered", "ack_floor"):
        kept[key] = {name: value for name, value in kept[key].items() if name != "last_active"}
    return {"config": consumer["config"], **kept}


def _without_own(state: State, who: str) -> State:
    """Leave out what ``who`` may change by right, and nothing more."""
    kept = {name: dict(value) for name, value in state.items()}
    way_out, way_in = OWN.get(who, ("", ""))
    if way_out in kept:  # it may grow, and only grow: its start stays
        kept[way_out]["counts"] = {"first_seq": kept[way_out]["counts"]["first_seq"]}
        kept[way_out]["consumers"] = {name: each["config"] for name, each in kept[way_out]["consumers"].items()}
    if way_in in kept:  # it may be delivered and acknowledged: nothing is added
        kept[way_in]["counts"] = {"last_seq": kept[way_in]["counts"]["last_seq"]}
        kept[way_in]["consumers"] = {name: each["config"] for name, each in kept[way_in]["consumers"].items()}
    if who in set(Role):
        kept["HEALTH"]["counts"] = {}
    return kept


def _widened(layout: Plan, who: str, widening: Widening) -> Plan:
    if who not in PARTIES:
        return dataclasses.replace(
            layout, roles=tuple(_more(user, widening) if user.name == who else user for user in layout.roles)
        )
    name = account_name(PARTIES[who])
    account = next(each for each in layout.parties if each.name == name)
    others = tuple(each for each in layout.parties if each.name != name)
    user = _more(account.user, widening)
    if widening.inside_gateway:
        return Plan((*layout.roles, user), others)
    shares = (
        *account.shares,
        *(Share(subject, streamed=True) for subject in widening.services),
        *(Share(subject, service=False) for subject in widening.streams),
    )
    return Plan(layout.roles, (*others, dataclasses.replace(account, user=user, shares=shares)))


def _more(user: User, widening: Widening) -> User:
    permissions = Permissions(
        (*user.permissions.publish, *widening.publish, *widening.services),
        (*user.permissions.subscribe, *widening.subscribe, *widening.streams),
    )
    return dataclasses.replace(user, permissions=permissions)


async def build(root: Path) -> Site:
    """Start a server with two agents and two clients, and put something into every queue."""
    server = EmbeddedServer(root, limits=LIMITS)
    await server.start()
    credentials: dict[str, Credential] = {str(role): server.folder.role_credential(role) for role in Role}
    async with await NatsProvisioner.open(root, limits=LIMITS) as provisioner:
        await provisioner.assert_topology(())
        for name, party in PARTIES.items():
            credentials[name] = await provisioner.grant(party)
    site = Site(server, credentials)
    await _fill(site)
    site.foreign_ack = await _leave_unacknowledged(site, "beta", PARTIES["beta"].inbound)
    site.reply_ack = await _leave_unacknowledged(site, "dlp", PARTIES["alpha"].outbound)
    return site


async def _fill(site: Site) -> None:
    topics = {
        "ingress": ("gw.authz", "gw.outcomes", "gw.outcome.shop", "gw.outcome.mart", "gw.quarantine.ingress"),
        "authz": ("gw.inspection",),
        "inspection": (*["gw.dispatch.alpha"] * 300, *["gw.dispatch.beta"] * 3),
        "alpha": ("gw.reply.alpha.0",),
        "beta": ("gw.reply.beta.0",),
        "shop": ("gw.ingress.shop.0",),
        "mart": ("gw.ingress.mart.0",),
    }
    for who, its in topics.items():
        async with await connect(site.credentials[who], name=who) as broker:
            await broker.publish([Outbound(topic, b"secret of somebody") for topic in its])


async def _leave_unacknowledged(site: Site, who: str, queue: Queue) -> str:
    """Take one delivery as ``who`` and sit on it: its acknowledgement subject is what an attacker would guess."""
    victim = await site.raw(site.credentials[who])
    inbox = f"{site.credentials[who].inbox}.x"
    try:
        subscription = await victim.subscribe(inbox)
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{queue.stream}.{queue.reader}"
        await victim.publish(subject, b'{"batch":1,"no_wait":true}', inbox)
        return (await subscription.next_msg(timeout=30)).reply
    finally:
        await victim.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One server for all refusals of a module: they leave it as it was, and `Site.attack` proves it."""
    built = asyncio.run(build(tmp_path_factory.mktemp("site") / "broker"))
    yield built
    asyncio.run(built.server.stop())


@pytest.fixture
async def fresh_site(tmp_path: Path) -> AsyncIterator[Site]:
    """A server of its own, for what changes it."""
    built = await build(tmp_path / "broker")
    try:
        yield built
    finally:
        await built.server.stop()


@pytest.fixture
def widening() -> type[Widening]:
    """The class of grants too many; test modules cannot import it from here."""
    return Widening
