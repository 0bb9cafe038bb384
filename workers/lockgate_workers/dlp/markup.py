"""Take out of a response what a browser would run: scripts, event handlers, embedded documents.

HTML goes through an HTML5 parser (nh3) with a small list of what may stay. Plain text is another matter: an answer about code is full of
``<``, generics and includes, and a parser would eat them. So in plain text only what is active is taken out: elements that load
or run something, tags with event handlers or script addresses. Inert tags, comparisons and entities stay as they are. Whether
the rest may go out is decided by the scan that follows.
"""

from __future__ import annotations

import re
from typing import Final

import nh3
import re2

from lockgate_workers.dlp.spots import BODY

REMOVED: Final = "[REMOVED:markup]"
_ROUNDS: Final = 8
_DEEPEST: Final = 512
"""Elements that may be open at once, as in browsers. The parser looks through all of them at every tag: of 256 KB of `<div>` it takes ten seconds."""
_MOST_AMPERSANDS: Final = 50_000
"""What the parser takes grows with their square: a quarter of a million took half a second."""
_SHRINKS: Final = 32
_BEGINS: Final = re.compile(r"<[a-zA-Z]")
_WITHIN: Final = r"(?:[ \t\n\f]++[a-z][a-z0-9_:\-]*+(?:=\"[^\"<>\x00]*+\"|='[^'<>\x00]*+'|=[a-z0-9_.#%\-]++)?+)*+[ \t\n\f]*+"
"""Attributes that are read in one way alone, and have no sign in them that could be a tag's."""
# What leaves no element open, in HTML and within SVG: one with its own end, one that has no end, one that the next of its kind ends, and comments.
_CLOSED: Final = re.compile(
    rf"<([a-z][a-z0-9\-]*+){_WITHIN}>[^<>]*+</\1[ \t\n\f]*+>"
    rf"|<(?:br|hr|img|meta|embed){_WITHIN}/?>|<(?:input|link|wbr|col|source|area|base|param|track){_WITHIN}/>"
    rf"|<(p|li|dt|dd){_WITHIN}>[^<>]*+(?=<\2[ \t\n\f>])"
    r"|<!--(?:[^<>\"'\-]|-(?!->))*+-->",
    re.IGNORECASE,
)

