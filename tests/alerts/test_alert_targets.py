"""Where the gateway connects when it tells people something, and above all where it does not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from alert_receivers import resolving
from hypothesis import given
from hypothesis import strategies as st

from lockgate_workers.alerts.targets import DeliveryError, Target, addresses_of, is_loopback, is_reachable, parse_url

REFUSED_URLS = [
    "",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:25/",
    "HTTPS://example.com/",  # one spelling is enough
    "https:example.com",
    "https:///example.com",
    "https://",
    "https://user@example.com/",
    "https://user:password@example.com/",
    "https://example.com@127.0.0.1/",
    "https://example.com\\@127.0.0.1/",
    "https://example.com#@127.0.0.1/",
    "https://example.com/#fragment with space",
    "https://exam ple.com/",
    "https://example.com/a b",
    "https://example.com/\r\nHost: other",
    "https://example.com/\x00",
    "https://example.com./",
    "https://example..com/",
    "https://.example.com/",
    "https://-example.com/",
    "https://example_a.com/",
    "https://ex\u00e4mple.com/",
    "https://\u2460\u2461\u2466.0.0.1/",
    "https://example\u3002com/",
    "https://example.com:0/",
    "https://example.com:65536/",
    "https://example.com:99999999/",
    "https://example.com:/",
    "https://example.com:8a/",
    "https://2130706433/",  # 127.0.0.1 as one number
    "https://017700000001/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://127.1/",
    "https://127.0.1/",
    "https://127.0.0.01/",
    "https://127.0.0.1./",
    "https://1.2.3.4.5/",
    "https://256.256.256.256/",
    "https://example.0x10/",
    "https://example.123/",
    "https://[::1/",
    "https://::1/",
    "https://[fe80::1%25eth0]/",
    "https://[127.0.0.1]/",
    "https://[::1]extra/",
    "https://" + "a" * 64 + ".com/",
    "https://" + "a." * 130 + "com/",
]


@pytest.mark.parametrize("url", REFUSED_URLS)
def test_an_address_with_more_than_one_meaning_is_refused(url: str) -> None:
    with pytest.raises(DeliveryError) as raised:
        parse_url(url)
    assert raised.value.code == "url-refused"


@pytest.mark.parametrize(
    ("url", "target", "authority"),
    [
        ("https://example.com", Target(True, "example.com", 443), "example.com"),
        ("https://Hooks.Example.COM/a?b=c", Target(True, "hooks.example.com", 443, "/a?b=c"), "hooks.example.com"),
        ("https://example.com:8443/", Target(True, "example.com", 8443), "example.com:8443"),
        ("http://localhost:80/x", Target(False, "localhost", 80, "/x"), "localhost"),
        ("http://127.0.0.1:443/", Target(False, "127.0.0.1", 443), "127.0.0.1:443"),
        ("https://[2001:DB8:0::1]:444/", Target(True, "2001:db8::1", 444), "[2001:db8::1]:444"),
        ("https://[::ffff:1.2.3.4]/", Target(True, "::ffff:102:304", 443), "[::ffff:102:304]"),
        ("https://xn--bcher-kva.example/", Target(True, "xn--bcher-kva.example", 443), "xn--bcher-kva.example"),
        ("https://1password.example/", Target(True, "1password.example", 443), "1password.example"),
    ],
)
def test_an_address_with_one_meaning(url: str, target: Target, authority: str) -> None:
    assert parse_url(url) == target
    assert parse_url(url).authority == authority


@given(st.text(max_size=60))
def test_nothing_but_a_refusal_comes_of_any_text(text: str) -> None:
    try:
        target = parse_url("https://" + text)
    except DeliveryError:
        return
    assert target.path.startswith("/")
    assert target.authority.isascii()


PRIVATE = [
    "127.0.0.1",
    "127.9.9.9",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "::1",
    "fc00::1",
    "fdff::1",
]
NEVER = [
    "0.0.0.0",  # noqa: S104 - to be refused
    "0.1.2.3",
    "169.254.169.254",
    "100.100.100.200",
    "169.254.1.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "168.63.129.16",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:0:10.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::8.8.8.8",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "3fff::1",
    "5f00::1",
    "fe80::1",
    "fe80::1%eth0",
    "2606:4700:4700::1111%eth0",
    "fec0::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "ff02::1",
    "localhost",
    "",
    "127.1",
    "0x7f000001",
]
PUBLIC = ["8.8.8.8", "1.1.1.1", "172.15.255.255", "172.32.0.1", "100.128.0.1", "2606:4700:4700::1111", "64:ff9b::8.8.8.8"]


@pytest.mark.parametrize("address", [*PRIVATE, *NEVER])
def test_addresses_that_are_not_public_are_not_reached(address: str) -> None:
    assert not is_reachable(address, allow_private=False)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_reached(address: str) -> None:
    assert is_reachable(address, allow_private=False)
    assert is_reachable(address, allow_private=True)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_ones_are_reached_when_the_operator_says_so(address: str) -> None:
    assert is_reachable(address, allow_private=True)
    assert is_loopback(address) == (address.startswith("127.") or address == "::1")


@pytest.mark.parametrize("address", NEVER)
def test_the_rest_is_never_reached(address: str) -> None:
    assert not is_reachable(address, allow_private=True)


@given(st.ip_addresses(v=4))
def test_what_the_standard_library_calls_private_is_not_reached(address: object) -> None:
    if address.is_private or address.is_multicast or address.is_reserved or address.is_link_local:  # type: ignore[attr-defined]
        assert not is_reachable(str(address), allow_private=False)


async def found(url: str, *addresses: str, allow_private: bool = False) -> Sequence[str]:
    return await addresses_of(parse_url(url), resolving(*addresses)[1], allow_private=allow_private)


async def test_the_name_is_resolved_once_and_the_order_kept() -> None:
    asked, resolve = resolving("8.8.8.8", "2606:4700:4700::1111", "8.8.8.8")
    addresses = await addresses_of(parse_url("https://Example.com/"), resolve, allow_private=False)
    assert (asked, addresses) == (["example.com"], ("8.8.8.8", "2606:4700:4700::1111"))


async def test_a_literal_address_is_not_resolved_and_judged_the_same() -> None:
    asked, resolve = resolving("8.8.8.8")
    assert await addresses_of(parse_url("https://1.1.1.1/"), resolve, allow_private=False) == ("1.1.1.1",)
    for url in (
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://169.254.169.254/latest/meta-data/",
    ):
        with pytest.raises(DeliveryError, match="address-refused"):
            await addresses_of(parse_url(url), resolve, allow_private=False)
    assert asked == []


@pytest.mark.parametrize(
    "addresses",
    [("8.8.8.8", "127.0.0.1"), ("10.0.0.1", "8.8.8.8"), ("8.8.8.8", "::1"), ("8.8.8.8", "nonsense"), ("::ffff:10.0.0.1",)],
)
async def test_one_bad_address_among_good_ones_refuses_them_all(addresses: tuple[str, ...]) -> None:
    with pytest.raises(DeliveryError, match="address-refused"):
        await found("https://example.com/", *addresses)


async def test_a_name_without_an_address_or_with_too_many_is_not_reached() -> None:
    with pytest.raises(DeliveryError, match="unresolved"):
        await found("https://example.com/")
    with pytest.raises(DeliveryError, match="unresolved"):
        await found("https://example.com/", *(f"8.8.8.{n}" for n in range(17)))

    async def failing(_host: str, _port: int) -> Sequence[str]:
        raise OSError("no such name")

    with pytest.raises(DeliveryError, match="unresolved"):
        await addresses_of(parse_url("https://example.com/"), failing, allow_private=False)


async def test_without_tls_only_this_machine_is_reached_and_only_when_the_operator_says_so() -> None:
    assert await found("http://localhost/", "127.0.0.1", "::1", allow_private=True) == ("127.0.0.1", "::1")
    for addresses in (("10.0.0.1",), ("8.8.8.8",), ("127.0.0.1", "10.0.0.1")):
        with pytest.raises(DeliveryError, match="plain-refused"):
            await found("http://localhost/", *addresses, allow_private=True)
    with pytest.raises(DeliveryError, match="plain-refused"):
        await found("http://example.com/", "8.8.8.8")
    with pytest.raises(DeliveryError, match="address-refused"):
        await found("http://localhost/", "127.0.0.1")
