"""What stands in the place of a finding: the operators of Presidio's anonymizer, by rule or by entity, as the content policy says.

``redact`` leaves nothing, ``replace`` puts a fixed text there: both are done here. ``mask`` shows the last characters, ``hash`` puts a SHA-256
there, ``encrypt`` what the holder of the key can read again (AES-CBC): these are Presidio's and need the extra ``ner``. Without an operator
it is the marker, as everywhere (`redact`). Where findings overlap that are to be treated differently, the marker
of the strongest stands: half of a thing may not be shown because another rule shows it.

A hash stands as ``[HASHED:…]`` and a ciphertext as ``[ENCRYPTED:…]``, so that no rule takes it for a secret, and people can tell
what it is. Nothing here reads keys; whether the outcome may go out is decided by the stage, which scans it once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from lockgate_schemas.content import Operator
from lockgate_schemas.errors import ConfigurationError
from lockgate_workers.dlp.presidio.entities import NAMED, RECOGNISED, entities_of, rule_of
from lockgate_workers.dlp.presidio.extra import needed
from lockgate_workers.scanning.findings import Finding
from lockgate_workers.scanning.packs import Rule
from lockgate_workers.scanning.redact import marker_of, redact

SALT_BYTES: Final = 16
"""The least length of a key for ``hash``; Presidio asks for as much."""
CIPHER_BYTES: Final = frozenset({16, 24, 32})
"""The lengths of a key for ``encrypt``: AES-128, AES-192 and AES-256."""
MASK: Final = "*"


@dataclass(frozen=True)
class Operation:
    """One entry of the policy, ready for use. ``apply`` takes the text that was found and returns what stands there instead."""

    finds: str
    apply: Callable[[str], str]


@dataclass(frozen=True)
class Operators:
    """What to do, by rule and by entity; for a rule that has both, the rule's own decides."""

    by_rule: Mapping[str, Operation] = field(default_factory=dict)

    def of(self, rule: str) -> Operation | None:
        """The operation for a finding of this rule, or None for the marker."""
        return self.by_rule.get(rule)

    def replaced(self, value: str, findings: Sequence[Finding]) -> str:
        """What stands in the place of ``value``, which is what overlapping findings found together: a `redact.Replacement`."""
        operation = self.of(findings[0].rule)
        if operation is None or any(self.of(one.rule) is not operation for one in findings):
            return marker_of(value, findings)
        return operation.apply(value)


PLAIN: Final = Operators()
"""The marker for everything."""


def prepared(policy: Iterable[Operator], keys: Mapping[str, bytes], rules: Iterable[Rule]) -> Operators:
    """Make a policy's operators ready. ``keys`` holds the bytes of each key that the policy names; ``rules`` are the scanner's.

    Raises:
        ConfigurationError: an operator needs the extra ``ner`` and it is not installed, a key is missing or of a wrong length, an
            operator has a setting that it does not have, or two are for the same.
    """
    by_name: dict[str, Operation] = {}
    for one in policy:
        if one.finds in by_name:
            raise ConfigurationError(f"content policy: two operators for {one.finds}")
        by_name[one.finds] = Operation(one.finds, _apply(one, keys))
    return Operators(_by_rule(by_name, entities_of(rules)))


def operated(text: str, findings: Iterable[Finding], operators: Operators = PLAIN) -> str:
    """Return the text with every span of a ``redact`` or ``block`` finding replaced as the operators say."""
    return redact(text, findings, operators.replaced)


def _by_rule(by_name: Mapping[str, Operation], entities: Mapping[str, str]) -> dict[str, Operation]:
    """An entity stands for every rule that finds it: the packs', what Presidio recognised, and what a language model named."""
    found = {rule: by_name[entity] for rule, entity in entities.items() if entity in by_name}
    for name, operation in by_name.items():
        found |= {rule_of(origin, name): operation for origin in (RECOGNISED, NAMED) if name.isupper()}
    return {**found, **{name: operation for name, operation in by_name.items() if not name.isupper()}}


def _apply(one: Operator, keys: Mapping[str, bytes]) -> Callable[[str], str]:
    _check_settings(one)
    if one.operator == "redact":
        return partial(_constant, "")
    if one.operator == "replace":
        return partial(_constant, one.replacement)
    library = needed("presidio_anonymizer.operators", f"the operator {one.operator} (for {one.finds})")
    if one.operator == "mask":
        return partial(_masked, library.Mask(), one.keep, one.replacement or MASK)
    key = _key(one, keys)
    if one.operator == "hash":
        return partial(_wrapped, "HASHED", library.Hash(), {"salt": key} if key else {})
    return partial(_wrapped, "ENCRYPTED", library.Encrypt(), {"key": key})


def _check_settings(one: Operator) -> None:
    where = f"content policy: operator {one.operator} for {one.finds}"
    if one.operator == "replace" and not one.replacement:
        raise ConfigurationError(f"{where} needs a replacement")
    if one.operator == "mask" and len(one.replacement) > 1:
        raise ConfigurationError(f"{where}: the replacement is one character, that of the mask")
    if one.replacement and one.operator not in {"replace", "mask"}:
        raise ConfigurationError(f"{where} takes no replacement")
    if one.keep and one.operator != "mask":
        raise ConfigurationError(f"{where} keeps nothing")
    if one.key and one.operator not in {"hash", "encrypt"}:
        raise ConfigurationError(f"{where} takes no key")


def _key(one: Operator, keys: Mapping[str, bytes]) -> bytes:
    """The key's bytes; none for a hash without a key, which then is salted at random each time."""
    where = f"content policy: operator {one.operator} for {one.finds}"
    if not one.key:
        if one.operator == "encrypt":
            raise ConfigurationError(f"{where} needs a key")
        return b""
    key = keys.get(one.key)
    if key is None:
        raise ConfigurationError(f"{where}: there is no key file {one.key}")
    if one.operator == "hash" and len(key) < SALT_BYTES:
        raise ConfigurationError(f"{where}: the key has at least {SALT_BYTES} bytes")
    if one.operator == "encrypt" and len(key) not in CIPHER_BYTES:
        raise ConfigurationError(f"{where}: the key has 16, 24 or 32 bytes")
    return key


def _constant(replacement: str, _value: str) -> str:
    return replacement


def _masked(operator: Any, keep: int, sign: str, value: str) -> str:
    """Show the last ``keep`` characters, but never so many that fewer than half are masked."""
    shown = keep if 2 * keep <= len(value) else 0
    masked: str = operator.operate(value, {"masking_char": sign, "chars_to_mask": len(value) - shown, "from_end": False})
    return masked


def _wrapped(kind: str, operator: Any, parameters: Mapping[str, Any], value: str) -> str:
    """A lone surrogate has no bytes to hash or encrypt: it counts as the replacement character."""
    sound = value.encode("utf-8", "replace").decode()
    return f"[{kind}:{operator.operate(sound, dict(parameters))}]"
