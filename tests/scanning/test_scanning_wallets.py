"""Addresses of crypto currencies: published ones hold, and one character more or less does not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate_workers.scanning.wallets import WALLETS

# The first block's reward, and the examples of BIP 173 and BIP 350; the others are the currencies' own documented addresses.
GOOD = {
    "base58check": (
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
        "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
        "LVg2kJoFNg45Nbpy53h7Fe1wKyeXVRhMH9",
        "DH5yaieqoZN36fDVciNyRueRGvGLR3mr7L",
        "TJRabPrwbZy45sbavfcjinPJC18kjpRTv8",
    ),
    "bech32": (
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
    ),
    "ethereum": ("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0x3e902167eba3e878f00ce9f5aee61ed0560be5fa"),
}


@pytest.mark.parametrize(("name", "address"), [(name, one) for name, addresses in GOOD.items() for one in addresses])
def test_published_addresses_hold(name: str, address: str) -> None:
    assert WALLETS[name](address)


@pytest.mark.parametrize(("name", "address"), [(name, one) for name in ("base58check", "bech32") for one in GOOD[name]])
def test_a_typing_error_shows(name: str, address: str) -> None:
    other = "q" if address[-1].lower() != "q" else "p"
    assert not WALLETS[name](address[:-1] + other)
    assert not WALLETS[name](address[:-1])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("bech32", "Bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"),
        ("bech32", "xy1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"),
        ("ethereum", "0x" + "0" * 40),
        ("ethereum", "0x4F1C9A0277E3B8D5566A90EE13C7F2048BD9A35E"),
        ("ethereum", "0x3e902167eba3e878f00ce9f5aee61ed0560be5f"),
        ("base58check", "MyVeryLongClassNameThatDoesNothing"),
        ("base58check", "z" * 10_000),
    ],
)
def test_what_only_looks_alike_is_refused(name: str, text: str) -> None:
    assert not WALLETS[name](text)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.text(max_size=80))
def test_no_check_raises(text: str) -> None:
    for check in WALLETS.values():
        assert check(text) in {True, False}
