"""Decide what of a response may go out, and in which form. Pure: text, a scanner and terms in, a decision and the new body out.

1. The media type is looked up; one that is not known is blocked, for nobody here can read it.
2. Markup that would run is taken out (`markup`); JSON is parsed strictly (`json_body`), held against what the caller's scope allows
   (`shapes`), and treated text by text. Where shapes speak of an answer, one that is not JSON is blocked: nobody can hold it against them.
3. Every text is scanned, and its links are looked at (`links`); a refused scan or a rule that blocks -> block. What a rule redacts is replaced.
4. What is left is looked at once more, as the client will see it. If anything remains that would have to be redacted -> block.

A blocked decision carries no body. What the client is told about it is decided by the outcome stage.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import chain, islice
from typing import Any, Final

import msgspec

from lockgate_schemas.errors import MalformedError
from lockgate_workers.dlp import json_body, json_lists, links, markup, shapes
from lockgate_workers.dlp.terms import NO_TERMS, DlpTerms
from lockgate_workers.scanning.content import Scans
from lockgate_workers.scanning.engines import repeatable
from lockgate_workers.scanning.findings import Action, Finding, Refusal, ScanResult, Severity, strongest
from lockgate_workers.scanning.redact import Replacement, marker_of, redact

RULE_CLEAN: Final = "clean"
RULE_MARKUP: Final = "markup"
RULE_MALFORMED: Final = "malformed-body"
RULE_MEDIA_TYPE: Final = "unknown-media-type"
RULE_RESIDUE: Final = "residue"
RULE_LINKS: Final = "too-many-links"
RULE_SHAPE: Final = "answer-shape"

_MARKUP: Final = frozenset("<>\"'")
_PLAIN: Final = frozenset({"text/plain", "text/markdown"})
_CHARSETS: Final = frozenset({"utf-8", "utf8", "us-ascii"})
_JSON_TYPE: Final = re.compile(
    r"application/(?:json|[a-z0-9][a-z0-9!#$&^_.+\-]{0,100}\+json)"
)  # RFC 6838, 4.2: it becomes a header
SENTENCE: Final = 1_000
"""Characters of an error that goes out as a text where shapes speak of the answer: whoever fails has no rows to show."""


class DlpOutcome(StrEnum):
    """What DLP says about a response."""

    PASS = "pass"  # noqa: S105 - an outcome, not a password
    REDACT = "redact"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class DlpDecision:
    """The outcome, the rule that decided, all findings of the first scan, and what may go out (nothing when blocked)."""

    decision: DlpOutcome
    rule: str
    findings: tuple[Finding, ...] = ()
    body: str = ""
    content_type: str = ""


class _BlockedError(Exception):
    """A reason to block, found somewhere on the way; never leaves this module."""

    def __init__(self, rule: str, findings: tuple[Finding, ...] = ()) -> None:
        self.rule = rule
        self.findings = findings
        super().__init__(rule)


@dataclass(frozen=True, slots=True)
class Question:
    """What is known of the request that is answered: the obligations on its stamps, and the salt of what they say was asked.

    ``failed`` is whether the agent answers with an error: then one sentence of text may go out where otherwise shapes want JSON.
    """

    obligations: tuple[str, ...] = ()
    salt: bytes = b""
    failed: bool = False


@dataclass(frozen=True, slots=True)
class _Gate:
    """What decides about this one response."""

    scanner: Scans
    terms: DlpTerms
    question: Question
    replacement: Replacement

    @property
    def shaped(self) -> bool:
        """Whether shapes speak of this answer."""
        return self.terms.closed or bool(self.terms.shapes)

    def takes(self, text: str) -> bool:
        """Whether an answer may be this text: shapes can be held against none, but an error is one sentence."""
        return not self.shaped or (self.question.failed and len(text) <= SENTENCE)


def decide(  # noqa: PLR0917 - text and type come from the agent, the rest from the gateway
    response_body: str,
    content_type: str,
    scanner: Scans,
    terms: DlpTerms = NO_TERMS,
    question: Question | None = None,
    replacement: Replacement = marker_of,
) -> DlpDecision:
    """Decide about one response. ``content_type`` is what the agent claims; the decision carries the type in its plain form.

    ``replacement`` is what is put in the place of a finding of the rules; links are always defanged.
    """
    gate = _Gate(scanner, terms, question or Question(), replacement)
    try:
        media_type = _media_type(content_type)
        if media_type.startswith("application/"):
            return _json(response_body, media_type, gate)
        return _text(response_body, media_type, gate)
    except _BlockedError as blocked:
        return DlpDecision(DlpOutcome.BLOCK, blocked.rule, blocked.findings)


def is_plain(content_type: str) -> bool:
    """Whether a text of this type is plain text or Markdown, so that its beginning can be read before its end."""
    try:
        return _media_type(content_type) in _PLAIN
    except _BlockedError:
        return False


def _media_type(content_type: str) -> str:
    """Return the media type without parameters, or block what is not known."""
    media_type, _, parameters = content_type.strip().lower().partition(";")
    media_type = media_type.strip()
    for parameter in filter(None, (one.strip() for one in parameters.split(";"))):
        name, _, value = parameter.partition("=")
        if name.strip() != "charset" or value.strip().strip('"') not in _CHARSETS:
            raise _BlockedError(RULE_MEDIA_TYPE)
    if _JSON_TYPE.fullmatch(media_type) is None and media_type not in _PLAIN and media_type != "text/html":
        raise _BlockedError(RULE_MEDIA_TYPE)
    return media_type


def _text(body: str, media_type: str, gate: _Gate) -> DlpDecision:
    if not gate.takes(body):
        raise _BlockedError(RULE_SHAPE)
    clean = _harmless if media_type == "text/html" else _without_active
    cleaned = clean(_sound(body))
    (result,) = _scanned((cleaned,), gate.scanner)
    findings = (*result.findings, *_links(cleaned, gate))
    _check_blocked(findings)
    released = _redacted(cleaned, findings, gate, clean)
    read = (markup.text_of(released), markup.laid_out(released)) if media_type == "text/html" else ()
    _check_residue((released, *read), gate, findings)
    return _decision(body, released, findings, media_type)


def _json(body: str, media_type: str, gate: _Gate) -> DlpDecision:
    """Scan names and values each for itself, a value with its name before it, and lists as wholes; and put the redacted ones back."""
    document, beyond = _in_scope(_parsed(body), gate)
    found = _leaves(document)
    cleaned = [msgspec.structs.replace(leaf, text=_without_active(leaf.text)) if "<" in leaf.text else leaf for leaf in found]
    listed = json_lists.lists(cleaned)
    called = _called_otherwise(cleaned)
    texts = [one.scanned for one in cleaned] + [one.scanned for one in called.values()] + [one.text for one in listed]
    scanned = iter(_scanned(texts, gate.scanner))
    first = list(islice(scanned, len(cleaned)))
    results = [(*_own(leaf, result), *_links(leaf.text, gate)) for leaf, result in zip(cleaned, first, strict=True)]
    for (position, leaf), result in zip(called.items(), islice(scanned, len(called)), strict=True):
        results[position] += tuple(one for one in _own(leaf, result) if one not in results[position])
    for position, one in _across(listed, tuple(scanned)):
        results[position] = (*results[position], one)
    findings = (*beyond, *(finding for result in results for finding in result))
    _check_blocked(findings)
    released = [
        _redacted(leaf.text, own, gate, _without_active) if own else leaf.text
        for leaf, own in zip(cleaned, results, strict=True)
    ]
    changed = {index: new for index, (new, old) in enumerate(zip(released, found, strict=True)) if new is not old.text}
    if not changed and not any(not one.action.passes for one in beyond):
        return _decision(body, body, findings, media_type)
    new_body = json_body.rewritten(document, changed.get)
    clean = {leaf.scanned for leaf, result, own in zip(cleaned, first, results, strict=True) if not result.findings and not own}
    again, known = _leaves(_parsed(new_body)), set(listed)
    read = (leaf.scanned for leaf in chain(again, _called_otherwise(again).values()))
    _check_residue([one for one in read if one not in clean], gate, findings)
    _check_lists([one for one in json_lists.lists(again) if one not in known], gate, findings)
    return _decision(body, new_body, findings, media_type)


def _in_scope(document: Any, gate: _Gate) -> tuple[Any, tuple[Finding, ...]]:
    """What of a document is within the caller's scope, and a finding for each time that something is not."""
    if not gate.shaped:
        return document, ()
    if gate.terms.closed:
        raise _BlockedError(RULE_SHAPE)
    who = gate.terms.asked
    principal = {"tenant": who.tenant, "user": who.user, "client": who.client}
    tried = [(shapes.shaped(document, shape, principal), shape) for shape in gate.terms.shapes]
    fit, shape = min(tried, key=lambda one: (one[0].blocked, sum(one[0].broken.values())))
    elsewhere = shapes.outside(fit.document, shape, gate.question.obligations, gate.question.salt)
    findings = (*_noted(fit.broken, Action.REDACT), *_noted({shapes.RULE_ASKED: elsewhere}, Action.FLAG))
    if fit.blocked:
        raise _BlockedError(RULE_SHAPE, findings)
    return fit.document, findings


