"""Reading the documentation: its pages, fenced blocks, command lines, links and tables. Pure but for reading files."""

from __future__ import annotations

import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

_FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`(lockgate [^`]+)`")
_LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_NAME = re.compile(r"# (?P<name>\w+\.py)\n")


@dataclass(frozen=True)
class Block:
    """One fenced block. ``name`` is the file that its first line names, if it does."""

    page: str
    language: str
    text: str

    @property
    def name(self) -> str:
        found = _NAME.match(self.text)
        return found["name"] if found else ""


def tracked(*patterns: str) -> list[str]:
    """The files of the repository, by path: those that are committed and those that are about to be."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return sorted({name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()})


PAGES = tracked("*.md")


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[Block]:
    found = [Block(page, match["language"], match["text"]) for match in _FENCE.finditer(read(page))]
    return [block for block in found if block.language == language]


def all_blocks(language: str) -> list[Block]:
    return [block for page in PAGES for block in blocks(page, language)]


def prose(page: str) -> str:
    """A page without its fenced blocks."""
    return _FENCE.sub("", read(page))


def command_lines(page: str) -> list[list[str]]:
    """The words of every line in the shell blocks of a page."""
    lines = [line.removeprefix("$ ") for block in blocks(page, "sh") for line in block.text.splitlines()]
    return [words for words in (shlex.split(line, comments=True) for line in lines) if words]


def spans(page: str) -> list[list[str]]:
    """The words of every ``lockgate …`` in backticks. A trailing ellipsis stands for more words."""
    return [match[1].split() for match in _SPAN.finditer(prose(page))]


def links(page: str) -> list[str]:
    """The targets of links and images that lead into this repository."""
    found = [match["target"] for match in _LINK.finditer(prose(page))]
    return [target for target in found if "://" not in target and not target.startswith("mailto:")]


def anchors(page: str) -> set[str]:
    """The anchors of a page's headings, as the hosting site makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def table(page: str, first_column: str) -> list[list[str]]:
    """The rows of the one table whose first heading is ``first_column``."""
    lines = read(page).splitlines()
    starts = [n for n, line in enumerate(lines) if line.startswith(f"| {first_column} |")]
    assert len(starts) == 1, f"{page} has {len(starts)} tables that begin with {first_column}"
    rows = []
    for line in lines[starts[0] + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip().strip("|").split(" | ")])
    return rows


def code_words(cell: str) -> list[str]:
    """What stands in backticks in a cell."""
    return re.findall(r"`([^`]+)`", cell)
