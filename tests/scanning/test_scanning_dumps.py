"""Dumps are read as the text that their bytes are, and redacted with the text beside the bytes; dumps of pictures say nothing."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from lockgate_workers.scanning.dumps import read_dumps
from lockgate_workers.scanning.engine import Scanner
from lockgate_workers.scanning.packs import parse_pack
from lockgate_workers.scanning.view import Mosaic, View

PACK = """
rules:
  - id: canary
    description: a made-up secret with a head of its own
    severity: high
    action: redact
    pattern: '\\b(?P<secret>cnry_[A-Za-z0-9]{20})\\b'
    examples: {match: ['cnry_aB1cD2eF3gH4iJ5kL6mN'], skip: ['cnry_bird']}
"""
SECRET = "cnry_aB1cD2eF3gH4iJ5kL6mN"


def shown(data: bytes) -> str:
    return "".join(chr(one) if 0x20 <= one < 0x7F else "." for one in data)


def lines(data: bytes, line: Callable[[int, bytes], str]) -> str:
    return "\n".join(line(at, data[at : at + 16]) for at in range(0, len(data), 16))


def words(data: bytes) -> str:
    return " ".join(data[at : at + 2][::-1].hex().rjust(4, "0") for at in range(0, len(data), 2))


def eights(data: bytes) -> str:
    return f"{data[:8].hex(' '):<23}  {data[8:].hex(' '):<23}"


DUMPS: dict[str, Callable[[bytes], str]] = {
    "xxd": lambda data: lines(data, lambda at, row: f"{at:08x}: {row.hex(' ', -2):<39}  {shown(row)}"),
    "hexdump -C": lambda data: lines(data, lambda at, row: f"{at:08x}  {eights(row)}  |{shown(row)}|"),
    "bytes": lambda data: lines(data, lambda at, row: f"{at:07x} {row.hex(' ')}"),
    "hexdump": lambda data: lines(data, lambda at, row: f"{at:07x} {words(row)}"),
    "od": lambda data: lines(data, lambda at, row: f"{at:07o} " + " ".join(f"{one:03o}" for one in row)),
    "od -c": lambda data: lines(data, lambda at, row: f"{at:07o}" + "".join(f"   {chr(one)}" for one in row)),
    "of packets": lambda data: lines(data, lambda at, row: f"{at:04x}   {eights(row)}   {shown(row)}"),
}


@pytest.fixture(scope="module")
def scanner() -> Scanner:
    return Scanner([parse_pack("dumps.yaml", PACK.encode())], clock=lambda: 0.0, evidence_key=b"k" * 32)


def read(text: str) -> str:
    certain = Mosaic(View(text))
    read_dumps(text, certain)
    view = certain.view()
    return "" if view is None else view.text


@pytest.mark.parametrize("name", DUMPS)
@pytest.mark.parametrize("before", ["", "the key is ", "0123456789abcdef0123456789 "])
def test_a_secret_in_a_dump_is_found_with_the_text_beside_it(name: str, before: str, scanner: Scanner) -> None:
    if name == "od -c" and " " in before:
        before = before.replace(" ", "_").rstrip("_") + "-"
    text = f"the file:\n\n{DUMPS[name]((before + SECRET).encode())}\n\nand no more"
    spans = [(one.start, one.end) for one in scanner.scan(text).findings]
    assert spans
    start, end = min(one for one, _ in spans), max(one for _, one in spans)
    assert SECRET[:6] not in text[:start] + text[end:]
    assert text[end:] == "\n\nand no more"
    assert start >= len("the file:\n\n0000")


def test_printable_runs_of_binary_data_are_read(scanner: Scanner) -> None:
    data = bytes(range(128, 168)) + SECRET.encode() + b"\0" * 9
    assert [one.rule for one in scanner.scan(DUMPS["xxd"](b"text at first sight, here" + data)).findings] == ["canary"]


def test_pictures_and_tables_say_nothing(scanner: Scanner) -> None:
    draw = random.Random(5)  # noqa: S311 - a fixed sequence
    picture = bytes(draw.randrange(128, 256) for _ in range(640))
    for dump in DUMPS.values():
        if dump is not DUMPS["od -c"]:
            assert read(dump(picture)) == ""
    assert read("0001 12 13 14 15\n0002 22 23 24 25\n0003 32 33 34 35\n") == ""
    assert read("2024 was 12 34 56 78 90 12\n1999: 1999 2000 2001 2002 2003\n") == ""
    assert scanner.scan(DUMPS["hexdump -C"](picture)).findings == ()


@pytest.mark.parametrize(
    "flood", ["0000 ", "0000000 63 6e ", "00000000: 636e 7279\n", "0000000   c   n\n", "0000000 143 156\n"]
)
def test_a_flood_of_offsets_is_judged_or_refused(flood: str, scanner: Scanner) -> None:
    assert scanner.scan(flood * (20_000 // len(flood))).findings == ()
