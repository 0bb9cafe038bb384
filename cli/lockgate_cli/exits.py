"""Exit codes that mean something, and the one place where errors become words on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from functools import wraps
from typing import Any, TypeVar

from rich.console import Console
from rich.markup import escape

from lockgate_schemas.errors import ChainRefusedError, ConfigurationError, LockgateError, UnavailableError

F = TypeVar("F", bound=Callable[..., Any])


class Exit(IntEnum):
    """What the command's exit code says."""

    DONE = 0
    REFUSED = 1
    """The gateway said no, or the request did not end as delivered."""
    USAGE = 2
    """The command line or the configuration is wrong."""
    UNAVAILABLE = 3
    """Something that is needed does not answer."""
    UNPROVEN = 4
    """A proof, a stamp or the audit log does not verify."""


def exit_code(error: LockgateError) -> Exit:
    """The code for an error: the first kind that fits."""
    if isinstance(error, ChainRefusedError):
        return Exit.UNPROVEN
    if isinstance(error, ConfigurationError):
        return Exit.USAGE
    return Exit.UNAVAILABLE if isinstance(error, UnavailableError) else Exit.REFUSED


@contextmanager
def boundary(console: Console) -> Iterator[None]:
    """Let only our own errors out, as a sentence and its remedy; a bug keeps its traceback."""
    try:
        yield
    except LockgateError as error:
        console.print(f"[bold red]{escape(error.title)}[/] [dim]({error.code})[/]", highlight=False)
        if error.detail != error.title:
            console.print(escape(error.detail), highlight=False)
        console.print(f"[green]→[/] {escape(error.advice)}", highlight=False)
        sys.exit(exit_code(error))


def guarded(function: F) -> F:
    """Put a command behind the boundary. Errors go to standard error, so that ``--json`` output stays clean."""

    @wraps(function)
    def command(*args: Any, **kwargs: Any) -> Any:
        with boundary(Console(stderr=True)):
            return function(*args, **kwargs)

    return command  # type: ignore[return-value]  # wraps keeps the signature that typer reads
