"""Checkpoints and proofs: one text for each value, and no other text, size, path or origin is accepted."""

from __future__ import annotations

import binascii
from base64 import b64encode
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate_schemas.errors import ProofRefusedError
from lockgate_schemas.merkle import inclusion_path, leaf_hash, tree_levels
from lockgate_schemas.proofs import Checkpoint, InclusionProof, proof_text
from lockgate_schemas.signing import NoteSigner

SIGNER = NoteSigner("log.test/audit", bytes(32))
ROOT = sha256(b"root").digest()
HASH = b64encode(ROOT).decode()


def leaves(count: int) -> list[bytes]:
    return [leaf_hash(n.to_bytes(4, "big")) for n in range(count)]


@given(st.integers(1, 300), st.data())
def test_every_leaf_of_every_tree_is_proved_and_nothing_else_is(size: int, data: Any) -> None:
    hashes = leaves(size)
    levels = tree_levels(hashes)
    head = Checkpoint("o", size, levels[-1][0])
    index = data.draw(st.integers(0, size - 1))
    proof = InclusionProof(index, tuple(inclusion_path(levels, index)), "c")
    proof.check(hashes[index], head)
    assert InclusionProof.parse(str(proof)) == proof

    other = data.draw(st.integers(0, size - 1).filter(lambda n: n != index or size == 1))
    wrong = [
        (leaf_hash(b"other"), proof, head),
        (hashes[index], proof, Checkpoint("o", size, ROOT)),
        (hashes[index], InclusionProof(size, proof.path, "c"), head),
        (hashes[index], InclusionProof(index, (*proof.path, ROOT), "c"), head),
    ]
    if size > 1:
        wrong += [
            (hashes[other], proof, head),
            (hashes[index], InclusionProof(other, proof.path, "c"), head),
            (hashes[index], InclusionProof(index, proof.path[:-1], "c"), head),
            (hashes[index], InclusionProof(index, proof.path[1:], "c"), head),
            (hashes[index], InclusionProof(index, (*proof.path[:-1], ROOT), "c"), head),
        ]
    for leaf, forged, at in wrong:
        with pytest.raises(ProofRefusedError):
            forged.check(leaf, at)


def test_an_inner_node_is_not_a_leaf() -> None:
    hashes = leaves(4)
    levels = tree_levels(hashes)
    head = Checkpoint("o", 2, levels[-1][0])
    left, right = levels[1]
    InclusionProof(0, (right,), "c").check(left, head)  # as hashes they fit: it is the leaf's prefix that keeps data out
    with pytest.raises(ProofRefusedError):
        InclusionProof(0, (right,), "c").check(leaf_hash(hashes[0] + hashes[1]), head)


@given(st.text(alphabet="abc./-", min_size=1), st.integers(0, 2**63 - 1), st.binary(min_size=32, max_size=32))
def test_a_checkpoint_survives_the_round_trip(origin: str, size: int, root: bytes) -> None:
    checkpoint = Checkpoint(origin, size, root)
    assert Checkpoint.parse(checkpoint.text) == checkpoint
    opened, signers = Checkpoint.opened(checkpoint.signed(SIGNER), [SIGNER.verifier])
    assert (opened, signers) == (checkpoint, (SIGNER.verifier,))


CHECKPOINTS = {
    "empty": "",
    "no origin": f"\n1\n{HASH}\n",
    "no end of line": f"o\n1\n{HASH}",
    "two lines": "o\n1\n",
    "an extension line": f"o\n1\n{HASH}\nextension\n",
    "an empty extension line": f"o\n1\n{HASH}\n\n",
    "a leading zero": f"o\n01\n{HASH}\n",
    "two zeros": f"o\n00\n{HASH}\n",
    "a plus": f"o\n+1\n{HASH}\n",
    "a minus": f"o\n-1\n{HASH}\n",
    "a space": f"o\n 1\n{HASH}\n",
    "an underscore": f"o\n1_0\n{HASH}\n",
    "hexadecimal": f"o\n0x1\n{HASH}\n",
    "a fraction": f"o\n1.0\n{HASH}\n",
    "no number": f"o\n\n{HASH}\n",
    "digits of another script": f"o\n\N{ARABIC-INDIC DIGIT ONE}\n{HASH}\n",
    "a superscript": f"o\n\N{SUPERSCRIPT TWO}\n{HASH}\n",
    "20 digits": f"o\n{'9' * 20}\n{HASH}\n",
    "a million digits": f"o\n{'9' * 1_000_000}\n{HASH}\n",
    "a hash of 31 bytes": f"o\n1\n{b64encode(ROOT[:31]).decode()}\n",
    "a hash of 33 bytes": f"o\n1\n{b64encode(ROOT + b'0').decode()}\n",
    "no hash": "o\n1\n\n",
    "base64url": f"o\n1\n{'_' * 43}=\n",
    "no padding": f"o\n1\n{HASH[:-1]}\n",
    "a space behind the hash": f"o\n1\n{HASH} \n",
    "a hash spelled another way": f"o\n1\n{HASH[:-2]}{chr(ord(HASH[-2]) + 1)}=\n",
    "CR LF": f"o\r\n1\r\n{HASH}\r\n",
    "not ASCII": "o\n1\n" + "\N{LATIN SMALL LETTER E WITH ACUTE}" * 44 + "\n",
}


