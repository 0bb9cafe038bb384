"""Unified diffs: which lines were added, where, and what the new side of each hunk reads. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_HUNK: Final = re.compile(r"^@@ -\d+(?:,(?P<before>\d+))? \+(?P<start>\d+)(?:,(?P<after>\d+))? @@")


class NotADiffError(ValueError):
    """The text is not a unified diff; the message is a sentence for whoever sent it."""


@dataclass(frozen=True, slots=True)
class Hunk:
    """The new side of one hunk: its lines from ``start`` on, and the numbers of those that were added."""

    start: int
    lines: tuple[str, ...]
    added: frozenset[int]

    def line(self, number: int) -> str:
        """The text of the line with this number in the new file."""
        return self.lines[number - self.start]


@dataclass(frozen=True, slots=True)
class FileDiff:
    """One file of the diff; ``new`` if it did not exist before, so that its only hunk is all of it."""

    path: str
    new: bool
    hunks: tuple[Hunk, ...]


def parse_diff(text: str) -> list[FileDiff]:
    """Read a unified diff. Raises `NotADiffError` when there is none, or when a hunk is not as long as it says."""
    files: list[FileDiff] = []
    lines = text.splitlines()
    at, before = 0, ""
    while at < len(lines):
        line = lines[at]
        if line.startswith("--- "):
            before = _path(line)
        elif line.startswith("+++ "):
            files.append(FileDiff(_path(line), before == "/dev/null", ()))
        elif (match := _HUNK.match(line)) is not None:
            if not files:
                raise NotADiffError("a hunk comes before the name of its file")
            hunk, at = _hunk(lines, at + 1, match)
            last = files[-1]
            files[-1] = FileDiff(last.path, last.new, (*last.hunks, hunk))
            continue
        at += 1
    if not files:
        raise NotADiffError("this is not a unified diff: it has no '+++' line")
    return files


def _path(line: str) -> str:
    name = line[4:].partition("\t")[0].strip()
    return name[2:] if name.startswith(("a/", "b/")) else name


def _hunk(lines: list[str], at: int, match: re.Match[str]) -> tuple[Hunk, int]:
    """One hunk, counted by its own header, so that no content can pass for a header."""
    start, number = int(match["start"]), int(match["start"])
    before, after = int(match["before"] or 1), int(match["after"] or 1)
    new: list[str] = []
    added: set[int] = set()
    while before > 0 or after > 0:
        if at >= len(lines):
            raise NotADiffError("the last hunk is shorter than its header says")
        mark, text = lines[at][:1], lines[at][1:]
        at += 1
        if mark == "-":
            before -= 1
        elif mark == "+":
            added.add(number)
            new.append(text)
            after, number = after - 1, number + 1
        elif mark in {" ", ""}:
            new.append(text)
            before, after, number = before - 1, after - 1, number + 1
        elif mark != "\\":  # "\ No newline at end of file"
            raise NotADiffError("a line of a hunk begins with none of ' ', '+', '-'")
    return Hunk(start, tuple(new), frozenset(added)), at
