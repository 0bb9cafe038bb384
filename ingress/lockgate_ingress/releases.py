"""What of unfinished answers may be shown: heard from the last gate, verified, and handed to those who follow the request.

A release is believed by its stamp alone: the last gate's key signed that these very characters of the answer to these very facts may be
shown. Each carries the answer from its beginning, so only the newest counts, and one that is lost, comes twice or comes late does no harm. Nobody
here knows who may see a request: whoever follows one was found to be its owner before.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import msgspec

from lockgate_ingress.showing import Beginning
from lockgate_schemas.envelope import digest_of
from lockgate_schemas.errors import LockgateError
from lockgate_schemas.passage import Decision, Release, read_facts, read_release
from lockgate_schemas.stamping import ChainVerifier

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Feed:
    """What one follower has not seen yet. Only the longest is kept; that a draft was refused stands before all else."""

    facts: str
    news: asyncio.Event = field(default_factory=asyncio.Event)
    _newest: Beginning | None = None

    def put(self, beginning: Beginning) -> None:
        """Keep it, unless something that says more is there already."""
        known = self._newest
        if known is None or beginning.refused or (not known.refused and len(beginning.text) > len(known.text)):
            self._newest = beginning
            self.news.set()

    def taken(self) -> Beginning | None:
        """The newest, once."""
        self.news.clear()
        newest, self._newest = self._newest, None
        return newest


class Releases:
    """All followers of one door."""

    def __init__(self, verifier: ChainVerifier, clock: Callable[[], int], *, most: int) -> None:
        """``clock`` tells milliseconds since 1970; ``most`` is how many followers there may be."""
        self._verifier = verifier
        self._clock = clock
        self._most = most
        self._feeds: dict[str, set[_Key]] = {}
        self._count = 0

    @contextlib.contextmanager
    def followed(self, request_id: str, facts: msgspec.Raw) -> Iterator[Feed]:
        """A feed of the request with these facts, for as long as the block lasts. Beyond the bound it stays empty."""
        key = _Key(Feed(digest_of(bytes(facts))))
        feeds = self._feeds.setdefault(request_id, set())
        if self._count < self._most:
            feeds.add(key)
        self._count += 1
        try:
            yield key.feed
        finally:
            self._count -= 1
            feeds.discard(key)
            if not feeds and self._feeds.get(request_id) is feeds:
                del self._feeds[request_id]

    async def heard(self, body: bytes) -> None:
        """Handle a notice. One that does not verify reaches nobody."""
        try:
            release = read_release(body)
            feeds = self._feeds.get(read_facts(release.facts).request_id)
            if feeds:  # else it need not even be verified
                self._hand_on(release, feeds)
        except LockgateError as error:
            _log.warning("a release was refused: %s", error.code)

    def _hand_on(self, release: Release, feeds: set[_Key]) -> None:
        facts, statement = self._verifier.shown_text(release)
        if facts.deadline <= self._clock():
            return
        proof = Release(facts=release.facts, stamp=release.stamp)
        beginning = Beginning(release.text, statement.decision is not Decision.SHOW, proof)
        for key in feeds:
            if key.feed.facts == statement.facts:
                key.feed.put(beginning)


@dataclass(frozen=True, slots=True, eq=False)
class _Key:
    """A feed by its identity."""

    feed: Feed
