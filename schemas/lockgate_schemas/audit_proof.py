"""Checking offline that an entry is in the audit log: with the entry's bytes, its proof and the pinned key, and with nothing else at hand.

It decides that the audit key signed a tree that contains exactly these bytes. What the entry says, and whether its tree is the newest, is for the caller.
"""

from __future__ import annotations

from lockgate_schemas.errors import ProofRefusedError
from lockgate_schemas.merkle import leaf_hash
from lockgate_schemas.proofs import Checkpoint, InclusionProof
from lockgate_schemas.signing import VerifierKey


def verify_proof(entry_raw: bytes, proof_text: str, key: VerifierKey) -> int:
    """Verify that ``entry_raw`` is an entry of the log that ``key`` signs; return its sequence number. Raises `ProofRefusedError`.

    1. The checkpoint is signed by ``key``.
    2. Its origin is the key's own name: a stage's batch of statements is signed under a longer one and is no audit log.
    3. The hash of these bytes leads to its root.
    """
    proof = InclusionProof.parse(proof_text)
    head, _ = Checkpoint.opened(proof.checkpoint, [key])
    if head.origin != key.name:
        raise ProofRefusedError("the checkpoint is not one of the audit log")
    proof.check(leaf_hash(entry_raw), head)
    return proof.index
