"""Where alerts go, as ``gateway.toml`` says it: closed types, read strictly, without a secret in them.

``secret`` always names a file in the gateway's home that its owner alone can read. What stands in it is read each time something is sent, so that
it can be replaced while the gateway runs.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from lockgate_ledger.alert_records import DAY, Retention

Days = Annotated[int, msgspec.Meta(ge=15, le=3_650)]
Name = Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=48)]
FileName = Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=128)]
Address = Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+$", max_length=254)]


class _Destination(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind"):
    """``allow_private`` lets it be on a private network or on this machine; ``ca`` names a file in the home with further roots to trust (PEM)."""

    name: Name
    allow_private: bool = False
    ca: FileName | None = None


class Webhook(_Destination, frozen=True, kw_only=True, tag="webhook"):
    """An address that takes signed JSON (Standard Webhooks). The secret's file holds ``whsec_…``, one a line: each signs, so that receivers can change over."""

    url: str
    secret: FileName


class Slack(_Destination, frozen=True, kw_only=True, tag="slack"):
    """An incoming webhook of Slack, or of what speaks like it. Its address is the secret, so the file holds it."""

    secret: FileName


class Email(_Destination, frozen=True, kw_only=True, tag="email"):
    """A server that takes mail. Without TLS (``none``) only one on this machine is spoken to; with a ``user`` the secret's file holds the password."""

    host: str
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    sender: Address = msgspec.field(name="from")
    to: Annotated[tuple[Address, ...], msgspec.Meta(min_length=1, max_length=50)]
    user: str = ""
    secret: FileName | None = None

    def __post_init__(self) -> None:
        """Refuse what could not log in."""
        if bool(self.user) != bool(self.secret):
            raise ValueError("a user needs the file of a secret, and the other way round")
        if self.user and self.security == "none":
            raise ValueError("no password is sent without TLS")


Destination = Webhook | Slack | Email


class AlertSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The part ``[alerts]`` of the settings. Without a destination alerts are recorded, and told to nobody.

    ``keep_days`` is for how long an alert is kept after somebody acknowledged it, ``keep_open_days`` for how long one that nobody did.
    """

    destinations: tuple[Destination, ...] = ()
    keep_days: Days = 90
    keep_open_days: Days = 365

    @property
    def retention(self) -> Retention:
        """The same for the ledger."""
        return Retention(self.keep_days * DAY, self.keep_open_days * DAY)

    def __post_init__(self) -> None:
        """Refuse two destinations of one name: an alert could not say which it is for. And what nobody has seen going first."""
        if self.keep_open_days < self.keep_days:
            raise ValueError("alerts that are open are kept for at least as long as others: keep_open_days is below keep_days")
        names = [destination.name for destination in self.destinations]
        if len(names) != len(set(names)):
            raise ValueError("two destinations have the same name")
