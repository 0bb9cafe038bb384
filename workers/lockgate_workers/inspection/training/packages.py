"""Honest documentation and code to learn from that the locked packages beside the trainer hold. They are read, and nothing is copied.

Nobody wrote them with a gate in mind: handbooks in docstrings, long lists of names, words of seventy languages, models of an API with
roles and prompts and messages. Only packages stand here whose licence lets everybody learn from them (`PACKAGES`); tests are left out,
and so is what a package took over from others. A release of a package holds other text than the last, so weights are the same
only where the lock file is. A package that is missing is an error: without it the weights would be others, and nobody would know.
"""

from __future__ import annotations

import ast
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lockgate_schemas.errors import ConfigurationError
from lockgate_workers.inspection.training.pieces import cut, drawn
from lockgate_workers.inspection.training.rows import CorpusRow

_LEFT_OUT: Final = frozenset(
    {"test", "tests", "testing", "_vendor", "_vendored", "vendor", "extern", "externals", "__pycache__"}
)
_LEAST: Final = 300
"""A docstring that is shorter than this is a remark, not documentation."""


_TOLD: Final = 8
"""Pieces of the description and the licences of each package."""
_TELLING: Final = ("METADATA", "LICENSE", "LICENCE", "COPYING", "entry_points", "top_level")


@dataclass(frozen=True, slots=True)
class Package:
    """A package: its folder, the licence of its text, and how many pieces of documentation and of code are drawn from it."""

    name: str
    licence: str
    documentation: int
    code: int

    @property
    def source(self) -> str:
        """What its rows are listed under."""
        return f"package-{self.name}"


PACKAGES: Final = (
    Package("alembic", "MIT", 40, 0),
    Package("anyio", "MIT", 10, 0),
    Package("click", "BSD-3-Clause", 40, 0),
    Package("faststream", "Apache-2.0", 40, 0),
    Package("jinja2", "BSD-3-Clause", 30, 0),
    Package("mypy", "MIT", 40, 0),
    Package("numpy", "BSD-3-Clause", 120, 0),
    Package("pydantic", "MIT", 60, 0),
    Package("pygments", "BSD-2-Clause", 20, 60),
    Package("rich", "MIT", 10, 0),
    Package("spacy", "MIT", 20, 60),
    Package("sqlalchemy", "MIT", 100, 0),
    Package("starlette", "BSD-3-Clause", 10, 0),
    Package("typer", "MIT", 20, 0),
)


def package_rows(packages: Sequence[Package] = PACKAGES, folder: Path | None = None) -> Iterator[CorpusRow]:
    """Yield the pieces of the packages in ``folder``; without one, of those that are installed beside this interpreter.

    Raises:
        ConfigurationError: a package is not installed.
    """
    root = Path(sysconfig.get_paths()["purelib"]) if folder is None else folder
    for package in packages:
        modules = list(_modules(root / package.name))
        if not modules:
            raise ConfigurationError(f"the weights are learned from {package.name} as well, which is not installed")
        documentation = ((name, piece) for name, code in modules for piece in cut(_documentation(code)))
        code = ((name, piece) for name, code in modules for piece in cut(code))
        told = ((name, piece) for name, text in _told(root, package.name) for piece in cut(text))
        for kind, pieces, most in (
            ("docs", documentation, package.documentation),
            ("code", code, package.code),
            ("told", told, _TOLD),
        ):
            for name, piece in drawn(pieces, most):
                yield CorpusRow(
                    text=piece,
                    label="benign",
                    cls=f"package_{kind}",
                    source=package.source,
                    licence=package.licence,
                    group=f"package:{package.name}/{name}",
                )


def _modules(root: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root)
        if not _LEFT_OUT.intersection(name.parts):
            yield name.as_posix(), path.read_text(encoding="utf-8", errors="replace")


def _told(root: Path, package: str) -> Iterator[tuple[str, str]]:
    """What a package tells whoever installs it: its description, its entry points and its licences."""
    for folder in sorted(root.glob(f"{package}-*.dist-info")):
        for path in sorted(folder.rglob("*")):
            if path.name.startswith(_TELLING):
                yield f"told/{path.relative_to(folder).as_posix()}", path.read_text(encoding="utf-8", errors="replace")


def _documentation(code: str) -> str:
    """Return the long docstrings of a module, one after the other."""
    texts = (
        ast.get_docstring(node) or ""
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    )
    return "\n\n".join(text for text in texts if len(text) >= _LEAST)
