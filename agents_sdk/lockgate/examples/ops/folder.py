"""Reading below one folder and nowhere else: no way up, no absolute path, no link out, nothing too large."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

MOST_BYTES: Final = 64 * 1024
MOST_HITS: Final = 100
_LONGEST_HIT: Final = 400


class ReadRefusedError(ValueError):
    """This may not or cannot be read; the message is a sentence for whoever asked, and the same for what is absent and what is forbidden."""


class Folder:
    """The files below ``root``."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve(strict=True)

    def names(self) -> list[str]:
        """The path of every file, relative to the root."""
        return sorted(self._walk())

    def read(self, name: str) -> str:
        """The text of one file. Raises `ReadRefusedError`."""
        path = self._checked(name)
        try:
            # Opened first and measured then, by the same handle: the file cannot change in between.
            with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
                content = file.read(MOST_BYTES + 1)
        except OSError:
            raise ReadRefusedError("there is no such file") from None
        if len(content) > MOST_BYTES:
            raise ReadRefusedError(f"the file is larger than {MOST_BYTES} bytes")
        return content.decode("utf-8", errors="replace")

    def search(self, text: str) -> list[tuple[str, int, str]]:
        """Path, line number and line of each line that contains ``text``, at most `MOST_HITS`."""
        hits: list[tuple[str, int, str]] = []
        for name in self.names():
            try:
                lines = self.read(name).splitlines()
            except ReadRefusedError:  # too large to be read is too large to be searched
                continue
            hits.extend((name, number, line[:_LONGEST_HIT]) for number, line in enumerate(lines, 1) if text in line)
        return hits[:MOST_HITS]

    def _checked(self, name: str) -> Path:
        parts = name.split("/")
        if not name or "\x00" in name or "\\" in name or any(part in {"", ".", ".."} for part in parts):
            raise ReadRefusedError("there is no such file")
        path = (self._root / name).resolve()
        # Resolved, so that a link on the way out of the folder shows; compared with the unresolved path, so that no link is followed at all.
        if path != self._root / name or not path.is_file():
            raise ReadRefusedError("there is no such file")
        return path

    def _walk(self) -> Iterator[str]:
        for folder, _, names in os.walk(self._root, followlinks=False):
            for name in names:
                path = Path(folder, name)
                if not path.is_symlink():
                    yield path.relative_to(self._root).as_posix()
