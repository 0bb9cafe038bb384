"""A small estate of configuration and logs with secrets in it, none of them real: made from random characters when the agent starts.

Each has the shape a scanner looks for. They are put together here at run time, so that the source itself holds none.
"""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from random import Random
from string import ascii_letters, ascii_uppercase, digits
from typing import Final

_SEED: Final = 1867
_PEM_LINE: Final = 64


def plant(folder: Path, seed: int = _SEED) -> None:
    """Write the files into ``folder``."""
    for name, text in files(seed).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def files(seed: int = _SEED) -> dict[str, str]:
    """The files by path; the same for the same ``seed``."""
    chance = Random(seed)  # noqa: S311 - nothing here guards anything
    key_id = "AK" + "IA" + _some(chance, ascii_uppercase + "234567", 16)
    key = _some(chance, ascii_letters + digits + "/+", 40)
    database = "postgresql" + f"://billing:{_some(chance, ascii_letters + digits, 20)}@db1.harbour.internal:5432/billing"
    token = "gh" + "p_" + _some(chance, ascii_letters + digits, 36)
    return {
        "README.txt": "Configuration and logs of the harbour services. Nothing in here is real.\n",
        "billing/settings.ini": _settings(database),
        "billing/.env": f"AWS_ACCESS_KEY_ID={key_id}\nAWS_SECRET_ACCESS_KEY={key}\nAWS_REGION=eu-north-1\nLOG_LEVEL=info\n",
        "deploy/values.yaml": _values(token),
        "deploy/deploy.pem": _pem(chance),
        "logs/billing.log": _billing_log(chance, database),
        "logs/worker.log": _worker_log(chance, token),
    }


def _some(chance: Random, alphabet: str, length: int) -> str:
    return "".join(chance.choice(alphabet) for _ in range(length))


def _settings(database: str) -> str:
    return f"[service]\nname = billing\nreplicas = 3\n\n[database]\nurl = {database}\npool = 20\ntimeout = 5\n"


def _values(token: str) -> str:
    return f"image: harbour/billing:2.14.1\nreplicas: 3\nregistry:\n  user: deployer\n  token: {token}\nresources:\n  memory: 512Mi\n"


def _pem(chance: Random) -> str:
    body = b64encode(chance.randbytes(1190)).decode()
    lines = [body[at : at + _PEM_LINE] for at in range(0, len(body), _PEM_LINE)]
    kind = "RSA PRIVATE" + " KEY"
    return "\n".join([f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----", ""])


def _billing_log(chance: Random, database: str) -> str:
    lines = [
        f"2026-02-03T04:{minute:02d}:{chance.randrange(60):02d}Z INFO invoice {chance.randrange(10_000)} sent"
        for minute in range(30)
    ]
    lines[17] = f"2026-02-03T04:17:09Z ERROR cannot connect to {database}: connection refused"
    return "\n".join(lines) + "\n"


def _worker_log(chance: Random, token: str) -> str:
    lines = [
        f"2026-02-03T05:{minute:02d}:00Z INFO job {chance.randrange(10_000)} took {chance.randrange(900)} ms"
        for minute in range(30)
    ]
    lines[4] = f"2026-02-03T05:04:00Z DEBUG request headers: Authorization: Bearer {token}"
    lines[21] = "2026-02-03T05:21:00Z WARN queue depth 812"
    return "\n".join(lines) + "\n"
