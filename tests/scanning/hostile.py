"""Texts that are meant to be costly: floods of what escapes, folds and decodes, and for every rule what nearly matches it, again and again.

Made from nothing but the rules themselves (their examples, keywords and the literal pieces of their patterns), so that a new rule is
attacked from its first day. Deterministic. How much a text costs is counted by the tests and timed by the benchmark.
"""

from __future__ import annotations

import base64
import gzip
import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from lockgate_workers.scanning.packs import Rule

GENERAL: Final = "general"
_FLOODS: Final = (
    "a", "1", "1 ", " ", "-", "_", "\n", "(", "((a+)+", "[", "{", "<", "<a ", "<script ", "<!--", '"', "'", "=", "a=", "a:", ".", "/", "@",
    "key=", "token: ", "password ", "password: a ", "password=Aa1!Bb2?Cc3 ", "secret is ", "\\", "\\\\", "\\n", "\\u0041", "\\u005cu0041",
    "\\x41", "\\x5cx41", "&", "&amp;", "&amp;amp;", "&#65;", "&#x41;", "&#38;#65;", "&lt", "%", "%41", "%25", "%2541", "%5Cu0041", "+",
    "\u200b", "a\u200b", "\u00ad", "\u202e", "\ufeff", "\ufdfa", "\ufdfb", "\u3316", "\uff41", "\u0410", "e\u0301", "a\u0301\u0302\u0303",
    "\U0001f642", "\U000e0041", "\u1100\u1161", "\ud800", "QUtJ", "QUJDREVGR0g=", "QUJDREVGR0hJSktMTU5P ", "41", "4142434445464748494a ",
    "MFRGGZDFMZTWQ2LK ", "A", "Aa", "H4sIAAAAAAAA", "eyJ", "eyJhbGciOiJIUzI1NiJ9.", "http://", "http://a:", "https://a:b@", "a.", "a@", "a@a.",
    "1.", "10.1.", "10.0.0.1 ", "192.168.1.1:80 ", "AKIA", "-----BEGIN ", "-----BEGIN PRIVATE KEY-----\n", "/home/a/", "C:\\a\\", "\\\\a\\",
    "ignore all ", "ignore all previous ", "your a ", "User: a\nAssistant: sure\n", "![a](http://a?", "you are a ", "do not ", "p-a-s-s ",
    "a b c d ", "at a.a(a:1)\n", "\tat a.a", '"a"+"b"+', "'a' 'b' ", "$(", "${a}", "0x", "0x41,", "\\101", "=41", "=\n", "\r\n", "\0", "\x85",
)  # fmt: skip
_LITERAL: Final = re.compile(r"[A-Za-z0-9_:/@.=\- ]{3,}")


@dataclass(frozen=True, slots=True)
class Hostile:
    """One costly text, against which rule it was made, and how."""

    rule: str
    how: str
    text: str


def hostile(rules: Iterable[Rule], size: int) -> Iterator[Hostile]:
    """Yield all costly texts of about ``size`` characters: first those against no rule in particular, then those against each."""
    rules = tuple(rules)
    for seed in _FLOODS:
        yield Hostile(GENERAL, f"flood {seed!r}", repeated(seed, size))
    for how, text in _bombs(rules, size) if rules else ():
        yield Hostile(GENERAL, how, text)
    for rule in rules:
        for how, text in _against(rule, size):
            yield Hostile(rule.id, how, text)


