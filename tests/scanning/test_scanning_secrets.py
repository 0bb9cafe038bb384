"""Secrets: what tells a drawn value from a written one, which token carries its own proof, and how far a finding reaches."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate_workers.scanning.checksums import checksum62
from lockgate_workers.scanning.engine import Scanner
from lockgate_workers.scanning.placeholders import is_placeholder
from lockgate_workers.scanning.randomness import generated, secret_like
from lockgate_workers.scanning.validators import VALIDATORS

BODY = "Kx7mQ2vR9tLw4Np8sBz3Yc6HdFgJ5A"
HEX40 = "9f2c4e7a1b3d5f60718293a4b5c6d7e8f9012a3b"
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
PEM_LINES = [
    "zMBgJI3W9qLDYFY69rN/xnL68wg5B1xv62ChNo4eTLlppGmNlLfX6YleXLYK2pTj",
    "aJ5DxXUVXDWTZgA05CHuojS/R1WlO2o30rxV4azc+Yr7IcR89i4wNGHUNQFmhhBF",
    "Qk3nV8yTzL0pWm5sRj7hXc2bGd9fKa4eNu6iOo1tYq+PvZxCwEr/BlSgDhFkMjUH",
]


def spans(scanner: Scanner, text: str) -> list[tuple[str, str]]:
    return [(one.rule, text[one.start : one.end]) for one in scanner.scan(text).findings if not one.action.passes]


@pytest.mark.parametrize(
    "value",
    [
        "5eb4223e-5008-46e5-be67-c7b8f2732305",
        HEX40,
        "laZWcGwgCOA9w4ghnZwa9CnTVPWygNMK",
        "b_ByDfulghxvvmHbArJSFfQhxemJPQHOwplxuydlKEEbfe",
        "77yg7tx91p4lag",
        "20479158362094715836",
        "abcdefghijklmnopqrstuvwxyzab",
    ],
)
def test_drawn_values(value: str) -> None:
    assert generated(value)


@pytest.mark.parametrize(
    "value",
    [
        "get_next_page_token",
        "aws_access_key_id_2",
        "ed25519.Ed25519PublicKey.from_public_bytes",
        "v1.2.3-beta.1",
        "2024-01-01",
        "application/x-www-form-urlencoded",
        "SecretKeyFactory2",
        "AbstractTokenProvider1",
        "CVE-2031-40123",
        "GHSA-x2p4-9fgh-w7rc",
        "RHSA-2031:4012",
        "H300-SXM7-80GB",
        "1234567",
        "17000000000",
        "",
    ],
)
def test_written_values(value: str) -> None:
    assert not generated(value)


@given(st.text(alphabet=BASE62, min_size=32, max_size=64))
def test_a_long_draw_from_the_whole_alphabet_is_hardly_ever_taken_for_words(value: str) -> None:
    if len(set(value)) > 24 and any(one.isdigit() for one in value):
        assert generated(value)


@given(st.text())
def test_any_text_can_be_judged(value: str) -> None:
    assert generated(value) in {True, False}
    assert is_placeholder(value) in {True, False}


def test_a_chosen_password_is_like_a_secret_though_it_has_words() -> None:
    assert not generated("Summer2024!")
    assert secret_like("Summer2024!")
    assert not secret_like("summer-house")


def test_a_line_of_binary_data_is_told_from_hexadecimal_and_paths() -> None:
    wrapped = VALIDATORS["wrapped-base64"]
    assert wrapped(PEM_LINES[0])
    assert not wrapped(HEX40 + "0" * 24)
    assert not wrapped("usr/local/lib/python3/site/packages/Package/Module/sub/test/Data")
    assert not wrapped("hannaberg/Sp4ringmodel/smallTalker/testing9/DialogueB/SummaryMod")


@pytest.mark.parametrize(("prefix", "rule"), [("ghp_", "github-token"), ("ghs_", "github-token"), ("npm_", "npm-token")])
def test_a_token_with_its_checksum_is_certain_and_another_is_found_all_the_same(
    prefix: str, rule: str, dlp_scanner: Scanner
) -> None:
    right = prefix + BODY + checksum62(BODY)
    wrong = right[:-1] + ("a" if right[-1] != "a" else "b")
    assert [(one, value) for one, value in spans(dlp_scanner, f"it is {right} now")] == [(f"{rule}-verified", right)]
    assert spans(dlp_scanner, f"it is {wrong} now") == [(rule, wrong)]


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f'var freshToken string = "{HEX40}"', HEX40),
        (f"adobeKey = {HEX40[:32]}", HEX40[:32]),
        (f"restpack foo SECRET bar {HEX40}", HEX40),
        (f"curl --header  'Authorization:  {HEX40}'", HEX40),
        ("sshpass -p Tq9!fRs2x ssh root@db1", "Tq9!fRs2x"),
        ("CREATE USER 'a'@'%' IDENTIFIED BY 'Tq9!fRs2x'", "Tq9!fRs2x"),
        ("Das Passwort lautet Tq9!fRs2x", "Tq9!fRs2x"),
        ("mot de passe : Tq9!fRs2x", "Tq9!fRs2x"),
        ("la contrase\u00f1a es Tq9!fRs2x", "Tq9!fRs2x"),
        ("\u043f\u0430\u0440\u043e\u043b\u044c: Tq9!fRs2x", "Tq9!fRs2x"),
        ("\u5bc6\u7801\uff1aTq9!fRs2x", "Tq9!fRs2x"),
        ("\ube44\ubc00\ubc88\ud638: Tq9!fRs2x", "Tq9!fRs2x"),
        ('<add key="SmtpPassword" value="Tq9!fRs2x"/>', "Tq9!fRs2x"),
        ('PASSWORD = os.environ.get("PASSWORD") or "Tq9!fRs2x"', "Tq9!fRs2x"),
        ("DB_PASSWORD=%@Tq9!fRs2x", "%@Tq9!fRs2x"),
    ],
)
def test_a_finding_covers_the_secret_and_leaves_its_name(text: str, secret: str, dlp_scanner: Scanner) -> None:
    found = spans(dlp_scanner, text)
    assert secret in {value for _, value in found}


def test_a_private_key_is_covered_to_its_last_line(dlp_scanner: Scanner) -> None:
    key = "-----BEGIN PRIVATE " + "KEY-----\n" + "\n".join(PEM_LINES) + "\n-----END PRIVATE KEY-----"
    assert ("private-key", key) in spans(dlp_scanner, f"Here it is:\n{key}\nKeep it.")


def test_a_lone_line_of_a_key_is_found_and_the_same_line_of_a_certificate_is_not(dlp_scanner: Scanner) -> None:
    line = PEM_LINES[0]
    assert spans(dlp_scanner, f"#6 0.245 {line}") == [("private-key-line", line)]
    body = "\n".join(PEM_LINES * 4)
    assert spans(dlp_scanner, f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----") == []


@pytest.mark.parametrize(
    "text",
    [
        "I used the key SWYgeW91IG5lZWQgbW9yZSBkZXRhaWwsIGFzayBtZSBmb3IgdGhl for this",
        "publishable key pk_live_1pRou9D5OPAnmrUfDyecCSSX",
        '"token": "postgres://user:password@localhost:5432/mydb"',
        "PASSWD_MAX = nacl.bindings.crypto_pwhash_scryptsalsa208sha256_PASSWD_MAX",
        "return GroupBy(self, flat_keys, drop_null_keys=drop_null_keys)",
        "len(public_key_bytes) != crypto_sign_PUBLICKEYBYTES: # v2",
        'engine = create_engine("postgresql+psycopg2://scott:tiger@localhost/test")',
        "login_and_password = b64decode(line)",
        "the xoxo-indieweb-1 badge",
        "AKIAXXXXXXXXXXXXXXXX",
        '"integrity": "sha512-ZSN1CYc5bFgnlaf0WxvnHJNMmom3FJQVGQECdDdHtmAukrcDHRf6KgPRScA1fCoDYP25kfvwcKqMbs6WbGR+UQ=="',
    ],
)
def test_what_only_looks_like_a_secret_is_left_alone(text: str, dlp_scanner: Scanner) -> None:
    assert spans(dlp_scanner, text) == []


@pytest.mark.parametrize(
    ("value", "is_one"),
    [
        ("$DB_PASSWORD", True),
        ("%DB_PASSWORD%", True),
        ("base64.b64encode", True),
        ("12345678", True),
        ("aaaaaaaabbbb1", True),
        ("1234567890abcdef1234567890abcdef", False),
        ("%@ICkvFZIfGANPR2", False),
        ("$ecret!Pa55", False),
    ],
)
def test_a_sign_at_the_front_makes_no_reference_and_counting_makes_no_stand_in_for_ever(value: str, *, is_one: bool) -> None:
    assert is_placeholder(value) is is_one


def test_a_lone_surrogate_in_a_candidate_is_looked_at_like_any_character():
    assert not is_placeholder("\ud800q7Gv")
    assert is_placeholder("\ud800your-key")
