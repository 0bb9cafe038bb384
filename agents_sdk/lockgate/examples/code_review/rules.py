"""What is worth a remark in added Python. Pure; the code is parsed and never run.

Two kinds of rule: on the syntax tree, where the hunk parses, and on single lines, for everything else. A finding names file, line, rule
and one sentence, and never quotes the line: it may hold a secret.
"""

from __future__ import annotations

import ast
import re
import textwrap
import threading
import warnings
from collections.abc import Iterator
from typing import Final

import msgspec

from lockgate.examples.code_review.diff import FileDiff, Hunk

_LONGEST_FUNCTION: Final = 60
_LONGEST_LINE: Final = 160
_QUIET: Final = threading.Lock()
_HTTP: Final = frozenset({"requests", "httpx"})
_VERBS: Final = frozenset({"get", "post", "put", "patch", "delete", "head", "options", "request", "stream"})
_LOADERS: Final = frozenset({"pickle.load", "pickle.loads", "marshal.loads", "shelve.open"})
_SPAWNERS: Final = frozenset({"run", "call", "check_call", "check_output", "Popen"})


class Finding(msgspec.Struct, frozen=True):
    """One remark. ``severity`` is ``error``, ``warning`` or ``note``."""

    path: str
    line: int
    rule: str
    severity: str
    sentence: str


_SENTENCES: Final[dict[str, tuple[str, str]]] = {
    "syntax": ("error", "This file does not parse as Python."),
    "bare-except": ("warning", "A bare except also catches KeyboardInterrupt and SystemExit; name what you expect."),
    "mutable-default": ("warning", "A mutable default is shared by all calls; use None and make it inside."),
    "eval": ("error", "eval and exec run whatever text reaches them."),
    "os-system": ("error", "os.system goes through a shell; use subprocess.run with a list."),
    "shell-true": ("error", "shell=True hands the command to a shell; pass a list instead."),
    "unsafe-load": ("error", "Unpickling runs code from the data; use a data format for data."),
    "yaml-load": ("error", "yaml.load without a safe loader builds arbitrary objects; use yaml.safe_load."),
    "no-timeout": ("warning", "This request waits for ever if nobody answers; give it a timeout."),
    "tls-off": ("error", "verify=False accepts any certificate."),
    "assert-tuple": ("warning", "Asserting a tuple is always true."),
    "print": ("note", "A print was left in; use logging, or remove it."),
    "long-function": ("note", f"This function is longer than {_LONGEST_FUNCTION} lines."),
    "breakpoint": ("warning", "A breakpoint was left in."),
    "todo": ("note", "A to-do was left in; link it to an issue, or do it."),
    "long-line": ("note", f"This line is longer than {_LONGEST_LINE} characters."),
    "secret": ("error", "This looks like a hard-coded secret; read it from the environment or a secret store, and replace it."),
}

