"""Customers and orders that do not exist, the same ones every time: made from a fixed seed when the agent starts.

Card numbers pass the Luhn check and social security numbers have a plausible form, because a scanner looks for just that; none of them is in the
source, and the persons, addresses and accounts are nobody's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Final

_FIRST: Final = (
    "Ada",
    "Bela",
    "Carmen",
    "Dag",
    "Edda",
    "Femi",
    "Greta",
    "Hugo",
    "Ines",
    "Jonas",
    "Kaya",
    "Lior",
    "Mira",
    "Nils",
)
_LAST: Final = ("Abendroth", "Birkeland", "Castellane", "Dunmore", "Eastholm", "Fjeldstad", "Grimwade", "Hollander", "Ironside")
_HOSTS: Final = ("northquay-mail.com", "harbourpost.net", "lantern-row.org")
_PLANS: Final = ("basic", "team", "enterprise")
_FIRST_DAY: Final = date(2025, 1, 1)
_BASE: Final = 10


@dataclass(frozen=True, slots=True)
class Customer:
    """One customer."""

    id: int
    name: str
    email: str
    ssn: str
    card: str
    plan: str


@dataclass(frozen=True, slots=True)
class Purchase:
    """One order, in cents."""

    id: int
    customer: int
    day: str
    cents: int
    paid: bool


def luhn_digit(digits: str) -> str:
    """The check digit that makes ``digits`` a card number."""
    total = 0
    for position, character in enumerate(reversed(digits)):
        value = int(character) * (2 if position % 2 == 0 else 1)
        total += value - 9 if value >= _BASE else value
    return str(-total % _BASE)


def customers(number: int, seed: int = 7) -> list[Customer]:
    """``number`` customers."""
    chance = Random(seed)  # noqa: S311 - made-up people, the same every time
    return [_customer(chance, identifier) for identifier in range(1, number + 1)]


def purchases(number: int, customers_: int, seed: int = 11) -> list[Purchase]:
    """``number`` orders of the first ``customers_`` customers, over a year."""
    chance = Random(seed)  # noqa: S311 - made-up orders, the same every time
    return [
        Purchase(
            identifier,
            chance.randint(1, customers_),
            str(_FIRST_DAY + timedelta(days=chance.randrange(365))),
            chance.randint(990, 250_000),
            chance.random() > 0.15,  # noqa: PLR2004 - some customers pay late
        )
        for identifier in range(1, number + 1)
    ]


def _customer(chance: Random, identifier: int) -> Customer:
    first, last = chance.choice(_FIRST), chance.choice(_LAST)
    email = f"{first}.{last}{identifier}@{chance.choice(_HOSTS)}".lower()
    ssn = f"{chance.randint(101, 665)}-{chance.randint(11, 98)}-{chance.randint(1001, 9998)}"
    stem = chance.choice(("4", "52")) + "".join(str(chance.randrange(_BASE)) for _ in range(14))
    stem = stem[:15]
    return Customer(identifier, f"{first} {last}", email, ssn, stem + luhn_digit(stem), chance.choice(_PLANS))
