"""Redact an answer while it is still being written: what later characters can no longer change goes out, the rest is held back.

For every way of cutting a text into chunks, what `StreamGate` emits is, put together, what `released` makes of the whole text; and a text that
is blocked as a whole ends the stream with an error before anything of the finding that blocks it went out. To that end all that came so far is
scanned again whenever enough has come (a sixteenth more, so that the work stays a fixed multiple of the length), always from the
beginning: what stands to the left is complete, and only what is to come has to be waited for (`lockgate_workers.scanning.reach`).
Held back as well are a run without blanks that goes on at the end (it may be one long encoded thing), a tag that is not closed, all of what may
turn out to be a document, and, where links are left alone but images are not, an address that is defined before any image has come.

For plain text and Markdown. JSON, HTML and shaped answers are only known to be what they say when they are complete: they go out whole.
Active markup ends a stream; in an answer that goes out whole it is taken out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from lockgate_workers.dlp import links, markup
from lockgate_workers.scanning.content import Scans
from lockgate_workers.scanning.findings import Action, Finding, strongest
from lockgate_workers.scanning.reach import RUN, Far, Reach, reach_of
from lockgate_workers.scanning.redact import Replacement, marker_of, unions

RULE_MARKUP: Final = "markup"
RULE_RESIDUE: Final = "residue"
RULE_HELD: Final = "stream-held"
RULE_LINKS: Final = "too-many-links"

MOST_HELD: Final = 262_144
"""Characters. A text of which more than this cannot be settled is one long thing that nobody has seen to its end: the stream ends."""
_GROWTH: Final = 16
_LINE: Final = 32
_TAG: Final = re.compile(r"<(?=[A-Za-z!?/])")
_BLANKS: Final = " \t\n\r"
_BLANK: Final = re.compile(r"[ \t\n\r]")
_LINE_BREAK: Final = re.compile(r"[^\S\n]*\n[^\S\n]*(?:[>#|*/]{1,3}[^\S\n]*)?")


class StreamBlockedError(Exception):
    """The stream ends here, and with an error: ``rule`` is why. Nothing that was not emitted before may go out."""

    def __init__(self, rule: str, findings: tuple[Finding, ...] = ()) -> None:
        self.rule = rule
        self.findings = findings
        super().__init__(rule)


class StreamGate:
    """One answer in pieces. Not to be shared, and of no use once it raised or was closed."""

    def __init__(self, scanner: Scans, hosts: Sequence[str] | None = None, replacement: Replacement = marker_of) -> None:
        """``hosts`` are those that links may lead to; ``replacement`` is what stands in the place of a finding."""
        self._scanner = scanner
        self._hosts = hosts
        self._replacement = replacement
        self._reach: Reach = reach_of(scanner.rules)
        self._text = ""
        self._pieces: list[str] = []
        self._waiting = 0
        self._out = 0
        self._released: list[str] = []
        self._ended = False
        self.findings: tuple[Finding, ...] = ()

    def feed(self, chunk: str) -> str:
        """Take the next piece; return what may go out now, which may be nothing.

        Raises:
            StreamBlockedError: the stream has to end.
        """
        self._check_open()
        self._pieces.append(chunk)
        self._waiting += len(chunk)
        if self._waiting < max(self._reach.near // 2, 64, len(self._text) // _GROWTH):
            return ""
        return self._guarded(last=False)

    def close(self) -> str:
        """The text is complete; return the rest of it.

        Raises:
            StreamBlockedError: the stream has to end with an error.
        """
        self._check_open()
        rest = self._guarded(last=True)
        self._ended = True
        return rest

    def _check_open(self) -> None:
        if self._ended:
            raise StreamBlockedError(RULE_HELD)

    def _guarded(self, *, last: bool) -> str:
        """Whatever goes wrong, also unexpectedly, the stream has ended with it."""
        self._ended = True
        emitted = self._settle(last=last)
        self._ended = False
        return emitted

    def _settle(self, *, last: bool) -> str:
        self._text += "".join(self._pieces)
        self._pieces, self._waiting = [], 0
        text = self._text
        if last and markup.is_document(text):
            raise StreamBlockedError(RULE_MARKUP)
        until = len(text) if last else _settled(text, self._reach, self._out)
        if until <= self._out and not last:
            self._check_held()
            return ""
        findings = _findings(text, self._scanner, self._hosts)
        if self._hosts is None and not last:
            until = max(min((until, *_definitions(text, findings))), self._out)
        self.findings = tuple(one for one in findings if one.start < until)
        decisive = strongest(self.findings)
        if decisive is not None and decisive.action is Action.BLOCK:
            raise StreamBlockedError(decisive.rule, self.findings)
        pieces, end = _emitted(text, findings, self._out, until, self._replacement)
        if markup.is_active(text[:end]):
            raise StreamBlockedError(RULE_MARKUP, self.findings)
        self._out = end
        self._check_held()
        return self._release("".join(pieces))

    def _check_held(self) -> None:
        if len(self._text) - self._out > MOST_HELD:
            raise StreamBlockedError(RULE_HELD, self.findings)

    def _release(self, piece: str) -> str:
        """The second look, at what the reader has by now: redaction must have worked."""
        self._released.append(piece)
        _check_residue("".join(self._released), self._scanner, self._hosts, self.findings)
        return piece


def released(text: str, scanner: Scans, hosts: Sequence[str] | None = None, replacement: Replacement = marker_of) -> str:
    """What a complete text goes out as.

    Raises:
        StreamBlockedError: it does not go out.
    """
    gate = StreamGate(scanner, hosts, replacement)
    gate._pieces.append(text)  # noqa: SLF001 - the same gate, fed at once
    return gate.close()


def beginning(
    text: str, scanner: Scans, hosts: Sequence[str] | None = None, replacement: Replacement = marker_of
) -> tuple[str, tuple[Finding, ...]]:
    """What of an unfinished text may go out already: a beginning of what `released` makes of any text that begins like this, and the findings in it.

    Raises:
        StreamBlockedError: the stream has to end, or nothing of it can go out.
    """
    gate = StreamGate(scanner, hosts, replacement)
    gate._pieces.append(text)  # noqa: SLF001 - the same gate, fed at once and not closed
    return gate._guarded(last=False), gate.findings  # noqa: SLF001


def _findings(text: str, scanner: Scans, hosts: Sequence[str] | None) -> tuple[Finding, ...]:
    result = scanner.scan(text)
    if result.refusal is not None:
        raise StreamBlockedError(result.refusal.value)
    try:
        return (*result.findings, *links.elsewhere(text, hosts))
    except links.TooManyLinksError:
        raise StreamBlockedError(RULE_LINKS) from None


def _check_residue(text: str, scanner: Scans, hosts: Sequence[str] | None, found: tuple[Finding, ...]) -> None:
    if any(not one.action.passes for one in _findings(text, scanner, hosts)):
        raise StreamBlockedError(RULE_RESIDUE, found)


def _emitted(text: str, findings: Sequence[Finding], start: int, until: int, replacement: Replacement) -> tuple[list[str], int]:
    """The redacted text from ``start`` on, and where it ends: at ``until``, or before the first place that is not settled then."""
    pieces: list[str] = []
    place = start
    for first, end, found in unions(findings):
        if end <= start:
            continue
        if first >= until:
            break
        if first < start:
            raise StreamBlockedError(RULE_HELD)  # it began in what is out: never seen, and not to be passed over if it were
        if end > until:
            until = first
            break
        pieces += (text[place:first], replacement(text[first:end], found))
        place = end
    pieces.append(text[place:until])
    return pieces, until


def _settled(text: str, reach: Reach, out: int) -> int:
    """Up to where no later character can change anything."""
    until = len(text) - reach.near
    if until <= out or markup.may_be_document(text):
        return out
    until = min(_before_runs(text, reach.near, out), *_open_tags(text), *_openers(text, reach.far, out), until)
    return max(until, out)


def _before_runs(text: str, near: int, out: int) -> int:
    """Before every long run that what comes may still belong to, and before the long runs that one of these may belong to."""
    settled = end = len(text)
    while end > out and end + near > settled:
        start = _run(text, end, out)
        if end - start > RUN:
            settled = start
        end = start - 1 if start < end else end - 1
    return settled if settled == len(text) else settled - near


def _run(text: str, end: int, out: int) -> int:
    """Where the run begins that ends at ``end``. Lines that are one token each, as encoded blocks are, belong together."""
    while True:
        start = max(text.rfind(blank, out, end) for blank in _BLANKS) + 1 or out
        before = text.rfind("\n", out, start)
        if before < 0 or _LINE_BREAK.fullmatch(text, before, start) is None:
            return start
        line = text[text.rfind("\n", out, before) + 1 : before].strip().lstrip(">#|*/ ")
        if len(line) < _LINE or _BLANK.search(line):
            return start
        end = before


def _open_tags(text: str) -> Iterator[int]:
    """A tag at the end that is not closed yet."""
    opened = text.rfind("<")
    if opened >= 0 and ">" not in text[opened:] and (opened + 1 == len(text) or _TAG.match(text, opened)):
        yield opened


def _definitions(text: str, findings: Sequence[Finding]) -> Iterator[int]:
    """Where an address is defined that would be an image's if one were still to come: only images may lead nowhere then."""
    known = {one.start for one in findings if one.rule in links.RULES}
    try:
        yield from (one.start for one in links.elsewhere(f"{text}![", None) if one.start not in known)
    except links.TooManyLinksError:
        raise StreamBlockedError(RULE_LINKS) from None


def _openers(text: str, far: Sequence[Far], out: int) -> Iterator[int]:
    """Where something may have begun that reaches far and is not at its end."""
    if not far:
        return
    lowered = text.lower()
    if len(lowered) != len(text):  # a letter that grows: places would be off, so the first possible one is taken
        yield from (out,)
        return
    for one in far:
        place = lowered.find(one.opener, max(0, len(text) - one.reach))
        if place >= 0:
            yield place
