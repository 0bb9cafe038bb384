"""Whether a candidate secret is a stand-in: what documentation, templates and redacted text put where a secret would be.

Applied to a candidate only when its rule says so (``placeholder: skip``). Rules for values whose shape is proof enough leave it
off, for an allow-list is also a way out for who knows it.
"""

from __future__ import annotations

import re
from typing import Final

# Python's `re` is safe here: the candidate is short (a rule's span), and each alternative is linear.
_STAND_IN: Final = re.compile(
    r"\[redacted|redacted|x{4,}|\*{3,}|\.{3,}|_{4,}|change.?me|place.?holder|replace.?me|insert.?|your.?|dummy|example|sample"
    r"|my.?(?:secret|password|token|key)|todo|fixme|foo.?bar|not.?a.?(?:real|secret|password)|some.?(?:secret|password|token)"
    r"|00000000|11111111|12345678(?:9|$)|abcdefgh(?:ij|$)",
    re.IGNORECASE,
)
_REFERENCE: Final = re.compile(
    r"^(?:[<\[{$%(]|bearer\b|process\.env|os\.(?:environ|getenv)|env[.\[(]|getenv|System\.get|secrets?\.|vault[:.]|config\.|settings\."
    r"|self\.|this\.|params?\.|args?\.|options?\.|req(?:uest)?\.|data\.|\w+\(|#\{|@\w+@$)"
)
_WORDS: Final = frozenset(
    [
        "password",
        "passwd",
        "pwd",
        "pass",
        "secret",
        "token",
        "key",
        "apikey",
        "api_key",
        "none",
        "null",
        "nil",
        "true",
        "false",
        "undefined",
        "empty",
        "string",
        "str",
        "required",
        "optional",
        "username",
        "user",
        "admin",
        "test",
        "testing",
        "value",
        "default",
        "unknown",
        "hidden",
        "private",
        "public",
        "input",
        "field",
        "text",
        "type",
        "bytes",
        "hunter2",
    ]
)
_MIN_DISTINCT: Final = 4


def is_placeholder(value: str) -> bool:
    """Whether the value stands for a secret rather than being one."""
    stripped = value.strip("\"'` ,;")
    return (
        len(set(stripped)) < _MIN_DISTINCT
        or stripped.lower() in _WORDS
        or _STAND_IN.search(stripped) is not None
        or _REFERENCE.match(stripped) is not None
    )
