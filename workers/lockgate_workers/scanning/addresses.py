"""Which addresses of machines and which home folders tell something: not those that stand in every manual. Pure.

An address of documentation, or the one that every router is given, says nothing about anybody, and a folder that is called after a role or
a bare given name says nothing about a person. Where such a value counts all the same (in a sentence, but not in a quoted literal of a
program) is a matter of the rules: they use the validators whose names end in ``common`` or ``special`` for it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Final

_PRIVATE: Final = tuple(
    (int(one.netmask), int(one.network_address))
    for one in map(ipaddress.IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10"))
)
"""Mask and number of each network that is routed inside only. Numbers, as a long list of machines asks for each of them."""
# What routers, container engines and tutorials give to everybody. 169.254.169.254 and its neighbours are the clouds' own, the same for all.
_COMMON: Final = re.compile(
    r"10\.0\.[0-3]\.(?:[0-9]|1[0-9]|25[45])|10\.(\d)\.\1\.\1|10\.(?:10\.10\.\d{1,2}|1\.2\.3|11\.12\.13|20\.30\.40)|10\.96\.0\.1"
    r"|10\.(?:\d|10|20|50|100|200)\.0\.0|172\.(?:16|1[78]|31)\.0\.(?:[0-9]|1[0-9])|192\.168\.[0-2]\.(?:[0-9]|10|20|100|101|25[45])"
    r"|192\.168\.(?:10|50|56|64|99|100|122)\.(?:0|1|2|10|100)|169\.254\.(?:0\.[0-9]|1\.1|169\.25[34]|170\.(?:2|23))|100\.64\.0\.[01]|100\.100\.100\.200"
)
_COUNTED: Final = frozenset(
    "123.45.67.89 12.34.56.78 98.76.54.32 11.22.33.44 111.222.33.44 111.222.111.222 100.200.100.200 193.168.1.1 192.169.1.1".split()  # noqa: SIM905 - a list of so many reads worse
)
_EVERYBODY: Final = ".255"
_ENDS: Final = frozenset({"0", "255"})
"""What the last number of a machine's address is not: the network itself, and all of it."""
_SAME_FOR_ALL: Final = frozenset({"208.67.222.222", "208.67.220.220", "149.112.112.112", "168.63.129.16"})
"""Resolvers that everybody names, and the address under which every machine of Azure finds its platform."""
_PROTOCOLS: Final = ipaddress.IPv4Network("192.0.0.0/24")
_DISTINCT: Final = 3
"""Different numbers of an address: one or two of them again and again are typed by hand."""
_SHORTEST: Final = 10
_GROUP_LONG: Final = 4
_STEPS: Final = ({0}, {1}, {-1})
_SPECIAL_SIX: Final = tuple(
    ipaddress.IPv6Network(one)
    for one in (
        "::/8",
        "64:ff9b::/32",
        "100::/8",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "2620:4f:8000::/48",
        "fe80::/10",
        "fec0::/10",
    )
)
_ROLES: Final = frozenset(
    "user username users you me name ubuntu debian runner node app apps vscode public default shared path foo bar baz qux foobar barfoo spam eggs jdoe "  # noqa: SIM905 - a list of so many reads worse
    "johndoe janedoe someone somebody somewhere whoever anyone test tester testuser tests dev devel developer build builder buildbot builduser jenkins travis circleci "
    "vagrant docker podman pi admin administrator root linuxbrew runneradmin nobody guest demo example examples project projects workspace "
    "code src ftp dist www web site git svn cvs hg apache apt httpd nginx mysql postgres postgresql oracle hadoop spark airflow jovyan coder "
    "codespace gitpod sphinx docs data lib appveyor nodejs staging prod production deploy deployer ci cloud container conda anaconda miniconda mamba "
    "abc abcd xyz work worker home local mydir mydata myname myself username1 login account student students teacher author owner person operator "
    "service services server daemon ec2-user www-data cloud-user azureuser opc centos fedora rocky alpine arch gentoo core steam kali "
    "joeuser joebloggs jbloggs fredbloggs joeschmoe jsmith johnsmith janesmith john-doe john_doe john.doe jane-doe jane.doe tmp temp bin etc var opt usr software tools download downloads "
    "contoso acme springfield someuser some-user otheruser another theuser firstname lastname first.last all domain python perl ruby java".split(
        " "
    )
)
_GIVEN: Final = frozenset(
    "adam adele adrian al alan albert alex alexander alexis alice ali amy ana anders andrea andreas andrew andy angela anita ann anna anne anthony "  # noqa: SIM905 - a list of so many reads worse
    "anton antonio arnold arthur barbara bart beatrice becky ben benjamin bernard bert beth bill billy bob bobby boris brad brenda brian bruce "
    "bruno carl carla carlo carlos carol caroline cathy cecil charles charlie chris christian christine chuck claire clara claude claudia colin cory craig "
    "dan dana daniel danny dave david dean debbie dennis derek diana dick diego dieter dirk don donald dora doris doug duncan ed eddie edgar "
    "edward elena elias elise elizabeth ellen emil emily emma eric erik erin ernie ethan eugene eva eve evelyn fabian felix fernando fiona frank frankie "
    "franz fred freddy frederic frida fritz gabriel gary gavin george gerald gerard giampaolo gina giovanni glen gord gordon grace graham greg gregor gregory guido "
    "gunnar gustav guy hank hannah hans harold harry heather heidi heinz helen helena henri henrik henry herb herbert homer howard hugo ian ida igor ines "
    "inga ingo ingrid irene iris isaac isabel ivan jack jackie jacob jake james jamie jan jane janet janice jared jason jay jean jeff jeffrey jenny "
    "jens jeremie jeremy jerome jerry jesse jessica jill jim jimmy joan joanna joe joel joey johan john johnny jon jonas jonathan jordan jorge jose josef joseph "
    "josh joshua juan judy jules julia julian julie julien jürgen karen karin karl kate katie keith kelly ken kenneth kevin kim kirk klaus kurt kyle lance "
    "larry lars laura lauren laurent lea lee lena leo leon leonard lewis liam lily linda linus lisa liz lou louis luca lucas lucy luigi luis luke "
    "lynn mallory manuel marc marcel marco marcus maria marie mario marion mark markus martha martin marvin mary mat mats matt matthew max maxim maya mel "
    "mia michael michel miguel mike milan mitch mona monica monty morgan moritz nancy nat nate nathan neal ned neil nelson niall nick nicolas nicole nigel nikita "
    "nils nina noah noel nora norman olaf oleg olga oliver olivia omar oscar otto owen pablo pam pat patricia patrick paul paula pedro peggy penny pete peter phil "
    "philip philipp pierre rachel ralph ramon randy raul ray raymond rebecca rene rich richard rick ricky rob robert roberto robin rod roger roland roman ron ronald rosa "
    "rose ross roy rudolf rupert russ ruth ryan sally sam samantha samuel sandra sandy sara sarah sasha scott sean sebastian serge sergey sharon shawn sheila "
    "shirley sid silvia simon sofia sonia sophie stan stefan stefano stella stephan stephanie stephen steve steven stuart sue susan sven sybil ted teresa terry "
    "theo theresa thomas tim timothy tina tobias todd tom tommy tony tracy travis trent trevor trudy ursula uwe valerie vera veronica vic victor victoria vincent viktor "
    "vladimir wade wally walter wanda wayne wendy werner wilbur will william willy wolfgang yann yves yvonne zach zoe".split(
        " "
    )
)
_STAND_IN: Final = re.compile(
    r"(?:your|my|some|the|fake|test|user|example|runner|build|ci)(?:[_\-.]?(?:user|name|username|home|account|login|dir|folder|path|host|self))?[_\-.]?\d{0,3}"
)
_HOME: Final = re.compile(r"(?:/home/|/Users/|[A-Z]:\\{1,2}Users\\{1,2})([^/\\]+)[/\\]")
_SHORTEST_ACCOUNT: Final = 3
_ALLOCATION: Final = 16
"""Bits. A network of IPv6 that is given by so few of them is a part of the address plan, and nobody's."""
_OCTETS: Final = 4
_OCTET_DIGITS: Final = 3


