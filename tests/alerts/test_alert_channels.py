"""Each kind of destination is told over the wire it has in life: signatures verify with the standard's library, mail arrives over TLS, secrets stay in their files."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import Message
from email.policy import default
from pathlib import Path

import msgspec
import pytest
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from alert_receivers import HOST, NOW, SECRET, Authority, Receiver, alert, resolving
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from lockgate_broker.private_files import write_private
from lockgate_ledger.alert_records import DAY, Evidence, Retention
from lockgate_schemas.errors import ConfigurationError
from lockgate_workers.alerts.channels import Surroundings, channel
from lockgate_workers.alerts.destinations import AlertSettings, Email, Slack, Webhook
from lockgate_workers.alerts.message import message_id
from lockgate_workers.alerts.targets import DeliveryError

SECOND_SECRET = "whsec_" + "YW5vdGhlciBzZWNyZXQgYW5vdGhlciBzZWNyZXQ="
PASSWORD = "correct-horse"


def real_now() -> int:
    return int(datetime.now(UTC).timestamp() * 1000)


@pytest.fixture
def around(tmp_path: Path, authority: Authority) -> Surroundings:
    write_private(tmp_path / "pager.secret", SECRET.encode())
    write_private(tmp_path / "smtp.secret", PASSWORD.encode())
    (tmp_path / "roots.pem").write_bytes(authority.roots.read_bytes())
    return Surroundings("gw.test", tmp_path, resolving("127.0.0.1")[1], real_now)


def webhook(receiver: Receiver) -> Webhook:
    return Webhook(name="pager", url=receiver.url, secret="pager.secret", allow_private=True, ca="roots.pem")


# --- webhooks -------------------------------------------------------------------------------------------------------


async def test_a_webhook_is_signed_as_the_standard_says(receiver: Receiver, around: Surroundings) -> None:
    one = channel(webhook(receiver), around)
    one.check()
    await one.send(alert())
    [got] = receiver.received
    body = Verifier(SECRET).verify(got.body, got.headers)
    assert (body["type"], body["timestamp"]) == ("lockgate.alert.raised", "2027-01-15T08:00:00.000Z")
    data = body["data"]
    assert (data["gateway"], data["alert"], data["user"], data["tenant"]) == ("gw.test", 7, "alice", "acme")
    assert (data["count"], data["window_seconds"], data["rules"]) == (5, 300, {"aws-key": 5})
    assert (data["first"], data["last"]) == ("2027-01-15T07:59:00.000Z", "2027-01-15T08:00:00.000Z")
    assert len(data["requests"]) == 8
    assert got.headers["content-type"] == "application/json"
    for spoilt in (got.body + b" ", got.body.replace(b"alice", b"mallo")):
        with pytest.raises(WebhookVerificationError):
            Verifier(SECRET).verify(spoilt, got.headers)


async def test_every_attempt_has_the_same_id_and_other_alerts_have_others(receiver: Receiver, around: Surroundings) -> None:
    for one in (alert(), alert(), alert(8), alert(raised=NOW + 1)):
        await channel(webhook(receiver), around).send(one)
    ids = [got.headers["webhook-id"] for got in receiver.received]
    assert ids[0] == ids[1] == message_id("gw.test", alert())
    assert len(set(ids)) == 3
    assert message_id("other.test", alert()) not in ids
    assert not any("." in one for one in ids), "a dot separates the id from the time in what is signed"


async def test_each_secret_signs_while_receivers_change_over(receiver: Receiver, around: Surroundings) -> None:
    write_private(around.home / "pager.secret", f"{SECOND_SECRET}\n{SECRET}\n".encode())
    await channel(webhook(receiver), around).send(alert())
    [got] = receiver.received
    for secret in (SECRET, SECOND_SECRET):
        assert Verifier(secret).verify(got.body, got.headers)["data"]["alert"] == 7


async def test_a_new_secret_is_used_without_a_restart(receiver: Receiver, around: Surroundings) -> None:
    one = channel(webhook(receiver), around)
    await one.send(alert())
    write_private(around.home / "pager.secret", SECOND_SECRET.encode())
    await one.send(alert())
    Verifier(SECOND_SECRET).verify(receiver.received[1].body, receiver.received[1].headers)


@pytest.mark.parametrize(
    "text", ["", "secret", "whsec_", "whsec_c2hvcnQ=", "whsec_!!!!", SECRET + "\nnonsense", "whsec_\u00e9"]
)
async def test_a_secret_that_could_not_sign_is_refused_at_the_start_and_not_used_later(
    receiver: Receiver, around: Surroundings, text: str
) -> None:
    write_private(around.home / "pager.secret", text.encode())
    one = channel(webhook(receiver), around)
    with pytest.raises(ConfigurationError) as raised:
        one.check()
    assert "c2VjcmV0" not in raised.value.detail
    with pytest.raises(DeliveryError, match="secret-unreadable"):
        await one.send(alert())
    assert receiver.received == []


def test_a_secret_that_others_can_read_is_refused(receiver: Receiver, around: Surroundings) -> None:
    (around.home / "pager.secret").chmod(0o640)
    with pytest.raises(ConfigurationError, match="chmod"):
        channel(webhook(receiver), around).check()


def test_what_could_never_be_sent_is_refused_at_the_start(around: Surroundings) -> None:
    bad = [
        Webhook(name="a", url="https://user@example.com/", secret="pager.secret"),
        Webhook(name="a", url="https://example.com/", secret="absent.secret"),
        Webhook(name="a", url="https://example.com/", secret="pager.secret", ca="absent.pem"),
        Webhook(name="a", url="https://example.com/", secret="pager.secret", ca="pager.secret"),
        Slack(name="a", secret="pager.secret"),
        Email(name="a", host="mail..test", sender="a@b.test", to=("c@d.test",)),
        Email(name="a", host="mail.test", sender="a@b.test", to=("c@d.test",), user="u", secret="absent"),
    ]
    for destination in bad:
        with pytest.raises(ConfigurationError):
            channel(destination, around).check()


# --- Slack ----------------------------------------------------------------------------------------------------------


async def test_slack_is_told_in_words_without_links_or_mentions(
    receiver: Receiver, around: Surroundings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    write_private(around.home / "slack.secret", receiver.url.replace("/hook", "/services/T0/B0/hidden").encode() + b"\n")
    one = channel(Slack(name="ops", secret="slack.secret", allow_private=True, ca="roots.pem"), around)
    one.check()
    await one.send(alert(evidence=Evidence(detail="<!channel> & <http://evil.test|click>")))
    [got] = receiver.received
    assert got.line.startswith("POST /services/T0/B0/hidden")
    text = json.loads(got.body)["text"]
    assert "*dlp-blocks: 5 answers blocked by DLP within 300 s, user alice of acme*" in text
    assert "&lt;!channel&gt; &amp; &lt;http://evil.test|click&gt;" in text
    assert "lockgate alerts ack 7" in text
    assert "hidden" not in caplog.text


# --- mail -----------------------------------------------------------------------------------------------------------


class Inbox:
    """A mail server's handler that keeps what came."""

    def __init__(self) -> None:
        self.letters: list[tuple[str, list[str], Message]] = []
        self.refuse = ""

    async def handle_RCPT(self, _server, _session, envelope, address, _options) -> str:  # noqa: N802 - aiosmtpd's name
        if self.refuse:
            return self.refuse
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server, _session, envelope) -> str:  # noqa: N802 - aiosmtpd's name
        letter = message_from_bytes(envelope.content, policy=default)
        self.letters.append((envelope.mail_from, envelope.rcpt_tos, letter))
        return "250 taken"