def repeated(seed: str, size: int) -> str:
    """The seed over and over."""
    return (seed * (size // len(seed) + 1))[:size]


def _against(rule: Rule, size: int) -> Iterator[tuple[str, str]]:
    for number, example in enumerate(rule.examples.match[:3]):
        yield f"match {number}", repeated(example, size)
        yield f"match {number} in lines", repeated(f"{example}\n", size)
        yield f"match {number}, each another", _varied(f"{example} ", size)
        yield f"match {number} without its end", repeated(example[:-1] or example, size)
        yield f"match {number}, half", repeated(example[: len(example) // 2 + 1], size)
        yield f"match {number}, once, then its last character", example + repeated(example[-1], size)
        yield f"match {number}, once, then digits", example + repeated("0123456789", size)
    for length in (4, 8, 12):
        yield f"first {length}", repeated(rule.examples.match[0][:length], size)
    if rule.keywords:
        yield "keywords", repeated(" ".join(rule.keywords) + " ", size)
        yield "keywords and digits", _varied(f"{rule.keywords[0]} 000000000 ", size)
    literals = sorted(set(_LITERAL.findall(rule.pattern)), key=len, reverse=True)[:3]
    for literal in literals:
        yield f"literal {literal!r}", repeated(literal, size)


def _varied(seed: str, size: int) -> str:
    """The seed over and over, with other digits and letters each time: nothing can be remembered from the one before."""
    pieces = []
    length = 0
    for number in itertools.count():
        letters = "".join(chr(ord("a") + int(one)) for one in f"{number:06d}")
        digits = iter(itertools.cycle(f"{number * 7919 % 1_000_003:06d}"))
        piece = re.sub("[0-9]", lambda _, digits=digits: next(digits), seed)[: size - length]  # type: ignore[misc]
        piece = piece.replace("abcdef", letters)
        pieces.append(piece)
        length += len(piece)
        if length >= size:
            return "".join(pieces)
    raise AssertionError


def _bombs(rules: tuple[Rule, ...], size: int) -> Iterator[tuple[str, str]]:
    matches = [rule.examples.match[0] for rule in rules]
    everything = "\n".join(matches)
    yield "every rule once, then words", (everything + repeated("\nplain words", size))[:size]
    yield "every rule, again and again", repeated(f"{everything}\n", size)
    yield "every rule without its last character", repeated("\n".join(one[:-1] for one in matches) + "\n", size)
    yield "all literals", repeated(" ".join(_LITERAL.findall(" ".join(rule.pattern for rule in rules))), size)
    yield "all keywords", repeated(" ".join(word for rule in rules for word in rule.keywords) + " 1 ", size)
    for name, encode in _ENCODINGS.items():
        short = [encode(one.encode("utf-8", "replace")) for one in matches]
        yield f"every rule in {name}", repeated(" ".join(short) + " ", size)
        yield f"every rule in one run of {name}", encode(repeated(everything, size * 3 // 5).encode("utf-8", "replace"))[:size]
        yield (
            f"every rule twice in {name}",
            repeated(encode(encode(everything.encode("utf-8", "replace")).encode()) + " ", size),
        )
        yield f"words in {name}", repeated(encode(b"nothing to see here, really ") + " ", size)
    bomb = gzip.compress(b"password: hunter2 " * 60_000, mtime=0)
    yield "gzip that unfolds to a megabyte", repeated(base64.b64encode(bomb).decode() + " ", size)
    yield (
        "gzip of different words",
        " ".join(
            base64.b64encode(gzip.compress(f"{number} {everything[:400]}".encode("utf-8", "replace") * 9, mtime=0)).decode()
            for number in range(size // 400)
        )[:size],
    )
    yield "escapes of escapes", repeated("\\\\u0026amp;#37;34\\u005c\\u005c", size)
    yield (
        "every rule in escapes",
        repeated("".join(f"\\u{ord(one):04x}" for one in everything[:4_000] if ord(one) < 0x10000), size),
    )
    yield "every rule in percents", repeated("".join(f"%{ord(one):02x}" for one in everything[:4_000] if ord(one) < 0x80), size)
    yield "every rule in references", repeated("".join(f"&#{ord(one)};" for one in everything[:4_000]), size)
    yield "every rule with nothing between the letters", repeated("\u200b".join(everything[:20_000]), size)
    yield (
        "every rule in wide letters",
        repeated("".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one for one in everything[:20_000]), size),
    )
    yield "every rule spaced out", repeated(" ".join(everything[:20_000]), size)
    yield "every rule backwards", repeated(everything[::-1], size)
    yield "quoted pieces", repeated(" + ".join(f'"{everything[start : start + 4]}"' for start in range(0, 8_000, 4)), size)


_ENCODINGS: Final = {
    "base64": lambda data: base64.b64encode(data).decode(),
    "base64url": lambda data: base64.urlsafe_b64encode(data).decode().rstrip("="),
    "base32": lambda data: base64.b32encode(data).decode(),
    "hex": bytes.hex,
}
