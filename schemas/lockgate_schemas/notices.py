"""The bodies of notices: messages that are not stored and only wake somebody up who would otherwise look a second later.

A notice is never believed: whoever hears one reads the ledger. So a lost notice costs a moment, and a forged one a look.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from lockgate_schemas.errors import MalformedError

MAX_IDS: Final = 4096
"""Request ids in one notice; more is refused unread. A writer splits (`outcomes_notices`)."""

_IDS: Final = msgspec.json.Decoder(list[str])
_EPOCH: Final = msgspec.json.Decoder(int)


def outcomes_notices(request_ids: Iterable[str]) -> list[bytes]:
    """The bodies for ``gw.notice.outcomes``: JSON lists of the ids of requests that have just ended. None for no ids."""
    ids = list(request_ids)
    return [msgspec.json.encode(ids[start : start + MAX_IDS]) for start in range(0, len(ids), MAX_IDS)]


def read_outcomes_notice(body: bytes) -> list[str]:
    """The ids in a notice of outcomes. Raises `MalformedError`."""
    try:
        ids = _IDS.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        raise MalformedError("not a notice of outcomes") from None
    if len(ids) > MAX_IDS:
        raise MalformedError("a notice of outcomes with too many ids")
    return ids


def epoch_notice(epoch: int) -> bytes:
    """The body for ``gw.notice.epoch``: the number that the ledger says now."""
    return msgspec.json.encode(epoch)


def read_epoch_notice(body: bytes) -> int:
    """The epoch in a notice. Raises `MalformedError`."""
    try:
        return _EPOCH.decode(body)
    except msgspec.MsgspecError:
        raise MalformedError("not a notice of an epoch") from None