def login(_server, _session, _envelope, _mechanism, data: object) -> AuthResult:
    return AuthResult(success=isinstance(data, LoginPassword) and data.password == PASSWORD.encode(), handled=False)


@asynccontextmanager
async def mail_server(inbox: Inbox, security: str, context: ssl.SSLContext | None) -> AsyncIterator[tuple[str, int]]:
    """A mail server on a free port of this machine; with STARTTLS it wants that, and a login."""
    loop = asyncio.get_running_loop()
    needed = (
        {"tls_context": context, "require_starttls": True, "authenticator": login} if security == "starttls" and context else {}
    )
    server = await loop.create_server(
        lambda: SMTP(inbox, hostname=HOST, loop=loop, **needed), "127.0.0.1", 0, ssl=context if security == "tls" else None
    )
    async with server:
        yield security, server.sockets[0].getsockname()[1]


@pytest.fixture
async def inbox() -> Inbox:
    return Inbox()


@pytest.fixture(params=["starttls", "tls", "none"])
async def server(request: pytest.FixtureRequest, inbox: Inbox, authority: Authority) -> AsyncIterator[tuple[str, int]]:
    async with mail_server(inbox, request.param, authority.context) as running:
        yield running


def email(server: tuple[str, int], **changes: object) -> Email:
    given: dict[str, object] = {
        "name": "mail",
        "host": HOST,
        "port": server[1],
        "security": server[0],
        "sender": "lockgate@gw.test",
        "to": ("ops@example.test", "boss@example.test"),
        "allow_private": True,
        "ca": "roots.pem",
        **changes,
    }
    return Email(**given)  # type: ignore[arg-type]


