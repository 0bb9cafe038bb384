"""Keys and signed notes: the reference implementation's published vector, the specification's rules, and points that are no keys."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate_schemas.errors import ConfigurationError, InvalidRequestError, ProofRefusedError
from lockgate_schemas.signing import (
    NoteSigner,
    VerifierKey,
    checked_public_key,
    open_note,
    public_key_of,
    strict_base64,
    verify_signature,
)
from lockgate_schemas.trust import STAMPING_ROLES, Trust, TrustedKey

# The vector that every implementation of the signed note publishes; Ed25519 is deterministic, so it fixes each byte.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_SEED = b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
PETER_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETER_LINE = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"

P = 2**255 - 19
SMALL_ORDER = {
    "order 1": (1).to_bytes(32, "little"),
    "order 2": (P - 1).to_bytes(32, "little"),
    "order 4": bytes(32),
    "order 4, the other sign": (1 << 255).to_bytes(32, "little"),
    "order 8": bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    "order 8, the other sign": bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85"),
    "order 8, the second": bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    "order 8, the second, the other sign": bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"),
}
NON_CANONICAL = {
    "0 as p": P.to_bytes(32, "little"),
    "0 as p, the other sign": (P + (1 << 255)).to_bytes(32, "little"),
    "1 as p + 1": (P + 1).to_bytes(32, "little"),
    "1, the other sign": (1 + (1 << 255)).to_bytes(32, "little"),
    "1 as p + 1, the other sign": (P + 1 + (1 << 255)).to_bytes(32, "little"),
    "minus 1, the other sign": (P - 1 + (1 << 255)).to_bytes(32, "little"),
    **{f"{n} as p + {n}": (P + n).to_bytes(32, "little") for n in range(2, 19)},
    "all ones": b"\xff" * 32,
}
OTHER = {
    "off the curve": (2).to_bytes(32, "little"),
    "empty": b"",
    "31 bytes": bytes(31),
    "33 bytes": bytes(33),
    "a key with a byte more": public_key_of(bytes(32)) + b"\x00",
}
BAD_POINTS = SMALL_ORDER | NON_CANONICAL | OTHER


@pytest.mark.parametrize("raw", BAD_POINTS.values(), ids=BAD_POINTS.keys())
def test_a_point_that_is_no_key_is_not_enrolled_and_verifies_nothing(raw: bytes) -> None:
    with pytest.raises(InvalidRequestError):
        checked_public_key(raw)
    # R = identity and S = 0 satisfies the equation for a key of order 1 over any message; the like for the others.
    for point in (*SMALL_ORDER.values(), bytes(32)):
        assert not any(verify_signature(raw, bytes([n]), point + bytes(32)) for n in range(16))


def test_a_point_with_a_component_of_small_order_is_not_enrolled() -> None:
    # A proper key plus the point of order 2 is on the curve and not small; it would verify what the proper one signed, at times.
    mixed = _add_order_2(public_key_of(b"\x07" * 32))
    assert mixed != public_key_of(b"\x07" * 32)
    with pytest.raises(InvalidRequestError):
        checked_public_key(mixed)


def _add_order_2(raw: bytes) -> bytes:
    # (x, y) + (0, -1) = (-x, -y), so the encoding is -y with the flipped sign of -x.
    number = int.from_bytes(raw, "little")
    y, odd = number & ((1 << 255) - 1), number >> 255
    return ((P - y) | ((1 - odd) << 255)).to_bytes(32, "little")


def test_a_proper_key_is_enrolled() -> None:
    key = public_key_of(b"\x07" * 32)
    assert checked_public_key(key) == key


def test_what_cannot_be_checked_is_not_valid() -> None:
    signer = NoteSigner("a", bytes(32))
    good = signer.sign(b"m")
    key = signer.verifier.public_key
    assert verify_signature(key, b"m", good)
    for bad in (b"", good[:63], good + b"\x00", bytes(64)):
        assert not verify_signature(key, b"m", bad)
    assert not verify_signature(key, b"M", good)
    assert not verify_signature(key[:31], b"m", good)
    assert not verify_signature(b"", b"m", good)
    assert all(not verify_signature(key, b"m", good[:i] + bytes([good[i] ^ 1]) + good[i + 1 :]) for i in range(64))


def test_the_published_vector() -> None:
    signer = NoteSigner("PeterNeumann", PETER_SEED)
    assert str(signer.verifier) == PETER
    assert VerifierKey.parse(PETER) == signer.verifier
    assert signer.sign_note(PETER_TEXT) == f"{PETER_TEXT}\n{PETER_LINE}"
    assert open_note(f"{PETER_TEXT}\n{PETER_LINE}", [VerifierKey.parse(PETER)]) == (PETER_TEXT, (signer.verifier,))


def test_no_part_and_no_neighbour_of_a_verifier_key_is_one() -> None:
    for start in range(len(PETER)):
        for end in range(start, len(PETER) + 1):
            if (start, end) != (0, len(PETER)):
                with pytest.raises(ConfigurationError):
                    VerifierKey.parse(PETER[start:end])
    for place in range(len(PETER)):
        for other in (chr(ord(PETER[place]) + 1), "\N{LATIN SMALL LETTER E WITH ACUTE}", "\ud800", "\x00", "="):
            with pytest.raises(ConfigurationError):
                VerifierKey.parse(PETER[:place] + other + PETER[place + 1 :])


@pytest.mark.parametrize("point", SMALL_ORDER.values(), ids=SMALL_ORDER.keys())
def test_a_verifier_key_of_small_order_is_not_trusted(point: bytes) -> None:
    with pytest.raises(ConfigurationError):
        VerifierKey.parse(str(VerifierKey("name", point)))


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\n", "a\u00a0b", "a\u2003", "a\x00", "a\x1b[31m", "\ud800"])
def test_a_name_that_cannot_stand_in_a_note(name: str) -> None:
    with pytest.raises(ConfigurationError):
        NoteSigner(name, bytes(32))


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_a_seed_has_32_bytes(size: int) -> None:
    with pytest.raises(ConfigurationError):
        NoteSigner("a", bytes(size))


def test_a_seed_is_never_shown() -> None:
    signer = NoteSigner("a", b"\x42" * 32)
    assert "42" not in repr(signer)
    assert "B" * 4 not in repr(signer)


@pytest.mark.parametrize("text", ["", "no newline", "a\x00b\n", "a\tb\n", "a\r\n"])
def test_what_is_no_text_of_a_note_is_not_signed(text: str) -> None:
    with pytest.raises(ValueError, match="newline"):
        NoteSigner("a", bytes(32)).sign_note(text)


# --- opening notes ----------------------------------------------------------------------------------------------------


def line(note: str) -> str:
    return note.rpartition("\n\n")[2]


def test_a_text_with_empty_lines_ends_at_the_last_one(signer_of: Any) -> None:
    signer = signer_of("a")
    for text in ("x\n", "\n", "x\n\ny\n", "\n\n\n", "— a AAAAAA==\n\nx\n", "\N{GRINNING FACE}\n"):
        assert open_note(signer.sign_note(text), [signer.verifier]) == (text, (signer.verifier,))


def test_unknown_keys_are_ignored_even_with_nonsense_signatures(signer_of: Any) -> None:
    known, unknown = signer_of("a"), signer_of("b")
    note = known.sign_note("t\n")
    nonsense = "— c " + b64encode(b"\x00" * 5000).decode() + "\n"
    for extra in (line(unknown.sign_note("t\n")), line(unknown.sign_note("other\n")), nonsense):
        assert open_note(note + extra, [known.verifier]) == ("t\n", (known.verifier,))
        assert open_note("t\n\n" + extra + line(note), [known.verifier])[1] == (known.verifier,)


def test_a_note_by_unknown_keys_alone_is_refused(signer_of: Any) -> None:
    note = signer_of("b").sign_note("t\n")
    for trusted in ([], [signer_of("a").verifier]):
        with pytest.raises(ProofRefusedError, match="no signature by a trusted key"):
            open_note(note, trusted)


def test_a_wrong_signature_by_a_known_key_refuses_the_whole_note(signer_of: Any) -> None:
    a, b = signer_of("a"), signer_of("b")
    note = a.sign_note("t\n") + line(b.sign_note("other\n"))
    assert open_note(note, [a.verifier])
    with pytest.raises(ProofRefusedError, match="does not verify"):
        open_note(note, [a.verifier, b.verifier])


def test_a_repeated_signature_counts_once(signer_of: Any) -> None:
    a = signer_of("a")
    note = a.sign_note("t\n")
    assert open_note(note + line(note), [a.verifier])[1] == (a.verifier,)


def test_the_name_is_bound_to_the_key(signer_of: Any) -> None:
    """Signing under another's name gives another key id, and the other's id gives a signature that does not verify."""
    victim, thief = signer_of("a"), signer_of("thief")
    posing = NoteSigner("a", thief.seed)
    with pytest.raises(ProofRefusedError, match="no signature by a trusted key"):
        open_note(posing.sign_note("t\n"), [victim.verifier])
    forged = b64encode(victim.verifier.key_id + thief.sign(b"t\n")).decode()
    with pytest.raises(ProofRefusedError, match="does not verify"):
        open_note(f"t\n\n— a {forged}\n", [victim.verifier])
    with pytest.raises(ProofRefusedError, match="no signature by a trusted key"):  # right id, wrong name
        open_note(f"t\n\n— b {forged}\n", [victim.verifier])


def test_a_signature_by_the_right_key_under_another_name_is_ignored(signer_of: Any) -> None:
    a = signer_of("a")
    blob = line(a.sign_note("t\n")).split(" ")[2]
    for name in ("A", "a.", "\N{CYRILLIC SMALL LETTER A}", "b"):
        with pytest.raises(ProofRefusedError):
            open_note(f"t\n\n— {name} {blob}", [a.verifier])


def test_sixteen_signatures_are_read_and_more_are_not(signer_of: Any) -> None:
    a = signer_of("a")
    others = "".join(line(signer_of(f"s{n}").sign_note("t\n")) for n in range(15))
    note = "t\n\n" + others + line(a.sign_note("t\n"))
    assert open_note(note, [a.verifier])[1] == (a.verifier,)
    with pytest.raises(ProofRefusedError, match="too many"):
        open_note(note + line(signer_of("z").sign_note("t\n")), [a.verifier])
    with pytest.raises(ProofRefusedError, match="too many"):
        open_note(a.sign_note("t\n") * 1 + line(a.sign_note("t\n")) * 100_000, [a.verifier])


BLOB = PETER_LINE.split(" ")[2].strip()
BROKEN = {
    "no signature": PETER_TEXT,
    "no signature behind the empty line": PETER_TEXT + "\n",
    "no empty line": PETER_TEXT + PETER_LINE,
    "no newline at the end": (PETER_TEXT + "\n" + PETER_LINE)[:-1],
    "an empty line at the end": PETER_TEXT + "\n" + PETER_LINE + "\n",
    "an en dash": PETER_TEXT + f"\n– PeterNeumann {BLOB}\n",  # noqa: RUF001 - the look-alike is what is tested
    "a hyphen": PETER_TEXT + f"\n- PeterNeumann {BLOB}\n",
    "no space": PETER_TEXT + f"\n—PeterNeumann {BLOB}\n",
    "two spaces": PETER_TEXT + f"\n— PeterNeumann  {BLOB}\n",
    "a space at the end": PETER_TEXT + f"\n— PeterNeumann {BLOB} \n",
    "a tab": PETER_TEXT + f"\n— PeterNeumann\t{BLOB}\n",
    "no name": PETER_TEXT + f"\n—  {BLOB}\n",
    "a plus in a name": PETER_TEXT + f"\n— Peter+Neumann {BLOB}\n{PETER_LINE}",
    "a wide space in a name": PETER_TEXT + f"\n— Peter\u2003Neumann {BLOB}\n{PETER_LINE}",
    "no base64": PETER_TEXT + "\n— PeterNeumann !!!\n",
    "base64url": PETER_TEXT + f"\n— PeterNeumann {BLOB.replace('/', '_')}\n",
    "no padding": PETER_TEXT + f"\n— PeterNeumann {BLOB.rstrip('=')}\n",
    "more padding": PETER_TEXT + f"\n— PeterNeumann {BLOB}=\n",
    "another spelling of the same bytes": PETER_TEXT + f"\n— PeterNeumann {BLOB[:-2]}N=\n",
    "a key id alone": PETER_TEXT + "\n— PeterNeumann x08gow==\n",
    "a key id alone in an unknown line": PETER_TEXT + f"\n— x AAAAAA==\n{PETER_LINE}",
    "a truncated signature": PETER_TEXT + f"\n— PeterNeumann {b64encode(b64decode(BLOB)[:-1]).decode()}\n",
    "a lengthened signature": PETER_TEXT + f"\n— PeterNeumann {b64encode(b64decode(BLOB) + b'0').decode()}\n",
    "CR LF": (PETER_TEXT + "\n" + PETER_LINE).replace("\n", "\r\n"),
    "a control character in an unknown line": PETER_TEXT + f"\n— x\x1b {BLOB}\n{PETER_LINE}",
    "half a surrogate pair": "\ud800" + PETER_TEXT + "\n" + PETER_LINE,
    "half a surrogate pair in an unknown line": PETER_TEXT + f"\n— \ud800 {BLOB}\n{PETER_LINE}",
    "a text in front": "x" + PETER_TEXT + "\n" + PETER_LINE,
    "a newline in front": "\n" + PETER_TEXT + "\n" + PETER_LINE,
    "a line less": PETER_TEXT.split("\n", 1)[1] + "\n" + PETER_LINE,
    "nothing": "",
    "newlines": "\n\n\n",
}


@pytest.mark.parametrize("note", BROKEN.values(), ids=BROKEN.keys())
def test_a_note_that_is_not_exactly_one_is_refused(note: str) -> None:
    with pytest.raises(ProofRefusedError):
        open_note(note, [VerifierKey.parse(PETER)])


def test_no_character_of_a_signed_note_can_change() -> None:
    note, trusted = f"{PETER_TEXT}\n{PETER_LINE}", [VerifierKey.parse(PETER)]
    for place in range(len(note)):
        for other in ("A", "\n", " ", "=", "\x00"):
            if other != note[place]:
                with pytest.raises(ProofRefusedError):
                    open_note(note[:place] + other + note[place + 1 :], trusted)


@given(st.text(alphabet="AQgx09+/-_= \né", max_size=12) | st.binary(max_size=40).map(lambda raw: b64encode(raw).decode()))
def test_base64_has_one_spelling(text: str) -> None:
    try:
        raw = strict_base64(text)
    except ValueError:
        return
    assert b64encode(raw).decode() == text


# --- the trust file ---------------------------------------------------------------------------------------------------


def test_a_trust_file_reads_back(gateway: Any) -> None:
    import msgspec  # noqa: PLC0415 - the one place that writes one

    trust = gateway.trust(authz=5)
    assert Trust.parse(msgspec.json.encode(trust)) == trust
    table = trust.verifiers()
    assert set(table) == set(map(str, STAMPING_ROLES))
    assert table["authz"] == ((gateway.signers["authz"].verifier, 5),)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"{}",
        b'{"gateway":"g"}',
        b'{"gateway":"g","keys":[],"extra":1}',
        b'{"gateway":"g","keys":[{"role":"authz"}]}',
        b'{"gateway":"g\xff","keys":[]}',
        b'{"gateway":"\\ud800","keys":[]}',
        b'{"gateway":"g","keys":' + b"[" * 100_000,
        b'{"gateway":"g","keys":[],"x":' + b"[" * 100_000,
    ],
)
def test_a_trust_file_that_is_none_is_refused(raw: bytes) -> None:
    with pytest.raises(ConfigurationError):
        Trust.parse(raw)


def test_a_key_speaks_for_the_role_it_is_named_for_alone(gateway: Any, other_gateway: Any) -> None:
    authz = str(gateway.signers["authz"].verifier)
    foreign = str(other_gateway.signers["dlp"].verifier)
    for entry in (TrustedKey("dlp", authz), TrustedKey("authz ", authz), TrustedKey("", authz), TrustedKey("dlp", foreign)):
        with pytest.raises(ConfigurationError):
            Trust(gateway.name, (entry,)).verifiers()


def test_one_key_with_two_ends_is_a_contradiction(gateway: Any) -> None:
    authz = str(gateway.signers["authz"].verifier)
    for ends in ((0, 5), (5, 0), (0, 0)):
        with pytest.raises(ConfigurationError, match="twice"):
            Trust(gateway.name, tuple(TrustedKey("authz", authz, end) for end in ends)).verifiers()


def test_an_empty_list_trusts_nobody(gateway: Any) -> None:
    assert Trust(gateway.name, ()).verifiers() == {}
