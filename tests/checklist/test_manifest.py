"""The checklist against the suite, in both directions."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

from manifest import REQUIREMENTS

TESTS = Path(__file__).parent.parent


def named() -> dict[str, list[str]]:
    """The tests by the requirement that their marker names, read from the sources without running them."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                for mark in node.decorator_list:
                    if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.requirement":
                        assert len(mark.args) == 1, f"{path.name}:{node.name}: one requirement a marker"
                        assert isinstance(mark.args[0], ast.Constant)
                        found[str(mark.args[0].value)].append(f"{path.relative_to(TESTS)}::{node.name}")
    return found


def test_every_requirement_that_is_not_a_gap_has_a_test():
    tests = named()
    missing = [r.id for r in REQUIREMENTS if not r.gap and not tests[r.id]]
    assert not missing, f"no test shows {missing}"


def test_every_named_requirement_exists():
    known = {r.id for r in REQUIREMENTS}
    assert not {id_: tests for id_, tests in named().items() if id_ not in known}


def test_a_gap_has_no_test():
    tests = named()
    closed = {r.id: tests[r.id] for r in REQUIREMENTS if r.gap and tests[r.id]}
    assert not closed, f"these are recorded as gaps, and tests claim to show them: {closed}"


def test_ids_are_unique():
    assert len({r.id for r in REQUIREMENTS}) == len(REQUIREMENTS)
