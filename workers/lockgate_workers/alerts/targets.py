"""To which addresses the gateway connects when it tells people something. Pure, but for asking the resolver that is passed in.

The threat is server-side request forgery: an address, or an answer of the name service, that leads to the cloud's metadata, to a neighbour or back to this machine.

1. An address is parsed here, once, and refused unless it has one meaning: no user part, no numbers that only some programs read as an IP address,
   no trailing dot, nothing outside of visible ASCII.
2. The name is resolved once. If any of its addresses is one that may not be reached, all are refused.
3. The caller connects to exactly what came out, under the name that was asked for; nothing resolves a second time (DNS rebinding).

The networks are those of the IANA special-purpose registries (IPv4 and IPv6, RFC 6890 and later entries), spelled out, because what a library calls global changes with
its release. IPv6 is the other way round: only global unicast (2000::/3, RFC 4291) is reached, less its special parts.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a name, for a port, as texts. Raises `OSError`."""

MOST_ADDRESSES: Final = 16

_URL: Final = re.compile(
    r"(https?)://([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?(/[!-~]{0,2000})?", re.ASCII
)
_LABEL: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_LAST_PORT: Final = 65_535
_PORTS: Final = {"https": 443, "http": 80}

_NEVER_4: Final = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",
            "169.254.0.0/16",  # link-local, and the metadata of most clouds
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.31.196.0/24",
            "192.52.193.0/24",
            "192.88.99.0/24",
            "192.175.48.0/24",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
            "100.100.100.200/32",  # a cloud's metadata, in the middle of a private network
            "168.63.129.16/32",  # a cloud's own services, on an address that looks public
        ),
    )
)
_PRIVATE_4: Final = tuple(map(IPv4Network, ("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
_GLOBAL_6: Final = IPv6Network("2000::/3")
_NEVER_6: Final = tuple(
    map(
        IPv6Network,
        ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20", "fd00:ec2::/32", "fd20:ce::/32"),
    )
)
_PRIVATE_6: Final = (IPv6Network("fc00::/7"), IPv6Network("::1/128"))
_TRANSLATED: Final = IPv6Network("64:ff9b::/96")
"""An IPv4 address, reached through a translator (RFC 6052): it is what it stands for."""


class DeliveryError(Exception):
    """Why something could not be told to a destination. ``code`` is kept and shown; ``final`` means that trying again is of no use."""

    def __init__(self, code: str, *, final: bool = False, wait: int = 0) -> None:
        """``wait`` is how many milliseconds the other side asked for."""
        self.code = code
        self.final = final
        self.wait = wait
        super().__init__(code)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes: made by `parse_url`, so its host has one meaning. ``host`` is without brackets."""

    secure: bool
    host: str
    port: int
    path: str = "/"

    @property
    def authority(self) -> str:
        """The ``Host`` header: the port only where it is not the usual one (RFC 9110, 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS["https" if self.secure else "http"] else f"{host}:{self.port}"


def parse_url(url: str) -> Target:
    """Read an address of ``https``, or of ``http``. Raises `DeliveryError`, which does not quote it: it may be a secret."""
    found = _URL.fullmatch(url)
    if found is None:
        raise DeliveryError("url-refused")
    scheme, host, port, path = found.groups()
    number = int(port) if port else _PORTS[scheme]
    if not 0 < number <= _LAST_PORT:
        raise DeliveryError("url-refused")
    return Target(scheme == "https", checked_host(host), number, path or "/")


def checked_host(host: str) -> str:
    """A name in lower case, or an IP address in its usual form. Raises `DeliveryError` for what could be either."""
    literal = host.startswith("[")
    plain = host[1:-1].lower() if literal else host.lower()
    labels = plain.split(".")
    if literal or _NUMBER.fullmatch(
        labels[-1]
    ):  # what ends in a number is an IPv4 address to a browser, in whatever notation (WHATWG URL, 3.5)
        try:
            address = ip_address(plain)
        except ValueError:
            raise DeliveryError("url-refused") from None
        if literal != (address.version == 6):  # noqa: PLR2004 - IPv6
            raise DeliveryError("url-refused")
        return str(address)
    if not all(map(_LABEL.fullmatch, labels)):
        raise DeliveryError("url-refused")
    return plain


def is_reachable(text: str, *, allow_private: bool) -> bool:
    """Whether the gateway connects to this IP address. ``allow_private`` adds private networks and this machine, and never anything else."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv4Address):
        return _is_reachable_4(address, allow_private=allow_private)
    if address.scope_id is not None:
        return False
    if address in _TRANSLATED:
        return _is_reachable_4(IPv4Address(address.packed[12:]), allow_private=False)
    if any(address in network for network in _NEVER_6):
        return False
    return address in _GLOBAL_6 or (allow_private and any(address in network for network in _PRIVATE_6))


def _is_reachable_4(address: IPv4Address, *, allow_private: bool) -> bool:
    if any(address in network for network in _NEVER_4):
        return False
    return allow_private or not any(address in network for network in _PRIVATE_4)


def is_loopback(text: str) -> bool:
    """Whether an address is this machine's own."""
    address = ip_address(text)
    return address in _PRIVATE_4[2] if isinstance(address, IPv4Address) else address == IPv6Address("::1")


async def addresses_of(target: Target, resolve: Resolver, *, allow_private: bool) -> tuple[str, ...]:
    """The addresses to connect to, in the resolver's order. Raises `DeliveryError`.

    Without TLS only this machine is reached, and only with ``allow_private``.
    """
    try:
        ip_address(target.host)
        found: Sequence[str] = (target.host,)
    except ValueError:
        try:
            found = await resolve(target.host, target.port)
        except OSError:
            raise DeliveryError("unresolved") from None
    if not found or len(found) > MOST_ADDRESSES:
        raise DeliveryError("unresolved")
    if not all(is_reachable(address, allow_private=allow_private) for address in found):
        raise DeliveryError("address-refused")
    if not target.secure and not all(map(is_loopback, found)):
        raise DeliveryError("plain-refused")
    return tuple(dict.fromkeys(found))
