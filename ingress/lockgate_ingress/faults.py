"""How an unexpected exception is written into the log: its type and place, never its text, which may quote a payload or a credential."""

from __future__ import annotations

import traceback
from pathlib import PurePath


def described(error: BaseException) -> str:
    """The type of ``error`` and the innermost lines it passed through."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    places = " < ".join(f"{PurePath(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
    return f"{type(error).__name__} at {places or 'no line'}"
