"""Find links and images in an answer that lead to a host nobody allowed, so that they can be taken the power to lead there.

An image in Markdown is fetched by whoever shows the answer, without a click: its address can carry out what the agent has read. So
addresses in links, images, definitions, ``<…>`` and HTML attributes are looked at as a renderer would read them (entities, backslashes,
control characters, user names before the host), and what is not relative, not a mail address and not of an allowed host is a finding.
The finding covers scheme and host; `defanged` writes them so that no program follows them and a person can still read them. An address whose
spelling hides its host is removed, and so is one that runs (`javascript:`). A bare address in running text is left: nothing fetches it by itself.

Where an address ends depends on what it stands in, and a quick look is trusted only where what follows the host belongs to it in no
reading: behind ``https://ok.example'`` there may still come ``@elsewhere.example``. More is found than a Markdown parser would take for a
link, never less: that is checked against one in the tests.
"""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Iterator
from typing import Final, NamedTuple

from lockgate_schemas.errors import ConfigurationError
from lockgate_workers.dlp.spots import Spots
from lockgate_workers.scanning.findings import Action, Finding, Severity

RULE_LINK: Final = "link-elsewhere"
RULE_HIDDEN: Final = "link-hidden"
RULES: Final = frozenset({RULE_LINK, RULE_HIDDEN})
REMOVED: Final = "#link-removed"
MOST_CHARACTERS: Final = 4_096
"""No address that is longer is looked at in full: it is removed."""

# Where an address may begin. What follows the first characters cannot fail after blanks without having used them up, so the search is linear.
# A destination may stand on the next line, and in a quotation that line begins with `>`.
_BEGINS: Final = re.compile(
    r"(?P<inline>\]\([\s>]*<?\s*)"  # [text](address, ![text](address
    r"|(?P<definition>\]:[\s>]*<?[^\S\n]*)"  # [name]: address
    r"|(?P<embed>!\[\[\s*)"  # ![[address]]
    r"|(?P<auto><)(?=[a-z])"  # <scheme:…>
    r"|\b(?P<attribute>(?P<name>href|srcset|src|background|poster|formaction|action|data|cite|longdesc|ping|url)\s*[=(]\s*[\"']?)",
    re.IGNORECASE,
)
_SIGNS: Final = ("<", "](", "]:", "![[")  # attributes stand in tags
_LOADED: Final = frozenset({"src", "srcset", "background", "poster", "data", "url"})
_LISTS: Final = frozenset({"srcset", "ping"})
"""Attributes that hold several addresses."""
# An address that begins like none of these is relative: most do, and are not looked at any further.
_LEADS: Final = re.compile(
    r"(?!mailto:|tel:)[\x00-\x20]*+"
    r"(?:[&\\]|/[\x00-\x20]*+[/\\&]|(?:[a-z0-9+.\-\x7f-\U0010ffff][\x00-\x20]*+){1,64}+(?:[&\\]|:(?!:)))",
    re.IGNORECASE,
)
_HEAD: Final = 512
_MOST_JUDGED: Final = 500
"""So many addresses of one text may be spelled in a way that has to be read letter by letter."""
_PLAIN: Final = re.compile(r"(?:https?:)?//([A-Za-z0-9.\-]+)(?::[0-9]{1,5})?(?![A-Za-z0-9.\-:])", re.IGNORECASE)
_SCHEME: Final = re.compile(r"([a-z][a-z0-9+.\-]{1,31}):(?=[^:])", re.IGNORECASE)
_HARMLESS: Final = frozenset({"mailto", "tel", "hxxp", "hxxps"})
_RUNS: Final = frozenset({"javascript", "vbscript", "data"})
"""Schemes that bring a program along instead of leading somewhere: found whatever hosts are allowed."""
_LEAD_OUT: Final = _RUNS | {"file", "ftp", "ws", "wss", "blob", "filesystem", "view-source"}
_ESCAPED: Final = re.compile(r"\\([!-/:-@\[-`{-~])")
_DROPPED: Final = dict.fromkeys([*range(0x21), 0x7F, 0xAD, *range(0x200B, 0x2010), 0x2060, 0xFEFF])
_AUTHORITY: Final = re.compile(r"/*([^/?#]*)")
_LISTED: Final = re.compile(r"\.?[a-z0-9\-]+(?:\.[a-z0-9\-]+)*")
_HOST: Final = re.compile(r"([a-z0-9.\-]+)(?::[0-9]*)?")
_PARENTHESES: Final = re.compile(r"\\.|[()]", re.DOTALL)
_DEEPEST: Final = 32
"""Parentheses within parentheses of an address; parsers of Markdown stop there as well."""
_QUOTED: Final = {'"': re.compile('"'), "'": re.compile("'")}
_ENDS_TAG: Final = re.compile(r"[\s>]")
_ENDS_CALL: Final = re.compile(r"[\s)]")
_ENDS_EMBED: Final = re.compile(r"[\]|\n]")
_ENDS_ANGLE: Final = re.compile(r"[>\n]")
_ENDS_LINK: Final = re.compile(r"\s")


