"""Receipts: keep them in a file, and verify one with nothing but the gateway's public keys.

A receipt proves how one request ended: who asked, what every gate decided, and the answer that was let out, byte for byte. Verifying needs no
network. It does not show that the receipt is in the audit log; that is another proof (`lockgate audit`).
"""

from __future__ import annotations

from pathlib import Path

from lockgate.clock import Clock, system_clock
from lockgate.results import Result
from lockgate_broker.private_files import write_private
from lockgate_schemas.envelope import digest_of
from lockgate_schemas.errors import ChainRefusedError, ConfigurationError
from lockgate_schemas.limits import Limits
from lockgate_schemas.passage import Receipt, encode, read_receipt
from lockgate_schemas.stamping import ChainVerifier
from lockgate_schemas.trust import Trust


def save_receipt(path: str | Path, receipt: Receipt) -> None:
    """Write a receipt, for its owner alone: it holds the answer."""
    write_private(Path(path), encode(receipt) + b"\n")


def load_receipt(path: str | Path) -> Receipt:
    """Read a receipt; it proves nothing until `verify_receipt` says so. Raises `ConfigurationError` or `MalformedError`."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None
    return read_receipt(content)


def verify_receipt(
    receipt: Receipt, trust: Trust, *, envelope: str | None = None, limits: Limits | None = None, clock: Clock = system_clock
) -> Result:
    """What ``receipt`` proves by the keys in ``trust``; with ``envelope``, the signed request, also that it is about this one.

    Raises `ChainRefusedError` (or its kin) when anything does not verify.
    """
    verifier = ChainVerifier(trust, clock_skew=(limits or Limits()).clock_skew)
    chain = verifier.verify_end(receipt.facts, receipt.stamps, receipt.response, now=clock())
    if envelope is not None and chain.facts.envelope != digest_of(envelope.encode()):
        raise ChainRefusedError("the receipt is about another envelope")
    return Result.of(receipt, chain)
