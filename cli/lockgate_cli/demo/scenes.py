"""The scenes: each sends something, and knows what has to come of it. A scene that ends otherwise makes the demo fail."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import msgspec

from lockgate.client import Client
from lockgate.credentials import ClientCredentials
from lockgate.receipts import verify_receipt
from lockgate.results import Result
from lockgate_broker.connect import connect
from lockgate_broker.port import Outbound
from lockgate_cli.demo import material
from lockgate_cli.demo.cast import Cast
from lockgate_schemas.envelope import UnverifiedJws
from lockgate_schemas.errors import BrokerRefusedError, LockgateError, PublishFailedError, UnauthenticatedError
from lockgate_schemas.passage import Outcome, read_receipt

_PATIENCE: Final = 30.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of a scene: whether it was as it should be, in a word, and what to notice."""

    as_expected: bool
    answer: str
    notice: str = ""


@dataclass(slots=True)
class Play:
    """What the scenes share: the cast, the door's address, and every verified result for the closing proof."""

    cast: Cast
    url: str
    results: list[tuple[ClientCredentials, Result]] = field(default_factory=list)

    async def ask(self, client: str, to: str, action: str, data: Any = None) -> Result:
        """Submit and wait; the SDK verifies the receipt."""
        credentials = self.cast.clients[client]
        async with Client(credentials) as session:
            result = await session.result(await session.submit(to, action, data), timeout=_PATIENCE)
        self.results.append((credentials, result))
        return result

    async def post(self, body: bytes, **headers: str) -> httpx.Response:
        """A bare POST, for what no client library would send, or to see the status itself."""
        async with httpx.AsyncClient(base_url=self.url, trust_env=False, timeout=_PATIENCE + 5) as http:
            return await http.post("/v1/requests", content=body, headers={"Content-Type": "application/jose", **headers})


@dataclass(frozen=True, slots=True)
class Scene:
    """One row of the table."""

    who: str
    what: str
    expected: str
    act: Callable[[Play], Awaitable[Seen]]


def _outcome(result: Result, wanted: Outcome, notice: str = "", *, also: bool = True) -> Seen:
    return Seen(result.outcome is wanted and also, str(result.outcome) + (f" ({result.code})" if result.code else ""), notice)


async def review(play: Play) -> Seen:
    """A real diff to the reviewing agent."""
    result = await play.ask("alice", "code-review", "review", {"diff": material.diff()})
    report = result.json() if result.ok else {}
    found = len(report.get("findings", ()))
    return _outcome(
        result, Outcome.DELIVERED, f"{report.get('added_lines')} lines reviewed, {found} remarks", also=bool(report)
    )


async def report(play: Play) -> Seen:
    """A report over rows with e-mail addresses, card and social security numbers."""
    result = await play.ask("alice", "reporting", "report", {"name": "customers"})
    return _redacted(result)


async def log_folder(play: Play) -> Seen:
    """A folder of configuration and logs with credentials in them: each file is asked for."""
    listed = await play.ask("alice", "ops", "list")
    names: list[str] = listed.json() if listed.ok else []
    answers = [await play.ask("alice", "ops", "read", {"path": name}) for name in names]
    rules = sorted({f.rule for answer in answers for f in answer.redactions})
    held = [a for a in answers if a.outcome is Outcome.BLOCKED]
    taken = sum(f.count for answer in answers for f in answer.redactions)
    fine = bool(names) and taken > 0 and all(a.ok or a.outcome is Outcome.BLOCKED for a in answers)
    notice = f"{len(names)} files: {taken} redacted ({', '.join(rules)}), {len(held)} kept back whole"
    return Seen(fine, "delivered, redacted", notice)


def _redacted(result: Result) -> Seen:
    taken = sum(f.count for f in result.redactions)
    rules = ", ".join(sorted(f.rule for f in result.redactions))
    clean = result.ok and "[REDACTED:" in result.text
    return _outcome(result, Outcome.DELIVERED, f"{taken} redacted: {rules}", also=taken > 0 and clean)


async def no_grant(play: Play) -> Seen:
    """Known, authenticated, and not allowed: over HTTP a denial is a 403, and it comes with a receipt."""
    credentials = play.cast.clients["bob"]
    signed = Client(credentials).sign("code-review", "review", {"diff": material.diff()})
    answer = await play.post(signed.compact.encode(), Prefer=f"wait={_PATIENCE:.0f}")
    seen = _status(answer, httpx.codes.FORBIDDEN, "the denial itself is signed")
    if not seen.as_expected:
        return seen
    receipt = read_receipt(msgspec.json.encode(answer.json()["receipt"]))
    result = verify_receipt(receipt, credentials.trust, envelope=signed.compact)
    play.results.append((credentials, result))
    return Seen(result.outcome is Outcome.DENIED, seen.answer, seen.notice)


