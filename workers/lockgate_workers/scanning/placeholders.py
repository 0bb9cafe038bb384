"""Whether a candidate secret is a stand-in: what documentation, templates and redacted text put where a secret would be.

Applied to a candidate only when its rule says so (``placeholder: skip``). Rules for values whose shape is proof enough leave it
off, for an allow-list is also a way out for who knows it. A counted-up value (``1234567890abcdef``) is a stand-in only while it is
short: of long ones nobody can say whether they are somebody's key, and a redacted example costs little.
"""

from __future__ import annotations

import re
from typing import Any, Final

import re2

# With as many ways as this one has, RE2 takes a tenth of what `re` does (measured: 1.1 against 12 microseconds for a key of 50 characters).
_STAND_IN: Final[Any] = re2.compile(
    r"(?i)redacted|x{4,}|\*{3,}|\.{3,}|_{4,}|#{3,}|change.?(?:me|it|this)|place.?holder|replace.?(?:me|with|this)|insert.?|your.?|dummy|example|sample"
    r"|my.?(?:secret|password|token|key|pass)|my_[a-z]{1,16}_(?:secret|password|token|key|pass)|todo|fixme|foo.?bar|(?:not|isnt).?(?:a.?)?(?:real|secret|set|password)"
    r"|(?:some|super|very|top).?(?:secret|password|token)|(?:fake|mock|invalid|wrong).?(?:secret|password|token|key)|(?:secret|password|token|key).?(?:goes.?)?here\b"
    r"|^an?(?:%20|[ _\-+])(?:secret|password|token)$|^(?:[0-9]{9,10})?(?:abcdefghijklmnopqrstuvwxyz){2}(?:[0-9]{9,10})?[+/_\-=]{0,3}$"
)
# Python's `re` is safe for the others: the candidate is short (a rule's span), and each alternative is linear.
_COUNTED: Final = re.compile(r"12345678|23456789|98765432|abcdefgh|qwertyui|deadbeef", re.IGNORECASE)
_COUNTED_MOST: Final = 15
_REPEATED: Final = re.compile(r"(.)\1{7}")
_REPEATED_MOST: Final = 80
_REFERENCE: Final = re.compile(
    r"^(?:[<\[{(]|\$[\w.:\-]+$|\$[{(]|%[A-Za-z_]\w*%$|%[sdr]$|%\(|bearer\b|process\.env|os\.(?:environ|getenv)|env[.\[(:]|getenv|System\.get"
    r"|secrets?\.|vault[:.]|config\.|settings\.|self\.|this\.|params?\.|args?\.|options?\.|req(?:uest)?\.|data\.|\w+\(|#\{|@\w+@$"
    r"|\.\.?/|var\.|local\.|module\.|context\.|state\.|props\.|ctx\.|base64\.|hashlib\.|uuid\.|crypto\.|random\.|urllib\.)"
)
_WORDS: Final = frozenset(
    "password passwd pwd pass passphrase secret secrets token key apikey api_key none null nil true false undefined empty string str "  # noqa: SIM905 - a list of so many reads worse
    "required optional username user admin test testing value default unknown hidden private public input field text type bytes "
    "hunter2 password1 password123 passw0rd pass123 pass1234 test123 test1234 secret123 admin123 user123 abc123 123456 qwerty letmein "
    "basic bearer digest oauth oauth2 kerberos sha256 sha512 md5 base64 utf-8 utf8 plaintext encrypted bcrypt argon2 passwort kennwort wachtwoord contraseña contrasena senha parola hasło haslo heslo lösenord losenord motdepasse mot_de_passe tiger secure username1 s3cr3t".split(
        " "
    )
)
_PUBLISHED: Final = frozenset(
    "SplxlOBeZQQYbYS6WxSbIA 2YotnFZFEjr1zCsicMWpAA tGzv3JOkF0XG5Qx2TlKWIA 7Fjfp0ZBr1KtDRbnfVdmIw h480djs93hd8 dj83hs9s 274312:dj83hs9s 1336363200:dj83hs9s 9djdj82h48djs9d2 7d8f3e4a mF_9.B5f-4.1JqM "  # noqa: SIM905 - a list of so many reads worse
    "czZCaGRSa3F0MzpnWDFmQmF0M2JW A3ddj3w 45ghiukldjahdnhzdauz kkk9d7dh3k39sjv7 kkk9d7dh3k39d7dh3k39 nnch734d00sl2jdk pfkkdhi9sl3r4s00 kd94hf93k423kf44 hdhd0244k9j7ao03 dpf43f3p2l4k3l03 0685bd9184jfhq22 ad180jjd733klru7 4572616e48616d6d65724c61686176 dXNlcjpwYXNzd29yZA== dXNlcjpwYXNz QWxhZGRpbjpvcGVuIHNlc2FtZQ== QWxhZGRpbjpvcGVuc2VzYW1l YWxhZGRpbjpvcGVuc2VzYW1l 489dks293j39 hh5s93j4hdidpola hdhd0244k9j7ao03 j49sn39wkq wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==".split(
        " "
    )
)
"""The values of RFC 5849, 6749, 6750 and draft-ietf-oauth-v2-http-mac, of Amazon's manuals, and of the emulator of Azure's storage: everybody copies them into documentation."""
_MIN_DISTINCT: Final = 4


def is_placeholder(value: str) -> bool:
    """Whether the value stands for a secret rather than being one."""
    stripped = value.strip("\"'` ,;")
    return (
        len(set(stripped)) < _MIN_DISTINCT
        or stripped.lower() in _WORDS
        or stripped in _PUBLISHED
        or _STAND_IN.search(stripped.encode("utf-8", "replace")) is not None
        or _REFERENCE.match(stripped) is not None
        or (len(stripped) <= _COUNTED_MOST and _COUNTED.search(stripped) is not None)
        or (len(stripped) <= _REPEATED_MOST and _REPEATED.search(stripped) is not None)
    )
