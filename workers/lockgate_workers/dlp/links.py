"""Find links and images in an answer that lead to a host nobody allowed, so that they can be taken the power to lead there.

An image in Markdown is fetched by whoever shows the answer, without a click: its address can carry out what the agent has read. So
addresses in links, images, definitions, ``<…>`` and HTML attributes are looked at as a renderer would read them (entities, backslashes,
control characters, user names before the host), and what is not relative, not a mail address and not of an allowed host is a finding.
The finding covers scheme and host; `defanged` writes them so that no program follows them and a person can still read them. An address whose
spelling hides its host is removed. A bare address in running text is left: nothing fetches it by itself.

More is found than a Markdown parser would take for a link, never less: that is checked against one in the tests.
"""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Iterator
from typing import Final

from lockgate_workers.scanning.findings import Action, Finding, Severity

RULE_LINK: Final = "link-elsewhere"
RULE_HIDDEN: Final = "link-hidden"
RULES: Final = frozenset({RULE_LINK, RULE_HIDDEN})
REMOVED: Final = "#link-removed"
MOST_CHARACTERS: Final = 4_096
"""No address that is longer is looked at in full: it is removed."""

# Where an address may begin. What follows the first characters cannot fail after blanks without having used them up, so the search is linear.
_BEGINS: Final = re.compile(
    r"(?P<inline>\]\(\s*<?\s*)"  # [text](address, ![text](address
    r"|(?P<definition>\]:\s*<?[^\S\n]*)"  # [name]: address
    r"|(?P<auto><)(?=[a-z])"  # <scheme:…>
    r"|\b(?P<attribute>(?:href|src|srcset|background|poster|action|formaction|data|cite|longdesc|ping|url)\s*[=(]\s*[\"']?)",
    re.IGNORECASE,
)
_DEFINED: Final = re.compile(r"\]:\s*<?[^\S\n]*\Z")
_LOADED: Final = re.compile(r"(?:src|srcset|background|poster|data|url)\s*[=(]\s*[\"']?\Z", re.IGNORECASE)
# An address that begins like none of these is relative: most do, and are not looked at any further.
_LEADS: Final = re.compile(
    r"(?!mailto:|tel:)[\x00-\x20]*(?:[&\\]|/[\x00-\x20]*[/\\&]|[a-z0-9+.\-\x00-\x20\x7f-\U0010ffff]{1,64}(?:[&\\]|:(?!:)))",
    re.IGNORECASE,
)
_HEAD: Final = 512
_MOST_JUDGED: Final = 500
"""So many addresses of one text may be spelled in a way that has to be read letter by letter."""
_ENDS: Final = {"attribute": re.compile("[<>\"']")}
_ENDS_ELSE: Final = re.compile(r"[\s<>]")
_PLAIN: Final = re.compile(r"(?:https?:)?//([A-Za-z0-9.\-]+)(?::[0-9]{1,5})?(?=[/?#)\]'\"\s]|$)", re.IGNORECASE)
_SCHEME: Final = re.compile(r"([a-z][a-z0-9+.\-]{1,31}):(?=[^:])", re.IGNORECASE)
_HARMLESS: Final = frozenset({"mailto", "tel", "hxxp", "hxxps"})
_RUNS: Final = frozenset({"javascript", "vbscript", "data", "file", "ftp", "ws", "wss", "blob", "filesystem", "view-source"})
_ESCAPED: Final = re.compile(r"\\([!-/:-@\[-`{-~])")
_DROPPED: Final = dict.fromkeys([*range(0x21), 0x7F, 0xAD, *range(0x200B, 0x2010), 0x2060, 0xFEFF])
_HOST: Final = re.compile(r"[a-z0-9.\-]+")


class TooManyLinksError(Exception):
    """More addresses than an answer has reason to hold. The stage blocks: what was not looked at is not harmless."""


