"""NKeys: fresh user seeds, and the public key of a seed.

An NKey is an Ed25519 key in base32 with a type and a checksum; the server holds the public half alone and the client signs
the server's nonce. Nothing is stored here.
"""

from __future__ import annotations

import secrets

import nkeys

from lockgate_schemas.errors import ConfigurationError

SEED_BYTES = 32


def new_seed() -> str:
    """Make the seed of a new user."""
    seed: bytes = nkeys.encode_seed(secrets.token_bytes(SEED_BYTES), nkeys.PREFIX_BYTE_USER)
    return seed.decode()


def public_key(seed: str) -> str:
    """Return the public half of ``seed``; raise `ConfigurationError` if it is not a seed."""
    try:
        key: bytes = nkeys.from_seed(bytearray(seed.strip().encode())).public_key
    except (nkeys.NkeysError, ValueError):
        # Without the cause, which may hold the seed.
        raise ConfigurationError("the broker credential holds no usable seed") from None
    return key.decode()
