"""Checkpoints and offline inclusion proofs, as C2SP writes them: the one proof format of stamps and of the audit log.

A *checkpoint* (c2sp.org/tlog-checkpoint) is a signed note over origin, tree size and root hash. A *proof* (c2sp.org/tlog-proof) is
an index, the path to the root, and a checkpoint. Whoever holds the public key can check one with nothing else at hand.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Self

from lockgate_schemas.errors import ProofRefusedError
from lockgate_schemas.merkle import root_from_path
from lockgate_schemas.signing import NoteSigner, VerifierKey, open_note, strict_base64

_HEADER: Final = "c2sp.org/tlog-proof@v1\n"
_MAX_PATH: Final = 63
_HASH_BYTES: Final = 32


@lru_cache(maxsize=4096)  # the upper hashes of a batch are in every path; a refusal is never cached
def decode_hash(line: str) -> bytes:
    """The hash in one line of a proof or checkpoint. Raises `ProofRefusedError`."""
    try:
        raw = strict_base64(line)
    except ValueError:
        raise ProofRefusedError("a hash of the proof is not base64") from None
    if len(raw) != _HASH_BYTES:
        raise ProofRefusedError("a hash of the proof has not 32 bytes")
    return raw


def _decode_number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or (text != "0" and text.startswith("0")) or len(text) > 19:  # noqa: PLR2004 - 63 bits
        raise ProofRefusedError("a number of the proof is not a plain decimal")
    return int(text)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head: who says it (origin), how many leaves, which root."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The note text that is signed."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"

    def signed(self, signer: NoteSigner) -> str:
        """The checkpoint as a note signed by ``signer``."""
        return signer.sign_note(self.text)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a checkpoint's note text. Raises `ProofRefusedError`; extension lines are refused, because we never write one."""
        lines = text.split("\n")
        if len(lines) != 4 or not lines[0] or lines[3]:  # noqa: PLR2004 - three lines and the end
            raise ProofRefusedError("the checkpoint has not exactly three lines")
        return cls(lines[0], _decode_number(lines[1]), decode_hash(lines[2]))

    @classmethod
    def opened(cls, note: str, trusted: Iterable[VerifierKey]) -> tuple[Self, tuple[VerifierKey, ...]]:
        """Verify a signed checkpoint; return it with the trusted keys that signed it."""
        text, signers = open_note(note, trusted)
        return cls.parse(text), signers


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """That one leaf stands at ``index`` of the tree that ``checkpoint`` (a signed note) heads."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: str

    def __str__(self) -> str:
        return proof_text(self.index, self.path, self.checkpoint)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a proof. Raises `ProofRefusedError` on anything but the exact format; ``extra`` data is not used and refused."""
        index, path, checkpoint = split_proof(text)
        return cls(index, tuple(map(decode_hash, path)), checkpoint)

    def check(self, leaf: bytes, head: Checkpoint) -> None:
        """Raise `ProofRefusedError` unless ``leaf`` (a leaf hash) is included under ``head``, a checkpoint verified before."""
        if root_from_path(leaf, self.index, head.size, self.path) != head.root:
            raise ProofRefusedError("the leaf is not included in the checkpointed tree")


def split_proof(text: str) -> tuple[int, list[str], str]:
    """Index, path (in base64, not decoded) and checkpoint of a proof. Raises `ProofRefusedError`."""
    if not text.startswith(_HEADER):
        raise ProofRefusedError("the proof does not begin with its format line")
    head, found, checkpoint = text[len(_HEADER) :].partition("\n\n")
    first, *path = head.split("\n")
    if not found or not first.startswith("index ") or len(path) > _MAX_PATH:
        raise ProofRefusedError("the proof has not an index, a path and a checkpoint")
    return _decode_number(first[6:]), path, checkpoint


def proof_text(index: int, path: Sequence[bytes], checkpoint: str) -> str:
    """Write a proof in its text format."""
    hashes = "".join(f"{b64encode(node).decode()}\n" for node in path)
    return f"{_HEADER}index {index}\n{hashes}\n{checkpoint}"
