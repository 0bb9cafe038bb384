"""Text that a command is handed: from a file, from standard input, or typed where nobody can look over a shoulder."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Final

from lockgate_schemas.errors import ConfigurationError

STANDARD_INPUT: Final = "-"


def text_of(file: Path) -> str:
    """The text of a file. Raises `ConfigurationError` when it is none."""
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ConfigurationError(f"{file} is not UTF-8 text") from None
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}") from None


def typed_secret(prompt: str) -> str:
    """One value from standard input, or asked for without an echo. Raises `ConfigurationError` for an empty one."""
    value = getpass.getpass(f"{prompt}: ") if sys.stdin.isatty() else standard_input()
    value = value.rstrip("\r\n")
    if not value:
        raise ConfigurationError("nothing was given on standard input")
    return value


def standard_input() -> str:
    """All of standard input. Raises `ConfigurationError` when it is no text."""
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError:
        raise ConfigurationError("standard input is not UTF-8 text") from None
