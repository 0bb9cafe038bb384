"""Decoding: what is text inside is found, what is not costs little, and bombs are cut."""

from __future__ import annotations

import base64
import gzip
import os

import pytest

from lockgate_workers.scanning.decode import decoded
from lockgate_workers.scanning.normalise import View

PLAIN = "the canary-abcd1234 sits here"


def texts(text: str) -> list[str]:
    return [view.text for view in decoded(View(text))]


@pytest.mark.parametrize(
    "run",
    [
        base64.b64encode(PLAIN.encode()).decode(),
        base64.b64encode(PLAIN.encode()).decode().rstrip("="),
        base64.urlsafe_b64encode(PLAIN.encode()).decode(),
        PLAIN.encode().hex(),
        PLAIN.encode().hex().upper(),
        "0x" + PLAIN.encode().hex(),
        base64.b64encode(gzip.compress(PLAIN.encode())).decode(),
    ],
)
def test_encoded_text_is_read_and_stands_for_its_whole_run(run: str) -> None:
    (view,) = decoded(View(f"see ({run}) there"))
    assert view.text == PLAIN
    assert view.whole == (5, 5 + len(run.rstrip(")")))


def test_a_run_behind_a_path_is_read() -> None:
    run = base64.b64encode(PLAIN.encode()).decode().rstrip("=")
    assert PLAIN in texts(f"/some/long/path/segment/{run}")


@pytest.mark.parametrize(
    "text",
    [
        "UnauthenticatedErrorHandler",
        "-" * 60,
        "a_rather_long_name_of_a_function",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        base64.b64encode(bytes(range(128, 256))).decode(),
    ],
)
def test_names_hashes_and_binary_data_are_dropped(text: str) -> None:
    assert texts(text) == []


def test_random_bytes_hardly_ever_look_like_text() -> None:
    hits = sum(bool(texts(base64.b64encode(os.urandom(24)).decode())) for _ in range(300))
    assert hits <= 3


def test_a_bomb_is_cut() -> None:
    bomb = base64.b64encode(gzip.compress(b"a" * 5_000_000)).decode()
    assert all(len(text) <= 65_536 for text in texts(bomb))