_LINE_RULES: Final[tuple[tuple[str, re.Pattern[str]], ...]] = (
    ("todo", re.compile(r"#.*\b(?:TODO|FIXME|XXX)\b")),
    ("secret", re.compile(r"(?i)(?:password|passwd|secret|token|api_?key)\w*[\"']?\s*[:=]\s*[\"'][^\"'\s{}<>$]{8,}[\"']")),
    ("secret", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY-----|\bgh[pousr]_[0-9A-Za-z]{36}\b")),
    ("secret", re.compile(r"\b[a-z][a-z0-9+]*://[^\s:/@\"']+:[^\s:/@\"'{]{3,}@")),
    ("long-line", re.compile(rf"^.{{{_LONGEST_LINE + 1}}}")),
)
_FALLBACK_RULES: Final[tuple[tuple[str, re.Pattern[str]], ...]] = (
    ("bare-except", re.compile(r"^\s*except\s*:")),
    ("eval", re.compile(r"(?<![\w.])(?:eval|exec)\(")),
    ("os-system", re.compile(r"\bos\.system\(")),
    ("shell-true", re.compile(r"\bshell\s*=\s*True\b")),
    ("tls-off", re.compile(r"\bverify\s*=\s*False\b")),
    ("print", re.compile(r"^\s*print\(")),
    ("breakpoint", re.compile(r"(?<![\w.])breakpoint\(|\bpdb\.set_trace\(")),
)
"""The rules on the tree that can be told from one line, for hunks that do not parse by themselves."""


def review_file(file: FileDiff) -> list[Finding]:
    """Every finding about the lines that were added to one file, by line. Files that are not Python get the line rules alone."""
    python = file.path.endswith((".py", ".pyi"))
    found: set[tuple[int, str]] = set()
    for hunk in file.hunks:
        found.update(_on_lines(hunk, _LINE_RULES))
        if python:
            found.update(_on_python(hunk, whole=file.new))
    return [Finding(file.path, line, rule, *_SENTENCES[rule]) for line, rule in sorted(found)]


def _on_lines(hunk: Hunk, rules: tuple[tuple[str, re.Pattern[str]], ...]) -> Iterator[tuple[int, str]]:
    for number in hunk.added:
        for rule, pattern in rules:
            if pattern.search(hunk.line(number)):
                yield number, rule


def _on_python(hunk: Hunk, *, whole: bool) -> Iterator[tuple[int, str]]:
    parsed = _parse("\n".join(hunk.lines), whole=whole)
    if isinstance(parsed, ast.Module):
        yield from ((line, rule) for line, rule in _on_tree(parsed, hunk.start - 1) if line in hunk.added)
        return
    if whole:  # a part of a file need not parse, all of one must
        yield hunk.start + parsed - 1, "syntax"
    yield from _on_lines(hunk, _FALLBACK_RULES)


def _parse(text: str, *, whole: bool) -> ast.Module | int:
    """The tree, or the line on which there is none."""
    source = text if whole else textwrap.dedent(text)
    try:
        # Filters of warnings are the process's: one parse at a time, or another thread's end would bring the warnings back.
        with _QUIET, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except SyntaxError as error:
        return max(1, min(error.lineno or 1, text.count("\n") + 1))
    except (ValueError, RecursionError, MemoryError):  # NUL bytes; nesting made to hurt
        return 1


def _on_tree(tree: ast.Module, offset: int) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0) + offset
        if isinstance(node, ast.ExceptHandler) and node.type is None:
            yield line, "bare-except"
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _on_function(node, line, offset)
        elif isinstance(node, ast.Assert) and isinstance(node.test, ast.Tuple) and node.test.elts:
            yield line, "assert-tuple"
        elif isinstance(node, ast.Call):
            yield from ((line, rule) for rule in _on_call(node))


def _on_function(node: ast.FunctionDef | ast.AsyncFunctionDef, line: int, offset: int) -> Iterator[tuple[int, str]]:
    if (node.end_lineno or node.lineno) - node.lineno >= _LONGEST_FUNCTION:
        yield line, "long-function"
    for default in (*node.args.defaults, *node.args.kw_defaults):
        if isinstance(default, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp):
            yield default.lineno + offset, "mutable-default"


def _on_call(node: ast.Call) -> Iterator[str]:
    name = _dotted(node.func)
    module, _, last = name.rpartition(".")
    keywords = {keyword.arg: keyword.value for keyword in node.keywords}
    if name in {"eval", "exec"}:
        yield "eval"
    elif name in {"os.system", "os.popen"}:
        yield "os-system"
    elif name in _LOADERS:
        yield "unsafe-load"
    elif name == "yaml.load" and "Safe" not in _dotted(
        keywords.get("Loader") or (node.args[1] if len(node.args) > 1 else None)
    ):
        yield "yaml-load"
    elif name == "print":
        yield "print"
    elif name in {"breakpoint", "pdb.set_trace"}:
        yield "breakpoint"
    elif module in _HTTP and last in _VERBS and "timeout" not in keywords and None not in keywords:
        yield "no-timeout"
    if last in _SPAWNERS and _is(keywords.get("shell"), value=True):
        yield "shell-true"
    if _is(keywords.get("verify"), value=False):
        yield "tls-off"


def _dotted(node: ast.expr | None) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def _is(node: ast.expr | None, *, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value