def _noted(counts: Mapping[str, int], action: Action) -> tuple[Finding, ...]:
    return tuple(Finding(rule, 0, 0, Severity.MEDIUM, action, "") for rule, count in counts.items() for _ in range(count))


def _links(text: str, gate: _Gate) -> tuple[Finding, ...]:
    try:
        return links.elsewhere(text, gate.terms.links)
    except links.TooManyLinksError:
        raise _BlockedError(RULE_LINKS) from None


def _redacted(text: str, findings: Sequence[Finding], gate: _Gate, clean: Callable[[str], str]) -> str:
    """Replace what may not go out. Where that touched a tag, what was quoted may now be markup: the text is cleaned anew."""
    touched = False

    def instead(value: str, found: Sequence[Finding]) -> str:
        nonlocal touched
        new = replacing(gate.replacement)(value, found)
        touched = touched or not _MARKUP.isdisjoint(value) or not _MARKUP.isdisjoint(new) or not new
        return new

    replaced = redact(text, findings, instead)
    return clean(replaced) if touched else replaced


def replacing(replacement: Replacement) -> Replacement:
    """What is put in the place of findings of rules and links alike."""

    def instead(value: str, found: Sequence[Finding]) -> str:
        if all(one.rule in links.RULES for one in found):
            return links.defanged(found[0].rule, value)
        return replacement(value, found)

    return instead