@pytest.mark.parametrize("text", CHECKPOINTS.values(), ids=CHECKPOINTS.keys())
def test_a_checkpoint_has_one_text(text: str) -> None:
    with pytest.raises(ProofRefusedError):
        Checkpoint.parse(text)


def test_the_other_spelling_above_means_the_same_bytes() -> None:
    other = HASH[:-2] + chr(ord(HASH[-2]) + 1) + "="
    assert binascii.a2b_base64(other) == ROOT


PROOF = f"c2sp.org/tlog-proof@v1\nindex 1\n{HASH}\n\no\n2\n{HASH}\n\n— o AAAA\n"
PROOFS = {
    "empty": "",
    "another version": PROOF.replace("@v1", "@v2"),
    "no format line": PROOF.split("\n", 1)[1],
    "a line in front": "\n" + PROOF,
    "extra data": PROOF.replace("index", "extra AAAA\nindex"),
    "no index": PROOF.replace("index 1\n", ""),
    "an index without a space": PROOF.replace("index 1", "index1"),
    "an index with two spaces": PROOF.replace("index 1", "index  1"),
    "a leading zero": PROOF.replace("index 1", "index 01"),
    "a negative index": PROOF.replace("index 1", "index -1"),
    "an index with a space behind it": PROOF.replace("index 1", "index 1 "),
    "an index of 20 digits": PROOF.replace("index 1", "index " + "1" * 20),
    "two indices": PROOF.replace("index 1", "index 1\nindex 1"),
    "upper case": PROOF.replace("index", "Index"),
    "a path that is not base64": PROOF.replace(HASH, "?" * 44, 1),
    "a path of short hashes": PROOF.replace(HASH, "AAAA", 1),
    "a hash spelled another way": PROOF.replace(HASH, HASH[:-2] + chr(ord(HASH[-2]) + 1) + "=", 1),
    "64 hashes": PROOF.replace(HASH, "\n".join([HASH] * 64), 1),
    "no checkpoint": PROOF.split("\n\n", 1)[0] + "\n",
    "CR LF": PROOF.replace("\n", "\r\n"),
}


@pytest.mark.parametrize("text", PROOFS.values(), ids=PROOFS.keys())
def test_a_proof_has_one_text(text: str) -> None:
    assert InclusionProof.parse(PROOF).index == 1
    with pytest.raises(ProofRefusedError):
        InclusionProof.parse(text)


def test_a_proof_in_a_tree_of_one_has_no_path() -> None:
    text = proof_text(0, (), "o\n1\nx\n")
    assert text == "c2sp.org/tlog-proof@v1\nindex 0\n\no\n1\nx\n"
    assert InclusionProof.parse(text) == InclusionProof(0, (), "o\n1\nx\n")


def test_a_checkpoint_is_never_read_from_a_note_nobody_trusted_signed(signer_of: Any) -> None:
    note = Checkpoint("o", 1, ROOT).signed(signer_of("somebody"))
    with pytest.raises(ProofRefusedError):
        Checkpoint.opened(note, [SIGNER.verifier])
    with pytest.raises(ProofRefusedError):
        Checkpoint.opened(note, [])


def test_a_trusted_signature_over_another_text_is_no_checkpoint() -> None:
    with pytest.raises(ProofRefusedError):
        Checkpoint.opened(SIGNER.sign_note("just a note\n"), [SIGNER.verifier])
