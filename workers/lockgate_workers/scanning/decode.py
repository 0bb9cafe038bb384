"""Bounded decoding: what is encoded, cut up, turned round or rotated in a view, read as its writer meant it.

The gate looks for a sign of each kind of disguise in the same pass as for the rules; only what it saw a sign of is tried here.
Readers of encoded runs are in `runs`, joiners in `rejoin`, ciphers in `ciphers`; this module says which of them a view needs, and lays out
what they read as two views: one that says what the text says, and a weak one for what chance may have made. Each decoded piece stands
there with the words before it, as those tell what a value is. Escapes and look-alikes are the work of `normalise`. A text that
unfolds beyond its bounds is refused, not cut.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from types import MappingProxyType
from typing import Final

from lockgate_workers.scanning import ciphers, dumps, radix, rejoin, runs, variables
from lockgate_workers.scanning.anchors import heads
from lockgate_workers.scanning.packs import Rule
from lockgate_workers.scanning.places import Places
from lockgate_workers.scanning.view import DecodingLimitError, Mosaic, Part, Stretches, View

__all__ = ["DECODE_DEPTH", "Decoder", "DecodingLimitError", "decoded", "price_of", "signs_of"]

DECODE_DEPTH: Final = 3
_LEAST_ROOM: Final = 524_288
_MOST_GROWTH: Final = 4

_CHECKED: Final = frozenset({"iban", "jwt", "token-checksum"})
"""Validators that chance passes less than once in a few dozen times a shape that is rare already."""
_SPLIT_HEAD: Final = 4
# fmt: off
_ORDINARY: Final = frozenset([
    "API-", "api-", "api_", "app-", "arn:", "as-", "bedr", "cio", "dapi", "driv", "exa_", "gith", "host", "http", "ion_",
    "key", "key-", "key_", "lin_", "live", "mob-", "MRN", "ops_", "pat", "pat_", "post", "PRIV", "Priv", "psca", "pypi",
    "rel-", "rnd_", "ruby", "s3:/", "sdk-", "sec-", "secr", "serv", "ship", "sub-", "test", "test_", "verc",
])
# fmt: on
"""Heads so short begin ordinary words as well; of these more is asked for."""
_LONGER_HEAD: Final = 8
_WORD_LIKE: Final = re.compile(r"[A-Za-z]?[a-z]{3}")
"""Letters as a word begins with them. Three letters and a sign are the usual head of a token; the few that begin ordinary names are told above."""
_TOKEN_HEAD: Final = re.compile(r"(?=[A-Za-z0-9])[0-9_\-]*[A-Za-z]")
_MORE_HEADS: Final = ("eyJ",)
_READERS: Final[Mapping[str, tuple[runs.Reader, ...]]] = {
    **{name: (reader,) for name, reader in (*runs.READERS.items(), *radix.READERS.items())},
    "numbers": (radix.number_runs, runs.base64_runs),
    "pieces": (runs.base64_pieces,),
}
"""Readers by sign. One of its own would cost every text what is rare: turned round, base64 has none, nor has it in pieces."""
_LOOK: Final = 20
_SIGN: Final = 10
_PRICES: Final = MappingProxyType(
    {
        "base64": 50,
        "numbers": 50,
        "base32": 40,
        "hex": 40,
        "codes": 40,
        "pieces": 30,
        "turned words": 100,
    }
)
"""Measured on the costliest texts, in the units of `meter` for one character: what it takes to follow a sign up, those by name that take most."""


class Decoder:
    """Reads disguised text, for a set of rules. It keeps nothing of what it reads."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        found = _heads_of(rules)
        self.strong: Final = frozenset(rule.id for rule in rules if _is_strong(rule))
        self._cut_anywhere = Places(_split_heads(found))
        self._cut = Places(rf"\b(?:{_split_heads(found)})")
        self._changed = {name: Places(ciphers.changed_heads(found, change)) for name, change in ciphers.CHANGES.items()}
        self._shifted = ciphers.Shifted(found)
        self._names = tuple(signs_of(rules))

    def named(self, hits: Iterable[int]) -> frozenset[str]:
        """Return the names of the signs among the hits of a gate."""
        return frozenset(self._names[-1 - hit] for hit in hits if hit < 0)

    def decoded(self, view: View, fired: AbstractSet[str]) -> Iterator[View]:
        """Yield what can be read in ``view``, given the names of the signs that the gate saw in it.

        Raises:
            DecodingLimitError: it unfolds to more than a bound in proportion to its size.
        """
        text = view.text
        certain, doubtful = Mosaic(view), Mosaic(view)
        for reader in dict.fromkeys(reader for name in fired for reader in _READERS.get(name, ())):
            for part in reader(text):
                certain.add(part)
                _check(certain, text)
        if not view.weak:
            self._joined(text, fired, certain, doubtful)
        _check(certain, text)
        _check(doubtful, text)
        for found in (certain.view(), doubtful.view(weak=True)):
            if found is not None:
                yield found

    def _joined(self, text: str, fired: AbstractSet[str], certain: Mosaic, doubtful: Mosaic) -> None:
        rejoin.rejoin(text, fired, certain, doubtful)
        if {"assigned", "summed"} <= fired or "listed" in fired:
            variables.put_together(text, certain)
        if "dump" in fired:
            dumps.read_dumps(text, certain)
        if "pieces" in fired:
            rejoin.rejoin_pieces(text, self._cut_anywhere, doubtful)
        if "heads" in fired:
            rejoin.rejoin_heads(text, self._cut, doubtful)
        if "shifted" in fired or "cipher" in fired:
            self._shifted.read(text, certain, doubtful)
        if "digits" in fired:
            ciphers.read_digits(text, certain)
        for name, change in ciphers.CHANGES.items():
            if name in fired:
                ciphers.read_tokens(text, self._changed[name], change, doubtful)
            if f"{name} words" in fired:
                ciphers.read_passages(text, change, certain)