class TooManyLinksError(Exception):
    """More addresses than an answer has reason to hold. The stage blocks: what was not looked at is not harmless."""


class _Place(NamedTuple):
    """What an address stands in: the kind, what ends it there, and the attribute's name."""

    kind: str
    ends: re.Pattern[str]
    name: str

    @property
    def closes(self) -> bool:
        """Whether a parenthesis ends it, if none was opened within."""
        return self.kind == "inline" and self.ends is _ENDS_LINK


class _Led(NamedTuple):
    """Where an address leads: a host in lower case, nothing when it leads nowhere else, an empty text when it cannot be told."""

    host: str | None
    runs: bool = False


_NOWHERE: Final = _Led(None)
_UNKNOWN: Final = _Led("")


def elsewhere(text: str, hosts: Collection[str] | None) -> tuple[Finding, ...]:
    """Return the addresses in ``text`` that lead to a host which is not in ``hosts`` nor below one that begins with a dot there.

    Without ``hosts`` only what is fetched without a click is looked at, images above all, and what runs; no host is allowed.

    Raises:
        TooManyLinksError: there are too many to look at each.
    """
    if not any(sign in text for sign in _SIGNS):
        return ()
    return tuple(_findings(text, frozenset(one.lower() for one in hosts or ()), every=hosts is not None))


def check_hosts(hosts: Collection[str] | None) -> None:
    """Refuse a list with something in it that no address has for a host: such an entry allows nothing, and nobody would know why.

    Raises:
        ConfigurationError: says which entry; it is not quoted.
    """
    for place, host in enumerate(hosts or ()):
        if _LISTED.fullmatch(host.lower()) is None:
            raise ConfigurationError(
                f"content policy: links[{place}] is not the name of a host: write example.org, or .example.org for all below it"
            )


def defanged(rule: str, value: str) -> str:
    """What stands in the place of a finding of this module."""
    if rule == RULE_HIDDEN:
        return REMOVED
    readable = re.sub("^http", "hxxp", value, flags=re.IGNORECASE).replace(".", "[.]")
    return f"hxxps:{readable}" if readable.startswith("//") else readable


def _findings(text: str, hosts: frozenset[str], *, every: bool) -> Iterator[Finding]:
    spots = Spots(text)
    last = judged = 0
    for match in _BEGINS.finditer(text):
        start = match.end()
        if start < last or not _may_lead(text, start, match["name"]):
            continue
        if match["name"] and not spots.in_tag(match.start()):
            continue
        place = _place(match)
        plain = _PLAIN.match(text, start) if place.name not in _LISTS else None
        if plain is not None and _is_over(text, plain.end(), place):
            led, end = _Led(plain[1]), plain.end()
        else:
            judged += 1
            if judged > _MOST_JUDGED:
                raise TooManyLinksError
            address = _address(text, start, place)
            led, end, plain = _led_by(address, place, hosts), start + len(address), None
        if led.host is None or _allowed(led.host, hosts):
            continue
        last = end
        if every or led.runs or _fetched(match, place, spots):
            yield Finding(RULE_HIDDEN if plain is None else RULE_LINK, start, end, Severity.MEDIUM, Action.REDACT, "")


