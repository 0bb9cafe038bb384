"""The operator's door, as the command line sees it: JSON over loopback, with the token from the home folder."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec

from lockgate_cli.home import Home
from lockgate_schemas.errors import ERRORS, LockgateError, UnavailableError

_TIMEOUT = 30.0


class Operator:
    """Calls the admin API of the gateway that runs in ``home``. Raises `UnavailableError` when none does."""

    def __init__(self, home: Home, *, patience: float = _TIMEOUT) -> None:
        """``patience`` is how many seconds an answer may take."""
        self._url = home.running().admin_url
        self._patience = patience
        self._headers = {"Authorization": f"Bearer {home.admin_token()}"}

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One call; its answer parsed. Raises the typed error that the gateway named."""
        content = None if body is None else msgspec.json.encode(body)
        headers = self._headers if content is None else {**self._headers, "Content-Type": "application/json"}
        try:
            # Loopback: no proxy of the environment gets to see the token.
            with httpx.Client(base_url=self._url, headers=headers, timeout=self._patience, trust_env=False) as client:
                answer = client.request(method, path, content=content)
        except httpx.HTTPError:
            raise UnavailableError("the operator's door does not answer") from None
        if answer.is_success:
            return answer.json() if answer.content else None
        raise _error(answer)


def _error(answer: httpx.Response) -> LockgateError:
    try:
        problem = answer.json()
        code, detail = str(problem.get("code", "")), str(problem.get("detail", ""))
    except ValueError:
        return UnavailableError(f"the operator's door answered {answer.status_code}")
    kind = next((k for k in ERRORS if k.code == code), LockgateError)
    error = LockgateError.__new__(kind)
    error.detail = detail
    Exception.__init__(error, detail)
    return error