_TAGS: Final = frozenset(
    [
        "a",
        "abbr",
        "b",
        "blockquote",
        "br",
        "caption",
        "cite",
        "code",
        "col",
        "colgroup",
        "dd",
        "del",
        "details",
        "dl",
        "dt",
        "em",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "i",
        "ins",
        "kbd",
        "li",
        "mark",
        "ol",
        "p",
        "pre",
        "q",
        "s",
        "samp",
        "small",
        "span",
        "strong",
        "sub",
        "summary",
        "sup",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "u",
        "ul",
        "var",
    ]
)
_DROPPED_WITH_CONTENT: Final = frozenset(
    {"script", "style", "iframe", "object", "template", "noscript", "svg", "math", "textarea", "title"}
)
_ATTRIBUTES: Final = {
    "a": {"href", "title"},
    "abbr": {"title"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
}
_SCHEMES: Final = frozenset({"http", "https", "mailto"})
_CLEANER: Final = nh3.Cleaner(
    tags=set(_TAGS), clean_content_tags=set(_DROPPED_WITH_CONTENT), attributes=_ATTRIBUTES, url_schemes=set(_SCHEMES)
)
_TEXT_ONLY: Final = nh3.Cleaner(tags=set(), clean_content_tags=set(), attributes={})

_RUNS_OR_LOADS: Final = (
    "script|style|iframe|frame|frameset|object|embed|applet|link|meta|base|form|input|button|select|textarea|svg|math|img|image|video|audio"
    "|source|track|template|noscript|html|head|body|marquee|portal|dialog|isindex|xml|xss"
)


_GAP: Final = r"(?:<?[\s/\"']|=\s*\"[^\"]*\"|=\s*'[^']*'|\n[ \t]*>)"
"""What may stand before an attribute's name."""
_LOADED_BY_STYLE: Final = r"[\\&@]|expression|image-set|image\s*\(|cross-fade|src\s*\("
"""What in a style fetches something under another name than ``url(``, which is left to `links`, or hides that it does."""


def _pattern(expression: str) -> re2._Regexp:
    options = re2.Options()
    options.case_sensitive = False
    options.dot_nl = True
    options.log_errors = False
    return re2.compile(expression, options=options)


# An element with its content where the content is the danger; then single tags, closed or cut off at the end of the text.
_WITH_CONTENT: Final = tuple(
    _pattern(rf"<{name}(?:[\s/][^>]*)?>.*?</{name}[^>]*>")
    for name in ("script", "style", "iframe", "svg", "math", "template", "noscript")
)
# `<Object>`, `<Button>`, `<Input>` alone are generics or components more often than HTML, and harmless without attributes.
_ACTIVE_TAG: Final = _pattern(
    rf"</?(?:script|style|iframe|svg|math|embed|applet|meta|base|link|frame|frameset|html|body|template|noscript)(?:(?:[\s/]|\n[ \t]*>){BODY})?(?:>|$)"
    rf"|<(?:{_RUNS_OR_LOADS})(?:[\s/]|\n[ \t]*>){BODY}=[^>]*(?:>|$)"
    rf"|<[a-z!?/]{BODY}{_GAP}on[a-z]{{3,30}}\s*=[^>]*(?:>|$)"
    rf"|<[a-z]{BODY}=\s*[\"']?\s*(?:javascript|vbscript|data)\s*:[^>]*(?:>|$)"
    rf"|<[a-z]{BODY}{_GAP}style\s*=\s*(?:\"[^\"]*|'[^']*|[^<>]*)(?:{_LOADED_BY_STYLE})[^>]*(?:>|$)"
)
_ENDS_CELL: Final = re.compile(r"</t[dh]>")
_ENDS_LINE: Final = re.compile(r"</(?:blockquote|caption|d[dt]|h[1-6]|li|p|pre|summary|tr)>|<[bh]r>")
_DOCUMENT: Final = _pattern(r"^\s*(?:<!--.*?-->\s*)*(?:<!doctype\s+html|<html[\s>]|<head[\s>]|<body[\s>])")
_MAY_BE_DOCUMENT: Final = _pattern(r"^\s*<(?:!--|!doctype\s+html|(?:html|head|body)[\s>])")


def clean_html(text: str) -> str | None:
    """Return HTML with nothing left in it that runs, loads or submits; nothing if it is not parsed: it may be nested too deeply, or is all ampersands."""
    return None if _is_deep(text) or text.count("&") > _MOST_AMPERSANDS else _CLEANER.clean(text)


def _is_deep(text: str) -> bool:
    """Whether more elements may be open at once than a parser should be given. Never too few are counted: what is not plainly closed counts as open.

    Elements with nothing in them but text are taken out, then those that held nothing else, and so on; a NUL stands in their place, so that what stood on
    either side does not become a tag. Where a round takes out hardly any, what is left lies in one another.
    """
    begun = len(_BEGINS.findall(text))
    while begun > _DEEPEST:
        text = _CLOSED.sub("\0", text)
        left = len(_BEGINS.findall(text))
        if begun - left < begun // _SHRINKS:
            return True
        begun = left
    return False


def text_of(text: str) -> str:
    """Return what a reader of the HTML sees, so that tags cannot split what the scan looks for."""
    return _TEXT_ONLY.clean(text)


def laid_out(text: str) -> str:
    """Return the same as it lies on a page: blocks and rows of tables on lines of their own, cells apart. ``text`` was cleaned, so that its tags are plain."""
    return text_of(_ENDS_LINE.sub("\n", _ENDS_CELL.sub("\t", text)))


def clean_plain(text: str) -> str | None:
    """Return plain text without active markup, or nothing if it does not come to rest within a few rounds.

    Text without a ``<`` is returned untouched, and so is text in which nothing is active. A whole document sent as plain text is cleaned as HTML.
    """
    if "<" not in text:
        return text
    if is_document(text):
        return clean_html(text)
    for _ in range(_ROUNDS):
        if not is_active(text):
            return text
        for pattern in _WITH_CONTENT:
            text = pattern.sub(REMOVED, text)
        text = _ACTIVE_TAG.sub(REMOVED, text)
    return None if is_active(text) else text


def is_active(text: str) -> bool:
    """Whether plain text holds markup that would do something in a browser."""
    return _ACTIVE_TAG.search(text) is not None


def is_document(text: str) -> bool:
    """Whether plain text is a whole document, of which much is dropped: comments, its head."""
    return _DOCUMENT.search(text) is not None


def may_be_document(beginning: str) -> bool:
    """Whether a text that begins so is a document, or may turn out to be one behind its comments."""
    return _MAY_BE_DOCUMENT.search(beginning) is not None
