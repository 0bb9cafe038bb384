"""How each kind of destination is told: signed JSON, a Slack message, mail. Each raises `DeliveryError` when it could not, with a code and nothing else.

A channel reads its secret when it sends and keeps it nowhere.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

import aiosmtplib
import httpx
from standardwebhooks import Webhook as Signer

from lockgate_broker.private_files import read_private
from lockgate_ledger.alert_records import AlertRecord
from lockgate_schemas.errors import ConfigurationError
from lockgate_workers.alerts.destinations import Destination, Email, Slack, Webhook
from lockgate_workers.alerts.message import mail, message_id, slack_body, webhook_body
from lockgate_workers.alerts.posting import SECONDS, Poster
from lockgate_workers.alerts.sender import Channel
from lockgate_workers.alerts.targets import DeliveryError, Resolver, Target, addresses_of, checked_host, parse_url

T = TypeVar("T")

_PREFIX: Final = "whsec_"
_SHORTEST: Final = 24
"""Bytes of a secret that signs, as Standard Webhooks wants them."""
_JSON: Final = {"Content-Type": "application/json", "User-Agent": "lockgate"}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What channels are given: the gateway's id and home folder, the resolver, and a clock in milliseconds since 1970."""

    gateway: str
    home: Path
    resolve: Resolver
    clock: Callable[[], int]

    def secret(self, name: str) -> str:
        """The text of a secret's file. Raises `ConfigurationError` when it is missing, empty, or others can read it."""
        try:
            text = read_private(self.home / name).decode("ascii").strip()
        except UnicodeDecodeError:
            text = ""
        if not text:
            raise ConfigurationError(f"the secret in {name} is empty, or not ASCII")
        return text

    def context(self, ca: str | None) -> ssl.SSLContext:
        """TLS as usual, with the operator's own roots beside the usual ones. Raises `ConfigurationError`."""
        context = httpx.create_ssl_context(trust_env=False)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if ca is not None:
            try:
                context.load_verify_locations(self.home / ca)
            except (OSError, ssl.SSLError):
                raise ConfigurationError(f"the roots in {ca} cannot be read") from None
        return context


def channel(destination: Destination, around: Surroundings) -> Channel:
    """The channel for a destination."""
    if isinstance(destination, Webhook):
        return WebhookChannel(destination, around)
    return SlackChannel(destination, around) if isinstance(destination, Slack) else EmailChannel(destination, around)


class WebhookChannel:
    """Standard Webhooks: the id, the time and the exact body are signed with each secret."""

    def __init__(self, destination: Webhook, around: Surroundings) -> None:
        self._destination = destination
        self._around = around
        self._poster = Poster(around.resolve)

    def check(self) -> None:
        """See `Channel.check`."""
        _checked_url(self._destination.url, self._destination.name)
        _signers(self._around.secret(self._destination.secret))
        self._around.context(self._destination.ca)

    async def send(self, alert: AlertRecord) -> None:
        """See `Channel.send`."""
        around, destination = self._around, self._destination
        body = webhook_body(around.gateway, alert)
        name, seconds = message_id(around.gateway, alert), around.clock() // 1000
        signers, context = await _read(lambda: (_signers(around.secret(destination.secret)), around.context(destination.ca)))
        at = datetime.fromtimestamp(seconds, UTC)  # the library takes whatever zone there is for UTC
        signatures = " ".join(signer.sign(name, at, body.decode()) for signer in signers)
        signed = {"webhook-id": name, "webhook-timestamp": str(seconds), "webhook-signature": signatures}
        target = parse_url(destination.url)
        await self._poster.post(target, _JSON | signed, body, context=context, allow_private=destination.allow_private)


