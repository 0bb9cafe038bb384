"""What of a draft may be shown: the text so far of an answer that its agent is still writing. Pure: text and terms in, a verdict out.

1. Without the right (`DlpTerms.streams`, off unless the content policy says otherwise) -> refused, and nobody is told.
2. Over the size of an answer, or not plain text or Markdown that says that all is well -> refused. JSON is looked at field by field, and HTML
   as a document: of both nothing is known before their end.
3. Where anything else than the rules decides (further engines, replacements that differ each time, shapes), nothing is shown early.
4. What `stream.beginning` lets go -> shown. What it cannot settle yet is held; what would block the whole -> refused.

Each draft is looked at from its beginning and for itself, so any worker may look at any of them, in any order, as often as it comes: what is
shown is always a beginning of what the whole will be redacted to. None of it decides about the answer, which goes through `decide` as a whole.
"""

from __future__ import annotations

from typing import Final

import msgspec

from lockgate_schemas.errors import MalformedError
from lockgate_schemas.passage import ResponseStatus, read_response
from lockgate_workers.dlp.decide import RULE_MALFORMED, RULE_MEDIA_TYPE, RULE_SHAPE, is_plain, replacing
from lockgate_workers.dlp.stream import RULE_HELD, RULE_MARKUP, StreamBlockedError, beginning
from lockgate_workers.dlp.terms import DlpTerms
from lockgate_workers.ruling import Held, OfDraft, Shown, Withheld
from lockgate_workers.scanning.content import Scans
from lockgate_workers.scanning.findings import Finding, strongest, summary
from lockgate_workers.scanning.redact import Replacement, marker_of

RULE_NO_RIGHT: Final = "draft-without-right"
RULE_BEGINNING: Final = "beginning"
RULE_TOO_LARGE: Final = "response-too-large"

_WAITS: Final = frozenset({RULE_MARKUP, RULE_HELD})
"""Why a stream ends and the whole answer still may go out: markup is taken out of it, and what is long is seen to its end."""


def of_draft(
    response: msgspec.Raw,
    scanner: Scans,
    terms: DlpTerms,
    replacement: Replacement = marker_of,
    *,
    epoch: int,
    most: int,
    settles: bool = True,
) -> OfDraft:
    """Decide about one draft. ``most`` is how many bytes an answer may have; ``settles`` says that the rules alone decide about one."""
    if not terms.streams:
        return Withheld(RULE_NO_RIGHT, scanner.digest, epoch, told=False)
    text = _readable(response, most)
    if isinstance(text, Withheld):
        return Withheld(text.rule, scanner.digest, epoch)
    if terms.shapes or terms.closed:
        return Withheld(RULE_SHAPE, scanner.digest, epoch)
    if not settles:
        return Held()
    try:
        shown, found = beginning(text, scanner, terms.links, replacing(replacement))
    except StreamBlockedError as blocked:
        return Held() if blocked.rule in _WAITS else Withheld(blocked.rule, scanner.digest, epoch, summary(blocked.findings))
    return Shown(shown, _rule(found), scanner.digest, epoch, summary(found)) if shown else Held()


def _readable(response: msgspec.Raw, most: int) -> str | Withheld:
    """The text of a draft, or why it cannot be one."""
    try:
        read = read_response(response)
        size = len(read.body.encode())
    except (MalformedError, UnicodeEncodeError):  # the second: half a surrogate, which never came from bytes that were text
        return Withheld(RULE_MALFORMED)
    if size > most:
        return Withheld(RULE_TOO_LARGE)
    if read.status is not ResponseStatus.OK or not is_plain(read.content_type):
        return Withheld(RULE_MEDIA_TYPE)
    return read.body


def _rule(found: tuple[Finding, ...]) -> str:
    decisive = strongest(found)
    return RULE_BEGINNING if decisive is None else decisive.rule
