"""The example agents on the bench: they do what they say, through verified dispatches and replies."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from lockgate.examples import code_review, ops, reporting
from lockgate.examples.code_review.diff import NotADiffError, parse_diff
from lockgate.examples.code_review.rules import review_file
from lockgate.examples.ops.estate import files
from lockgate.examples.ops.folder import MOST_BYTES, Folder, ReadRefusedError
from lockgate.examples.reporting.database import Database, QueryRefusedError
from lockgate.examples.reporting.people import customers, luhn_digit
from lockgate.testing import ask

DIFF = """\
diff --git a/app.py b/app.py
index 1..2 100644
--- a/app.py
+++ b/app.py
@@ -10,3 +10,13 @@ def before():
     kept = 1
+    requests.get(url)
+    requests.get(url, timeout=3)
+    try:
+        eval(text)
+    except:
+        print("x")
+    subprocess.run(command, shell=True)
+    password = "correct-horse-battery"
+    # TODO later
+    yaml.load(text)
     kept = 2
     kept = 3
"""


def added(*lines: str, new: bool = False, path: str = "app.py") -> str:
    body = "\n".join(f"+{line}" for line in lines)
    return f"--- {'/dev/null' if new else 'a/' + path}\n+++ b/{path}\n@@ -0,0 +1,{len(lines)} @@\n{body}\n"


def rules(diff: str) -> list[tuple[int, str]]:
    return [(finding.line, finding.rule) for file in parse_diff(diff) for finding in review_file(file)]


async def test_code_review_reports_file_line_and_rule() -> None:
    answer = await ask(code_review.build(), "review", {"diff": DIFF})
    report = answer.json()
    assert [(finding["line"], finding["rule"]) for finding in report["findings"]] == [
        (11, "no-timeout"),
        (14, "eval"),
        (15, "bare-except"),
        (16, "print"),
        (17, "shell-true"),
        (18, "secret"),
        (19, "todo"),
        (20, "yaml-load"),
    ]
    assert report["verdict"] == "request changes"
    assert report["added_lines"] == 10
    assert "battery" not in answer.body


async def test_code_review_says_what_is_wrong_with_its_input() -> None:
    answer = await ask(code_review.build(), "review", {"diff": "hello"})
    assert not answer.ok
    assert "not a unified diff" in answer.body


def test_only_added_lines_are_remarked_on() -> None:
    diff = "--- a/a.py\n+++ b/a.py\n@@ -1,2 +1,2 @@\n eval(1)\n-exec(2)\n+fine = 1\n"
    assert rules(diff) == []


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("def f(a=[]): pass", "mutable-default"),
        ("def f(*, a={}): pass", "mutable-default"),
        ("os.system(x)", "os-system"),
        ("pickle.loads(x)", "unsafe-load"),
        ("httpx.post(u, verify=False, timeout=1)", "tls-off"),
        ("assert (x, 'always')", "assert-tuple"),
        ("breakpoint()", "breakpoint"),
        ("url = 'postgresql" + "://u:hunter22@host/db'", "secret"),
        ("key = 'AK" + "IA" + "Q" * 16 + "'", "secret"),
        ("x = '" + "y" * 160 + "'", "long-line"),
    ],
)
def test_each_rule_fires(line: str, rule: str) -> None:
    assert rule in {found for _, found in rules(added(line))}


@pytest.mark.parametrize(
    "line",
    [
        "def f(a=None, b=()): pass",
        "model.eval()",
        "yaml.load(x, Loader=yaml.SafeLoader)",
        "requests.get(u, **options)",
        "subprocess.run(x, shell=False)",
        "password = os.environ['PASSWORD']",
        "except_ = 1",
    ],
)
def test_innocent_lines_pass(line: str) -> None:
    assert rules(added(line)) == []


def test_a_new_file_that_does_not_parse_is_an_error_and_a_part_of_one_is_not() -> None:
    assert (2, "syntax") in rules(added("x = 1", "def (:", new=True))
    assert rules(added("x = 1", "def (:")) == []


def test_lines_are_checked_even_where_nothing_parses() -> None:
    assert rules(added("    ) eval(x)", "except:", "os.system(y)")) == [(1, "eval"), (2, "bare-except"), (3, "os-system")]


def test_a_long_function_is_noted() -> None:
    body = ["def f():", *["    x = 1"] * 60]
    assert rules(added(*body)) == [(1, "long-function")]
    assert rules(added(*body[:-1])) == []


def test_code_made_to_break_a_parser_does_not() -> None:
    assert rules(added("x = " + "(" * 5000)) == [(1, "long-line")]
    assert rules(added("x = '\\d'")) == []


@pytest.mark.parametrize("diff", ["", "@@ -1 +1 @@\n+x", "+++ b/a\n@@ -0,0 +1,5 @@\n+x", "+++ b/a\n@@ -0,0 +1,1 @@\n?x"])
def test_what_is_no_diff_is_refused(diff: str) -> None:
    with pytest.raises(NotADiffError):
        parse_diff(diff)


def test_content_cannot_pass_for_a_header() -> None:
    diff = "--- a/a.py\n+++ b/a.py\n@@ -0,0 +1,2 @@\n+++ b/other.py\n+eval(x)\n"
    assert [file.path for file in parse_diff(diff)] == ["a.py"]


# --- reporting ------------------------------------------------------------------------------------------------------


async def test_reporting_lists_and_runs_its_reports() -> None:
    agent = reporting.build()
    names = (await ask(agent, "list")).json()
    for name in names:
        table = (await ask(agent, "report", {"name": name, "most": 3})).json()
        assert 0 < len(table["rows"]) <= 3
        assert all(len(row) == len(table["columns"]) for row in table["rows"])
    assert "no such report" in (await ask(agent, "report", {"name": "passwords"})).body


async def test_reporting_answers_a_select_of_ones_own() -> None:
    answer = await ask(reporting.build(), "query", {"sql": "SELECT count(*) AS n FROM customers"})
    assert answer.json() == {"columns": ["n"], "rows": [[60]], "truncated": False}


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM customers",
        "SELECT 1; DROP TABLE customers",
        "ATTACH DATABASE '/tmp/x' AS x",
        "PRAGMA query_only = OFF",
        "SELECT * FROM sqlite_master",
        "SELECT load_extension('x')",
        "SELECT randomblob(1000000000)",
        "SELECT hex(zeroblob(100000000))",
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c",
        "SELECT count(*) FROM orders a, orders b, orders c, orders d",
        "CREATE TABLE x (y)",
        "",
        "SELECT \x00",
    ],
)
async def test_everything_but_a_bounded_select_is_refused(sql: str) -> None:
    database = Database()
    try:
        with pytest.raises(QueryRefusedError):
            _refuse_empty(database.read(sql))
        assert database.read("SELECT count(*) FROM customers").rows == [[60]]
    finally:
        database.close()


def _refuse_empty(table: object) -> None:
    if not getattr(table, "columns", None):
        raise QueryRefusedError


def test_rows_are_bounded() -> None:
    database = Database()
    table = database.read("SELECT a.id FROM orders a, customers b", most=10_000)
    database.close()
    assert len(table.rows) == 500
    assert table.truncated


def test_made_up_people_look_real_to_a_scanner_and_are_the_same_every_time() -> None:
    people = customers(60)
    assert people == customers(60)
    for one in people:
        assert luhn_digit(one.card[:-1]) == one.card[-1]
        assert len(one.card) == 16
        assert re.fullmatch(r"\d{3}-\d{2}-\d{4}", one.ssn)
        assert re.fullmatch(r"[a-z.0-9]+@[a-z-]+\.(com|net|org)", one.email)


def test_luhn_knows_the_published_test_number() -> None:
    assert luhn_digit("411111111111111") == "1"


# --- ops ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def estate(tmp_path: Path) -> Path:
    folder = tmp_path / "estate"
    folder.mkdir()
    ops.plant(folder)
    return folder


async def test_ops_lists_reads_and_searches(estate: Path) -> None:
    agent = ops.build(estate)
    names = (await ask(agent, "list")).json()
    assert names == sorted(files())
    for name, text in files().items():
        assert (await ask(agent, "read", {"path": name})).body == text
    hits = (await ask(agent, "search", {"text": "connection refused"})).json()
    assert [(hit["path"], hit["line"]) for hit in hits] == [("logs/billing.log", 18)]


def test_the_estate_holds_what_a_scanner_looks_for() -> None:
    text = "\n".join(files().values())
    assert re.search(r"\bAKIA[A-Z2-7]{16}\b", text)
    assert re.search(r"postgresql://\w+:\w{20}@", text)
    assert re.search(r"\bghp_\w{36}\b", text)
    assert re.search(r"-----BEGIN RSA PRIVATE KEY-----\n(?:[\w+/=]{1,64}\n)+-----END RSA PRIVATE KEY-----", text)


@pytest.mark.parametrize(
    "path",
    [
        "../outside.txt",
        "logs/../../outside.txt",
        "/etc/passwd",
        "logs",
        "",
        ".",
        "logs//billing.log",
        "./README.txt",
        "..\\outside.txt",
        "README.txt\x00",
        "link.txt",
        "linked/outside.txt",
        "large.bin",
        "absent.txt",
    ],
)
async def test_ops_reads_nothing_outside_its_folder(path: str, estate: Path) -> None:
    (estate.parent / "outside.txt").write_text("outside")
    (estate / "link.txt").symlink_to(estate.parent / "outside.txt")
    (estate / "linked").symlink_to(estate.parent)
    (estate / "large.bin").write_bytes(b"x" * (MOST_BYTES + 1))
    answer = await ask(ops.build(estate), "read", {"path": path})
    assert not answer.ok
    assert "outside" not in json.dumps(answer.body)


def test_search_follows_no_link_either(estate: Path) -> None:
    (estate.parent / "outside.txt").write_text("outside words")
    (estate / "link.txt").symlink_to(estate.parent / "outside.txt")
    assert Folder(estate).search("outside words") == []
    with pytest.raises(ReadRefusedError):
        Folder(estate).read("link.txt")
