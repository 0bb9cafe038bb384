"""The packs for personal data and infrastructure in whole sentences, records and logs: what is found, with which span, and what stays."""

from __future__ import annotations

import pytest

from lockgate_workers.dlp import json_body
from lockgate_workers.scanning.engine import Scanner
from lockgate_workers.scanning.findings import Action
from lockgate_workers.scanning.loading import load_scanner

# Who writes a rule for people names it as Presidio does; these have no counterpart there, or name places and machines.
FORMS = (
    "The {name} on file is {value}. Thank you.",
    '{{"customer": 4412, "{name}": "{value}", "tier": "gold"}}',
    "| field | value |\n|---|---|\n| {name} | {value} |\n",
    "id,{name},status\n1,{value},active\n",
    "SELECT * FROM people WHERE ident = '{value}'; -- {name}",
    '2026-03-04T10:11:12Z INFO update field="{name}" value="{value}" ok',
)
NUMBERS = (
    ("card number", "4111 1111 1111 1111"),
    ("IBAN", "DE89 3704 0044 0532 0130 00"),
    ("SSN", "536-22-8726"),
    ("ABA", "071101307"),
    ("SIN", "130 692 544"),
    ("bank account number", "64171025139"),
    ("DL number", "H7722124"),
    ("passport number", "A12345670"),
    ("NHS number", "401 023 2137"),
    ("Aadhaar", "3998 7654 3211"),
    ("PESEL", "65021695684"),
    ("NIF", "12345678Z"),
    ("Steuer-ID", "36574261809"),
    ("BSN", "111222333"),
    ("CPF", "390.533.447-05"),
    ("phone", "030 901820"),
    ("mobile", "+33 6 19 26 28 54"),
    ("email", "anna.berg@lockgate-mail.org"),
    ("date of birth", "12/03/1984"),
    ("client ip", "81.210.58.14"),
    ("MAC", "3c:22:fb:9a:10:7e"),
    ("wallet", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
    ("여권번호", "M789C1234"),
)


@pytest.fixture(scope="module")
def scanner() -> Scanner:
    return load_scanner("dlp", evidence_key=b"k" * 32, clock=lambda: 0.0)


def redacted(scanner: Scanner, text: str) -> list[str]:
    return [text[one.start : one.end] for one in scanner.scan(text).findings if one.action is Action.REDACT]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("name", "value"), NUMBERS)
def test_a_number_is_found_with_its_name_before_or_behind_it(name: str, value: str, form: str, scanner: Scanner) -> None:
    assert value in redacted(scanner, form.format(name=name, value=value))


@pytest.mark.parametrize(
    "text",
    [
        "order 10481694, ticket 20260304-1177, build 555-76-614, part no. 12-345-6789",
        "took 1760748421636 ms since 1760118731, oid 1.3.6.1.4.1.54344, version 4.21.0.7",
        "dfe140ee-c695-4307-939e-5ab240e1c8e0 and 9fceb02d0ae598e95dc970b74767f19372d61af8",
        "0.091255057 0.528096818 0.555837869 0.822636304; 870,657.13 USD on 2026-04-16",
        "ISBN 978-0-65-668507-3, tracking 1ZS1TJ0FGT3HNTB6DI",
        "listens on 127.0.0.1:8080, ::1 and 0.0.0.0; see 203.0.113.5",
        "using 123456789 testing 987654321 defining 55566677",
        "x = a[1::2]; std::add(b); Port 80:443 at 12:34:56",
        '@app.route("/v1/items") with "@babel/core": "^7.22.0" by git@github.com:acme/site.git',
        "Run it with /usr/bin/python, edit /etc/nginx/nginx.conf in C:\\Program Files\\Git\\bin or /opt/homebrew/bin",
        "from hypothesis.internal import core; this.config.internal; os.path.local",
        "Traceback (most recent call last):\n  ...\nValueError: no",
        "driver's license is required; passport: yes; account: disabled; license: MIT",
    ],
)
def test_ordinary_numbers_and_paths_stay(text: str, scanner: Scanner) -> None:
    assert redacted(scanner, text) == []


@pytest.mark.parametrize(
    "trace",
    [
        (
            'Traceback (most recent call last):\n  File "/srv/acme/app/srv.py", line 42, in connect\n    conn = pool.get()\n'
            '  File "/srv/acme/venv/lib/pool.py", line 91, in get\n    raise Timeout()\nacme.Timeout: no answer from 10.82.108.65'
        ),
        "panic: index out of range\n\ngoroutine 1 [running]:\nmain.main()\n\t/home/aberg/go/src/acme/main.go:21 +0x1d",
        "java.sql.SQLException: Access denied\n\tat com.acme.orders.Repo.find(Repo.java:118)\n\tat com.acme.Api.get(Api.java:44)",
        (
            "Error: connect ECONNREFUSED\n    at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1595:16)\n"
            "    at /srv/acme/app/node_modules/ioredis/built/index.js:122:9"
        ),
        "System.NullReferenceException: no\n   at Acme.Api.Get(String id) in C:\\src\\Api.cs:line 44\n   at Acme.Program.Main()",
        "thread 'main' panicked at src/main.rs:2:5:\nno\nstack backtrace:\n   0: rust_begin_unwind\n             at /rustc/x/lib.rs:5:5",
    ],
)
def test_a_stack_trace_goes_as_a_whole(trace: str, scanner: Scanner) -> None:
    text = f"It failed:\n\n{trace}\n\nPlease try again."
    covered: set[int] = set()
    for one in scanner.scan(text).findings:
        if one.action is Action.REDACT:
            covered.update(range(one.start, one.end))
    start = text.index(trace)
    assert {index for index in range(start, start + len(trace)) if text[index] != "\n"} <= covered
    assert max(covered) < text.index("Please")


@pytest.mark.parametrize(
    "text",
    [
        "http://jenkins-16.svc.cluster.local:8080/admin",
        "postgresql+asyncpg://oortiz:QmJ9D7XFHPKR@192.168.74.79/app?sslmode=require",
        "ip-10-0-3-7.eu-west-1.compute.internal",
        "orders-prod.c8x1l2abcdef.eu-central-1.rds.amazonaws.com:5432",
        "\\\\dc1.corp.acme.com\\share\\hr\\web.config",
        "/opt/acme/jenkins-stg-12/conf/app.yml",
        "arn:aws:iam::248217385718:role/eks-node",
    ],
)
def test_an_inner_address_goes_as_a_whole(text: str, scanner: Scanner) -> None:
    found = redacted(scanner, f"It lives at {text} right now.")
    assert any(one.rstrip(".") == text for one in found)


def test_rules_for_people_carry_the_name_that_presidio_knows(scanner: Scanner) -> None:
    assert [rule.id for rule in scanner.rules if rule.category == "pii" and not rule.entity] == []


@pytest.mark.parametrize(
    "body",
    [
        '{"order_id": 66336194356, "sku": "98246352N", "serial": "J866548653"}',
        '{"by_id": {"51289394854": "ok", "8891290986": "ok"}}',
        '[8891290986, 585685749, "VH5548369", "C000500021"]',
        '{"size_bytes": 47327514216, "updated_at": 1701277475545, "reference": "MJ2645767"}',
    ],
)
def test_ids_of_an_answer_in_json_are_no_numbers_of_people(body: str, scanner: Scanner) -> None:
    texts = [leaf.scanned for leaf in json_body.leaves(json_body.parse(body))]
    assert [one.rule for result in scanner.scan_all(texts) for one in result.findings] == []
