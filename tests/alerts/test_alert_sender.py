"""The sender: what is due is told once it can be, retried with growing pauses, and given up visibly; a sender that dies loses nothing and doubles little."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from alert_receivers import NOW, alert
from hypothesis import given
from hypothesis import strategies as st

from lockgate_ledger.alert_records import DAY, AlertRecord, DeliveryState, Retention
from lockgate_ledger.ledger import Ledger
from lockgate_ledger.records import ContentRecord
from lockgate_schemas.errors import ConfigurationError, LedgerError, UnavailableError
from lockgate_schemas.limits import Limits
from lockgate_schemas.signing import NoteSigner
from lockgate_workers.alerts.backoff import Backoff
from lockgate_workers.alerts.destinations import Email
from lockgate_workers.alerts.message import facts, mail, slack_body, summary, webhook_body
from lockgate_workers.alerts.sender import AlertSender
from lockgate_workers.alerts.targets import DeliveryError
from lockgate_workers.scanning.reloading import Reloading


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


class Fake:
    """A channel that fails as it is told, and keeps what reached it."""

    def __init__(self, *faults: Exception) -> None:
        self.faults = list(faults)
        self.reached: list[int] = []
        self.tried = 0

    def check(self) -> None:
        """Always fit."""

    async def send(self, one: AlertRecord) -> None:
        self.tried += 1
        if self.faults:
            raise self.faults.pop(0)
        self.reached.append(one.number)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def ledger(tmp_path: Path, clock: Clock) -> AsyncIterator[Ledger]:
    signer = NoteSigner("gw.test/audit", bytes(range(32)))
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    async with await Ledger.open(url, audit_signer=signer, clock=clock, limits=Limits(), create=True) as opened:
        yield opened


def sender(ledger: Ledger, clock: Clock, holder: str = "one", **channels: Fake) -> AlertSender:
    backoff = Backoff(first=1_000, factor=2, longest=10_000, attempts=4)
    return AlertSender(ledger.alerts, channels, clock=clock, random=lambda: 1.0, holder=holder, every=10, backoff=backoff)


async def states(ledger: Ledger, number: int = 1) -> list[tuple[str, str, int, str]]:
    found = await ledger.alerts.alert(number)
    return [(d.destination, str(d.state), d.attempts, d.code) for d in found.deliveries]


async def test_every_destination_is_told_once(ledger: Ledger, clock: Clock) -> None:
    await ledger.alerts.report_event("broken-pack", "dlp", "does not load")
    pager, mail_to = Fake(), Fake()
    one = sender(ledger, clock, pager=pager, mail=mail_to)
    for _ in range(3):
        await one.round()
    assert (pager.reached, mail_to.reached) == ([1], [1])
    assert await states(ledger) == [("mail", "sent", 1, ""), ("pager", "sent", 1, "")]


async def test_without_a_destination_an_alert_is_recorded_all_the_same(ledger: Ledger, clock: Clock) -> None:
    await ledger.alerts.report_event("broken-pack", "dlp", "does not load")
    await sender(ledger, clock).round()
    assert (await ledger.alerts.alert(1)).deliveries == ()
    assert not await ledger.alerts.is_work(clock.now)


async def test_a_destination_that_fails_is_tried_again_and_holds_up_no_other(ledger: Ledger, clock: Clock) -> None:
    await ledger.alerts.report_event("broken-pack", "dlp")
    pager, mail_to = Fake(DeliveryError("status-500"), DeliveryError("timeout")), Fake()
    one = sender(ledger, clock, pager=pager, mail=mail_to)
    await one.round()
    assert await states(ledger) == [("mail", "sent", 1, ""), ("pager", "pending", 1, "status-500")]
    clock.now += 999
    await one.round()
    assert pager.tried == 1, "not before its pause is over"
    clock.now += 1
    await one.round()
    assert await states(ledger) == [("mail", "sent", 1, ""), ("pager", "pending", 2, "timeout")]
    clock.now += 2_000
    await one.round()
    assert pager.reached == [1]
    assert await states(ledger) == [("mail", "sent", 1, ""), ("pager", "sent", 3, "")]
    assert mail_to.tried == 1


@pytest.mark.parametrize(
    ("faults", "tried", "code"),
    [
        ([DeliveryError("status-500")] * 9, 4, "status-500"),
        ([DeliveryError("status-410", final=True)], 1, "status-410"),
        ([ValueError("a bug")] * 9, 4, "internal"),
    ],
)
async def test_it_is_given_up_where_one_can_see_it(
    ledger: Ledger, clock: Clock, faults: list[Exception], tried: int, code: str
) -> None:
    await ledger.alerts.report_event("broken-pack", "dlp")
    pager = Fake(*faults)
    one = sender(ledger, clock, pager=pager)
    for _ in range(20):
        await one.round()
        clock.now += 20_000
    assert await states(ledger) == [("pager", "failed", tried, code)]
    assert pager.tried == tried


async def test_the_pause_that_the_other_side_asks_for_is_kept(ledger: Ledger, clock: Clock) -> None:
    await ledger.alerts.report_event("broken-pack", "dlp")
    await sender(ledger, clock, pager=Fake(DeliveryError("status-429", wait=60_000))).round()
    [delivery] = (await ledger.alerts.alert(1)).deliveries
    assert delivery.due == NOW + 60_000


async def test_one_sends_while_it_holds_the_lease_and_the_next_takes_over(ledger: Ledger, clock: Clock) -> None:
    pagers = Fake(), Fake()
    senders = [sender(ledger, clock, holder=str(n), pager=pager) for n, pager in enumerate(pagers)]
    for part in ("dlp", "injection"):
        await ledger.alerts.report_event("broken-pack", part)
        await asyncio.gather(*(one.round() for one in senders))
    assert sorted(pagers[0].reached + pagers[1].reached) == [1, 2]
    assert [] in [pager.reached for pager in pagers], "one of them did it all"
    await ledger.alerts.report_event("broken-pack", "third")
    idle = next(n for n, pager in enumerate(pagers) if not pager.reached)
    await senders[idle].round()
    assert pagers[idle].reached == []
    clock.now += 61_000
    await senders[idle].round()
    assert pagers[idle].reached == [3]


async def test_who_died_while_sending_has_used_up_an_attempt_and_is_followed(ledger: Ledger, clock: Clock) -> None:
    class Dying(Fake):
        async def send(self, one: AlertRecord) -> None:
            del one
            raise asyncio.CancelledError

    await ledger.alerts.report_event("broken-pack", "dlp")
    with pytest.raises(asyncio.CancelledError):
        await sender(ledger, clock, pager=Dying()).round()
    pager = Fake()
    clock.now += 59_000
    await sender(ledger, clock, pager=pager).round()
    assert pager.reached == []
    clock.now += 2_000
    await sender(ledger, clock, pager=pager).round()
    assert pager.reached == [1]
    assert await states(ledger) == [("pager", "sent", 2, "")]


@pytest.mark.parametrize("fault", [LedgerError("locked"), KeyError(17), ValueError("what a row holds")])
async def test_a_ledger_that_does_not_answer_is_waited_for(
    ledger: Ledger, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, fault: Exception
) -> None:
    await ledger.alerts.report_event("broken-pack", "dlp")
    pager, stop, asked = Fake(), asyncio.Event(), []
    real = ledger.alerts.is_work

    async def flaky(now: int) -> bool:
        asked.append(now)
        if len(asked) < 3:
            raise fault
        if pager.reached:
            stop.set()
        return await real(now)

    monkeypatch.setattr(ledger.alerts, "is_work", flaky)
    one = sender(ledger, clock, pager=pager)
    one._forgotten = clock.now
    async with asyncio.timeout(20):
        await one.run(stop)
    assert pager.reached == [1]
    assert "what a row holds" not in caplog.text


async def test_a_burst_goes_out_in_one_round(ledger: Ledger, clock: Clock) -> None:
    for number in range(40):
        await ledger.alerts.report_event("broken-pack", f"pack-{number}")
    pager = Fake()
    await sender(ledger, clock, pager=pager).round()
    assert sorted(pager.reached) == list(range(1, 41))


async def test_old_alerts_go_and_nothing_goes_twice(ledger: Ledger, clock: Clock) -> None:
    pager = Fake()
    for number in range(1, 4):
        await ledger.alerts.raise_test("pager", clock.now)
        await ledger.alerts.acknowledge(number, by="anna", note="", now=clock.now)
    one = AlertSender(
        ledger.alerts,
        {"pager": pager},
        clock=clock,
        random=lambda: 1.0,
        holder="one",
        every=10,
        retention=Retention(20 * DAY, 20 * DAY),
    )
    await one.round()
    clock.now += 20 * DAY + 1
    await one.round()
    assert [alert.number for alert in await ledger.alerts.newest(10)] == [3]
    assert sorted(pager.reached) == [1, 2, 3]


async def test_a_gate_that_cannot_build_its_scanner_lets_nothing_pass_and_people_are_told(ledger: Ledger, clock: Clock) -> None:
    def broken(_record: ContentRecord | None) -> object:
        raise ConfigurationError("content/own: rule badge matches nothing")

    report = partial(ledger.alerts.report_event, "broken-pack", "dlp")
    reloading = Reloading(broken, timer=time.monotonic, report=report)
    with pytest.raises(UnavailableError):
        await reloading.current(ContentRecord("", 1, "0" * 64))
    pager = Fake()
    await sender(ledger, clock, pager=pager).round()
    found = await ledger.alerts.alert(1)
    assert (found.name, found.subject) == ("broken-pack", "gateway:dlp")
    assert found.evidence.detail == "content/own: rule badge matches nothing"
    assert pager.reached == [1]


# --- pauses ---------------------------------------------------------------------------------------------------------


def test_the_pauses_grow_to_a_bound_and_end() -> None:
    backoff = Backoff()
    pauses = [backoff.next(attempt, 0, 1.0) for attempt in range(1, 10)]
    assert pauses == [5_000, 20_000, 80_000, 320_000, 1_280_000, 5_120_000, 20_480_000, 21_600_000, None]
    assert 13 * 3_600_000 < sum(pause for pause in pauses if pause) < 14 * 3_600_000


@given(st.integers(1, 8), st.floats(0, 1), st.integers(0, 10**6))
def test_jitter_takes_at_most_half_of_a_pause(attempt: int, random: float, now: int) -> None:
    backoff = Backoff()
    longest, found = backoff.next(attempt, now, 1.0), backoff.next(attempt, now, random)
    assert now + (longest - now) // 2 <= found <= longest


def test_a_pause_is_never_shorter_than_was_asked_for() -> None:
    assert Backoff().next(1, 100, 0.0, wait=7_000) == 7_100


# --- words ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "dlp-blocks: 5 answers blocked by DLP within 300 s, user alice of acme"),
        (
            {"name": "busy", "kind": "rule-trigger", "subject": "agent:writer", "user": "", "tenant": "", "agent": "writer"},
            "busy: 5 messages in which content rules fired within 300 s, agent writer",
        ),
        (
            {"name": "broken-pack", "kind": "broken-pack", "subject": "gateway:dlp", "user": "", "tenant": "", "count": 1},
            "broken-pack: 1 reports of a broken rule pack within 300 s, dlp",
        ),
    ],
)
def test_one_line_says_what_and_who(changes: dict[str, object], text: str) -> None:
    assert summary(alert(**changes)) == text


def test_every_form_holds_the_same_facts() -> None:
    one, to = alert(), Email(name="m", host="mail.test", sender="a@b.test", to=("c@d.test",))
    forms = [webhook_body("gw.test", one), slack_body("gw.test", one), bytes(mail("gw.test", one, to, NOW))]
    for form in forms:
        for fact in (b"alice", b"acme", b"aws-key", b"request-0", b"gw.test"):
            assert fact in form, fact
    assert len(facts(one)["requests"]) == 8
    assert all(len(form) < 4_096 for form in forms)


def test_states_are_a_closed_set() -> None:
    assert {str(state) for state in DeliveryState} == {"pending", "sent", "failed"}