def _v4(text: str) -> ipaddress.IPv4Address | None:
    try:
        return ipaddress.IPv4Address(text.partition("/")[0].partition(":")[0])
    except ValueError:
        return None


def _number(text: str) -> int | None:
    """An IPv4 address as a number; None where the parts are not four, not of 0 to 255, or have a nought before them."""
    number = 0
    parts = text.partition("/")[0].partition(":")[0].split(".")
    for part in parts:
        if not (part.isascii() and part.isdecimal() and len(part) <= _OCTET_DIGITS and (part[0] != "0" or part == "0")):
            return None
        number = number << 8 | int(part)
        if number & 0xFF != int(part):
            return None
    return number if len(parts) == _OCTETS else None


def is_private(text: str) -> bool:
    """An IPv4 address that is routed inside only, with a port or a prefix length after it or not. Not loopback, not documentation."""
    number = _number(text)
    return number is not None and any(number & mask == network for mask, network in _PRIVATE)


def is_common(text: str) -> bool:
    """A private address that stands in every manual: the first ones of the usual networks, with no port to tell of a service."""
    told = is_private(text) and not text.endswith(_EVERYBODY)
    return told and _COMMON.fullmatch(text.partition("/")[0]) is not None


def is_private_own(text: str) -> bool:
    """A private address that somebody has chosen: of a machine, or of a network with its length, but not the one that means all of a network."""
    return is_private(text) and not is_common(text) and not text.endswith(_EVERYBODY)