def _may_lead(text: str, start: int, name: str | None) -> bool:
    return (name or "").lower() in _LISTS or _LEADS.match(text, start) is not None


def _place(match: re.Match[str]) -> _Place:
    opening, name = match[0], (match["name"] or "").lower()
    if opening[-1] in _QUOTED:
        return _Place("attribute", _QUOTED[opening[-1]], name)
    if name:
        return _Place("attribute", _ENDS_CALL if "(" in opening else _ENDS_TAG, name)
    kind = str(match.lastgroup)
    if kind == "embed":
        return _Place(kind, _ENDS_EMBED, "")
    return _Place(kind, _ENDS_ANGLE if "<" in opening else _ENDS_LINK, "")


def _is_over(text: str, end: int, place: _Place) -> bool:
    """Whether the host that ends here cannot go on in any reading."""
    following = text[end : end + 1]
    if not following or following in "/?#":
        return True
    return place.ends.match(following) is not None or (place.closes and following == ")")


def _fetched(match: re.Match[str], place: _Place, spots: Spots) -> bool:
    """Whether an address is, or may be, that of an image: one whose description begins before it, or a definition in a text with images."""
    if place.kind == "attribute":
        return place.name in _LOADED
    if place.kind == "definition":
        return spots.has_images
    return place.kind == "embed" or spots.in_image(match.start())


def _address(text: str, start: int, place: _Place) -> str:
    end = place.ends.search(text, start, start + MOST_CHARACTERS)
    address = text[start : end.start() if end else start + MOST_CHARACTERS]
    return address[: _closing(address)] if place.closes else address


def _closing(address: str) -> int:
    """Where the parenthesis stands that ends the address; its length, when there is none."""
    depth = 0
    for sign in _PARENTHESES.finditer(address):
        depth += {"(": 1, ")": -1}.get(sign[0], 0)
        if depth < 0:
            return sign.start()
        if depth > _DEEPEST:
            break
    return len(address)


def _led_by(address: str, place: _Place, hosts: frozenset[str]) -> _Led:
    """Where an address, or one of several, leads; the first that is not allowed counts."""
    if place.name not in _LISTS:
        return _led(address, place.kind)
    leads = [_led(one, place.kind) for one in re.split(r"[\s,]+", html.unescape(address))]
    return next((one for one in leads if one.host is not None and not _allowed(one.host, hosts)), _NOWHERE)


def _led(address: str, kind: str) -> _Led:
    """As a renderer reads it that knows Markdown's escapes, and as one that does not: two answers are none."""
    head = html.unescape(address[:_HEAD])
    whole = len(address) <= _HEAD
    first, second = (_read(one, kind, whole=whole) for one in (_ESCAPED.sub(r"\1", head), head))
    return first if first == second or first.runs else second if second.runs else _UNKNOWN


def _read(head: str, kind: str, *, whole: bool) -> _Led:
    read = head.translate(_DROPPED).replace("\\", "/").lstrip("\"'")
    scheme = _SCHEME.match(read)
    if scheme is None:
        return _authority(read, whole=whole) if read.startswith("//") else _NOWHERE
    name = scheme[1].lower()
    if name in {"http", "https"}:
        return _authority(read[scheme.end() :], whole=whole)
    # `<std::string>` and `<T: Clone>` are code much more often than links, and no program follows them.
    if name in _HARMLESS or (kind == "auto" and name not in _LEAD_OUT):
        return _NOWHERE
    return _Led("", runs=name in _RUNS)


def _authority(address: str, *, whole: bool) -> _Led:
    found = _AUTHORITY.match(address)
    if found is None or (found.end() == len(address) and not whole):  # what comes behind the part that was read may be the host
        return _UNKNOWN
    host = _HOST.fullmatch(found[1].lower().rpartition("@")[2].rstrip("\"'"))
    return _UNKNOWN if host is None else _Led(host[1].rstrip("."))


def _allowed(host: str, hosts: frozenset[str]) -> bool:
    host = host.lower().rstrip(".")
    return bool(host) and (host in hosts or any(one.startswith(".") and host.endswith(one) for one in hosts))