async def test_mail_arrives(server: tuple[str, int], inbox: Inbox, around: Surroundings) -> None:
    login = {"user": "lockgate", "secret": "smtp.secret"} if server[0] == "starttls" else {}
    one = channel(email(server, **login), around)
    one.check()
    await one.send(alert())
    [(sender, to, letter)] = inbox.letters
    assert (sender, to) == ("lockgate@gw.test", ["ops@example.test", "boss@example.test"])
    assert letter["Subject"] == "[gw.test] dlp-blocks: 5 answers blocked by DLP within 300 s, user alice of acme"
    assert letter["Message-ID"] == f"<{message_id('gw.test', alert())}@gw.test>"
    assert "aws-key (5)" in letter.get_content()
    assert "and 3 more" in letter.get_content()


async def test_mail_over_tls_is_only_for_whom_the_certificate_names(
    server: tuple[str, int], inbox: Inbox, around: Surroundings
) -> None:
    if server[0] == "none":
        return
    with pytest.raises(DeliveryError, match="unreachable"):
        await channel(email(server, host="other.test"), around).send(alert())
    with pytest.raises(DeliveryError, match="unreachable"):
        await channel(email(server, ca=None), around).send(alert())
    assert inbox.letters == []


async def test_mail_is_not_sent_to_private_addresses_unless_it_may(
    server: tuple[str, int], inbox: Inbox, around: Surroundings
) -> None:
    with pytest.raises(DeliveryError, match="address-refused"):
        await channel(email(server, allow_private=False), around).send(alert())
    assert inbox.letters == []


async def test_a_wrong_password_and_a_refused_recipient_are_failures(
    server: tuple[str, int], inbox: Inbox, around: Surroundings
) -> None:
    if server[0] == "starttls":
        write_private(around.home / "smtp.secret", b"wrong")
        with pytest.raises(DeliveryError, match="login-refused"):
            await channel(email(server, user="lockgate", secret="smtp.secret"), around).send(alert())
    else:
        inbox.refuse = "550 no such person"
        with pytest.raises(DeliveryError, match="recipients-refused"):
            await channel(email(server), around).send(alert())
    assert inbox.letters == []


async def test_mail_that_offers_no_tls_gets_no_mail(inbox: Inbox, around: Surroundings) -> None:
    async with mail_server(inbox, "starttls", None) as running:
        with pytest.raises(DeliveryError, match="unreachable"):
            await channel(email(running), around).send(alert())
    assert inbox.letters == []


# --- settings -------------------------------------------------------------------------------------------------------

GOOD = {
    "webhook": {"kind": "webhook", "name": "a", "url": "https://example.com/", "secret": "a.secret"},
    "slack": {"kind": "slack", "name": "a", "secret": "a.secret"},
    "email": {"kind": "email", "name": "a", "host": "mail.test", "from": "a@b.test", "to": ["c@d.test"]},
}


@pytest.mark.parametrize("kind", GOOD)
def test_settings_are_read(kind: str) -> None:
    [destination] = msgspec.convert({"destinations": [GOOD[kind]]}, AlertSettings).destinations
    assert destination.name == "a"
    assert not destination.allow_private


def test_alerts_are_kept_for_days_and_open_ones_not_shorter() -> None:
    settings = msgspec.convert({"keep_days": 15, "keep_open_days": 30}, AlertSettings)
    assert settings.retention == Retention(15 * DAY, 30 * DAY)
    assert AlertSettings().retention == Retention()
    for wrong in ({"keep_days": 14}, {"keep_open_days": 89}, {"keep_days": 90, "keep_open_days": 5_000}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(wrong, AlertSettings)


@pytest.mark.parametrize(
    "destinations",
    [
        [{**GOOD["webhook"], "kind": "pigeon"}],
        [{**GOOD["webhook"], "whsec": SECRET}],
        [{**GOOD["webhook"], "secret": "../../etc/passwd"}],
        [{**GOOD["webhook"], "secret": "/etc/passwd"}],
        [{**GOOD["webhook"], "secret": ".hidden"}],
        [{**GOOD["webhook"], "name": "Not A Name"}],
        [{**GOOD["slack"], "ca": "../ca.pem"}],
        [{**GOOD["email"], "to": []}],
        [{**GOOD["email"], "from": "a@b.test\r\nBcc: x@y.test"}],
        [{**GOOD["email"], "to": ["c@d.test, x@y.test"]}],
        [{**GOOD["email"], "user": "u"}],
        [{**GOOD["email"], "user": "u", "secret": "s", "security": "none"}],
        [{**GOOD["email"], "port": 0}],
        [GOOD["webhook"], GOOD["slack"]],
    ],
)
def test_settings_that_could_mean_something_else_are_refused(destinations: list[object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"destinations": destinations}, AlertSettings)
