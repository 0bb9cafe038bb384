"""The operator's door, as the command line sees it: JSON over loopback, with the token from the home folder."""

from __future__ import annotations

from typing import Any

import httpx

from lockgate_cli.home import Home
from lockgate_schemas.errors import ERRORS, LockgateError, UnavailableError

_TIMEOUT = 30.0


class Operator:
    """Calls the admin API of the gateway that runs in ``home``. Raises `UnavailableError` when none does."""

    def __init__(self, home: Home) -> None:
        self._client = httpx.Client(
            base_url=home.running().admin_url,
            headers={"Authorization": f"Bearer {home.admin_token()}"},
            timeout=_TIMEOUT,
            trust_env=False,  # loopback: no proxy of the environment gets to see the token
        )

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One call; its answer parsed. Raises the typed error that the gateway named."""
        try:
            answer = self._client.request(method, path, json=body) if body is not None else self._client.request(method, path)
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