def elsewhere(text: str, hosts: Collection[str] | None) -> tuple[Finding, ...]:
    """Return the addresses in ``text`` that lead to a host which is not in ``hosts`` nor below one that begins with a dot there.

    Without ``hosts`` only what is fetched without a click is looked at, images above all, and no host is allowed.

    Raises:
        TooManyLinksError: there are too many to look at each.
    """
    if "<" not in text and "](" not in text and "]:" not in text:  # attributes stand in tags
        return ()
    found = _findings(text, frozenset(one.lower() for one in hosts or ()))
    return tuple(found if hosts is not None else (one for one in found if _fetched(text, one.start)))


def defanged(rule: str, value: str) -> str:
    """What stands in the place of a finding of this module."""
    if rule == RULE_HIDDEN:
        return REMOVED
    readable = re.sub("^http", "hxxp", value, flags=re.IGNORECASE).replace(".", "[.]")
    return f"hxxps:{readable}" if readable.startswith("//") else readable


def _findings(text: str, hosts: frozenset[str]) -> Iterator[Finding]:
    last = judged = 0
    for match in _BEGINS.finditer(text):
        kind, start = str(match.lastgroup), match.end()
        if start < last or (kind == "attribute" and not _in_tag(text, match.start())):
            continue
        if _LEADS.match(text, start) is None:
            continue
        plain = _PLAIN.match(text, start)
        if plain is not None:
            rule, last = ("", start) if _allowed(plain[1], hosts) else (RULE_LINK, plain.end())
        else:
            judged += 1
            if judged > _MOST_JUDGED:
                raise TooManyLinksError
            address = _address(text, start, kind)
            host = _host(address, kind)
            rule, last = ("", start) if host is None or _allowed(host, hosts) else (RULE_HIDDEN, start + len(address))
        if rule:
            yield Finding(rule, start, last, Severity.MEDIUM, Action.REDACT, "")


def _fetched(text: str, place: int) -> bool:
    """Whether an address is, or may be, that of an image: one whose description begins before it, or a definition in a text with images."""
    before = text[max(0, place - MOST_CHARACTERS) : place].rpartition("\n\n")[2]
    return "![" in before or (_DEFINED.search(before) is not None and "![" in text) or _LOADED.search(before) is not None


def _in_tag(text: str, place: int) -> bool:
    opened = text.rfind("<", max(0, place - MOST_CHARACTERS), place)
    return opened >= 0 and text[opened + 1 : opened + 2].isalpha() and text.find(">", opened, place) < 0


def _address(text: str, start: int, kind: str) -> str:
    end = _ENDS.get(kind, _ENDS_ELSE).search(text, start, start + MOST_CHARACTERS)
    return text[start : end.start() if end else start + MOST_CHARACTERS]


def _host(address: str, kind: str) -> str | None:
    """The host an address leads to, in lower case; None when it leads nowhere else, and an empty text when it cannot be told."""
    read = _ESCAPED.sub(r"\1", html.unescape(address[:_HEAD])).translate(_DROPPED).replace("\\", "/")
    scheme = _SCHEME.match(read)
    if scheme is None:
        return _authority(read) if read.startswith("//") else None
    name = scheme[1].lower()
    if name in {"http", "https"}:
        return _authority(read[scheme.end() :])
    # `<std::string>` and `<T: Clone>` are code much more often than links, and no program follows them.
    return None if name in _HARMLESS or (kind == "auto" and name not in _RUNS) else ""


def _authority(address: str) -> str:
    authority = re.split(r"[/?#)]", address.lstrip("/"), maxsplit=1)[0].rpartition("@")[2]
    host = authority.lower().partition(":")[0].rstrip(".")
    return host if _HOST.fullmatch(host) else ""


def _allowed(host: str, hosts: frozenset[str]) -> bool:
    host = host.lower().rstrip(".")
    return bool(host) and (host in hosts or any(one.startswith(".") and host.endswith(one) for one in hosts))