class SlackChannel:
    """An incoming webhook, whose address is the secret."""

    def __init__(self, destination: Slack, around: Surroundings) -> None:
        self._destination = destination
        self._around = around
        self._poster = Poster(around.resolve)

    def check(self) -> None:
        """See `Channel.check`."""
        _checked_url(self._around.secret(self._destination.secret), self._destination.name)
        self._around.context(self._destination.ca)

    async def send(self, alert: AlertRecord) -> None:
        """See `Channel.send`."""
        around, destination = self._around, self._destination
        url, context = await _read(lambda: (around.secret(destination.secret), around.context(destination.ca)))
        body = slack_body(around.gateway, alert)
        await self._poster.post(parse_url(url), _JSON, body, context=context, allow_private=destination.allow_private)


class EmailChannel:
    """Mail, over a connection to an address that was checked."""

    def __init__(self, destination: Email, around: Surroundings) -> None:
        self._destination = destination
        self._around = around

    def check(self) -> None:
        """See `Channel.check`."""
        try:
            checked_host(self._destination.host)
        except DeliveryError:
            raise ConfigurationError(f"the host of {self._destination.name} is none") from None
        if self._destination.secret is not None:
            self._around.secret(self._destination.secret)
        self._around.context(self._destination.ca)

    async def send(self, alert: AlertRecord) -> None:
        """See `Channel.send`."""
        try:
            async with asyncio.timeout(SECONDS):
                await self._send(alert)
        except TimeoutError:
            raise DeliveryError("timeout") from None
        except aiosmtplib.SMTPAuthenticationError:
            raise DeliveryError("login-refused") from None
        except aiosmtplib.SMTPResponseException as error:
            raise DeliveryError(f"smtp-{error.code}") from None
        except aiosmtplib.SMTPRecipientsRefused:
            raise DeliveryError("recipients-refused") from None
        except (aiosmtplib.SMTPException, OSError):
            raise DeliveryError("unreachable") from None

    async def _send(self, alert: AlertRecord) -> None:
        around, destination = self._around, self._destination
        secret, context = await _read(
            lambda: (around.secret(destination.secret) if destination.secret else None, around.context(destination.ca))
        )
        target = Target(destination.security != "none", checked_host(destination.host), destination.port)
        addresses = await addresses_of(target, around.resolve, allow_private=destination.allow_private)
        server = aiosmtplib.SMTP(
            hostname=target.host,
            sock=await _connected(addresses, target.port),
            use_tls=destination.security == "tls",
            start_tls=destination.security == "starttls",
            tls_context=context,
            username=destination.user or None,
            password=secret,
            local_hostname="lockgate",
            timeout=SECONDS,
        )
        async with server:
            await server.send_message(mail(around.gateway, alert, destination, around.clock()))


async def _connected(addresses: Sequence[str], port: int) -> socket.socket:
    """A connection to the first address that takes one. Raises `OSError`."""
    for address in addresses:
        connection = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        connection.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(connection, (address, port))
            return connection
        except BaseException as error:  # also when cancelled: the socket must not stay open
            connection.close()
            if not isinstance(error, OSError):
                raise
    raise OSError


def _signers(text: str) -> list[Signer]:
    """One for each line of a secret's file. Raises `ConfigurationError`."""
    found = []
    for line in text.split():
        try:
            key = base64.b64decode(line.removeprefix(_PREFIX), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not line.startswith(_PREFIX) or len(key) < _SHORTEST:
            raise ConfigurationError(f"a webhook's secret is {_PREFIX} and base64 of {_SHORTEST} bytes or more")
        found.append(Signer(key))
    return found


def _checked_url(url: str, name: str) -> None:
    try:
        parse_url(url)
    except DeliveryError:
        raise ConfigurationError(f"the address of {name} is not one that alerts are sent to") from None


async def _read(read: Callable[[], T]) -> T:
    """Files are read on a thread; what is wrong with them now was right at the start, so it is worth another attempt."""
    try:
        return await asyncio.to_thread(read)
    except ConfigurationError:
        raise DeliveryError("secret-unreadable") from None