def is_public(text: str) -> bool:
    """An IPv4 address of a machine of the internet: too long for a version, not counted up, and not one that is the same for everybody."""
    address = _v4(text)
    if address is None or not address.is_global or address.is_multicast:
        return False
    parts = text.split(".")
    stands_in = text in _COUNTED or len(set(parts)) < _DISTINCT or address in _PROTOCOLS
    return len(text) >= _SHORTEST and text not in _SAME_FOR_ALL and not stands_in and parts[-1] not in _ENDS


def is_six(text: str) -> bool:
    """An IPv6 address or network, of some substance: not loopback, not nothing, and not a slice or a name of a program."""
    address, _, length = text.partition("/")
    try:
        parsed = ipaddress.IPv6Address(address)
    except ValueError:
        return False
    groups = [one for one in address.split(":") if one]
    long = any(len(one) >= _GROUP_LONG for one in groups)
    telling = long and (bool(length) or len(groups) > 1) and any(one.isdigit() for one in address)
    return bool(length) or (telling and not parsed.is_loopback and not parsed.is_unspecified)


def is_six_special(text: str) -> bool:
    """One of the IPv6 addresses that IANA keeps for documentation, translation, links and groups, which name no machine by themselves; not all addresses at once."""
    return is_six(text) and _is_special(text) and not text.endswith("/0")


def is_six_own(text: str) -> bool:
    """An IPv6 address of the internet, or the network of somebody there: no part of the address plan, and not typed by hand."""
    address, _, length = text.partition("/")
    planned = length.isdigit() and int(length) <= _ALLOCATION
    typed = all(map(_is_typed, re.findall(r"[^:]+", address)))
    return is_six(text) and not _is_special(text) and not planned and not typed


def _is_typed(group: str) -> bool:
    """One digit again and again, or four that count up or down: ``1111``, ``5678``, ``dcba``."""
    return len(group) == _GROUP_LONG and {int(two, 16) - int(one, 16) for one, two in pairwise(group)} in _STEPS


def _is_special(text: str) -> bool:
    parsed = ipaddress.IPv6Address(text.partition("/")[0])
    return parsed.is_multicast or parsed.is_private or any(parsed in network for network in _SPECIAL_SIX)


def is_home_of_person(path: str) -> bool:
    """A path below the home of somebody: not of a role, of a bare given name, or of a stand-in for either."""
    match = _HOME.match(path)
    if match is None:
        return False
    account = match[1].lower()
    known = account in _ROLES or account in _GIVEN or _STAND_IN.fullmatch(account) is not None
    return len(account) >= _SHORTEST_ACCOUNT and not known


ADDRESSES: Final[Mapping[str, Callable[[str], bool]]] = MappingProxyType(
    {
        "private-address": is_private_own,
        "private-address-common": is_common,
        "public-address": is_public,
        "address-six": is_six_own,
        "address-six-special": is_six_special,
        "home-of-person": is_home_of_person,
    }
)