def _called_otherwise(leaves: Sequence[json_body.Leaf]) -> dict[int, json_body.Leaf]:
    """By its position, each text that may be called something else, as it is then."""
    return {at: msgspec.structs.replace(leaf, lead=leaf.other) for at, leaf in enumerate(leaves) if leaf.other}


def _own(leaf: json_body.Leaf, result: ScanResult) -> tuple[Finding, ...]:
    """Return the findings in the value alone, with offsets in it: the lead is the member's name, which is a leaf of its own."""
    lead = len(leaf.lead)
    if not result.findings or not lead:
        return result.findings
    return tuple(replace(one, start=max(one.start - lead, 0), end=one.end - lead) for one in result.findings if one.end > lead)


def _scanned(texts: Sequence[str], scanner: Scans) -> tuple[ScanResult, ...]:
    """Scan, or block when the scan was refused, or answered about something else than what it was asked about."""
    results = scanner.scan_all(texts)
    if len(results) != len(texts):
        raise _BlockedError(Refusal.ENGINE.value)
    refusal = next((one.refusal for one in results if one.refusal is not None), None)
    if refusal is not None:
        raise _BlockedError(refusal.value)
    return results


def _check_blocked(findings: tuple[Finding, ...]) -> None:
    """Block when a rule says so."""
    decisive = strongest(findings)
    if decisive is not None and decisive.action is Action.BLOCK:
        raise _BlockedError(decisive.rule, findings)


def _check_residue(texts: Sequence[str], gate: _Gate, findings: tuple[Finding, ...]) -> None:
    """Look at what would go out and was not found clean in this very form. Anything still to be redacted means that redaction did not work."""
    for text, result in zip(texts, _scanned(texts, repeatable(gate.scanner)), strict=True):
        if any(not one.action.passes for one in (*result.findings, *_links(text, gate))):
            raise _BlockedError(RULE_RESIDUE, findings)


def _across(listed: Sequence[json_lists.Listed], results: Sequence[ScanResult]) -> Iterator[tuple[int, Finding]]:
    return chain.from_iterable(json_lists.across(one, result) for one, result in zip(listed, results, strict=True))


def _check_lists(listed: Sequence[json_lists.Listed], gate: _Gate, findings: tuple[Finding, ...]) -> None:
    """See `_check_residue`: the same for lists that are not as they were."""
    results = _scanned([one.text for one in listed], repeatable(gate.scanner))
    if any(not one.action.passes for _, one in _across(listed, results)):
        raise _BlockedError(RULE_RESIDUE, findings)


def _decision(before: str, after: str, findings: tuple[Finding, ...], media_type: str) -> DlpDecision:
    decisive = strongest(findings)
    content_type = f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type
    if decisive is not None and not decisive.action.passes:
        return DlpDecision(DlpOutcome.REDACT, decisive.rule, findings, after, content_type)
    if after != before:
        return DlpDecision(DlpOutcome.REDACT, RULE_MARKUP, findings, after, content_type)
    return DlpDecision(DlpOutcome.PASS, RULE_CLEAN if decisive is None else decisive.rule, findings, after, content_type)


def _without_active(text: str) -> str:
    return _cleaned(markup.clean_plain(text))


def _harmless(text: str) -> str:
    return _cleaned(markup.clean_html(text))


def _cleaned(text: str | None) -> str:
    if text is None:
        raise _BlockedError(RULE_MARKUP)
    return text


def _sound(body: str) -> str:
    """A lone surrogate cannot be written as UTF-8: such a text never came from bytes that were text."""
    try:
        body.encode()
    except UnicodeEncodeError as error:
        raise _BlockedError(RULE_MALFORMED) from error
    return body


def _parsed(body: str) -> Any:
    try:
        return json_body.parse(body)
    except MalformedError as error:
        raise _BlockedError(RULE_MALFORMED) from error


def _leaves(document: Any) -> list[json_body.Leaf]:
    try:
        return json_body.leaves(document)
    except MalformedError as error:
        raise _BlockedError(RULE_MALFORMED) from error