def price_of(fired: Iterable[str]) -> int:
    """What it costs to look for what is disguised, a character, given the names of the signs that the gate saw."""
    return _LOOK + sum(_PRICES.get(name, _SIGN) for name in fired)


def signs_of(rules: Sequence[Rule]) -> Mapping[str, str]:
    """Return what the gate looks for besides the rules: patterns by the name of the disguise that they are a sign of."""
    found = _heads_of(rules)
    changed = {name: ciphers.changed_heads(found, change) for name, change in ciphers.CHANGES.items()}
    telling = {f"{name} words": ciphers.words(change, telling=True) for name, change in ciphers.CHANGES.items()}
    heads_sign = {"dump": dumps.SIGN, "heads": rf"\b(?:{_split_heads(found)})"}
    return MappingProxyType(
        {
            **runs.SIGNS,
            **radix.SIGNS,
            **rejoin.SIGNS,
            **variables.SIGNS,
            **heads_sign,
            **changed,
            **telling,
            **ciphers.shifted_signs(found),
            "digits": ciphers.digited_words(),
        }
    )


def decoded(view: View) -> Iterator[View]:
    """Yield a view for each run of ``view`` in base64, base16 or base2, and each list of character codes, that is text, without a gate's word for it."""
    for reader in (runs.base64_runs, runs.hex_runs, runs.code_runs, runs.bit_runs):
        for part in reader(view.text):
            yield View(part.text, view, Stretches(partial(_alone, part)), view.weak, pieces=True)


def _alone(part: Part) -> tuple[Part, ...]:
    return (part,)


def _heads_of(rules: Iterable[Rule]) -> tuple[str, ...]:
    """The heads of all rules whose letters' case counts; where it does not, a head is a word."""
    found = {head for rule in rules if not rule.caseless for head in heads(rule.pattern) if _TOKEN_HEAD.match(head)}
    return tuple(sorted(found | set(_MORE_HEADS)))


def _is_strong(rule: Rule) -> bool:
    """Whether chance hardly makes what the rule finds: a head of its own, a check that few pass, or an address with its scheme."""
    if heads(rule.pattern) and not rule.caseless:
        return True
    return not _CHECKED.isdisjoint(rule.validators) or "://" in rule.pattern


def _split_heads(found: Iterable[str]) -> str:
    """Return a pattern for the first characters of heads: pieces of a cut-up token may be as short as that."""
    short = {head[: _SPLIT_HEAD if _is_telling(head[:_SPLIT_HEAD]) else _LONGER_HEAD] for head in found if "://" not in head}
    short = {head for head in short if len(head) == _LONGER_HEAD or _is_telling(head)}
    return "|".join(sorted(re.escape(head) for head in short))


def _is_telling(head: str) -> bool:
    """Whether so short a head is not how ordinary words begin."""
    return head not in _ORDINARY and (len(head) < _SPLIT_HEAD or _WORD_LIKE.fullmatch(head) is None)


def _check(mosaic: Mosaic, text: str) -> None:
    if mosaic.size > max(_LEAST_ROOM, _MOST_GROWTH * len(text)):
        raise DecodingLimitError