async def revoked(play: Play) -> Seen:
    """Allowed, then not: the grant goes between two requests."""
    before = await play.ask("carol", "ops", "list")
    await play.cast.revoke("carol", "ops")
    after = await play.ask("carol", "ops", "list")
    return _outcome(after, Outcome.DENIED, "delivered before, denied after, nothing in between", also=before.ok)


async def injection(play: Play) -> Seen:
    """An instruction that is meant for the model, not for the search."""
    result = await play.ask("alice", "ops", "search", {"text": material.INJECTION})
    return _outcome(result, Outcome.BLOCKED, ", ".join(sorted({f.rule for f in result.findings})), also=bool(result.findings))


async def oversized(play: Play) -> Seen:
    """More than an envelope may weigh."""
    answer = await play.post(b"x" * (play.cast.home.config.limits.max_envelope_bytes + 1))
    return _status(answer, httpx.codes.REQUEST_ENTITY_TOO_LARGE)


async def replay(play: Play) -> Seen:
    """The same bytes twice are one request; the same id for other bytes is a conflict."""
    async with Client(play.cast.clients["alice"]) as session:
        signed = session.sign("ops", "list", None, id="demo-replay")
        first, again = await session.send(signed), await session.send(signed)
        result = await session.result(first, timeout=_PATIENCE)
        other = session.sign("ops", "search", {"text": "other"}, id="demo-replay")
        answer = await play.post(other.compact.encode())
    play.results.append((play.cast.clients["alice"], result))
    seen = _status(answer, httpx.codes.CONFLICT, "the identical envelope: the same acceptance, one run")
    return Seen(seen.as_expected and first.request_id == again.request_id and result.ok, seen.answer, seen.notice)


async def unsigned(play: Play) -> Seen:
    """No credentials; then an envelope signed with a key nobody enrolled."""
    nothing = await play.post(b'{"agent":"ops","action":"list"}')
    forged = await play.post(_forged(play.cast.clients["alice"]).encode())
    seen = _status(nothing, httpx.codes.UNAUTHORIZED, "unsigned and forged alike")
    return Seen(seen.as_expected and forged.status_code == httpx.codes.UNAUTHORIZED, seen.answer, seen.notice)


def _forged(credentials: ClientCredentials) -> str:
    """A genuine envelope whose signature's first character is another one."""
    signed = Client(credentials).sign("ops", "list", None).compact
    head, _, signature = signed.rpartition(".")
    forged = f"{head}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"
    UnverifiedJws.parse(forged, "lockgate-request+jws")  # the shape is right: it is the signature that is not
    return forged


async def intruder(play: Play) -> Seen:
    """An agent that publishes to another agent's topic, to a gate's, and reads another's queue."""
    refused, tried = 0, ("gw.dispatch.reporting", "gw.inspection", "gw.reply.reporting.x")
    async with await connect(play.cast.agents["ops"].broker, name="demo-intruder") as broker:
        for topic in tried:
            try:
                await broker.publish([Outbound(topic, b"{}")])
            except (BrokerRefusedError, PublishFailedError):
                refused += 1
    return Seen(refused == len(tried), f"broker refused {refused} of {len(tried)}", ", ".join(tried))


def _status(answer: httpx.Response, wanted: int, notice: str = "") -> Seen:
    code = str(answer.json().get("code", "")) if "json" in answer.headers.get("content-type", "") else ""
    return Seen(answer.status_code == wanted, f"{answer.status_code} {code}".strip(), notice)


SCENES: Final[Sequence[Scene]] = (
    Scene("alice", "asks code-review to review a diff", "delivered", review),
    Scene("alice", "asks reporting for the customers", "redacted", report),
    Scene("alice", "asks ops for a folder of configuration and logs", "redacted", log_folder),
    Scene("bob", "has no grant for code-review", "403 denied", no_grant),
    Scene("carol", "asks ops; her grant is revoked; she asks again", "denied", revoked),
    Scene("alice", "slips an instruction into a search", "blocked", injection),
    Scene("alice", "sends one byte too many", "413", oversized),
    Scene("alice", "sends the same envelope, then its id again", "409", replay),
    Scene("nobody", "sends without, and with a forged signature", "401", unsigned),
    Scene("ops", "(the agent) publishes to other parties' topics", "refused", intruder),
)


async def play_scene(scene: Scene, play: Play) -> tuple[Seen, float]:
    """Act one scene; an error that it did not expect is a scene gone wrong. Returns what was seen, and the milliseconds."""
    started = time.perf_counter()
    try:
        seen = await scene.act(play)
    except UnauthenticatedError as error:
        seen = Seen(False, f"{error.status} {error.code}")
    except LockgateError as error:
        seen = Seen(False, error.code, error.detail)
    return seen, (time.perf_counter() - started) * 1000
