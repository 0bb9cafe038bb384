"""Streams: however a text is cut, what goes out in pieces is what goes out of the whole, and a block ends it before the blocked thing."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate_workers.dlp.decide import replacing
from lockgate_workers.dlp.stream import RULE_HELD, RULE_MARKUP, StreamBlockedError, StreamGate, released
from lockgate_workers.scanning.engine import ScanLimits, Scanner
from lockgate_workers.scanning.loading import load_scanner
from lockgate_workers.scanning.packs import parse_pack
from lockgate_workers.scanning.redact import marker_of

# The keys below are made up; they are put together here so that no leak scanner reports this file.
AWS = "AKIA" + "Q3XJ7WVT5M2N4RKB"
GITHUB = "ghp" + "_HpVZlJKx0sjavZyjsG634UiGelM0GHch3r4A"
PEM = "-----BEGIN RSA " + "PRIVATE KEY-----\n" + "MIIEpAIBAAKCAQEA7bq9hJ2vV1nJx8kQ\n" * 8 + "-----END RSA " + "PRIVATE KEY-----"
PROSE = "The build went through and the report is in the usual place, nothing else has changed since yesterday.\n"


@lru_cache
def scanner() -> Scanner:
    return load_scanner("dlp")


instead = replacing(marker_of)


def streamed(text: str, cuts: list[int], scan: Scanner | None = None) -> str:
    gate = StreamGate(scan or scanner(), ("docs.example.org",), instead)
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    return "".join([*(gate.feed(text[a:b]) for a, b in pairwise(edges)), gate.close()])


def fed(gate: StreamGate, chunks: list[str], out: list[str]) -> None:
    """Feed piece after piece; what goes out is in ``out`` also when the stream ends early."""
    out.extend(map(gate.feed, chunks))


def whole(text: str) -> str:
    return released(text, scanner(), ("docs.example.org",), instead)


PIECES = [
    PROSE,
    PROSE * 12,
    f"key = {AWS}\n",
    f"token {GITHUB} ",
    PEM,
    "password: ",
    "hunter2-Zq8!vk\n",
    "postgres://app:s3cr3t-Pw9@db.internal:5432/app ",
    "![x](https://evil.test/?q=1) ",
    "[d](https://docs.example.org/a) ",
    "card 4111 1111 1111 1111 and ",
    "a < b and c<d ",
    "QUtJQVEzWEo3V1ZUNU0yTjRSS0I= ",
    "A K I A Q 3 X J 7 W V T 5 M 2 N 4 R K B ",
    "x" * 700,
    "\n",
    " ",
    "é\u200bß ",
    "-----BEGIN ",
]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=8).map("".join), st.lists(st.integers(0, 4_000), max_size=12))
def test_every_split_gives_what_the_whole_gives(text: str, cuts: list[int]) -> None:
    try:
        expected = whole(text)
    except StreamBlockedError:
        with pytest.raises(StreamBlockedError):
            streamed(text, cuts)
        return
    assert streamed(text, cuts) == expected


LINKS = [
    PROSE,
    PROSE * 12,
    "[a]: https://evil.test/x\n",
    "![p][a] ",
    "![x](https://evil.test/?q=1) ",
    "[b](https://evil.test/b) ",
    "\n",
    "<",
]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(LINKS), min_size=2, max_size=8).map("".join), st.lists(st.integers(0, 4_000), max_size=6))
def test_every_split_gives_what_the_whole_gives_where_only_images_may_lead_nowhere(text: str, cuts: list[int]) -> None:
    gate = StreamGate(scanner(), None, instead)
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [*(gate.feed(text[a:b]) for a, b in pairwise(edges)), gate.close()]
    assert "".join(pieces) == released(text, scanner(), None, instead)


def test_an_address_that_an_image_may_still_use_is_held() -> None:
    gate = StreamGate(scanner(), None, instead)
    out = gate.feed(PROSE * 2 + "[a]: https://evil.test/x\n" + PROSE * 30)
    assert PROSE in out
    assert "evil" not in out
    assert "https://evil.test" in out + gate.close()


@pytest.mark.parametrize(
    ("around", "secret"), [("{}", AWS), ("{}", GITHUB), ("postgres://app:{}@db.test:5432/app", "s3cr3t-Pw9")]
)
@pytest.mark.parametrize("size", [1, 7, 64])
def test_no_piece_of_a_secret_is_ever_out(around: str, secret: str, size: int) -> None:
    text = f"{PROSE * 15}it is {around.format(secret)} as you know.\n{PROSE * 15}"
    gate = StreamGate(scanner())
    out = ""
    for start in range(0, len(text), size):
        out += gate.feed(text[start : start + size])
        assert secret[:8] not in out[len(PROSE) * 15 :]
    out += gate.close()
    assert out == released(text, scanner())
    assert "[REDACTED:" in out


def test_text_goes_out_long_before_its_end() -> None:
    gate = StreamGate(scanner())
    out = "".join(gate.feed(PROSE) for _ in range(60))
    assert len(PROSE) * 60 > len(out) > len(PROSE) * 40


def test_a_block_ends_the_stream_before_what_it_blocks() -> None:
    pack = b"""rules:
  - {id: codeword, description: 'the word that must not get out', severity: critical, action: block, pattern: 'PELICAN',
     examples: {match: ['PELICAN'], skip: ['pelican']}}
"""
    scan = Scanner([parse_pack("own.yaml", pack)], clock=lambda: 0.0, evidence_key=b"k" * 32)
    gate = StreamGate(scan)
    out: list[str] = []
    with pytest.raises(StreamBlockedError) as raised:
        fed(gate, [PROSE] * 30 + ["it is PELI", "CAN, then"] + [PROSE] * 30, out)
    assert raised.value.rule == "codeword"
    assert "PELI" not in "".join(out)
    with pytest.raises(StreamBlockedError):
        gate.feed("more")
    with pytest.raises(StreamBlockedError):
        gate.close()


def test_a_document_ends_the_stream_and_a_comment_alone_does_not() -> None:
    text = "<!-- a note -->\n" + "nothing to see here\n" * 200
    gate = StreamGate(scanner())
    assert gate.feed(text) == ""
    assert gate.close() == text
    with pytest.raises(StreamBlockedError, match=RULE_MARKUP):
        released(text.replace("a note -->", "a note --><!doctype html>"), scanner())


def test_active_markup_ends_the_stream() -> None:
    gate = StreamGate(scanner())
    out: list[str] = []
    with pytest.raises(StreamBlockedError) as raised:
        fed(gate, [PROSE] * 20 + ["<img src=x one", "rror=x()>"] + [PROSE] * 20, out)
    assert "<img" not in "".join(out)
    assert raised.value.rule == RULE_MARKUP


def test_a_refused_scan_ends_the_stream() -> None:
    gate = StreamGate(load_scanner("dlp", limits=ScanLimits(max_bytes=1_000)))
    with pytest.raises(StreamBlockedError) as raised:
        fed(gate, [PROSE] * 40, [])
    assert raised.value.rule == "scan-size"


def test_one_thing_without_an_end_is_not_held_for_ever() -> None:
    gate = StreamGate(scanner())
    with pytest.raises(StreamBlockedError) as raised:
        fed(gate, ["Ab3" * 1_000] * 200, [])
    assert raised.value.rule == RULE_HELD


def test_an_empty_stream_is_empty() -> None:
    gate = StreamGate(scanner())
    assert gate.feed("") == ""
    assert gate.close() == ""
