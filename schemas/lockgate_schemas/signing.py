"""Ed25519 keys and the C2SP signed note, the one signature format for stamps, checkpoints and receipts.

A note is text, an empty line, and one line a signature: an em dash, the key's name, and base64 of a 4-byte key id with the
signature. The key id is bound to name and algorithm, so a key cannot be passed off under another name. A public key is written as
a *verifier key*: ``name+keyid+base64``. See c2sp.org/signed-note.

Ed25519 itself is libsodium's (through PyNaCl), which refuses small-order points and non-canonical encodings.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Self

from nacl.bindings import (
    crypto_core_ed25519_is_valid_point,
    crypto_sign_BYTES,
    crypto_sign_open,
    crypto_sign_PUBLICKEYBYTES,
    crypto_sign_seed_keypair,
    crypto_sign_SEEDBYTES,
)
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey as Ed25519Private

from lockgate_schemas.errors import ConfigurationError, InvalidRequestError, ProofRefusedError

_ALGORITHM: Final = b"\x01"  # Ed25519 in the signed-note registry
_MAX_SIGNATURES: Final = 16
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")
_KEY_NAME: Final = re.compile(r"[^\s+\x00-\x1f]+")


def strict_base64(text: str) -> bytes:
    """Standard base64 in the one canonical spelling: no second text stands for the same bytes. Raises `ValueError`."""
    raw = binascii.a2b_base64(text, strict_mode=True)
    if binascii.b2a_base64(raw, newline=False).decode() != text:
        raise ValueError("not canonical base64")
    return raw


def checked_public_key(raw: bytes) -> bytes:
    """Return ``raw`` if it is an Ed25519 public key fit to be enrolled; raise `InvalidRequestError` otherwise.

    Refused: a wrong length, a point off the curve or not canonically encoded, and any point outside the prime-order group, for which
    one signature could verify over several messages.
    """
    if len(raw) != crypto_sign_PUBLICKEYBYTES or not crypto_core_ed25519_is_valid_point(raw):
        raise InvalidRequestError("the public key is not a valid Ed25519 point of the prime-order group")
    return raw


def public_key_of(seed: bytes) -> bytes:
    """The public key that belongs to a 32-byte private seed."""
    return bytes(crypto_sign_seed_keypair(seed)[0])


def verify_signature(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether ``signature`` is the key's over ``message``. Never raises for bad input: what cannot be checked is not valid."""
    if len(signature) != crypto_sign_BYTES or len(public_key) != crypto_sign_PUBLICKEYBYTES:
        return False
    try:
        crypto_sign_open(signature + message, public_key)
    except (BadSignatureError, ValueError, TypeError):
        return False
    return True


def _key_id(name: str, public_key: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + _ALGORITHM + public_key).digest()[:4]


def _check_key_name(name: str) -> None:
    if not _KEY_NAME.fullmatch(name) or not _is_text(name):
        raise ConfigurationError("a key's name must be non-empty, without spaces, plus signs and control characters")


def _is_text(text: str) -> bool:
    # A str may hold half a surrogate pair, which is no text and cannot be signed or verified.
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with the name it signs under."""

    name: str
    public_key: bytes

    @property
    def key_id(self) -> bytes:
        """The 4 bytes that name this key in a signature line."""
        return _key_id(self.name, self.public_key)

    def __str__(self) -> str:
        material = b64encode(_ALGORITHM + self.public_key).decode()
        return f"{self.name}+{self.key_id.hex()}+{material}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``name+keyid+base64``. Raises `ConfigurationError` when any of the three does not fit the others."""
        name, _, rest = text.strip().partition("+")
        key_id, _, material = rest.partition("+")
        _check_key_name(name)
        try:
            raw = strict_base64(material)
        except ValueError:
            raise ConfigurationError("a verifier key is not base64") from None
        if raw[:1] != _ALGORITHM:
            raise ConfigurationError("a verifier key is not Ed25519")
        try:
            key = cls(name, checked_public_key(raw[1:]))
        except InvalidRequestError as error:
            raise ConfigurationError(error.detail) from None
        if key.key_id.hex() != key_id:
            raise ConfigurationError("a verifier key's id does not belong to its name and key")
        return key


@dataclass(frozen=True, slots=True)
class NoteSigner:
    """A private key and the name it signs under."""

    name: str
    seed: bytes = field(repr=False)
    _private: Ed25519Private = field(init=False, repr=False, compare=False)
    _key_id: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse a name that cannot stand in a note, and a seed of the wrong length, before anything is signed."""
        _check_key_name(self.name)
        if len(self.seed) != crypto_sign_SEEDBYTES:
            raise ConfigurationError("a private seed must have 32 bytes")
        object.__setattr__(self, "_private", Ed25519Private(self.seed))
        object.__setattr__(self, "_key_id", self.verifier.key_id)

    @property
    def verifier(self) -> VerifierKey:
        """The public half."""
        return VerifierKey(self.name, public_key_of(self.seed))

    def sign(self, message: bytes) -> bytes:
        """The bare 64-byte signature over ``message``."""
        return bytes(self._private.sign(message).signature)

    def sign_note(self, text: str) -> str:
        """The signed note over ``text``, which must end in a newline."""
        if not text.endswith("\n") or _CONTROL.search(text):
            raise ValueError("a note's text ends in a newline and holds no control characters")
        signature = b64encode(self._key_id + self.sign(text.encode())).decode()
        return f"{text}\n— {self.name} {signature}\n"


def open_note(note: str, trusted: Iterable[VerifierKey]) -> tuple[str, tuple[VerifierKey, ...]]:
    """Return the text of ``note`` and those of the ``trusted`` keys that signed it.

    As the specification asks: signatures by unknown keys are ignored, a wrong signature by a trusted key refuses the whole note, and
    a note without any trusted signature is refused. Raises `ProofRefusedError`.
    """
    split = note.rfind("\n\n")
    if split < 0 or not note.endswith("\n"):
        raise ProofRefusedError("the note has no signature block")
    if _CONTROL.search(note) or not _is_text(note):
        raise ProofRefusedError("the note is not text")
    text, lines = note[: split + 1], note[split + 2 : -1].split("\n")
    if len(lines) > _MAX_SIGNATURES:
        raise ProofRefusedError("the note has too many signatures")
    known = {(key.name, key.key_id): key for key in trusted}
    signers: list[VerifierKey] = []
    for line in lines:
        name, raw = _signature_line(line)
        key = known.get((name, raw[:4]))
        if key is None:
            continue
        if not verify_signature(key.public_key, text.encode(), raw[4:]):
            raise ProofRefusedError("a signature of the note does not verify")
        if key not in signers:
            signers.append(key)
    if not signers:
        raise ProofRefusedError("the note carries no signature by a trusted key")
    return text, tuple(signers)


def _signature_line(line: str) -> tuple[str, bytes]:
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != "—" or not _KEY_NAME.fullmatch(parts[1]):  # noqa: PLR2004 - dash, name, signature
        raise ProofRefusedError("a signature line of the note is malformed")
    try:
        raw = strict_base64(parts[2])
    except ValueError:
        raise ProofRefusedError("a signature of the note is not base64") from None
    if len(raw) <= 4:  # noqa: PLR2004 - the key id alone
        raise ProofRefusedError("a signature of the note is too short")
    return parts[1], raw
