"""A judge behind HTTP: one JSON POST in, one number out, within a budget of time and of bytes.

The request is ``{"text": …}`` with a bearer token, the answer ``{"score": 0…1}`` and nothing else. Redirects are not followed, for they
would take the text and the token to a host that nobody named. Whatever goes wrong becomes an opinion without a score; neither the text nor
the answer is quoted anywhere.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Annotated, Final

import httpx
import msgspec

from lockgate_schemas.content import Judge as JudgePolicy
from lockgate_schemas.errors import ConfigurationError
from lockgate_workers.inspection.judge import Opinion

MOST_ANSWER: Final = 4_096
"""Bytes of an answer that are read; a longer one is no answer."""
_OK: Final = 200
_LAST_PORT: Final = 65_535
for _talkative in ("httpx", "httpcore"):  # they log whole addresses, and a judge's may hold a secret
    logging.getLogger(_talkative).setLevel(logging.WARNING)


class _Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    score: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]


class HttpJudge:
    """Asks one URL, over a connection of its own each time: nothing outlives the content policy that names it."""

    def __init__(self, url: str, token: str = "") -> None:
        """``token`` goes along as a bearer token, unless it is empty."""
        headers = {"content-type": "application/json", "accept-encoding": "identity"}
        self._headers = {**headers, "authorization": f"Bearer {token}"} if token else headers
        self._url = url
        self._verify = httpx.create_ssl_context()

    async def ask(self, texts: Sequence[str], budget: float) -> Opinion:
        """See `Judge.ask`. The budget covers connecting, sending and reading together."""
        try:
            async with asyncio.timeout(budget):
                return await self._asked(texts, budget)
        except TimeoutError:
            return Opinion(None, "late")
        except Exception:  # noqa: BLE001 - lets nothing through: whatever a name, a connection or a library stumbles over is no opinion
            return Opinion(None, "unreachable")

    async def _asked(self, texts: Sequence[str], budget: float) -> Opinion:
        body = msgspec.json.encode({"text": "\n".join(texts).encode("utf-8", "replace").decode()})
        async with (
            httpx.AsyncClient(verify=self._verify, follow_redirects=False, trust_env=False, timeout=budget) as client,
            client.stream("POST", self._url, content=body, headers=self._headers) as response,
        ):
            if response.status_code != _OK:
                return Opinion(None, "refused")
            answer = bytearray()
            async for piece in response.aiter_raw():  # nothing coded was asked for, so nothing is unpacked
                answer += piece
                if len(answer) > MOST_ANSWER:
                    return Opinion(None, "too long")
        try:
            return Opinion(msgspec.json.decode(bytes(answer), type=_Answer).score)
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            return Opinion(None, "malformed")


def http_judge(policy: JudgePolicy, secret: Callable[[str], bytes]) -> HttpJudge:
    """Build the judge that a content policy names. ``secret`` returns the bytes of a named file in the gateway's home.

    Raises:
        ConfigurationError: the URL is none for a judge, or the token cannot be used.
    """
    try:
        url = httpx.URL(policy.url)
        fits = url.scheme in {"http", "https"} and bool(url.host) and not url.userinfo and 0 < (url.port or 1) <= _LAST_PORT
    except (httpx.InvalidURL, UnicodeError):  # a name with letters that no domain name has
        raise ConfigurationError("content policy: the judge's url is none") from None
    if not fits:
        raise ConfigurationError(
            "content policy: the judge's url must be http or https, with a host and without credentials in it"
        )
    return HttpJudge(policy.url, _token(secret(policy.secret)) if policy.secret else "")


def _token(data: bytes) -> str:
    """Return a token that may stand in a header."""
    token = data.decode("ascii", "replace").strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigurationError("content policy: the judge's secret is no token")
    return token
