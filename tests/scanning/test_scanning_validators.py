"""Check digits and ranges, each with a number that holds and one that is off by a little."""

from __future__ import annotations

import base64

import pytest

from lockgate_workers.scanning.placeholders import is_placeholder
from lockgate_workers.scanning.validators import VALIDATORS, entropy


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("luhn", "4111 1111 1111 1111", "4111 1111 1111 1112"),
        ("luhn", "371449635398431", "0000000000000000"),
        ("iban", "GB29 NWBK 6016 1331 9268 19", "GB29 NWBK 6016 1331 9268 18"),
        ("iban", "de89370400440532013000", "DE8937040044053201300"),
        ("iban", "NO9386011117947", "ZZ9386011117947"),
        ("ssn", "536-22-8726", "000-22-8726"),
        ("ssn", "536228726", "666228726"),
        ("ssn", "536-22-8726", "936-22-8726"),
        ("ssn", "536-22-8726", "536-00-8726"),
        ("ssn", "536-22-8726", "078-05-1120"),
        ("ssn", "457-55-5463", "457-55-5462"),
        ("jwt", "eyJhbGciOiJIUzI1NiJ9.e30.x", "eyJmb28iOiJiYXIifQ.e30.x"),
        ("phone", "+33 6 19 26 28 54", "0010000010"),
        ("jwt", "eyJhbGciOiJIUzI1NiJ9.e30.x", "not-json.e30.x"),
        ("private-address", "10.1.2.3:8080", "11.1.2.3"),
        ("private-address", "172.31.40.0/24", "172.32.0.1"),
        ("private-address", "192.168.1.1:8080", "192.168.1.1"),
        ("private-address", "192.168.1.37", "192.169.1.37"),
        ("private-address", "100.64.7.1", "10.1.2.333"),
        ("private-address-common", "192.168.1.1", "192.168.1.37"),
        ("private-address-common", "10.0.0.0/8", "203.0.113.5"),
        ("public-address", "81.210.58.14", "81.210.58.255"),
        ("public-address", "81.210.58.14", "123.45.67.89"),
        ("private-address", "10.44.7.254", "10.44.7.255"),
        ("private-address-common", "192.168.1.254", "192.168.1.255"),
        ("public-address", "168.63.129.17", "168.63.129.16"),
        ("address-six", "2a01:4f8:2569:5849::7", "2001:db8::7"),
        ("address-six", "2a01:4f8::/32", "2000::/3"),
        ("address-six", "2a01:4f8:2569:5849::7", "4321::8765"),
        ("address-six-special", "2001:db8::7", "2a01:4f8:2569:5849::7"),
        ("address-six-special", "fe80::/10", "1:2"),
        ("home-of-person", "/home/aberg/x", "/home/ubuntu/x"),
        ("home-of-person", "C:\\Users\\annaberg\\x", "/home/anna/x"),
        ("home-of-person", "/Users/berg.anna/x", "/Users/your-name/x"),
        ("home-of-person", "/home/user42x/x", "/home/user42/x"),
        ("home-of-person", "/home/foobert/x", "/home/foobar/x"),
        ("mixed", "abc1", "abcd"),
        ("mixed", "abc!", "1234"),
        ("basic-credentials", base64.b64encode(b"anna:pass").decode(), base64.b64encode(b"annapass!").decode()),
        ("basic-credentials", base64.b64encode(b"anna:pass").decode(), "!!!"),
    ],
)
def test_validator(name: str, good: str, bad: str) -> None:
    assert VALIDATORS[name](good)
    assert not VALIDATORS[name](bad)


def test_entropy_in_bits_a_character() -> None:
    assert entropy("") == 0
    assert entropy("aaaa") == 0
    assert entropy("abcd") == pytest.approx(2)


@pytest.mark.parametrize(
    "value",
    [
        "changeme",
        "<YOUR_KEY>",
        "${DB_PASSWORD}",
        "process.env.X",
        "xxxxxxxxxxxx",
        "EXAMPLE-KEY-1",
        "[REDACTED:email]",
        "aaaaaaa",
        "your-token-1",
    ],
)
def test_stand_ins(value: str) -> None:
    assert is_placeholder(value)


@pytest.mark.parametrize("value", ["uvK7#pq2mW9z", "8d3f0a1b9c7e", "Tr4in-st0p-9"])
def test_real_values_are_no_stand_ins(value: str) -> None:
    assert not is_placeholder(value)
