"""How long a client wants to wait, and what it wants to be shown: the ``Prefer`` header of RFC 7240, and the query parameters ``wait`` and ``deltas``. Pure."""

from __future__ import annotations

from urllib.parse import parse_qs

from lockgate_schemas.errors import InvalidRequestError

_MAX_DIGITS = 9


def preferred_wait(prefer: str, most: int) -> int:
    """The seconds of ``wait=N`` in a ``Prefer`` header, at most ``most``; 0 when there is none. What cannot be read is ignored (RFC 7240)."""
    for preference in prefer.split(","):
        name, _, value = preference.partition(";")[0].partition("=")
        if name.strip().lower() == "wait":
            digits = value.strip().strip('"')
            return min(int(digits), most) if _is_number(digits) else 0
    return 0


def queried_wait(query: bytes, most: int) -> int:
    """The seconds of ``?wait=N``, at most ``most``; 0 when there is none. Raises `InvalidRequestError` for anything else."""
    if not query:
        return 0
    try:
        parameters = parse_qs(query.decode("ascii"), strict_parsing=True, max_num_fields=8)
    except (ValueError, UnicodeDecodeError):
        raise InvalidRequestError("the query is malformed") from None
    values = parameters.get("wait", ["0"])
    if parameters.keys() - {"wait"} or len(values) != 1 or not _is_number(values[0]):
        raise InvalidRequestError("the query takes only wait, a number of seconds")
    return min(int(values[0]), most)


def queried_deltas(query: bytes) -> bool:
    """Whether ``?deltas=1`` asks for an answer while it is being written. Raises `InvalidRequestError` for another value; other parameters mean nothing."""
    try:
        values = parse_qs(query.decode("ascii"), keep_blank_values=True, max_num_fields=8).get("deltas", ["0"])
    except (ValueError, UnicodeDecodeError):
        raise InvalidRequestError("the query is malformed") from None
    if values not in (["0"], ["1"]):
        raise InvalidRequestError("deltas is 0 or 1")
    return values == ["1"]


def _is_number(text: str) -> bool:
    return 0 < len(text) <= _MAX_DIGITS and text.isascii() and text.isdecimal()
