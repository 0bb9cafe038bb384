"""Strings that a program puts together from its variables are read as one, where their pieces stand; what is not joined is left apart."""

from __future__ import annotations

import pytest

from lockgate_workers.scanning.engine import Scanner
from lockgate_workers.scanning.packs import parse_pack

PACK = """
rules:
  - id: canary
    description: a made-up secret with a head of its own
    severity: high
    action: redact
    pattern: '\\b(?P<secret>cnry_[A-Za-z0-9]{20})\\b'
    examples: {match: ['cnry_aB1cD2eF3gH4iJ5kL6mN'], skip: ['cnry_bird']}
  - id: address
    description: a made-up address, which has no head
    severity: low
    action: redact
    pattern: '\\b(?P<secret>[a-z]{3,20}@[a-z]{3,20}\\.test)\\b'
    examples: {match: ['anna@canary.test'], skip: ['anna@canary']}
"""
SECRETS = {"canary": "cnry_aB1cD2eF3gH4iJ5kL6mN", "address": "annaberg@canary.test"}
PROGRAMS = {
    "template": "const a = \"{0}\";\nconst b = '{1}';\nsend(`${{a}}${{b}}`);",
    "template of three": 'let one = "{0}", two = "{1}", three = "";\nsend(`${{one}}${{two}}${{three}}`);',
    "formatted string": 'a = "{0}"\nb = "{1}"\nprint(f"{{a}}{{b}}")',
    "places": 'key = "%s%s" % ("{0}", "{1}")',
    "places and names": 'a = "{0}"\nb = "{1}"\nkey = "%s%s" % (a, b)',
    "format": 'key = "{{}}{{}}".format("{0}", "{1}")',
    "sprintf": 'fmt.Sprintf("%s%s", "{0}", "{1}")',
    "sum": 'a = "{0}"\nb = "{1}"\nprint(a + b)',
    "sum with a type": 'first: str = "{0}"\nlast: str = "{1}"\nreturn first + last',
    "sum far below": 'a = "{0}"\n# the rest is somewhere else\nb = "{1}"\n\ndef key():\n    return a + b',
    "sum the other way round": 'tail = "{1}"\nhead = "{0}"\nkey = head + tail',
    "name and literal": 'head = "{0}"\nkey = head + "{1}"',
    "shell": 'A={0}; B={1}; curl -H "$A$B" x',
    "shell in braces": 'A="{0}"\nB="{1}"\nexport KEY="${{A}}${{B}}"',
    "dollar and dot": "$a = '{0}';\n$b = '{1}';\n$key = $a . $b;",
    "added to": 'key = "{0}"\nkey += "{1}"',
    "list": 'parts = ["{0}", "{1}"]\nkey = parts[0] + parts[1]',
    "list that is joined": 'parts = ["{0}", "{1}"]\nkey = "".join(parts)',
    "join": 'key = "".join(["{0}", "{1}"])',
    "join behind": 'const key = ["{0}", "{1}"].join("");',
    "concat": 'key = "{0}".concat("{1}")',
    "CONCAT": "SELECT CONCAT('{0}', '{1}') AS k",
    "append": 'text.append("{0}").append("{1}")',
    "percent signs": 'set A="{0}"\nset B="{1}"\necho %A%%B%',
}


@pytest.fixture(scope="module")
def scanner() -> Scanner:
    return Scanner([parse_pack("variables.yaml", PACK.encode())], clock=lambda: 0.0, evidence_key=b"k" * 32)


@pytest.mark.parametrize("rule", SECRETS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_what_a_program_puts_together_is_found_with_all_its_pieces(name: str, rule: str, scanner: Scanner) -> None:
    pieces = SECRETS[rule][:9], SECRETS[rule][9:]
    text = f"Run this:\n\n{PROGRAMS[name].format(*pieces)}\n\nThat is all."
    spans = [(one.start, one.end) for one in scanner.scan(text).findings if one.rule == rule]
    for piece in pieces:
        first = text.index(piece)
        assert any(start <= first and first + len(piece) <= end for start, end in spans)


def test_pieces_in_another_order_are_all_covered(scanner: Scanner) -> None:
    text = 'b = "D2eF3gH"\nc = "4iJ5kL6mN"\na = "cnry_aB1c"\nkey = a + b + c\n'
    (finding,) = (one for one in scanner.scan(text).findings if one.rule == "canary")
    assert (finding.start, finding.end) == (text.index("D2eF"), text.index("cnry_aB1c") + 9)


def test_words_before_the_expression_stand_before_the_string() -> None:
    pack = """
rules:
  - id: password
    description: a made-up password, named so
    severity: high
    action: redact
    pattern: 'password = "(?P<secret>[a-z]{8}[0-9]{4})"'
    examples: {match: ['password = "abcdefgh1234"'], skip: ['password']}
"""
    scanner = Scanner([parse_pack("named.yaml", pack.encode())], clock=lambda: 0.0, evidence_key=b"k" * 32)
    text = 'a = "abcdefg"\nb = "h1234"\npassword = a + b\n'
    assert [text[one.start : one.end] for one in scanner.scan(text).findings] == ['abcdefg"\nb = "h1234']


@pytest.mark.parametrize(
    "text",
    [
        'a = "anna@"\nb = "canary.test"\nprint(a, b)',
        'a = "anna@"\nb = "canary.test"\nprint(a + c)\nprint(c + b)',
        'a = "anna@"\nb = "canary.test"\nprint(a - b)',
        'a = "anna@"\nprint(a + other("x") + "canary.test")',
        'names = ["anna@", "canary.test"]\nprint(names)',
        'key = ", ".join(["anna@", "canary.test"])',
        'a = "cnry_aB1cD2e"\na = "anna@"\nb = "F3gH4iJ5kL6mN"\nprint(a + b)',
        'a = "anna@"\n' + "# nothing to see\n" * 600 + 'b = "canary.test"\nprint(a + b)',
    ],
)
def test_what_is_not_put_together_stays_apart(text: str, scanner: Scanner) -> None:
    assert scanner.scan(text).findings == ()


@pytest.mark.parametrize(
    "flood",
    [
        'a="bcd"+',
        'a="bc"\n',
        "a+a+",
        '+"a"',
        "${a}",
        "$a$a",
        "%s%s",
        '"%s%s" % (a, ',
        "concat(",
        '["ab"',
        "a+=",
        '.join("',
        "a[1]+",
    ],
)
def test_a_flood_of_assignments_and_sums_is_judged_or_refused(flood: str, scanner: Scanner) -> None:
    text = 'a = "cd"\nkey = a + a\n' + flood * (20_000 // len(flood))
    assert scanner.scan(text).findings == ()


def test_what_grows_with_every_use_is_refused(scanner: Scanner) -> None:
    text = f'a = "{"b" * 400}"\nprint(' + "a + " * 4_000 + "a)"
    assert scanner.scan(text).refusal is not None
