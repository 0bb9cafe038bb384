"""What holds under the content policy of the moment, built beside the event loop whenever the policy's digest moves.

A stage reads the directory after it pulled, and asks here with the content policy in it: what it gets was built from that policy and
from no other. While something is being built, and when it cannot be built, the answer is `UnavailableError`, upon which the runner
keeps its messages and asks again: nothing passes under a policy that is no longer in force. What is built, and what it means for a
message, is decided by others.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Generic, Protocol, TypeVar

from lockgate_ledger.records import ContentRecord
from lockgate_schemas.content import EMPTY, ContentPolicy, content_digest, parse_content
from lockgate_schemas.errors import ConfigurationError, LockgateError, UnavailableError
from lockgate_workers.scanning.content import RuleScans, TunedScanners
from lockgate_workers.scanning.joined import Joined
from lockgate_workers.scanning.loading import ScannerKind, load_scanner, own_scanner
from lockgate_workers.scanning.packs import Pack, digest_of, parse_pack

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")

_log = logging.getLogger(__name__)

PATIENCE: Final = 5.0
"""Seconds after which whoever asks is told to come again: well below the time after which the broker hands the messages to somebody else."""
AGAIN: Final = 30.0
"""Seconds after which what could not be built is tried again; what stood in the way may have been a file or memory."""


class InForce(Protocol[T_co]):
    """Answers with what holds under a content policy."""

    async def current(self, record: ContentRecord | None) -> T_co:
        """What was built from ``record``. Raises `UnavailableError` while there is no such thing."""
        ...


@dataclass(frozen=True, slots=True)
class Fixed(Generic[T]):
    """The twin without a content policy: always the same, as long as none is in force."""

    built: T

    async def current(self, record: ContentRecord | None) -> T:
        """See `InForce.current`."""
        if record is not None:
            raise UnavailableError("a content policy is in force, and nobody here builds it")
        return self.built


async def _unreported(detail: str) -> None:
    del detail


class Reloading(Generic[T]):
    """Builds on a thread, one thing at a time, and keeps the newest."""

    def __init__(
        self,
        build: Callable[[ContentRecord | None], T],
        *,
        timer: Callable[[], float],
        report: Callable[[str], Awaitable[None]] = _unreported,
        patience: float = PATIENCE,
        again: float = AGAIN,
    ) -> None:
        """``build`` may block. ``timer`` tells monotonic seconds. ``report`` is told, once for each failure, why a policy cannot be built."""
        self._build = build
        self._timer = timer
        self._report = report
        self._patience = patience
        self._again = again
        self._built: tuple[str, T] | None = None
        self._failed: tuple[str, str, float] = "", "", float("-inf")
        self._building: tuple[str, asyncio.Task[T]] | None = None

    async def current(self, record: ContentRecord | None) -> T:
        """See `InForce.current`. Asked for another policy than the one being built, it waits for that to end first."""
        return await self._current(record, self._patience)

    async def _current(self, record: ContentRecord | None, patience: float | None) -> T:
        wanted = "" if record is None else record.digest
        while self._built is None or self._built[0] != wanted:
            self._check_failed(wanted)
            if self._building is None:
                self._building = wanted, asyncio.create_task(asyncio.to_thread(self._build, record))
            await self._settle(*self._building, patience)
        return self._built[1]

    async def prime(self, record: ContentRecord | None) -> None:
        """Build before the first message. A content policy that cannot be built is no reason not to start: its cure comes from outside.

        Raises:
            ConfigurationError: nothing can be built, content policy or not.
        """
        try:
            await self._current(record, None)
        except UnavailableError as error:
            _log.error("%s", error.detail)
            if record is not None:
                await asyncio.to_thread(self._build, None)
            else:
                raise ConfigurationError(self._failed[1]) from None

    def _check_failed(self, wanted: str) -> None:
        digest, detail, until = self._failed
        if digest == wanted and self._timer() < until:
            raise UnavailableError(f"the content policy in force cannot be used: {detail}")

    async def _settle(self, digest: str, task: asyncio.Task[T], patience: float | None) -> None:
        done, _ = await asyncio.wait({task}, timeout=patience)
        if not done:
            raise UnavailableError("the content policy in force is still being built")
        if self._building is None or self._building[1] is not task:
            return  # another who waited for it has seen to it, and what is being built by now is not to be forgotten
        self._building = None
        try:
            self._built = digest, task.result()
        except Exception as error:  # noqa: BLE001 - lets nothing through: without something built there is no answer
            detail = error.detail if isinstance(error, LockgateError) else type(error).__name__
            self._failed = digest, detail, self._timer() + self._again
            _log.error("what the content policy asks for cannot be built: %s", detail)
            await self._tell(detail)

    async def _tell(self, detail: str) -> None:
        """Nothing passes whether or not anybody can be told; and a ledger that does not answer is no fault of the messages that wait."""
        try:
            await self._report(detail)
        except LockgateError as error:
            _log.warning("nobody could be told of it: %s", error.code)


def own_packs(policy: ContentPolicy, kind: ScannerKind) -> tuple[Pack, ...]:
    """The packs that stand in a content policy. Raises `ConfigurationError`, which names pack and rule."""
    return tuple(parse_pack(f"content/{pack.name}", pack.text.encode()) for pack in policy.packs if pack.scanner == kind)


def read_content(record: ContentRecord | None) -> ContentPolicy:
    """The content policy of a record, the empty one without a record. Raises `ConfigurationError`."""
    if record is None:
        return EMPTY
    if content_digest(record.text) != record.digest:
        raise ConfigurationError("the content policy in the ledger is not the one that was applied")
    return parse_content(record.text)


class ScannerSource:
    """Builds the rules of one stage under a content policy. The shipped rules and those of the folder are built once.

    So a policy that brings no packs costs nothing, and one that brings some costs as much as they are.
    """

    def __init__(
        self,
        kind: ScannerKind,
        folder: Path | None = None,
        *,
        salt: bytes,
        cache: Path | None = None,
        load: Callable[..., RuleScans] = load_scanner,
    ) -> None:
        """``folder`` holds more packs, ``cache`` what was compiled before. ``salt`` keys evidence, allow list and cache."""
        self._kind: ScannerKind = kind
        self._salt = salt
        self._load = partial(load, kind, folder, evidence_key=salt, cache=cache)
        self._shipped: RuleScans | None = None
        self._own: tuple[str, RuleScans] | None = None

    def __call__(self, record: ContentRecord | None) -> TunedScanners:
        """The rules, tuned. Blocks for as long as compiling takes. Raises `ConfigurationError`, which names pack and rule."""
        policy = read_content(record)
        return TunedScanners(self.scanner(policy), policy, "" if record is None else record.digest)

    def scanner(self, policy: ContentPolicy) -> RuleScans:
        """The rules as their packs say: the shipped ones, those of the folder and the policy's own."""
        if self._shipped is None:
            self._shipped = self._load()
        own = own_packs(policy, self._kind)
        if not own:
            return self._shipped
        digest = digest_of(own)
        known = self._own
        if known is None or known[0] != digest:
            known = self._own = digest, Joined(self._shipped, own_scanner(own, evidence_key=self._salt))
        return known[1]
